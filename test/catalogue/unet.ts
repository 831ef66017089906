import { scaledSilu, scaledSiluBackward } from '../../src/kernels/activation.ts';
import { clampBackward, combine } from '../../src/kernels/combine.ts';
import { labelMix, labelMixBackward, waveEmbedding } from '../../src/kernels/embedding.ts';
import { type FilterOptions, filterDown, filterUp } from '../../src/kernels/filter.ts';
import { linearAttentionApply, linearAttentionState } from '../../src/kernels/linear_attention.ts';
import { channelsLast } from '../../src/kernels/patch.ts';
import { pixelGather } from '../../src/kernels/pixel_shuffle.ts';
import { dropout } from '../../src/kernels/random.ts';
import { philox4x32 } from '../../src/rng/philox.ts';
import {
  type FilterProblem,
  filteredDown,
  filteredUp,
  labelMixed,
  linearlyAttended,
  type PixelSquares,
  pixelsGathered,
  randn,
  scaledSilu as scaledSiluOracle,
} from '../reference/index.ts';
import { type KernelCase, type PreparedCase, prepared } from './case.ts';

const floats = (count: number, seed: number) => Float32Array.from(randn(count, seed));
const MAP = { tolerance: 2e-6, toleranceFrom: 'f32 rounding and the few ulp that WGSL allows exp, 16 ulp' };
const EXACT = { tolerance: 0, toleranceFrom: 'numbers are moved, none changes' };

/** A case whose kernel reads and writes so many numbers. */
function mapCase(
  kernel: string,
  variant: string,
  shape: readonly number[],
  words: number,
  prepare: (device: GPUDevice) => PreparedCase,
  extra: Partial<KernelCase> = {},
): KernelCase {
  return {
    kernel,
    name: `${variant} ${shape.join('x')}`,
    variant,
    shape,
    ...MAP,
    flops: words,
    bytes: 4 * words,
    prepare,
    ...extra,
  };
}

/** Of a case for the bench the oracle computes the first part. */
const FIRST = 1 << 16;

function combineCase(b: boolean, clamped: boolean, count: number, extra: Partial<KernelCase> = {}): KernelCase {
  const variant = ['combine', ...(b ? ['two'] : []), ...(clamped ? ['clamped'] : [])].join('+');
  return mapCase(
    'combine',
    variant,
    [count],
    count * (b ? 3 : 2),
    (device) => {
      const [first, second] = [floats(count, 1), floats(count, 2)];
      const [alpha, beta, limit] = [0.7, -1.2, 0.9].map(Math.fround) as [number, number, number];
      const dims = { count, alpha, ...(b && { beta }), ...(clamped && { limit }) };
      return prepared(combine.prepare(device, { b, clamped }), dims, {
        inputs: { a: first, ...(b && { b: second }) },
        outputs: { out: count },
        oracle: () => ({
          out: Float64Array.from(extra.benchOnly ? first.subarray(0, FIRST) : first, (v, i) => {
            const sum = alpha * v + (b ? beta * (second[i] as number) : 0);
            return clamped ? Math.min(limit, Math.max(-limit, sum)) : sum;
          }),
        }),
      });
    },
    extra,
  );
}

function clampCase(count: number, extra: Partial<KernelCase> = {}): KernelCase {
  return mapCase(
    'clampBackward',
    'clamped',
    [count],
    count * 3,
    (device) => {
      const limit = 0.9;
      const y = floats(count, 1).map((v) => Math.min(Math.fround(limit), Math.max(-Math.fround(limit), v)));
      const dy = floats(count, 2);
      return prepared(
        clampBackward.prepare(device),
        { count, limit },
        {
          inputs: { y, dy },
          outputs: { dx: count },
          oracle: () => ({ dx: dy.map((v, i) => (Math.abs(y[i] as number) < Math.fround(limit) ? v : 0)) }),
        },
      );
    },
    { ...EXACT, ...extra },
  );
}

