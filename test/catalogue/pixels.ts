import { type FilterOptions, filterDown, filterUp } from '../../src/kernels/filter.ts';
import { channelsLast } from '../../src/kernels/patch.ts';
import { pixelGather } from '../../src/kernels/pixel_shuffle.ts';
import { type FilterProblem, filteredDown, filteredUp, type PixelSquares, pixelsGathered } from '../reference/index.ts';
import { type KernelCase, prepared } from './case.ts';
import { EXACT, floats, mapCase } from './map_case.ts';

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

export const pixelCases: KernelCase[] = [
  ...[false, true].flatMap((up) => [
    filterCase(up, even(1, 2, 3, 4, [0.5, 0.5]), { smoke: true }),
    ...FILTERS.map((o) => filterCase(up, o)),
    filterCase(up, even(16, 32, 32, 192, [0.5, 0.5]), TIMED),
  ]),
  ...[false, true].flatMap((up) => [
    squaresCase(up, { ...{ batch: 2, height: 2, width: 3, channels: 3 }, side: 2, each: 1, scale: 1 }, { smoke: true }),
    squaresCase(up, { ...{ batch: 1, height: 5, width: 7, channels: 6 }, side: 2, each: 8, scale: 0.125 }),
    squaresCase(up, { ...{ batch: 3, height: 1, width: 11, channels: 41 }, side: 1, each: 1, scale: 1 }),
    squaresCase(up, { ...{ batch: 1, height: 3, width: 2, channels: 12 }, side: 1, each: 4, scale: 0.25 }),
    squaresCase(up, { ...{ batch: 1, height: 1, width: 1, channels: 1 }, side: 3, each: 9, scale: 1 }),
  ]),
  channelsCase(false, 2, 3, 5, 1, { smoke: true }),
  channelsCase(false, 1, 1, 1, 0),
  channelsCase(false, 3, 41, 37, 2),
  channelsCase(true, 2, 3, 5, 0),
  channelsCase(true, 3, 7, 41, 1),
];
