import { concat } from '../../autograd/ops/concat.ts';
import { conv2d, type Window } from '../../autograd/ops/convolution.ts';
import { groupNorm, groupNormBy, groupStatistics } from '../../autograd/ops/group_norm.ts';
import { add } from '../../autograd/ops/residual.ts';
import type { Tape } from '../../autograd/tape.ts';
import type { Weights } from '../../nn/network.ts';
import type { Tensor } from '../../tensor/index.ts';
import { partName } from './place.ts';
import { freeImages, type Images, planStrips, sizeOf, withRows } from './strips.ts';

/** A group norm, with SiLU behind it or without, by its name. */
export interface GroupNormed {
  readonly name: string;
  readonly groups: number;
  readonly eps: number;
  readonly silu: boolean;
}

/** What a convolution of images may do beside convolving. */
export interface ConvolutionParts {
  /** Rows and columns of a window. Default 3. */
  readonly side?: number;
  readonly stride?: number;
  /** Default as many zeros on each side as keep the size. */
  readonly padding?: NonNullable<Window['padding']>;
  /** Read the images normed so: not stored as a whole where they are in strips. */
  readonly normed?: GroupNormed;
  /** Read every pixel four times, as an image of twice the size. */
  readonly doubled?: boolean;
  readonly act?: 'relu' | 'silu';
  /** Read silu(x). */
  readonly silu?: boolean;
  readonly residual?: Images;
  /** Read these side by side with x. */
  readonly beside?: Images;
  readonly groups?: number;
}

/** Group norm of images: [B, H, W, C] -> same shape. */
export function normed(tape: Tape, w: Weights, x: Images, { name, groups, eps, silu }: GroupNormed): Images {
  const [weight, bias] = [w.get(`${name}.weight`), w.get(`${name}.bias`)];
  if (x.strips.length === 1)
    return { ...x, strips: [groupNorm(tape, x.strips[0] as Tensor, weight, bias, { groups, eps, silu })] };
  const stats = groupStatistics(tape, x.strips, groups, eps);
  const strips = x.strips.map((strip) => groupNormBy(tape, strip, stats, weight, bias, { groups, silu }));
  tape.release(stats);
  return { ...x, strips };
}

/**
 * Convolution NAME of images, [B, H, W, C] -> [B, H', W', out]: of strips, with the rows of their neighbours that its windows reach, where
 * they or what is made of them would be too large in one.
 */
export function convolve(tape: Tape, w: Weights, name: string, x: Images, o: ConvolutionParts = {}): Images {
  const { side = 3, stride = 1, doubled = false, act, silu, groups, residual, beside: second } = o;
  const [top, left, bottom = top, right = left] = o.padding ?? [(side - 1) / 2, (side - 1) / 2];
  const { batch, width, channels } = sizeOf(x);
  const parts = weightsOf(w, name);
  const out = parts.reduce((sum, { weight }) => sum + (weight.shape[0] as number), 0);
  const [seenHeight, seenWidth] = doubled ? [2 * x.height, 2 * width] : [x.height, width];
  const along = (size: number, padding: number) => Math.floor((size + padding - side) / stride) + 1;
  const height = along(seenHeight, top + bottom);
  const deep = Math.max(channels, second ? sizeOf(second).channels : 0);
  const read = doubled ? width * deep : stride * width * deep; // numbers a row made, at most
  const made = along(seenWidth, left + right) * out;
  const plan = planStrips(x.most, {
    ...{ height, bytesPerRow: 4 * batch * Math.max(read, made), beside: side - 1, ends: doubled ? 'odd' : 1 },
  });
  const options = {
    ...(doubled && { doubled }),
    ...(act && { act }),
    ...(silu && { silu }),
    ...(groups && { groups }),
  };
  const whole = x.strips.length === 1 && plan.length === 1;
  const stats = o.normed && !whole ? groupStatistics(tape, x.strips, o.normed.groups, o.normed.eps) : undefined;

  /** Rows of x, normed where that is asked for, given to `use`. */
  const reading = (from: number, to: number, use: (rows: Tensor) => Tensor): Tensor =>
    withRows(tape, x, from, to, (rows) => {
      if (!o.normed) return use(rows);
      const [weight, bias] = [w.get(`${o.normed.name}.weight`), w.get(`${o.normed.name}.bias`)];
      const y = stats
        ? groupNormBy(tape, rows, stats, weight, bias, o.normed)
        : groupNorm(tape, rows, weight, bias, o.normed);
      const result = use(y);
      if (!tape.recording) tape.release(y);
      return result;
    });
  const convolved = (from: number, to: number, beside?: Tensor): Tensor => {
    const [first, last] = [from * stride - top, (to - 1) * stride - top + side];
    const [begin, end] = [Math.max(0, first), Math.min(seenHeight, last)];
    const padding = [begin - first, left, last - end, right] as const;
    const [begun, ended] = doubled ? [begin / 2, end / 2] : [begin, end];
    const one = (rows: Tensor, two: Tensor | undefined, { weight, bias }: ConvolutionWeights) =>
      conv2d(
        tape,
        rows,
        weight,
        bias,
        { size: [side, side], stride, padding },
        {
          ...options,
          ...(beside && parts.length === 1 && { residual: beside }),
          ...(two && { beside: { second: two, scale: 1, scale2: 1 } }),
        },
      );
    const run = (rows: Tensor, two?: Tensor) =>
      parts.length === 1
        ? one(rows, two, parts[0] as ConvolutionWeights)
        : sideBySide(
            tape,
            parts.map((part) => one(rows, two, part)),
            beside,
          );
    return reading(begun, ended, (rows) =>
      second ? withRows(tape, second, begun, ended, (two) => run(rows, two)) : run(rows),
    );
  };
  const strips = plan.map(([from, to]) =>
    residual ? withRows(tape, residual, from, to, (beside) => convolved(from, to, beside)) : convolved(from, to),
  );
  if (stats) tape.release(stats);
  return { strips, height, most: x.most };
}

interface ConvolutionWeights {
  readonly weight: Tensor;
  readonly bias: Tensor | undefined;
}

/** The weights of a convolution, or of its parts where its output channels are placed in several. */
function weightsOf(w: Weights, name: string): ConvolutionWeights[] {
  const found = (of: (part: string) => string): ConvolutionWeights => ({
    weight: w.get(of(`${name}.weight`)),
    bias: w.has(of(`${name}.bias`)) ? w.get(of(`${name}.bias`)) : undefined,
  });
  if (w.has(`${name}.weight`)) return [found((part) => part)];
  const parts: ConvolutionWeights[] = [];
  while (w.has(partName(`${name}.weight`, parts.length))) parts.push(found((part) => partName(part, parts.length)));
  return parts;
}

/** Channels of several images as those of one, plus a residual: [B, H, W, C_i] -> [B, H, W, sum of C_i]. */
function sideBySide(tape: Tape, parts: readonly Tensor[], residual: Tensor | undefined): Tensor {
  const joined = concat(tape, parts);
  const sum = residual ? add(tape, joined, residual) : joined;
  if (!tape.recording) for (const tensor of residual ? [...parts, joined] : parts) tape.release(tensor);
  return sum;
}

/** `convolve`, after which x is not read any more. */
export function convolveLast(tape: Tape, w: Weights, name: string, x: Images, o: ConvolutionParts = {}): Images {
  const y = convolve(tape, w, name, x, o);
  freeImages(tape, x);
  return y;
}
