import { type Caps, defineKernel, flag, group, groupsOf, type KnobValue, optional } from '../kernel/index.ts';
import * as shaders from '../shaders.generated.ts';
import { byColumns, type ColumnOptions, columnLanes, columnTile, columnTiles } from './column_tile.ts';
import { byFours, checkFours, type Stored, stored, tilesOfFours, vecKnobs } from './vec_tile.ts';

/** Rows of cols numbers, of which mod_rows at a time share a gate, and where it lies in a modulation tensor. */
export interface GateDims {
  rows: number;
  cols: number;
  mod_rows: number;
  mod_stride: number;
  gate_offset: number;
}

const modulationSize = (d: GateDims) => Math.ceil(d.rows / d.mod_rows) * d.mod_stride;

function checkGate(d: GateDims): { what: string; fix: string } | undefined {
  if (d.mod_rows === 0) return { what: 'mod_rows is 0', fix: 'give the number of rows that share a gate' };
  const last = d.gate_offset + d.cols;
  if (last > d.mod_stride) {
    return {
      what: `gate columns end at ${last}, past mod_stride ${d.mod_stride}`,
      fix: 'keep gate_offset + cols <= mod_stride',
    };
  }
  return undefined;
}

/** How rows of a gated residual are read. */
export interface GateOptions {
  /** Rows are accessed as vectors of 4: cols is a multiple of 4. Default by the shape; never on CPU adapters. */
  vec?: boolean;
  /** With `vec`: modulation is read so too, mod_stride and gate_offset being multiples of 4. Default by the shape. */
  vecModulation?: boolean;
  /** How rows are stored; default f32. Modulation is f32. */
  dtype?: Stored;
}

type GateShape = Pick<GateDims, 'cols' | 'mod_stride' | 'gate_offset'>;

const allFours = (d: GateShape) => [d.cols, d.mod_stride, d.gate_offset].every((n) => n % 4 === 0);

/** What the elementwise kernels of a gate have in common. */
const gated = {
  options: group<GateOptions>(
    { vec: optional(flag), vecModulation: optional(flag), dtype: stored },
    ({ vec, vecModulation }) =>
      vecModulation && !vec ? { what: 'vecModulation without vec', fix: 'set vec too' } : undefined,
  ),
  choose: (o: GateOptions | undefined, shape: GateShape, caps: Caps): GateOptions | undefined =>
    o?.vec === undefined && !caps.software ? { ...o, vec: shape.cols % 4 === 0, vecModulation: allFours(shape) } : o,
  unshaped: (o: GateOptions | undefined, caps: Caps) =>
    o?.vec !== undefined || caps.software
      ? []
      : [
          { options: { ...o, vec: true, vecModulation: true }, when: allFours },
          ...byFours((d: GateShape) => d.cols % 4 === 0).map((m) => ({ ...m, options: { ...o, ...m.options } })),
        ],
  knobs: (o: GateOptions | undefined) => ({
    ...vecKnobs(o?.vec ?? false, o?.dtype),
    VEC_MOD: o?.vecModulation ?? false,
    Mod: o?.vecModulation ? 'vec4f' : 'f32',
  }),
  grid: (d: GateDims, k: Record<string, KnobValue>) => tilesOfFours(d.rows, d.cols, k),
  check: (d: GateDims, k: Record<string, KnobValue>) => {
    const wrong = checkGate(d) ?? checkFours('cols', d.cols, k);
    if (wrong || !k.VEC_MOD || allFours(d)) return wrong;
    const what = `modulation is read as vectors of 4, but mod_stride is ${d.mod_stride}, gate_offset ${d.gate_offset}`;
    return { what, fix: 'create the kernel without vecModulation, or for this shape' };
  },
};

/**
 * `y = x + gate h`, gate from columns of a modulation tensor. Buffers of `dtype`: x, h, y [rows, cols];
 * f32 modulation [ceil(rows/mod_rows), mod_stride], gate of column c at gate_offset + c. See shaders/gated_residual_fwd.wgsl.
 */
