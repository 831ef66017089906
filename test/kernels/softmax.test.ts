import { describe, expect, it } from 'vitest';
import {
  crossEntropy,
  crossEntropyBackward,
  type SoftmaxTile,
  softmax,
  softmaxBackward,
} from '../../src/kernels/softmax.ts';
import { prepared } from '../catalogue/case.ts';
import { outputsOf } from '../catalogue/run.ts';
import { crossEntropyCases, softmaxCases } from '../catalogue/softmax.ts';
import { testDevice } from '../gpu.ts';
import { kernelSuite } from './suite.ts';

kernelSuite('softmax', softmaxCases);
kernelSuite('crossEntropy', crossEntropyCases);

const TILES: SoftmaxTile[] = [
  { lanes: 1, rows: 8, quads: 0 },
  { lanes: 16, rows: 4, quads: 0 },
  { lanes: 16, rows: 4, quads: 1 },
];
const BARE = { oracle: () => ({}) };

async function softmaxOf(x: number[], cols: number, log: boolean, tile: SoftmaxTile, scale = 1): Promise<number[]> {
  const device = await testDevice();
  const kernel = softmax.prepare(device, { log, tile });
  const inputs = { x: Float32Array.from(x) };
  const run = prepared(kernel, { rows: x.length / cols, cols, scale }, { inputs, outputs: { y: x.length }, ...BARE });
  return [...((await outputsOf(device, run, run.inputs)).get('y') as Float32Array)];
}

const near = (values: number[]) => values.map((v) => (Number.isFinite(v) ? expect.closeTo(v, 6) : v));

describe('softmax at the ends', () => {
  for (const tile of TILES) {
    const how = `${tile.lanes} lanes ${tile.quads} quads`;

    it(`a row with a NaN, an infinity, or nothing but -infinity is NaN, and no other: ${how}`, async () => {
      const rows = [
        [1, 2, 3],
        [NaN, 2, 3],
        [1, Infinity, 3],
        [-Infinity, -Infinity, -Infinity],
        [1, -Infinity, 1],
        [NaN, Infinity, -Infinity],
      ];
      const none = [NaN, NaN, NaN];
      const e = [1, 2, 3].map((v) => Math.exp(v - 3) / (1 + Math.exp(-1) + Math.exp(-2)));
      const wanted = [e, none, none, none, [0.5, 0, 0.5], none];
      expect(await softmaxOf(rows.flat(), 3, false, tile)).toEqual(near(wanted.flat()));
      const logs = wanted.flat().map((v) => (v === 0 ? -Infinity : Math.log(v)));
      expect(await softmaxOf(rows.flat(), 3, true, tile)).toEqual(near(logs));
    });

    it(`large numbers do not overflow: ${how}`, async () => {
      const x = [3e38, -3e38, 3e38, -3e38, -3e38, -3.4e38, 0, -1000, -2000, 1000, 1000, 999];
      const third = 1 / (2 + Math.exp(-1));
      const wanted = [0.5, 0, 0.5, 0.5, 0.5, 0, 1, 0, 0, third, third, 1 - 2 * third];
      expect(await softmaxOf(x, 3, false, tile)).toEqual(near(wanted));
      expect((await softmaxOf(x, 3, true, tile)).slice(6, 9)).toEqual([0, -1000, -2000]);
      expect(await softmaxOf([1, 3], 2, false, tile, -0.5)).toEqual(
        near([1 / (1 + Math.exp(-1)), 1 / (1 + Math.exp(1))]),
      );
    });
  }

  it.each([1, 256])('a million equal numbers are a millionth each, with %i lanes', async (lanes) => {
    const cols = 1_000_000;
    const tile = { lanes, rows: 1 };
    const y = await softmaxOf(new Array<number>(cols).fill(7), cols, false, tile);
    for (const at of [0, 1, cols - 1]) expect(Math.abs((y[at] as number) * cols - 1)).toBeLessThan(1e-5);
  });
});

