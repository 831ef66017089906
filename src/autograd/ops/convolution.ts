import { activationBackward } from '../../kernels/activation.ts';
import { combine } from '../../kernels/combine.ts';
import { type ConvSizes, convDims, convOutput } from '../../kernels/conv.ts';
import { chooseMatrixConv, chooseMatrixConvWeight } from '../../kernels/conv_matrix.ts';
import { filterDown } from '../../kernels/filter.ts';
import { exchange } from '../../kernels/weight_norm.ts';
import {
  fold,
  poolBackward,
  pool as poolKernel,
  unfold as unfoldKernel,
  type WindowDims,
  windowDims,
} from '../../kernels/window.ts';
import { type Tensor, TensorError } from '../../tensor/index.ts';
import type { GradSink, Tape } from '../tape.ts';
import {
  asHalves,
  type Beside,
  convProduct,
  convWeightProduct,
  cutConvWeight,
  multipliesHalves,
} from './conv_product.ts';
import type { LinearOptions } from './linear.ts';
import { giveColumnSums } from './product.ts';

/** A window that slides over an image. */
export interface Window {
  readonly size: readonly [height: number, width: number];
  readonly stride?: number;
  /** Zeros around the image: above and below, left and right; or of each side. */
  readonly padding?:
    | readonly [height: number, width: number]
    | readonly [top: number, left: number, bottom: number, right: number];
}

/** A window with as many zeros on one side as on the other. */
export interface EvenWindow extends Window {
  readonly padding?: readonly [height: number, width: number];
}

/** What a convolution may do beside convolving. */
export interface ConvolutionOptions {
  act?: NonNullable<LinearOptions['act']>;
  groups?: number;
  /** Read silu(x): the SiLU is not stored. */
  silu?: boolean;
  /** Read x with every pixel four times: an image of twice the height and width, not stored. */
  doubled?: boolean;
  /** Read x and this, side by side, each times its factor: neither is copied. */
  beside?: { second: Tensor; scale: number; scale2: number };
  /** The result is scale (conv + bias) + residualScale residual. Default 1. */
  scale?: number;
  residual?: Tensor;
  /** Default 1. */
  residualScale?: number;
  /** Multiply in f32 on a tape of mixed precision too: a network's last layer. */
  precision?: 'f32';
}

/**
 * Convolution of channel-last images: x [B, H, W, C], weight [out, kh kw C / groups] (window row, window column, channel), bias [out] ->
 * [B, H', W', out]. Its windows are not stored. On a tape of mixed precision operands are rounded to f16 as they are read, where the device
 * has subgroup matrices for the shape; tensors stay f32. @throws TensorError for tensors or options that do not go together.
 */
export function conv2d(
  tape: Tape,
  x: Tensor,
  weight: Tensor,
  bias: Tensor | undefined,
  window: Window,
  options: ConvolutionOptions = {},
): Tensor {
  const { act = 'none', silu = false, doubled = false, beside, scale = 1, residual, residualScale = 1 } = options;
  const { device } = tape.workspace;
  const sizes = sizesOf(x, weight, window, options);
  const { forward } = convDims(sizes);
  checkParts(sizes, weight, bias, options);
  const [outH, outW] = convOutput(sizes);
  const y = tape.alloc(sizes.batch, outH, outW, sizes.out_channels);
  const pre = act !== 'none' && tape.recording ? tape.alloc(...y.shape) : undefined;
  const cat = beside && { first: x.shape[3] as number, scale: beside.scale, scale2: beside.scale2 };
  const halves = multipliesHalves(tape, options.precision);
  convProduct(
    tape,
    halves,
    {
      ...{ silu, doubled, cat: cat !== undefined, bias: bias !== undefined, act, pre: pre !== undefined },
      ...{ scaled: scale !== 1, residual: residual !== undefined },
    },
    {
      ...forward,
      ...(scale !== 1 && { out_scale: scale }),
      ...(residual && { residual_scale: residualScale }),
    },
    cat,
    { x, x2: beside?.second, weight, bias, residual, out: y, pre },
  );
  const inputs = [x, weight, beside?.second, bias, residual].filter((t): t is Tensor => t !== undefined);
  return tape.push({
    op: 'conv2d',
    inputs,
    output: y,
    saved: pre ? [pre] : [],
    vjp: (dy, sink) => {
      const made: Tensor[] = [];
      const scaled = (by: number) => {
        if (by === 1) return dy;
        const out = tape.alloc(...y.shape);
        tape.run(combine.prepare(device), { a: dy, out }, { count: out.count, alpha: by });
        made.push(out);
        return out;
      };
      let g = scaled(scale);
      if (residual && sink.needs(residual)) sink.pass(residual, residualScale === scale ? g : scaled(residualScale));
      if (pre) {
        const dpre = tape.alloc(...y.shape);
        tape.run(
          activationBackward.prepare(device, { act } as never),
          { x: pre, dy: g, dx: dpre },
          { count: dpre.count },
        );
        made.push(dpre);
        g = dpre;
      }
      const given = { x, dy: g, weight, cat, ...options };
      const half = halves ? halvesOf(tape, sink, sizes, given) : undefined;
      inputGradients(tape, sink, sizes, given, half);
      weightGradient(tape, sink, sizes, given, half);
      if (half) tape.release(half);
      if (bias) giveColumnSums(tape, sink, bias, g, g.count / sizes.out_channels, sizes.out_channels);
      for (const tensor of made) tape.release(tensor);
    },
  });
}