export const gatedResidual = defineKernel({
  shader: shaders.gated_residual_fwd,
  ...gated,
  sizes: (d) => ({ x: d.rows * d.cols, h: d.rows * d.cols, modulation: modulationSize(d), y: d.rows * d.cols }),
});

/** `dh = gate dy`. Buffers of `dtype`: dy, dh [rows, cols]; f32 modulation as in gatedResidual. See shaders/gated_residual_bwd_h.wgsl. */
export const gatedResidualBackwardH = defineKernel({
  shader: shaders.gated_residual_bwd_h,
  ...gated,
  sizes: (d) => ({ dy: d.rows * d.cols, modulation: modulationSize(d), dh: d.rows * d.cols }),
});

/** How the columns of a gate are covered. */
export interface GateGradientOptions extends ColumnOptions {
  /** Also write `dh = gate dy`, while dy is at hand: buffers modulation and dh. */
  dh?: boolean;
  /** How dy, h and dh are stored; default f32. */
  dtype?: Stored;
}

/**
 * `dgate += sum of dy h` over the rows of each modulation row, ADDED into dmodulation, which the caller zeroes.
 * Buffers of `dtype`: dy, h, dh [rows, cols]; f32 dmodulation and modulation as in gatedResidual. See shaders/gated_residual_bwd_gate.wgsl.
 */
export const gatedResidualBackwardGate = defineKernel({
  shader: shaders.gated_residual_bwd_gate,
  ...byColumns<GateGradientOptions | undefined>(),
  options: group<GateGradientOptions>({ tile: columnTile, vec: optional(flag), dh: optional(flag), dtype: stored }),
  knobs: (o: GateGradientOptions | undefined, caps) => ({
    LANES: columnLanes('gated_residual_bwd_gate', o ?? {}, caps),
    ...vecKnobs(o?.vec ?? false, o?.dtype),
    HAS_DH: o?.dh ?? false,
    Summed: o?.vec ? 'vec4f' : 'f32',
  }),
  sizes: (d) => {
    const all = d.rows * d.cols;
    return { dy: all, h: all, dmodulation: modulationSize(d), modulation: modulationSize(d), dh: all };
  },
  grid: (d, k) => Math.ceil(d.rows / d.mod_rows) * columnTiles(d.cols, d.mod_rows, k),
  check: (d, k) => checkGate(d) ?? checkFours('cols', d.cols, k),
});

/** How the numbers of a sum are stored. */
export interface AddOptions {
  /** Default f32. */
  dtype?: Stored;
}

const addOptions = group<AddOptions>({ dtype: stored });
const addKnobs = (o: AddOptions | undefined) => ({ Scalar: o?.dtype });

/** `out = a + b`, elementwise; a and b may be one buffer. Buffers of `dtype`: a, b, out [count]. See shaders/add.wgsl. */
export const add = defineKernel({
  shader: shaders.add,
  options: addOptions,
  knobs: addKnobs,
  sizes: (d) => ({ a: d.count, b: d.count, out: d.count }),
  grid: (d, k) => groupsOf(d.count, k, k.PER as number),
});

/** out = x + row, one row for every `group_rows` rows. Buffers of `dtype`: x, out [rows, cols]; f32 row [ceil(rows/group_rows), cols]. */
export const addRows = defineKernel({
  shader: shaders.add_rows,
  options: addOptions,
  knobs: addKnobs,
  sizes: (d) => ({
    x: d.rows * d.cols,
    row: Math.ceil(d.rows / d.group_rows) * d.cols,
    out: d.rows * d.cols,
  }),
  grid: (d, k) => groupsOf(d.rows * d.cols, k, k.PER as number),
  check: (d) => (d.group_rows === 0 ? { what: 'group_rows is 0', fix: 'give the rows that share a row' } : undefined),
});
