import { afterAll, describe, expect, it } from 'vitest';
import { MetricError } from '../../src/metrics/errors.ts';
import { frechetDistance, momentsOfFeatures } from '../../src/metrics/frechet.ts';
import { kernelDistance } from '../../src/metrics/kid.ts';
import { median, nearestRows, precisionRecall } from '../../src/metrics/neighbours.ts';
import { distanceBySize } from '../../src/metrics/sample_size.ts';
import { referenceOf, score } from '../../src/metrics/score.ts';
import { Workspace } from '../../src/tensor/index.ts';
import { testDevice } from '../gpu.ts';
import { randn } from '../reference/index.ts';

const features = (n: number, dim: number, seed: number, shift = 0) =>
  Float32Array.from(randn(n * dim, seed), (v) => v + shift);
const rows = (a: Float32Array, dim: number) =>
  Array.from({ length: a.length / dim }, (_, i) => [...a.subarray(i * dim, (i + 1) * dim)]);
const dot = (a: readonly number[], b: readonly number[]) => a.reduce((s, v, i) => s + v * (b[i] as number), 0);
const distance = (a: readonly number[], b: readonly number[]) => Math.hypot(...a.map((v, i) => v - (b[i] as number)));

let workspace: Workspace | undefined;
const shared = async () => {
  workspace ??= new Workspace(await testDevice());
  return workspace;
};
afterAll(() => workspace?.dispose());

describe('Frechet distance', () => {
  it('by number of samples falls towards that of the distributions, as c / n', () => {
    const [dim, n, shift] = [8, 8000, 0.3];
    const unit = Float64Array.from({ length: dim * dim }, (_, i) => (i % (dim + 1) === 0 ? 1 : 0));
    const reference = { mean: new Float64Array(dim), covariance: unit };
    const samples = features(n, dim, 3, shift);
    const all = frechetDistance(reference, momentsOfFeatures(samples, dim));
    const sizes = distanceBySize(reference, samples, all);
    expect(sizes.map(({ images }) => images)).toEqual([800, 1600, 4000, 8000]);
    const above = sizes.map(({ images, frechet }) => (frechet - dim * shift ** 2) * images);
    // Of a unit Gaussian the mean is off by dim / n, the covariance by dim (dim + 1) / (4 n) to first order.
    const c = dim + (dim * (dim + 1)) / 4;
    for (const value of above.slice(0, 2)) expect(Math.abs(value / c - 1)).toBeLessThan(0.5);
    expect(distanceBySize(reference, samples.subarray(0, 40 * dim), 5)).toEqual([
      { images: 20, frechet: expect.any(Number) },
      { images: 40, frechet: 5 },
    ]);
  });

  const gaussian = (mean: number[], covariance: number[]) => ({
    mean: Float64Array.from(mean),
    covariance: Float64Array.from(covariance),
  });

  it('of commuting covariances is the closed form', () => {
    const one = gaussian([1, 2, 3], [4, 0, 0, 0, 9, 0, 0, 0, 0]);
    const two = gaussian([1, 0, 3], [1, 0, 0, 0, 16, 0, 0, 0, 25]);
    expect(frechetDistance(one, two)).toBeCloseTo(4 + (2 - 1) ** 2 + (3 - 4) ** 2 + 5 ** 2, 9);
    expect(frechetDistance(one, one)).toBeCloseTo(0, 9);
  });

  it('of 2 x 2 covariances that do not commute has the trace of the root sqrt(tr + 2 sqrt(det))', () => {
    const [a, b] = [
      [2, 0.7, 0.7, 1],
      [1.5, -0.9, -0.9, 3],
    ] as [number[], number[]];
    const trace = dot(a, [b[0] as number, b[2] as number, b[1] as number, b[3] as number]);
    const det = (m: number[]) => (m[0] as number) * (m[3] as number) - (m[1] as number) * (m[2] as number);
    const expected = 2 + 1 + 1.5 + 3 - 2 * Math.sqrt(trace + 2 * Math.sqrt(det(a) * det(b)));
    expect(frechetDistance(gaussian([0, 0], a), gaussian([0, 0], b))).toBeCloseTo(expected, 9);
    expect(frechetDistance(gaussian([0, 0], b), gaussian([0, 0], a))).toBeCloseTo(expected, 9);
  });

  it('takes means and unbiased covariances of features', () => {
    const { mean, covariance } = momentsOfFeatures(Float32Array.of(1, 10, 3, 20, 5, 60), 2);
    expect([...mean]).toEqual([3, 30]);
    expect([...covariance]).toEqual([4, 50, 50, 700]);
  });

  it('names features that are not finite, and too few images', () => {
    expect(() => momentsOfFeatures(Float32Array.of(1, Number.NaN, 2, 3), 2)).toThrow(MetricError);
    expect(() => momentsOfFeatures(Float32Array.of(1, 2), 2)).toThrow('at least two');
  });
});

