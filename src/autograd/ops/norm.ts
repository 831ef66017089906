import { norm } from '../../kernels/norm.ts';
import { normBackwardModulation, normBackwardWeight, normBackwardX } from '../../kernels/norm_backward.ts';
import { chooseChunk } from '../../kernels/reduce.ts';
import { rowsAndCols, type Tensor } from '../../tensor/index.ts';
import type { GradSink, Tape } from '../tape.ts';
import { columnSums } from './linear.ts';

/** Parameters and modulation of a norm, each left out where there is none. */
export interface NormModulateOptions {
  kind: 'layer' | 'rms';
  eps: number;
  /** [cols], trained. */
  weight?: Tensor;
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

/** LayerNorm or RMSNorm over the last axis, fused with weight and adaLN modulation. x [..., cols] -> same shape. */
export function normModulate(tape: Tape, x: Tensor, o: NormModulateOptions): Tensor {
  const { rows, cols } = rowsAndCols(x);
  const { device } = tape.workspace;
  const { kind, weight, modulation: mod } = o;
  const scale = mod !== undefined;
  const shift = mod?.shift !== undefined;
  const y = tape.alloc(...x.shape);
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
      scale,
      shift,
      stats: stats !== undefined,
    },
    { cols, mod_stride: dims.mod_stride, scale_offset: dims.scale_offset, shift_offset },
  );
  tape.run(kernel, { x, weight, modulation: mod?.from, y, stats }, { ...dims, shift_offset, eps: o.eps });
  return tape.push({
    op: 'normModulate',
    inputs: [x, ...(weight ? [weight] : []), ...(mod ? [mod.from] : [])],
    output: y,
    saved: stats ? [stats] : [],
    vjp: (dy, sink) => {
      const saved = stats as Tensor;
      const modulation = mod?.from;
      const parts = { weight: weight !== undefined, scale };
      if (mod) {
        sink.addInto(mod.from, (dmodulation) => {
          const backward = normBackwardModulation.prepare(device, { ...parts, shift }, { cols });
          tape.run(backward, { dy, x, stats: saved, weight, dmodulation }, { ...dims, shift_offset });
        });
      }
      if (weight) weightGradient(tape, sink, { dy, x, stats: saved, modulation }, weight, scale, dims);
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

function weightGradient(
  tape: Tape,
  sink: GradSink,
  from: { dy: Tensor; x: Tensor; stats: Tensor; modulation: Tensor | undefined },
  weight: Tensor,
  scale: boolean,
  dims: { rows: number; cols: number; mod_rows: number; mod_stride: number; scale_offset: number },
): void {
  sink.give(weight, (dweight) => {
    const chunk_rows = chooseChunk(dims.rows, dims.cols, tape.workspace.caps);
    const chunks = Math.ceil(dims.rows / chunk_rows);
    const partial = tape.alloc(chunks, dims.cols);
    const kernel = normBackwardWeight.prepare(tape.workspace.device, { scale });
    tape.run(kernel, { ...from, dweight_partial: partial }, { ...dims, chunk_rows });
    columnSums(tape, partial, chunks, dims.cols, dweight);
    tape.release(partial);
  });
}
