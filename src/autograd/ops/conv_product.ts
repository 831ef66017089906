/** How a convolution and its gradients are multiplied: in f32, or on subgroup matrices with operands rounded to f16. */
import {
  type ConvOptions,
  type ConvWeightOptions,
  chooseConv,
  chooseConvWeight,
  conv2d,
  conv2dBackwardWeight,
} from '../../kernels/conv.ts';
import {
  type ConvFinishOptions,
  chooseMatrixConv,
  chooseMatrixConvWeight,
  conv2dFinish,
  convHalves,
  matrixConv2d,
  matrixConv2dBackwardWeight,
} from '../../kernels/conv_matrix.ts';
import type { ConvShape, ConvSourceOptions } from '../../kernels/conv_tile.ts';
import { storedAs, type Tensor } from '../../tensor/index.ts';
import type { Tape } from '../tape.ts';
import { castInto } from './cast.ts';

/** Two images side by side: channels of the first, and the factor of each. */
export interface Beside {
  readonly first: number;
  readonly scale: number;
  readonly scale2: number;
}

/** The dims of a kernel of a convolution, as `convDims` gives them, and those of its fused parts. */
type Dims = ConvShape & {
  readonly groups: number;
  readonly height: number;
  readonly width: number;
  readonly out_h: number;
  readonly out_w: number;
  readonly kernel_w: number;
  readonly stride: number;
  readonly pad_h: number;
  readonly pad_w: number;
  readonly first_row?: number;
  readonly out_scale?: number;
  readonly residual_scale?: number;
};

interface Buffers {
  readonly x: Tensor;
  readonly x2?: Tensor | undefined;
  readonly weight: Tensor;
  readonly bias?: Tensor | undefined;
  readonly before?: Tensor | undefined;
  readonly residual?: Tensor | undefined;
  readonly out: Tensor;
  readonly pre?: Tensor | undefined;
}

/**
 * Tiles that read a number of f32 from which on it is rounded before, and read as a half: writing it costs 6 bytes, and each tile then
 * reads 2 instead of 4.
 */
const TILES_TO_ROUND = 4;

const ceil = (size: number, tile: number) => Math.ceil(size / (32 * tile));

/** Whether a tape multiplies convolutions on subgroup matrices: those whose shapes allow it (`chooseMatrixConv`). */
export const multipliesHalves = (tape: Tape, precision?: 'f32'): boolean =>
  tape.precision === 'mixed' && precision !== 'f32';

/** A tensor's numbers as halves. */
export function asHalves(tape: Tape, x: Tensor): Tensor {
  const out = tape.allocAs('f16', ...x.shape);
  castInto(tape, x, out);
  return out;
}

/** What is read of x and x2: as it is where few tiles read it, else rounded once, side by side, through SiLU. */
interface Source {
  readonly x: Tensor;
  readonly x2: Tensor | undefined;
  readonly beside: Beside | undefined;
  readonly options: ConvSourceOptions & { dtype: 'f32' | 'f16' };
  free(): void;
}

function sourceOf(
  tape: Tape,
  { x, x2 }: Pick<Buffers, 'x' | 'x2'>,
  channels: number,
  { cat = false, silu = false, doubled = false }: ConvSourceOptions,
  beside: Beside | undefined,
  readers: number,
): Source {
  if (x.dtype === 'f16' || readers < TILES_TO_ROUND)
    return { x, x2, beside, options: { cat, silu, doubled, dtype: storedAs(x) }, free: () => {} };
  const pixels = x.count / (beside?.first ?? channels);
  const out = tape.allocAs('f16', pixels, channels);
  const kernel = convHalves.prepare(tape.workspace.device, { cat, silu });
  tape.run(kernel, { x, x2, out }, { pixels, depth: channels, ...beside });
  return {
    ...{ x: out, x2: undefined, beside: undefined },
    options: { doubled, dtype: 'f16' },
    free: () => tape.release(out),
  };
}