function filterCase(up: boolean, o: FilterProblem, extra: Partial<KernelCase> = {}): KernelCase {
  const { taps, ...sizes } = o;
  const small = o.batch * o.height * o.width * o.channels;
  const large = o.batch * o.large_h * o.large_w * o.channels;
  const shape = [o.batch, o.height, o.width, o.channels];
  return mapCase(
    up ? 'filterUp' : 'filterDown',
    `${taps} after ${o.before}`,
    shape,
    small + large,
    (device) => {
      const x = floats(up ? small : large, 1);
      const named = Object.fromEntries(taps.map((tap, i) => [`tap${i}`, tap])) as { tap0: number; tap1: number };
      const kernel = (up ? filterUp : filterDown).prepare(device, { length: taps.length as 2 } satisfies FilterOptions);
      const part = extra.benchOnly ? { ...o, batch: 1 } : o;
      return prepared(
        kernel,
        { ...sizes, ...named },
        {
          inputs: { x },
          outputs: { out: up ? large : small },
          oracle: () => ({ out: up ? filteredUp(x, part) : filteredDown(x, part) }),
        },
      );
    },
    extra,
  );
}

function waveCase(
  kind: 'pairs' | 'phased' | 'cosines',
  count: number,
  n: number,
  extra: Partial<KernelCase> = {},
): KernelCase {
  const cols = kind === 'pairs' ? 2 * n : n;
  return mapCase(
    'waveEmbedding',
    kind,
    [count, n],
    count * cols,
    (device) => {
      const [t, frequencies, phases] = [floats(count, 1), floats(n, 2), floats(n, 3)];
      const [slope, shift, scale] = [2.68, -1.59, Math.SQRT2].map(Math.fround) as [number, number, number];
      const kernel = waveEmbedding.prepare(device, { pairs: kind === 'pairs', phased: kind === 'phased' });
      return prepared(
        kernel,
        { count, n, slope, shift, scale },
        {
          inputs: { t, frequencies, ...(kind === 'phased' && { phases }) },
          outputs: { out: count * cols },
          oracle: () => ({
            out: Float64Array.from({ length: count * cols }, (_, i) => {
              const [b, j] = [Math.floor(i / cols), i % cols];
              const angle = (slope * (t[b] as number) + shift) * (frequencies[j % n] as number);
              if (kind === 'pairs') return scale * (j < n ? Math.sin(angle) : Math.cos(angle));
              return scale * Math.cos(angle + (kind === 'phased' ? (phases[j] as number) : 0));
            }),
          }),
        },
      );
    },
    { tolerance: 1e-6, toleranceFrom: 'f32 rounding of angles of some units', ...extra },
  );
}

function labelCase(
  backward: boolean,
  count: number,
  cols: number,
  classes: number,
  extra: Partial<KernelCase> = {},
): KernelCase {
  const kernel = backward ? 'labelMixBackward' : 'labelMix';
  return mapCase(
    kernel,
    'labels',
    [count, cols, classes],
    2 * count * cols + cols * classes,
    (device) => {
      const [e, weight, dout] = [floats(count * cols, 1), floats(cols * classes, 2), floats(count * cols, 3)];
      const y = Uint32Array.from({ length: count }, (_, i) => (i * 7) % (classes + 1));
      const how = { cols, classes, own: Math.fround(0.6), scale: Math.fround(1.4) };
      const oracle = () => labelMixed(e, weight, y, how, dout);
      if (!backward)
        return prepared(
          labelMix.prepare(device),
          { count, ...how },
          {
            inputs: { e, weight, y },
            outputs: { out: count * cols },
            oracle: () => ({ out: oracle().out }),
          },
        );
      return prepared(
        labelMixBackward.prepare(device),
        { count, ...how },
        {
          inputs: { dout, y },
          outputs: { de: count * cols, dweight: cols * classes },
          oracle: () => {
            const { de, dweight } = oracle();
            return { de, dweight };
          },
        },
      );
    },
    extra,
  );
}

function dropoutCase(count: number, first: number, layer: number, extra: Partial<KernelCase> = {}): KernelCase {
  return mapCase(
    'dropout',
    `from ${first} of layer ${layer}`,
    [count],
    2 * count,
    (device) => {
      const [x, rate] = [floats(count, 1), Math.fround(0.2)];
      const key = Uint32Array.from([123, 6, 2 ** 32 - 5, 7]);
      return prepared(
        dropout.prepare(device),
        { count, first, layer, rate },
        {
          inputs: { key, x },
          outputs: { out: count },
          oracle: () => ({
            out: Float64Array.from(extra.benchOnly ? x.subarray(0, FIRST) : x, (v, i) => {
              const at = first + i;
              const block = [Math.floor(at / 4), layer, key[2] as number, key[3] as number];
              const word = philox4x32(block, [key[0] as number, key[1] as number])[at % 4] as number;
              return (word >>> 8) * 2 ** -24 >= rate ? v / (1 - rate) : 0;
            }),
          }),
        },
      );
    },
    extra,
  );
}