/** Loss and gradient of rows of three logits (0, 1, 2). */
async function entropies(
  labels: number[],
  o: { ignoreIndex?: number; smoothing?: number; logits?: number[]; tile?: SoftmaxTile } = {},
) {
  const device = await testDevice();
  const { ignoreIndex, smoothing = 0, tile } = o;
  const rows = labels.length;
  const dims = { rows, cols: 3, smoothing, ignore_index: (ignoreIndex ?? 0) >>> 0 };
  const shared = {
    logits: Float32Array.from(o.logits ?? labels.flatMap(() => [0, 1, 2])),
    labels: Uint32Array.from(labels, (label) => label >>> 0),
  };
  const ignore = ignoreIndex !== undefined;
  const forward = prepared(crossEntropy.prepare(device, { ignore, tile }), dims, {
    inputs: shared,
    outputs: { loss: rows, stats: 2 * rows },
    ...BARE,
  });
  const out = await outputsOf(device, forward, forward.inputs);
  const inputs = { ...shared, stats: out.get('stats') as Float32Array, dloss: new Float32Array(rows).fill(1) };
  const backward = prepared(crossEntropyBackward.prepare(device, { ignore }), dims, {
    inputs,
    outputs: { dlogits: 3 * rows },
    ...BARE,
  });
  const dlogits = (await outputsOf(device, backward, inputs)).get('dlogits') as Float32Array;
  return { loss: [...(out.get('loss') as Float32Array)], dlogits: [...dlogits] };
}

describe('cross entropy at the ends', () => {
  const whole = Math.log(1 + Math.E + Math.E ** 2);
  const p = [0, 1, 2].map((z) => Math.exp(z - whole));
  const minus = (label: number) => p.map((v, c) => v - (c === label ? 1 : 0));
  const none = [NaN, NaN, NaN];

  for (const tile of TILES) {
    it(`a label that is no class makes its row NaN, loss and gradient: ${tile.lanes} lanes`, async () => {
      const { loss, dlogits } = await entropies([2, 3, -100, 0], { tile });
      expect(loss).toEqual(near([whole - 2, NaN, NaN, whole]));
      expect(dlogits).toEqual(near([...minus(2), ...none, ...none, ...minus(0)]));
    });

    it(`a label to ignore makes them 0, whatever the logits: ${tile.lanes} lanes`, async () => {
      const logits = [0, 1, 2, NaN, Infinity, 2, 0, 1, 2, 0, 1, 2];
      const { loss, dlogits } = await entropies([2, -100, 5, 1], { tile, ignoreIndex: -100, logits });
      expect(loss).toEqual(near([whole - 2, 0, NaN, whole - 1]));
      expect(dlogits).toEqual(near([...minus(2), 0, 0, 0, ...none, ...minus(1)]));
    });

    it(`logits without a finite number, with a NaN or an infinity are NaN: ${tile.lanes} lanes`, async () => {
      const low = -Infinity;
      const logits = [NaN, 1, 2, Infinity, 1, 2, low, low, low, low, 1, 1, low, 1, 1];
      const { loss, dlogits } = await entropies([1, 1, 1, 1, 0], { tile, logits });
      expect(loss).toEqual(near([NaN, NaN, NaN, Math.log(2), Infinity]));
      expect(dlogits).toEqual(near([...none, ...none, ...none, 0, -0.5, 0.5, -1, 0.5, 0.5]));
    });
  }

  it('sure answers keep their digits beside large logits', async () => {
    const logits = [10000, 9990, 9980, -3e38, 3e38, 0];
    const { loss, dlogits } = await entropies([0, 1], { logits });
    expect(loss[0]).toBeCloseTo(Math.log1p(Math.exp(-10) + Math.exp(-20)), 6);
    expect(loss[1]).toBe(0);
    expect((dlogits[1] as number) / Math.exp(-10)).toBeCloseTo(1, 4);
    expect(dlogits.slice(3)).toEqual([0, 0, 0]);
  });
});

describe('softmax checks', () => {
  it('refuses rows wider than what the variant holds', async () => {
    const tile = { lanes: 16, rows: 4, quads: 2 };
    for (const family of [softmax, softmaxBackward]) {
      const kernel = family.prepare(await testDevice(), { tile });
      expect(() => kernel.bind({} as never, { rows: 2, cols: 129, scale: 1 })).toThrow('holds rows of up to 128');
    }
  });

  it('refuses a smoothing that is no part, no classes, and soft targets with a label to ignore', async () => {
    const device = await testDevice();
    const dims = { rows: 2, cols: 3, smoothing: 1.5, ignore_index: 0 };
    for (const family of [crossEntropy, crossEntropyBackward]) {
      const kernel = family.prepare(device, {});
      expect(() => kernel.bind({} as never, dims)).toThrow('smoothing is 1.5');
      expect(() => kernel.bind({} as never, { ...dims, cols: 0 })).toThrow('cols is 0');
      expect(() => family.prepare(device, { soft: true, ignore: true })).toThrow('no label to ignore');
    }
  });
});
