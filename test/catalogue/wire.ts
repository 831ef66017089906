import { wireMean, wirePack, wireSum, wireUnpack } from '../../src/kernels/wire.ts';
import { nearestBfloat, randn, weightedRows } from '../reference/index.ts';
import { type KernelCase, prepared } from './case.ts';

/** Numbers of every kind: normal ones of many sizes, ties of the rounding, subnormal ones, the greatest, infinities. */
function numbers(count: number): Float32Array<ArrayBuffer> {
  const special = [
    0,
    -0,
    1 + 2 ** -8,
    1 + 3 * 2 ** -8,
    -1 - 2 ** -8,
    2 ** -130,
    -(2 ** -149),
    3.4e38,
    Infinity,
    -Infinity,
    NaN,
  ];
  const sized = randn(count, 5).map((v, i) => v * 2 ** (((i * 7) % 200) - 100));
  return Float32Array.from(sized, (v, i) => (i % 3 === 0 ? (special[(i / 3) % special.length] as number) : v));
}

/** Words of two bf16 numbers each. */
function words(values: ArrayLike<number>): Uint32Array<ArrayBuffer> {
  const rounded = new Uint32Array(Float32Array.from(values, nearestBfloat).buffer);
  return Uint32Array.from({ length: values.length / 2 }, (_, i) => {
    return ((rounded[2 * i] as number) >>> 16) | ((rounded[2 * i + 1] as number) & 0xffff0000);
  });
}

const bits = (values: Float32Array<ArrayBuffer>) => new Uint32Array(values.buffer);

function castCase(kernel: 'wirePack' | 'wireUnpack', count: number, extra: Partial<KernelCase> = {}): KernelCase {
  return {
    kernel,
    name: `${count}`,
    variant: 'bf16',
    shape: [count],
    tolerance: 0,
    toleranceFrom: 'integer arithmetic: the nearest number',
    flops: count,
    bytes: count * 6,
    ...extra,
    prepare: (device) => {
      const x = numbers(count);
      const rounded = Float32Array.from(x, nearestBfloat);
      const how = { integer: ['out'] };
      if (kernel === 'wirePack')
        return prepared(
          wirePack.prepare(device),
          { count },
          { ...how, inputs: { x: bits(x) }, outputs: { out: count / 2 }, oracle: () => ({ out: words(x) }) },
        );
      return prepared(
        wireUnpack.prepare(device),
        { count },
        { ...how, inputs: { x: words(x) }, outputs: { out: count }, oracle: () => ({ out: bits(rounded) }) },
      );
    },
  };
}

/** Of f32; of bf16 the sum is rounded once more, so those numbers are compared as words of the f32 that they are. */
function sumCase(bf16: boolean, ranks: number, count: number, extra: Partial<KernelCase> = {}): KernelCase {
  const n = bf16 ? count / 2 : count;
  return {
    kernel: 'wireSum',
    name: `${ranks} of ${count}${bf16 ? ' bf16' : ''}`,
    variant: bf16 ? 'bf16' : 'f32',
    shape: [ranks, count],
    tolerance: bf16 ? 0 : 1e-6,
    toleranceFrom: bf16
      ? 'sums that f32 holds exactly, rounded to the nearest'
      : 'f32 rounding of a sum of ranks, 8 ulp',
    flops: 2 * ranks * count,
    bytes: (ranks + 1) * n * 4,
    ...extra,
    prepare: (device) => {
      // Of bf16 whole numbers and powers of two: no sum is rounded but at its end.
      const x = Float32Array.from(randn(ranks * count, 3), (v) => (bf16 ? Math.round(v * 100) : v));
      const weights = Float32Array.from({ length: ranks }, (_, r) => (bf16 ? 2 ** -r : (r + 1) / ranks));
      const sent = bf16 ? x.map(nearestBfloat) : x;
      const sum = () => weightedRows(sent, weights);
      return prepared(
        wireSum.prepare(device, { bf16 }),
        { ranks, words: n },
        {
          inputs: { x: bf16 ? words(sent) : sent, weights },
          outputs: { out: n },
          ...(bf16 && { integer: ['out'] }),
          oracle: () => ({ out: bf16 ? words(sum()) : sum() }),
        },
      );
    },
  };
}

/** What a rank makes of its own numbers and the other's: of f32 any, of bf16 of `sumCase`'s kind. */
function meanCase(bf16: boolean, rank: 0 | 1, count: number, extra: Partial<KernelCase> = {}): KernelCase {
  return {
    kernel: 'wireMean',
    name: `${count} of rank ${rank}${bf16 ? ' bf16' : ''}`,
    variant: bf16 ? 'bf16' : 'f32',
    shape: [2, count],
    tolerance: bf16 ? 0 : 1e-6,
    toleranceFrom: bf16 ? 'sums that f32 holds exactly, rounded to the nearest' : 'f32 rounding of a sum of two, 8 ulp',
    flops: 4 * count,
    bytes: (bf16 ? 10 : 12) * count,
    ...extra,
    prepare: (device) => {
      // Of bf16 of more bits than are sent: what is rounded is seen.
      const x = Float32Array.from(randn(2 * count, 3), (v) => (bf16 ? Math.round(v * 1000) : v));
      const weights = Float32Array.of(0.25, 0.75);
      const sent = bf16 ? x.map(nearestBfloat) : x;
      const [own, other] = [rank, 1 - rank].map((r) => r * count) as [number, number];
      const sum = () => weightedRows(sent, weights);
      const theirs = sent.slice(other, other + count);
      return prepared(
        wireMean.prepare(device, { bf16 }),
        { count, rank },
        {
          inputs: { own: x.slice(own, own + count), other: bf16 ? words(theirs) : theirs, weights },
          outputs: { own: count },
          oracle: () => ({ own: bf16 ? Float32Array.from(sum(), nearestBfloat) : sum() }),
        },
      );
    },
  };
}

const BENCH = { benchOnly: true };

export const wireCases: KernelCase[] = [
  ...(['wirePack', 'wireUnpack'] as const).flatMap((kernel) => [
    castCase(kernel, 236, { smoke: true }),
    castCase(kernel, 4),
    castCase(kernel, 65540),
    castCase(kernel, 2 ** 24, BENCH),
  ]),
  ...[false, true].flatMap((bf16) => [
    sumCase(bf16, 3, 264, { smoke: true }),
    sumCase(bf16, 1, 8),
    sumCase(bf16, 7, 4104),
    sumCase(bf16, 2, 65544),
    sumCase(bf16, 2, 2 ** 24, BENCH),
    meanCase(bf16, 0, 262, { smoke: true }),
    meanCase(bf16, 1, 2),
    meanCase(bf16, 1, 65542),
    meanCase(bf16, 1, 2 ** 24, BENCH),
  ]),
];