type Backward = ConvolutionOptions & {
  x: Tensor;
  dy: Tensor;
  weight: Tensor;
  cat: Beside | undefined;
};

/** dy as halves, where a gradient that is wanted is one on subgroup matrices: both read it, many times. */
function halvesOf(tape: Tape, sink: GradSink, sizes: ConvSizes, o: Backward): Tensor | undefined {
  const { caps } = tape.workspace;
  const { input, weight } = convDims(sizes);
  const byInput = [o.x, o.beside?.second].some((of) => of && sink.needs(of)) && chooseMatrixConv(input, caps);
  const byWeight = sink.needs(o.weight) && chooseMatrixConvWeight({ ...weight, ...o.cat }, caps);
  return byInput || byWeight ? asHalves(tape, o.dy) : undefined;
}

/** By x, and by what lies beside it: convolutions of dy with the weights' rows and channels exchanged, whose rows are those of each. */
function inputGradients(tape: Tape, sink: GradSink, sizes: ConvSizes, o: Backward, half: Tensor | undefined): void {
  const { device, caps } = tape.workspace;
  const { input, weight: shape } = convDims(sizes);
  const parts = o.cat
    ? [
        { of: o.x, first: 0, channels: o.cat.first, scale: o.cat.scale },
        { of: o.beside?.second as Tensor, first: o.cat.first, channels: input.n - o.cat.first, scale: o.cat.scale2 },
      ]
    : [{ of: o.x, first: 0, channels: input.n, scale: 1 }];
  if (!parts.some(({ of }) => sink.needs(of))) return;
  const { groups } = input;
  const taps = shape.n / input.n;
  const read = parts.map(({ first, ...part }) => {
    const own = { ...input, n: part.channels, first_row: first };
    return { ...part, own, dy: half && chooseMatrixConv(own, caps) ? half : o.dy };
  });
  const dtype = read.every(({ dy }) => dy === half) ? 'f16' : 'f32';
  const turned = tape.allocAs(dtype, groups * input.n, input.k);
  tape.run(
    exchange.prepare(device, { outDtype: dtype }),
    { x: o.weight, out: turned },
    { m: shape.m, n: input.n, taps, groups },
  );
  for (const { of, channels, scale, own, dy } of read) {
    const options = { transposed: true, strided: input.stride > 1, scaled: scale !== 1, slope: o.silu ?? false };
    const run = (out: Tensor, prior?: Tensor) =>
      convProduct(
        tape,
        dy === half,
        { ...options, residual: prior !== undefined },
        { ...own, ...(scale !== 1 && { out_scale: scale }), ...(prior && { residual_scale: 1 }) },
        undefined,
        { x: dy, weight: turned, before: o.silu ? of : undefined, residual: prior, out },
      );
    if (!o.doubled) {
      sink.give(of, run, 'fused');
      continue;
    }
    sink.give(of, (dx) => {
      const whole = tape.alloc(sizes.batch, sizes.height, sizes.width, channels);
      run(whole);
      const { batch, height: large_h, width: large_w } = sizes;
      const small = { batch, height: large_h / 2, width: large_w / 2, large_h, large_w, channels };
      tape.run(filterDown.prepare(device), { x: whole, out: dx }, { ...small, tap0: 1, tap1: 1 });
      tape.release(whole);
    });
  }
  tape.release(turned);
}