/** Records a convolution, or its gradient by what it reads, on matrices where `halves` asks for them and the shape has them. */
export function convProduct(
  tape: Tape,
  halves: boolean,
  options: Omit<ConvOptions, 'tile'>,
  dims: Dims,
  beside: Beside | undefined,
  buffers: Buffers,
): void {
  const { device, caps } = tape.workspace;
  const shape = { ...dims, ...beside };
  const tile = halves ? chooseMatrixConv(shape, caps) : undefined;
  if (!tile) {
    tape.run(conv2d.prepare(device, { ...options, tile: chooseConv(shape, caps) }), buffers, shape);
    return;
  }
  const { cat, silu, doubled, transposed = false, strided = false, ...epilogue } = options;
  const readers = (dims.k / dims.depth) * ceil(dims.n, tile.tn);
  const source = sourceOf(
    tape,
    buffers,
    dims.depth * dims.groups,
    { cat, silu, doubled } as ConvSourceOptions,
    beside,
    readers,
  );
  const { weight, out } = buffers;
  const rounded = weight.dtype === 'f32' && ceil(dims.m, tile.tm) >= TILES_TO_ROUND;
  const read = rounded ? asHalves(tape, weight) : weight;
  const given = { x: source.x, x2: source.x2, weight: read };
  const product = { ...source.options, transposed, strided, weightDtype: storedAs(read), tile };
  if (tile.splits === 1) {
    const kernel = matrixConv2d.prepare(device, { ...product, ...epilogue });
    tape.run(kernel, { ...buffers, ...given }, { ...dims, ...source.beside });
  } else {
    const { out_scale: _, residual_scale: __, ...window } = dims;
    const parts = tape.alloc(tile.splits, out.count);
    tape.run(matrixConv2d.prepare(device, product), { ...given, out: parts }, { ...window, ...source.beside });
    finishParts(tape, epilogue, dims, buffers, parts);
    tape.release(parts);
  }
  source.free();
  if (rounded) tape.release(read);
}

/** Adds up the parts [splits, ...] of a convolution, with all that is fused. */
function finishParts(
  tape: Tape,
  options: ConvFinishOptions,
  { m, n, groups, out_scale = 1, residual_scale = 1 }: Dims,
  { bias, before, residual, out, pre }: Buffers,
  parts: Tensor,
): void {
  const size = { m, n: n * groups, splits: parts.shape[0] as number };
  const scales = { ...(options.scaled && { out_scale }), ...(options.residual && { residual_scale }) };
  const kernel = conv2dFinish.prepare(tape.workspace.device, options, size);
  tape.run(kernel, { x: parts, bias, before, residual, out, pre }, { ...size, ...scales });
}

/** A gradient by the weight: in how many runs of pixels it is summed, by which kernel's tile; `half` is dy as halves, for matrices. */
export type ConvWeightCut =
  | (ReturnType<typeof chooseConvWeight> & { readonly half: undefined })
  | (NonNullable<ReturnType<typeof chooseMatrixConvWeight>> & { readonly half: Tensor });

/** How the gradient by the weight is cut. @param half dy as halves, where there is one. */
export function cutConvWeight(
  tape: Tape,
  half: Tensor | undefined,
  dims: Dims,
  beside: Beside | undefined,
): ConvWeightCut {
  const { caps } = tape.workspace;
  const shape = { ...dims, ...beside };
  const matrix = half && chooseMatrixConvWeight(shape, caps);
  return matrix ? { ...matrix, half } : { ...chooseConvWeight(shape, caps), half: undefined };
}

/** Records the gradient by the weight, each run of pixels into a part of `dweight` [splits, ...]. */
export function convWeightProduct(
  tape: Tape,
  cut: ConvWeightCut,
  options: Omit<ConvWeightOptions, 'tile'>,
  dims: Dims,
  beside: Beside | undefined,
  { dy, dweight, ...images }: { x: Tensor; x2?: Tensor | undefined; dy: Tensor; dweight: Tensor },
): void {
  const { device } = tape.workspace;
  const k_chunk = cut.kChunk;
  if (!cut.half) {
    const kernel = conv2dBackwardWeight.prepare(device, { ...options, tile: cut.tile });
    tape.run(kernel, { ...images, dy, dweight }, { ...dims, ...beside, k_chunk });
    return;
  }
  const { tile, half } = cut;
  const readers = (dims.n / dims.depth) * ceil(dims.m, tile.tm);
  const source = sourceOf(tape, images, dims.depth * dims.groups, options, beside, readers);
  const kernel = matrixConv2dBackwardWeight.prepare(device, { ...source.options, dyDtype: 'f16', tile });
  tape.run(kernel, { x: source.x, x2: source.x2, dy: half, dweight }, { ...dims, ...source.beside, k_chunk });
  source.free();
}