function scaledSiluCase(
  backward: boolean,
  batch: number,
  pixels: number,
  cols: number,
  extra: Partial<KernelCase> = {},
): KernelCase {
  const all = batch * pixels * cols;
  const kernel = backward ? 'scaledSiluBackward' : 'scaledSilu';
  return mapCase(
    kernel,
    'scaled',
    [batch, pixels, cols],
    all * (backward ? 4 : 2),
    (device) => {
      const [x, scale, dy] = [floats(all, 1), floats(batch * cols, 2), floats(all, 3)];
      const dims = { rows: batch * pixels, cols, pixels };
      const oracle = () => scaledSiluOracle(x, scale, { pixels, cols }, dy);
      if (!backward)
        return prepared(scaledSilu.prepare(device), dims, {
          inputs: { x, scale },
          outputs: { y: all },
          oracle: () => ({ y: oracle().y }),
        });
      return prepared(scaledSiluBackward.prepare(device), dims, {
        inputs: { x, scale, dy },
        outputs: { dx: all, dscale: all },
        oracle: () => {
          const { dx, dscale } = oracle();
          return { dx, dscale };
        },
      });
    },
    extra,
  );
}

function channelsCase(
  back: boolean,
  batch: number,
  channels: number,
  pixels: number,
  ones: number,
  extra: Partial<KernelCase> = {},
): KernelCase {
  const wide = channels + ones;
  const [first, last] = [batch * channels * pixels, batch * wide * pixels];
  return mapCase(
    'channelsLast',
    back ? 'back' : 'there',
    [batch, channels, pixels, ones],
    first + last,
    (device) => {
      const x = floats(back ? last : first, 1);
      const place = (b: number, c: number, p: number) => (b * channels + c) * pixels + p;
      return prepared(
        channelsLast.prepare(device, { back }),
        { batch, channels, pixels, ones },
        {
          inputs: { x },
          outputs: { out: back ? first : last },
          oracle: () => {
            const out = new Float64Array(back ? first : last).fill(1);
            for (let i = 0; i < last; i++) {
              const [b, p, c] = [Math.floor(i / wide / pixels), Math.floor(i / wide) % pixels, i % wide];
              if (c >= channels) continue;
              if (back) out[place(b, c, p)] = x[i] as number;
              else out[i] = x[place(b, c, p)] as number;
            }
            return { out };
          },
        },
      );
    },
    { ...EXACT, ...extra },
  );
}

function squaresCase(up: boolean, o: PixelSquares, extra: Partial<KernelCase> = {}): KernelCase {
  const large = o.batch * o.height * o.width * o.side ** 2 * o.channels;
  const small = large / o.each;
  const shape = [o.batch, o.height, o.width, o.channels];
  const variant = `${up ? 'up' : 'down'} by ${o.side} of ${o.each}`;
  return mapCase(
    'pixelGather',
    variant,
    shape,
    large + small,
    (device) => {
      const x = floats(up ? small : large, 1);
      return prepared(
        pixelGather.prepare(device, { up }),
        { ...o },
        {
          inputs: { x },
          outputs: { out: up ? large : small },
          oracle: () => ({ out: pixelsGathered(x, extra.benchOnly ? { ...o, batch: 1 } : o, up) }),
        },
      );
    },
    extra,
  );
}

function linearAttentionCase(
  apply: boolean,
  [batch, n, heads, dim]: [number, number, number, number],
  chunk: number,
  extra: Partial<KernelCase> = {},
): KernelCase {
  const sizes = { batch, n, heads, dim };
  const states = batch * heads * (dim + 1) * dim;
  const kernel = apply ? 'linearAttentionApply' : 'linearAttentionState';
  const tokens = batch * n * heads * dim;
  return mapCase(
    kernel,
    'heads',
    [batch, n, heads, dim],
    4 * tokens + states,
    (device) => {
      const qkv = floats(3 * tokens, 1);
      const eps = 1e-15;
      if (!apply)
        return prepared(
          linearAttentionState.prepare(device),
          { ...sizes, chunk },
          {
            inputs: { qkv },
            outputs: { state: Math.ceil(n / chunk) * states },
            oracle: () => {
              const parts = Array.from(
                { length: extra.benchOnly ? 1 : Math.ceil(n / chunk) },
                (_, p) => linearlyAttended(qkv, sizes, eps, p * chunk, Math.min(n, (p + 1) * chunk)).state,
              );
              return { state: parts.flatMap((part) => [...part]) };
            },
          },
        );
      const { out, state } = linearlyAttended(qkv, sizes, eps);
      return prepared(
        linearAttentionApply.prepare(device),
        { ...sizes, eps },
        {
          inputs: { qkv, state: Float32Array.from(state) },
          outputs: { out: tokens },
          oracle: () => ({ out }),
        },
      );
    },
    { flops: 2 * tokens * (dim + 1) * (apply ? 2 : 1), ...extra },
  );
}