function weightGradient(tape: Tape, sink: GradSink, sizes: ConvSizes, o: Backward, half: Tensor | undefined): void {
  if (!sink.needs(o.weight)) return;
  const { weight: dims } = convDims(sizes);
  const cut = cutConvWeight(tape, half, dims, o.cat);
  const source = { cat: o.cat !== undefined, doubled: o.doubled ?? false, silu: o.silu ?? false };
  const run = (dweight: Tensor) =>
    convWeightProduct(tape, cut, source, dims, o.cat, { x: o.x, x2: o.beside?.second, dy: o.dy, dweight });
  if (cut.splits === 1) sink.give(o.weight, run);
  else sink.giveSums([{ input: o.weight, parts: cut.splits }], ([parts]) => run(parts as Tensor));
}

function sizesOf(
  x: Tensor,
  weight: Tensor,
  { size, stride = 1, padding = [0, 0] }: Window,
  o: ConvolutionOptions,
): ConvSizes {
  const [batch, height, width, channels] = x.shape as [number, number, number, number];
  const [top, left, bottom = top, right = left] = padding;
  const twice = o.doubled ? 2 : 1;
  return {
    batch,
    height: twice * height,
    width: twice * width,
    channels: channels + (o.beside?.second.shape.at(-1) ?? 0),
    out_channels: weight.shape[0] as number,
    kernel: size,
    stride,
    padding: [top, left, bottom, right],
    groups: o.groups ?? 1,
  };
}

/** @throws TensorError */
function checkParts(sizes: ConvSizes, weight: Tensor, bias: Tensor | undefined, o: ConvolutionOptions): void {
  const fail = (what: string, fix: string): never => {
    throw new TensorError(`conv2d: ${what}`, fix);
  };
  const { channels, out_channels, groups = 1 } = sizes;
  if (channels % groups !== 0 || out_channels % groups !== 0)
    fail(`${groups} groups of ${channels} channels to ${out_channels}`, 'give groups that divide both');
  if (o.doubled && (o.silu || o.beside)) fail('doubled beside silu or a second input', 'leave out one of them');
  if (o.beside && groups > 1) fail('two inputs in groups', 'concatenate them');
  const numbers = (sizes.kernel[0] * sizes.kernel[1] * channels) / groups;
  if (weight.count !== out_channels * numbers)
    fail(`weights [${weight.shape}]`, `give [${out_channels}, ${numbers}], a window's numbers a row`);
  if (bias && bias.count !== out_channels)
    fail(`${out_channels} channels and a bias [${bias.shape}]`, 'give one number a channel');
}

function dimsOf(x: Tensor, { size, stride = 1, padding = [0, 0] }: EvenWindow): WindowDims {
  const [batch, height, width, channels] = x.shape as [number, number, number, number];
  const [kernel_h, kernel_w] = size;
  const [pad_h, pad_w] = padding;
  return windowDims({ batch, height, width, channels, kernel_h, kernel_w, stride, pad_h, pad_w });
}

/** Windows as rows: [B, H, W, C] -> [B, H', W', kh kw C], zeros in the padding. */
export function unfold(tape: Tape, x: Tensor, window: EvenWindow): Tensor {
  const { device } = tape.workspace;
  const dims = dimsOf(x, window);
  const rows = tape.alloc(dims.batch, dims.out_h, dims.out_w, dims.kernel_h * dims.kernel_w * dims.channels);
  tape.run(unfoldKernel.prepare(device), { x, rows }, dims);
  return tape.push({
    op: 'unfold',
    inputs: [x],
    output: rows,
    saved: [],
    vjp: (drows, sink) => sink.give(x, (dx) => tape.run(fold.prepare(device), { rows: drows, x: dx }, dims)),
  });
}

/** The largest element, or the mean, of each window: [B, H, W, C] -> [B, H', W', C]. Padding takes no part. */
export function pool2d(tape: Tape, x: Tensor, kind: 'max' | 'mean', window: EvenWindow): Tensor {
  const { device } = tape.workspace;
  const dims = dimsOf(x, window);
  const y = tape.alloc(dims.batch, dims.out_h, dims.out_w, dims.channels);
  tape.run(poolKernel.prepare(device, { kind }), { x, y }, dims);
  return tape.push({
    op: 'pool2d',
    inputs: [x],
    output: y,
    saved: [],
    vjp: (dy, sink) => sink.give(x, (dx) => tape.run(poolBackward.prepare(device, { kind }), { x, dy, dx }, dims)),
  });
}