describe('scores by products of features', () => {
  const dim = 7;
  const [a, b] = [features(53, dim, 1), features(61, dim, 2, 0.3)];
  const [listA, listB] = [rows(a, dim), rows(b, dim)];

  it('kernel distance is the unbiased estimate', async () => {
    // Smaller sets are used whole: as many of the larger as the smaller has. Equal sizes make the oracle the plain double sum.
    const c = b.slice(0, a.length);
    const listC = rows(c, dim);
    const kernel = (x: number[], y: number[]) => (dot(x, y) / dim + 1) ** 3;
    const mean = (x: number[][], y: number[][], same: boolean) => {
      let sum = 0;
      let pairs = 0;
      x.forEach((p, i) => {
        y.forEach((q, j) => {
          if (same && i === j) return;
          sum += kernel(p, q);
          pairs++;
        });
      });
      return sum / pairs;
    };
    const expected = mean(listA, listA, true) + mean(listC, listC, true) - 2 * mean(listA, listC, false);
    expect(await kernelDistance(await shared(), a, c, dim)).toBeCloseTo(expected, 4);
  });

  it('precision and recall are shares within the third nearest neighbour', async () => {
    const reach = (list: number[][]) =>
      list.map((p, i) => {
        const others = list.filter((_, j) => j !== i).map((q) => distance(p, q));
        return others.sort((x, y) => x - y)[2] as number;
      });
    const share = (points: number[][], list: number[][]) => {
      const radius = reach(list);
      return points.filter((p) => list.some((q, i) => distance(p, q) <= (radius[i] as number))).length / points.length;
    };
    const found = await precisionRecall(await shared(), a, b, dim);
    expect(found.precision).toBeCloseTo(share(listB, listA), 6);
    expect(found.recall).toBeCloseTo(share(listA, listB), 6);
    expect(found.precision).toBeLessThan(1);
    await expect(precisionRecall(await shared(), a.slice(0, 3 * dim), b, dim)).rejects.toThrow(MetricError);
  });

  it('nearest rows are the nearest, and a row is not its own neighbour where told', async () => {
    const found = await nearestRows(await shared(), b, a, dim);
    listB.forEach((p, i) => {
      const distances = listA.map((q) => distance(p, q));
      expect(found.index[i]).toBe(distances.indexOf(Math.min(...distances)));
      expect(found.distance[i]).toBeCloseTo(Math.min(...distances), 4);
    });
    const own = await nearestRows(await shared(), a, a, dim, (row) => row);
    own.index.forEach((index, i) => {
      expect(index).not.toBe(i);
    });
    expect(median(Float64Array.of(3, 1, 2))).toBe(2);
    expect(median(Float64Array.of(4, 1, 2, 3))).toBe(2.5);
  });

  it('say of copies that they are copies, and of another distribution that it is one', async () => {
    const all = features(200, dim, 5);
    const reference = await referenceOf(await shared(), all, dim, 100);
    const copies = { features: all.slice(0, 100 * dim), classes: new Uint32Array(100) };
    const copied = await score(await shared(), reference, copies, new Uint32Array(100));
    expect(copied.nearest).toBeLessThan(1e-2);
    expect(copied.accuracy).toBe(1);
    const far = { features: features(100, dim, 6, 5), classes: new Uint32Array(100) };
    const labels = Uint32Array.from({ length: 100 }, (_, i) => i % 2);
    const other = await score(await shared(), reference, far, labels);
    expect(other.frechet).toBeGreaterThan(25 * dim * 0.8); // the means are 5 apart in every feature
    expect(other.nearest).toBeGreaterThan(2);
    expect(other.precision).toBeLessThan(0.1);
    expect(other.accuracy).toBe(0.5);
    expect(other.kid).toBeGreaterThan(copied.kid);
  });

  it('end between two of their parts at a signal', async () => {
    const here = await shared();
    const all = features(200, dim, 5);
    const reference = await referenceOf(here, all, dim, 100);
    const copies = { features: all.slice(0, 100 * dim) };
    const control = { signal: AbortSignal.abort(new Error('enough')) };
    for (const work of [
      () => kernelDistance(here, a, b, dim, 0, control),
      () => precisionRecall(here, a, b, dim, control),
      () => nearestRows(here, a, b, dim, undefined, control),
      () => referenceOf(here, all, dim, 100, control),
      () => score(here, reference, copies, new Uint32Array(100), control),
    ])
      await expect(work()).rejects.toThrow('enough');
    const controller = new AbortController();
    const scored = score(here, reference, copies, new Uint32Array(100), { signal: controller.signal });
    await here.task(async () => controller.abort(new Error('midway'))); // after the first part
    await expect(scored).rejects.toThrow('midway');
    expect((await score(here, reference, copies, new Uint32Array(100))).nearest).toBeLessThan(1e-2);
  });
});
