import { describe, expect, it } from 'vitest';
import { lossForward, lossTotal } from '../../src/kernels/loss.ts';
import { type MatmulTile, matmul } from '../../src/kernels/matmul.ts';
import { norm } from '../../src/kernels/norm.ts';
import { normBackwardModulation, normBackwardWeight, normBackwardX } from '../../src/kernels/norm_backward.ts';
import { gradStats, gradStatsGroups } from '../../src/kernels/optimizer.ts';
import { qkNormAffineBackward } from '../../src/kernels/qk_norm_rope.ts';
import { sumCols, sumRows } from '../../src/kernels/reduce.ts';
import { gatedResidualBackwardGate } from '../../src/kernels/residual.ts';
import { type PreparedCase, prepared } from '../catalogue/case.ts';
import { outputsOf } from '../catalogue/run.ts';
import { testDevice } from '../gpu.ts';

const COUNT = 10_000_000;
const LANES = [1, 64];

/** Positive numbers, of which one chain of f32 additions loses a good part. */
function positive(count: number, from: number): Float32Array {
  const out = new Float32Array(count);
  for (let i = 0; i < count; i++) out[i] = from + (i % 7) * 0.01;
  return out;
}

function sum(count: number, term: (i: number) => number): number {
  let total = 0;
  for (let i = 0; i < count; i++) total += term(i);
  return total;
}

/** Stats (mean 0, factor 1) of as many rows. */
const identity = () => new Float32Array(2 * COUNT).map((_, i) => i % 2);

type Inputs = PreparedCase['inputs'];
const bare = (inputs: Inputs, outputs: PreparedCase['outputs']) => ({ inputs, outputs, oracle: () => ({}) });
const at = (values: Float32Array | undefined, i: number) => values?.[i] as number;
const near = (got: number, wanted: number) => expect(Math.abs(got / wanted - 1)).toBeLessThan(1e-4);

