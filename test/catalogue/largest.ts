import { LARGEST_PARTS, largest } from '../../src/kernels/largest.ts';
import { randn } from '../reference/index.ts';
import { type KernelCase, prepared } from './case.ts';

/** The largest magnitudes of a vector's parts; `with` goes into one of its places. */
function largestCase(count: number, special?: number, extra: Partial<KernelCase> = {}): KernelCase {
  return {
    kernel: 'largest',
    name: `${count}${special === undefined ? '' : ` with ${special}`}`,
    variant: 'f32',
    shape: [count],
    tolerance: 0,
    toleranceFrom: 'the bits of one of the inputs',
    flops: count,
    bytes: 4 * count,
    ...extra,
    prepare: (device) => {
      const x = Float32Array.from(randn(count, 1));
      if (special !== undefined) x[count >> 1] = special;
      const kernel = largest.prepare(device, {}, { count });
      return prepared(
        kernel,
        { count },
        {
          inputs: { x },
          outputs: { out: LARGEST_PARTS },
          integer: ['out'],
          oracle: () => {
            // WG elements at a time, of four numbers each where they are read as vectors.
            const run = (kernel.knobs.WG as number) * (kernel.knobs.VEC ? 4 : 1);
            const bits = new Uint32Array(x.buffer);
            const out = new Uint32Array(LARGEST_PARTS);
            bits.forEach((word, i) => {
              const part = Math.floor(i / run) % LARGEST_PARTS;
              out[part] = Math.max(out[part] as number, word & 0x7fffffff);
            });
            return { out };
          },
        },
      );
    },
  };
}

/** Of tensors of these counts in one buffer, each at a multiple of 64 with zeros after it, as weights lie. */
function placesCase(counts: readonly number[], vec: boolean): KernelCase {
  const places = new Uint32Array(2 * counts.length);
  let total = 0;
  counts.forEach((count, i) => {
    places.set([total, count], 2 * i);
    total += Math.ceil(count / 64) * 64;
  });
  const dims = { count: total, tensors: counts.length };
  return {
    kernel: 'largest',
    name: `${counts.join(', ')} in one${vec ? '' : ', by single numbers'}`,
    variant: 'f32',
    shape: [total],
    tolerance: 0,
    toleranceFrom: 'the bits of one of the inputs',
    flops: total,
    bytes: 4 * total,
    prepare: (device) => {
      const x = new Float32Array(total);
      counts.forEach((count, i) => {
        x.set(randn(count, i + 1), places[2 * i]);
      });
      const kernel = largest.prepare(device, { places: true, vec }, dims);
      return prepared(kernel, dims, {
        inputs: { x, places },
        outputs: { out: LARGEST_PARTS * counts.length },
        integer: ['out'],
        oracle: () => {
          const run = (kernel.knobs.WG as number) * (vec ? 4 : 1);
          const bits = new Uint32Array(x.buffer);
          const out = new Uint32Array(LARGEST_PARTS * counts.length);
          counts.forEach((count, t) => {
            for (let i = 0; i < count; i++) {
              const part = t * LARGEST_PARTS + (Math.floor(i / run) % LARGEST_PARTS);
              out[part] = Math.max(out[part] as number, (bits[(places[2 * t] as number) + i] as number) & 0x7fffffff);
            }
          });
          return { out };
        },
      });
    },
  };
}

export const largestCases: KernelCase[] = [
  placesCase([3, 64, 40001, 1], true),
  placesCase([7, 130001], false),
  largestCase(4 * 32768 + 5),
  largestCase(16 * 32768 + 4),
  largestCase(5, undefined, { smoke: true }),
  largestCase(1),
  largestCase(4096),
  largestCase(40001),
  largestCase(40004),
  largestCase(300, Number.POSITIVE_INFINITY),
  largestCase(301, Number.NaN),
  largestCase(4096 * 4096, undefined, { benchOnly: true }),
];
