import { describe, expect, it } from 'vitest';
import { numbersLine, type Tuned, tune, type Way } from '../../bench/tune.ts';
import { fitNumbers, meanLoss, timeAt } from '../../bench/tune_fit.ts';
import { measureOn } from '../../bench/tune_measure.ts';
import { type Caps, MATRIX_FEATURE, PORTABLE } from '../../src/kernel/index.ts';
import { chooseMatmul } from '../../src/kernels/matmul.ts';
import { tuningOf } from '../../src/kernels/tuning_tile.ts';
import { testDevice } from '../gpu.ts';

/** A GPU of `processors`, on which a workgroup takes as long as its outputs times its k, 32 x 32 ones half as long again by output. */
function gpu(processors: number) {
  return async (way: Way): Promise<number | undefined> => {
    if (way.kind === 'attention') {
      const { batch, heads, n } = way.shape;
      const rounds = Math.ceil((batch * heads * Math.ceil(n / way.rows)) / processors);
      return rounds * way.rows * (way.rows === 64 ? 1 : 1.3);
    }
    if (way.kind === 'matrix') return undefined;
    const { m, n, k } = way.shape;
    const [rows, cols] = [32 * way.qm, 32 * way.qn];
    const count = Math.ceil(m / rows) * Math.ceil(n / cols) * way.splits;
    const each = (rows * cols * (k / way.splits)) / (way.qm * way.qn === 4 ? 1 : 0.66);
    return Math.ceil(count / processors) * each + (way.splits > 1 ? way.splits * m * n * 0.2 + 3e5 : 0);
  };
}

async function found(caps: Caps, processors: number): Promise<Tuned[]> {
  const all: Tuned[] = [];
  for await (const one of tune(caps, gpu(processors))) all.push(one);
  return all;
}

describe('what bench --tune measures', () => {
  it('runs a product in parts and adds them up, and leaves out what the device does not run', async () => {
    const device = await testDevice();
    const measure = measureOn(device);
    const shape = { m: 64, n: 32, k: 64 };
    const whole = await measure({ kind: 'tiled', qm: 1, qn: 1, shape, splits: 1 });
    const cut = await measure({ kind: 'tiled', qm: 1, qn: 1, shape, splits: 2 });
    expect(whole).toBeGreaterThan(0);
    expect(cut).toBeGreaterThan(0);
    const matrix = await measure({ kind: 'matrix', tm: 2, tn: 2, shape, splits: 1 });
    if (device.features.has(MATRIX_FEATURE)) expect(matrix).toBeGreaterThan(0);
    else expect(matrix).toBeUndefined();
  });
});

describe('bench --tune', () => {
  it('finds numbers with which choices are faster on another GPU, and takes none where the table is as good', async () => {
    const [product, attention] = (await found(PORTABLE, 10)) as [Tuned, Tuned];
    expect(product.of).toBe('products in f32');
    expect(product.before).toBeGreaterThan(0.1);
    expect(product.after).toBeLessThan(0.5 * product.before);
    expect(attention.after).toBeLessThanOrEqual(attention.before);
    const line = numbersLine(product.numbers);
    expect(line).toMatch(/^(product\.[\w.]+ = [\d.]+(, |$))+$/);
    expect(line.split(', ')).toHaveLength(Object.keys(product.numbers).length);
    const tuned = { ...PORTABLE, tuned: product.numbers };
    expect(tuningOf(tuned).product.multiprocessors).not.toBe(tuningOf(PORTABLE).product.multiprocessors);
    const shape = { m: 384, n: 384, k: 4096 };
    expect(chooseMatmul(shape, tuned).splits).toBeLessThan(chooseMatmul(shape, PORTABLE).splits);
  });

  it('leaves the table as it was', () => {
    expect(tuningOf({ ...PORTABLE, tuned: { 'product.tiles.1.rate': 0.5 } }).product.tiles[1]?.rate).toBe(0.5);
    expect(tuningOf(PORTABLE).product.tiles[1]?.rate).toBe(0.75);
  });

  it('takes no path that the table does not have, and no number that is none', () => {
    const tuned = {
      'product.nothing': 1,
      'product.tiles.9.rate': 1,
      product: 3,
      '__proto__.x': 1,
      'attention.groups': -5,
    };
    expect(tuningOf({ ...PORTABLE, tuned })).toEqual(tuningOf(PORTABLE));
  });

  it('changes a number only where that saves something', () => {
    const cost = ({ a = 3 }: { a?: number }) => Math.abs(a - 5);
    expect(fitNumbers({ a: [4, 5, 6], b: [1, 2] }, cost)).toEqual({ numbers: { a: 5 }, cost: 0 });
    expect(fitNumbers({ a: [2, 4] }, () => 1).numbers).toEqual({});
  });

  it('reads times between those that were measured', () => {
    const times = new Map([
      [1, 10],
      [4, 20],
    ]);
    expect([1, 2, 4, 9].map((splits) => timeAt(times, splits))).toEqual([10, 15, 20, 20]);
    expect(meanLoss([[2, 2]])).toBe(0);
  });
});
