import { describe, expect, it } from 'vitest';
import type { HostArray, KernelCase } from '../catalogue/case.ts';
import { normCase } from '../catalogue/norm.ts';
import { normBackwardCases, normBackwardXCase } from '../catalogue/norm_backward.ts';
import { qkNormRopeCases } from '../catalogue/qk_norm_rope.ts';
import { outputsOf, relativeError } from '../catalogue/run.ts';
import { testDevice } from '../gpu.ts';
import {
  columnSums,
  modulatedNorm,
  modulatedNormGradients,
  qkNormRotary,
  qkNormRotaryGradients,
  randn,
} from '../reference/index.ts';

const MEAN = 1000;
const SPREAD = 5e-3; // 80 roundings of the mean
const eps = 1e-6;

/** Half a rounding of a mean kept in f32 is 3e-5, 0.006 of the spread: what the gradients can be off by. */
const BY_STATS = 0.02;

const aroundMean = (count: number) => Float32Array.from(randn(count, 9), (v) => MEAN + SPREAD * v);
const run = async (kase: KernelCase, inputs: { [name: string]: HostArray }) => {
  const device = await testDevice();
  const made = kase.prepare(device);
  return outputsOf(device, made, { ...made.inputs, ...inputs });
};
const named = (cases: readonly KernelCase[], kernel: string, part: string) =>
  cases.filter((kase) => kase.kernel === kernel && kase.name.startsWith(part) && !kase.benchOnly);

describe('LayerNorm of rows whose mean is large beside their spread', () => {
  const [rows, cols] = [9, 1152];
  const x = aroundMean(rows * cols);
  const forward = { rows, cols, kind: 'layer' as const, eps, modRows: 1, x };
  const { y, stats } = modulatedNorm(forward);

  for (const tile of [
    { lanes: 1, rows: 8 },
    { lanes: 64, rows: 4 },
  ]) {
    it(`is right with ${tile.lanes} lanes, and so are the stats`, async () => {
      const out = await run(normCase('layer', ['stats'], rows, cols, 1, tile), { x });
      expect(relativeError(out.get('y') as Float32Array, y)).toBeLessThan(1e-5);
      out.get('stats')?.forEach((value, i) => {
        const wanted = stats[i] as number;
        expect(Math.abs(value - wanted)).toBeLessThan(i % 2 === 0 ? 1e-4 : 1e-5 * wanted);
      });
    });

    it(`has the right gradient with ${tile.lanes} lanes`, async () => {
      const dy = Float32Array.from(randn(rows * cols, 2));
      const dx = (
        await run(normBackwardXCase('layer', [], { rows, cols }, tile), { x, stats: Float32Array.from(stats), dy })
      ).get('dx') as Float32Array;
      expect(relativeError(dx, modulatedNormGradients(forward, dy).dx)).toBeLessThan(BY_STATS);
    });
  }

  it('is right where all numbers of a row are one', async () => {
    for (const value of [0.1, 1000.1, -1.7e8]) {
      const out = await run(normCase('layer', ['stats'], rows, cols, 1, { lanes: 1, rows: 8 }), {
        x: new Float32Array(rows * cols).fill(value),
      });
      out.get('y')?.forEach((v) => void expect(Math.abs(v)).toBeLessThan(1e-2 * Math.max(1, Math.abs(value) * 1e-5)));
    }
  });

  it('has the right gradient of the weight', async () => {
    const kase = named(normBackwardCases, 'normBackwardWeight', 'layer+bias+scale')[0] as KernelCase;
    const [rows, cols] = kase.shape as [number, number];
    const x = aroundMean(rows * cols);
    const { y, stats } = modulatedNorm({ rows, cols, kind: 'layer', eps, modRows: 1, x });
    const made = kase.prepare(await testDevice());
    const modulation = new Float32Array((made.inputs.modulation as HostArray).length);
    const got = await run(kase, { x, stats: Float32Array.from(stats), modulation });
    const terms = y.map((v, i) => v * (made.inputs.dy?.[i] as number));
    const wanted = columnSums(terms, rows, cols, made.dims.chunk_rows as number);
    expect(relativeError(got.get('dweight_partial') as Float32Array, wanted)).toBeLessThan(BY_STATS);
  });
});

describe('q/k LayerNorm of heads whose mean is large beside their spread', () => {
  for (const kernel of ['qkNormRope', 'qkNormRopeBackward', 'qkNormAffineBackward']) {
    // Halves round a mean of 1000 by 100 times the spread.
    for (const kase of named(qkNormRopeCases, kernel, 'layer').filter(({ needs = [] }) => needs.length === 0)) {
      it(`is right in ${kernel} ${kase.name}`, async () => {
        const [batch, n, heads, headDim] = kase.shape as [number, number, number, number];
        const { inputs, dims } = kase.prepare(await testDevice());
        const qkv = aroundMean(3 * batch * n * heads * headDim);
        const { affine, rope, dq, dk, dv } = inputs;
        const tables = { ...(affine && { affine }), ...(rope && { rope }) };
        const problem = { batch, n, heads, headDim, qkv, norm: 'layer' as const, eps, ...tables };
        const got = await run(kase, { qkv });
        let wanted: { [name: string]: Float64Array };
        if (kernel === 'qkNormRope') wanted = qkNormRotary(problem);
        else {
          const none = new Float32Array(qkv.length / 3);
          const cotangents = { dq: dq ?? none, dk: dk ?? none, dv: dv ?? none };
          const gradients = qkNormRotaryGradients(problem, cotangents, dims.chunk_rows);
          wanted = { dqkv: gradients.dqkv, partial: gradients.daffine };
        }
        for (const [name, values] of got) {
          expect(relativeError(values, wanted[name] as Float64Array)).toBeLessThan(BY_STATS);
        }
      });
    }
  }
});
