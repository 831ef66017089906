import { norm } from '../../kernels/norm.ts';
import {
  fusesNormBackward,
  normBackward,
  normBackwardModulation,
  normBackwardWeight,
  normBackwardX,
} from '../../kernels/norm_backward.ts';
import { chooseChunk } from '../../kernels/reduce.ts';
import { rowsAndCols, storedAs, type Tensor, TensorError } from '../../tensor/index.ts';
import type { GradSink, Tape } from '../tape.ts';

/** Parameters and modulation of a norm, each left out where there is none. */
export interface NormModulateOptions {
  /** pixel, x over eps + root mean square, has neither weight nor modulation. */
  kind: 'layer' | 'rms' | 'pixel';
  eps: number;
  /** [cols], trained. */
  weight?: Tensor;
  /** [cols], trained, beside a weight. */
  bias?: Tensor;
  /** adaLN: y = norm(x)(1 + scale) + shift, from columns of one modulation tensor [B, stride]. */
  modulation?: {
    from: Tensor;
    /** Rows of x that share a modulation row. */
    rows: number;
    /** First column of scale. */
    scale: number;
    /** First column of shift; none for scale alone. */
    shift?: number;
  };
}

/** LayerNorm, RMSNorm or pixel norm over the last axis, fused with weight and adaLN modulation. x [..., cols] -> same shape. */
export function normModulate(tape: Tape, x: Tensor, o: NormModulateOptions): Tensor {
  const { rows, cols } = rowsAndCols(x);
  const { device } = tape.workspace;
  const { kind, weight, bias, modulation: mod } = o;
  if (bias && !weight) throw new TensorError('normModulate: a bias without a weight', 'give a weight of ones too');
  if (kind === 'pixel' && (weight || mod))
    throw new TensorError('normModulate: a pixel norm with a weight or modulation', 'leave them out, or use rms');
  const scale = mod !== undefined;
  const shift = mod?.shift !== undefined;
  const dtype = storedAs(x);
  const y = tape.allocAs(dtype, ...x.shape);
  const stats = tape.recording ? tape.alloc(rows, 2) : undefined;
  const dims = {
    rows,
    cols,
    mod_rows: mod?.rows ?? 1,
    mod_stride: mod ? (mod.from.shape.at(-1) as number) : 0,
    scale_offset: mod?.scale ?? 0,
  };
  const shift_offset = mod?.shift ?? 0;
  const kernel = norm.prepare(
    device,
    {
      kind,
      weight: weight !== undefined,
      bias: bias !== undefined,
      scale,
      shift,
      stats: stats !== undefined,
      dtype,
    },
    { cols, mod_stride: dims.mod_stride, scale_offset: dims.scale_offset, shift_offset },
  );
  tape.run(kernel, { x, weight, bias, modulation: mod?.from, y, stats }, { ...dims, shift_offset, eps: o.eps });
  return tape.push({
    op: 'normModulate',
    inputs: [x, ...(weight ? [weight] : []), ...(bias ? [bias] : []), ...(mod ? [mod.from] : [])],
    output: y,
    saved: stats ? [stats] : [],
    vjp: (dy, sink) => {
      const saved = stats as Tensor;
      const modulation = mod?.from;
      const parts = { weight: weight !== undefined, scale, dtype };
      if (weight) affineGradients(tape, sink, { dy, x, stats: saved, modulation }, { weight, bias }, scale, dims);
      const both = mod && sink.needs(mod.from) && sink.needs(x);
      if (both && !bias && kind !== 'pixel' && fusesNormBackward(dims, tape.workspace.caps)) {
        const run = (dmodulation: Tensor, dx: Tensor, prior: Tensor | undefined) => {
          const options = { kind, weight: weight !== undefined, shift, prior: prior !== undefined, dtype };
          const backward = normBackward.prepare(device, options, { ...dims, shift_offset });
          const given = { dy, x, stats: saved, weight, modulation: mod.from, prior, dx, dmodulation };
          tape.run(backward, given, { ...dims, shift_offset });
        };
        sink.addInto(mod.from, (dmodulation) => sink.give(x, (dx, prior) => run(dmodulation, dx, prior), 'fused'));
        return;
      }
      if (mod) {
        sink.addInto(mod.from, (dmodulation) => {
          const backward = normBackwardModulation.prepare(
            device,
            { ...parts, bias: bias !== undefined, shift },
            { cols },
          );
          tape.run(backward, { dy, x, stats: saved, weight, bias, dmodulation }, { ...dims, shift_offset });
        });
      }
      sink.give(
        x,
        (dx, prior) => {
          const backward = normBackwardX.prepare(device, { kind, ...parts, prior: prior !== undefined }, dims);
          tape.run(backward, { dy, x, stats: saved, weight, modulation, prior, dx }, dims);
        },
        'fused',
      );
    },
  });
}

function affineGradients(
  tape: Tape,
  sink: GradSink,
  from: { dy: Tensor; x: Tensor; stats: Tensor; modulation: Tensor | undefined },
  { weight, bias }: { weight: Tensor; bias: Tensor | undefined },
  scale: boolean,
  dims: { rows: number; cols: number; mod_rows: number; mod_stride: number; scale_offset: number },
): void {
  const wanted = [weight, bias].filter((input): input is Tensor => input !== undefined && sink.needs(input));
  if (wanted.length === 0) return;
  const chunk_rows = chooseChunk(dims.rows, dims.cols, tape.workspace.caps);
  const chunks = Math.ceil(dims.rows / chunk_rows);
  const kernel = normBackwardWeight.prepare(tape.workspace.device, {
    scale,
    bias: bias !== undefined,
    dtype: storedAs(from.x),
  });
  const run = (dweight_partial: Tensor, dbias_partial: Tensor | undefined) =>
    tape.run(kernel, { ...from, dweight_partial, dbias_partial }, { ...dims, chunk_rows });
  if (wanted.length === (bias ? 2 : 1)) {
    sink.giveSums(
      wanted.map((input) => ({ input, parts: chunks })),
      ([dweight, dbias]) => run(dweight as Tensor, dbias),
    );
    return;
  }
  const unwanted = tape.alloc(chunks, dims.cols); // the kernel makes both
  sink.giveSums([{ input: wanted[0] as Tensor, parts: chunks }], ([parts]) =>
    wanted[0] === weight ? run(parts as Tensor, unwanted) : run(unwanted, parts),
  );
  tape.release(unwanted);
}