const even = (
  batch: number,
  height: number,
  width: number,
  channels: number,
  taps: number[],
  scale = 1,
): FilterProblem => ({
  ...{ batch, height, width, large_h: 2 * height, large_w: 2 * width, channels, scale, taps },
  before: Math.floor((taps.length - 1) / 2),
});
const FILTERS: FilterProblem[] = [
  even(1, 1, 1, 1, [0.5, 0.5]),
  even(2, 3, 5, 41, [0.125, 0.375, 0.375, 0.125], 4),
  even(1, 7, 2, 3, [0.1, 0.2, 0.3, 0.1, 0.2, 0.1]),
  { ...even(1, 3, 4, 5, [0.1, 0.4, 0.3, 0.2]), large_h: 8, large_w: 10, before: 0 },
];
const TIMED = { benchOnly: true };
const MANY = 16 * 64 * 64 * 192;

export const unetCases: KernelCase[] = [
  combineCase(false, false, 41, { smoke: true }),
  combineCase(true, false, 1),
  combineCase(true, true, 1031),
  combineCase(false, true, 41),
  combineCase(true, false, MANY, TIMED),
  clampCase(41, { smoke: true }),
  clampCase(1031),
  clampCase(MANY, TIMED),
  ...[false, true].flatMap((up) => [
    filterCase(up, even(1, 2, 3, 4, [0.5, 0.5]), { smoke: true }),
    ...FILTERS.map((o) => filterCase(up, o)),
    filterCase(up, even(16, 32, 32, 192, [0.5, 0.5]), TIMED),
  ]),
  waveCase('pairs', 3, 7, { smoke: true }),
  waveCase('phased', 5, 41),
  waveCase('cosines', 1, 1),
  ...[false, true].flatMap((backward) => [
    labelCase(backward, 4, 5, 3, { smoke: true }),
    labelCase(backward, 1, 1, 1),
    labelCase(backward, 41, 37, 11),
  ]),
  dropoutCase(41, 0, 0, { smoke: true }),
  dropoutCase(1031, 7, 3),
  dropoutCase(1, 2 ** 32 - 1, 65539),
  dropoutCase(MANY, 0, 1, TIMED),
  ...[false, true].flatMap((backward) => [
    scaledSiluCase(backward, 2, 3, 5, { smoke: true }),
    scaledSiluCase(backward, 1, 1, 1),
    scaledSiluCase(backward, 3, 41, 37),
  ]),
  ...[false, true].flatMap((up) => [
    squaresCase(up, { ...{ batch: 2, height: 2, width: 3, channels: 3 }, side: 2, each: 1, scale: 1 }, { smoke: true }),
    squaresCase(up, { ...{ batch: 1, height: 5, width: 7, channels: 6 }, side: 2, each: 8, scale: 0.125 }),
    squaresCase(up, { ...{ batch: 3, height: 1, width: 11, channels: 41 }, side: 1, each: 1, scale: 1 }),
    squaresCase(up, { ...{ batch: 1, height: 3, width: 2, channels: 12 }, side: 1, each: 4, scale: 0.25 }),
    squaresCase(up, { ...{ batch: 1, height: 1, width: 1, channels: 1 }, side: 3, each: 9, scale: 1 }),
  ]),
  ...[false, true].flatMap((apply) => [
    linearAttentionCase(apply, [2, 5, 2, 3], 5, { smoke: true }),
    linearAttentionCase(apply, [1, 1, 1, 1], 1),
    linearAttentionCase(apply, [1, 41, 3, 32], 16),
  ]),
  channelsCase(false, 2, 3, 5, 1, { smoke: true }),
  channelsCase(false, 1, 1, 1, 0),
  channelsCase(false, 3, 41, 37, 2),
  channelsCase(true, 2, 3, 5, 0),
  channelsCase(true, 3, 7, 41, 1),
];
