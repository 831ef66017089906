import { scaledSilu, scaledSiluBackward } from '../../src/kernels/activation.ts';
import { clampBackward, combine } from '../../src/kernels/combine.ts';
import { labelMix, labelMixBackward, waveEmbedding } from '../../src/kernels/embedding.ts';
import { dropout } from '../../src/kernels/random.ts';
import { philox4x32 } from '../../src/rng/philox.ts';
import { labelMixed, scaledSilu as scaledSiluOracle } from '../reference/index.ts';
import { type KernelCase, prepared } from './case.ts';
import { EXACT, floats, mapCase } from './map_case.ts';

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
];