describe('a sum of ten million positive terms', () => {
  const a = positive(COUNT, 0.1);
  const b = positive(COUNT, 0.3);
  const total = sum(COUNT, (i) => at(a, i));
  const squares = sum(COUNT, (i) => at(a, i) ** 2);
  const products = sum(COUNT, (i) => at(a, i) * at(b, i));
  const totalB = sum(COUNT, (i) => at(b, i));
  const run = async (made: PreparedCase) => outputsOf(await testDevice(), made, made.inputs);

  for (const lanes of LANES) {
    const tile = { lanes, rows: 1 };
    const label = `with ${lanes} lane${lanes === 1 ? '' : 's'}`;

    it(`is right along a row ${label}`, async () => {
      const kernel = sumRows.prepare(await testDevice(), { tile });
      const out = await run(prepared(kernel, { rows: 1, cols: COUNT }, bare({ x: a }, { out: 1 })));
      near(at(out.get('out'), 0), total);
    });

    it(`is right down a column ${label}`, async () => {
      const kernel = sumCols.prepare(await testDevice(), { tile: { lanes } });
      const dims = { rows: COUNT, cols: 1, chunk_rows: COUNT };
      near(at((await run(prepared(kernel, dims, bare({ x: a }, { out: 1 })))).get('out'), 0), total);
    });

    it(`is right in the loss ${label}`, async () => {
      const kernel = lossForward.prepare(await testDevice(), { cosine: true, squared: true, tile: { lanes } });
      const outputs = { per_sample: 1, root: 1 };
      const dims = { batch: 1, channels: 1, pixels: COUNT, c: 0 };
      const target_value = b.map((v) => -v); // apart by a cosine of -1 each
      const out = await run(prepared(kernel, dims, bare({ prediction: a, target_value }, outputs)));
      near(at(out.get('per_sample'), 0), sum(COUNT, (i) => (at(a, i) + at(b, i)) ** 2) / COUNT + 2);
    });

    it(`is right in the mean of losses ${label}`, async () => {
      const kernel = lossTotal.prepare(await testDevice(), { tile: { lanes } });
      const dims = { batch: COUNT, slot: 0, slots: 1 };
      const out = await run(prepared(kernel, dims, bare({ per_sample: a, weights: b }, { total: 1 })));
      near(at(out.get('total'), 0), products / COUNT);
    });

    it(`is right in the statistics of a norm ${label}`, async () => {
      const kernel = norm.prepare(await testDevice(), { kind: 'layer', tile });
      const dims = { rows: 1, cols: COUNT, eps: 0 };
      const stats = (await run(prepared(kernel, dims, bare({ x: a }, { y: COUNT, stats: 2 })))).get('stats');
      near(at(stats, 0), total / COUNT);
      near(at(stats, 1), 1 / Math.sqrt(squares / COUNT - (total / COUNT) ** 2));
    });

    it(`is right in the gradient of a norm ${label}`, async () => {
      const kernel = normBackwardX.prepare(await testDevice(), { kind: 'layer', tile });
      const dims = { rows: 1, cols: COUNT };
      const inputs = { dy: a, x: b, stats: Float32Array.of(0, 1) };
      const dx = (await run(prepared(kernel, dims, bare(inputs, { dx: COUNT })))).get('dx');
      for (const i of [0, 3, COUNT - 1]) {
        const means = total / COUNT + (at(b, i) * products) / COUNT;
        near(at(a, i) - at(dx, i), means);
      }
    });

    const shape = { rows: COUNT, cols: 1, mod_rows: COUNT };

    it(`is right in the gradients of weight and bias ${label}`, async () => {
      const kernel = normBackwardWeight.prepare(await testDevice(), { bias: true, tile: { lanes } });
      const dims = { rows: COUNT, cols: 1 };
      const made = bare({ dy: a, x: b, stats: identity() }, { dweight_partial: 1, dbias_partial: 1 });
      const out = await run(prepared(kernel, dims, made));
      near(at(out.get('dweight_partial'), 0), products);
      near(at(out.get('dbias_partial'), 0), total);
    });

    it(`is right in the gradients of scale and shift ${label}`, async () => {
      const kernel = normBackwardModulation.prepare(await testDevice(), { scale: true, shift: true, tile: { lanes } });
      const dims = { ...shape, mod_stride: 2, scale_offset: 0, shift_offset: 1 };
      const made = bare({ dy: a, x: b, stats: identity(), dmodulation: new Float32Array(2) }, { dmodulation: 2 });
      const out = (await run(prepared(kernel, dims, made))).get('dmodulation');
      near(at(out, 0), products);
      near(at(out, 1), total);
    });

    it(`is right in the gradient of a gate ${label}`, async () => {
      const kernel = gatedResidualBackwardGate.prepare(await testDevice(), { tile: { lanes } });
      const made = bare({ dy: a, h: b, dmodulation: new Float32Array(1) }, { dmodulation: 1 });
      const out = await run(prepared(kernel, { ...shape, mod_stride: 1, gate_offset: 0 }, made));
      near(at(out.get('dmodulation'), 0), products);
    });
  }

  it('is right in the gradients of the affine map of q and k', async () => {
    const kernel = qkNormAffineBackward.prepare(await testDevice(), { norm: 'none' });
    const qkv = new Float32Array(3 * COUNT);
    for (let i = 0; i < COUNT; i++) qkv.fill(at(b, i), 3 * i, 3 * i + 3);
    const dims = { batch: 1, n: COUNT, heads: 1, head_dim: 1, chunk_rows: COUNT, eps: 0 };
    const partial = (await run(prepared(kernel, dims, bare({ qkv, dq: a, dk: b }, { partial: 4 })))).get('partial');
    near(at(partial, 0), products);
    near(at(partial, 2), total);
    near(at(partial, 3), totalB);
  });

  it.each<[string, MatmulTile, number]>([
    ['1 x 4 outputs an invocation', { kind: 'plain', tm: 1, tn: 4, wgX: 1, wgY: 1, runs: true }, COUNT],
    ['4 x 4 outputs an invocation', { kind: 'plain', tm: 4, tn: 4, wgX: 1, wgY: 1, runs: true }, COUNT],
    // Barriers are slow on a CPU; one chain of so many is off by 9e-4.
    ['tiles in workgroup memory', { kind: 'tiled', qm: 1, qn: 1, runs: true }, 1_500_000],
  ])('is right in a product of %s', async (_, tile, k) => {
    const kernel = matmul.prepare(await testDevice(), { layout: 'nn', tile });
    const inputs = { a: a.subarray(0, k), b: b.subarray(0, k) };
    const out = (await run(prepared(kernel, { m: 1, k, n: 1 }, bare(inputs, { out: 1 })))).get('out');
    near(at(out, 0), k === COUNT ? products : sum(k, (i) => at(a, i) * at(b, i)));
  });

  it('is right in the norm of the gradients', async () => {
    const kernel = gradStats.prepare(await testDevice(), undefined);
    const groups = gradStatsGroups(COUNT);
    const made = prepared(kernel, { count: COUNT, partial_offset: 0 }, bare({ grad: a }, { partial: 2 * groups }));
    const partial = (await run(made)).get('partial');
    near(
      sum(groups, (i) => at(partial, 2 * i)),
      squares,
    );
  });
});
