import { describe, expect, it } from 'vitest';
import {
  type AttentionProblem,
  attention,
  attentionGradients,
  attentionScores,
  numericalGradient,
  type QkvProblem,
  qkNormRotary,
  qkNormRotaryGradients,
  queryDots,
  randn,
  relError,
  rotaryTables,
} from './index.ts';

const TOLERANCE = 1e-7; // central differences in f64: rounding ~ 1e-16 / 1e-6 of the sum, truncation ~ 1e-12

describe('f64 attention', () => {
  const shape = { batch: 2, heads: 3, n: 5, headDim: 6 };
  const count = 2 * 3 * 5 * 6;
  const tensors = { q: randn(count, 1), k: randn(count, 2), v: randn(count, 3) };
  const dout = randn(count, 4);

  it('is the plain formula, entry by entry', () => {
    const { out, lse } = attention({ ...shape, ...tensors });
    const at = (b: number, h: number, i: number, d: number) => ((b * 3 + h) * 5 + i) * 6 + d;
    for (let b = 0; b < 2; b++) {
      for (let h = 0; h < 3; h++) {
        for (let i = 0; i < 5; i++) {
          const weights = [0, 1, 2, 3, 4].map((j) => {
            let score = 0;
            for (let d = 0; d < 6; d++) score += tensors.q[at(b, h, i, d)]! * tensors.k[at(b, h, j, d)]!;
            return Math.exp(score / Math.sqrt(6));
          });
          const sum = weights.reduce((a, w) => a + w);
          expect(lse[(b * 3 + h) * 5 + i]).toBeCloseTo(Math.log(sum), 12);
          for (let d = 0; d < 6; d++) {
            const wanted = weights.reduce((a, w, j) => a + (w / sum) * tensors.v[at(b, h, j, d)]!, 0);
            expect(out[((b * 5 + i) * 3 + h) * 6 + d]).toBeCloseTo(wanted, 12);
          }
        }
      }
    }
  });

  it('gradients by q, k and v against central differences', () => {
    for (const scale of [undefined, 1.7]) {
      const problem = { ...shape, ...tensors, scale };
      const gradients = attentionGradients(problem, dout);
      for (const name of ['q', 'k', 'v'] as const) {
        const forward = (x: Float64Array) => attention({ ...problem, [name]: x }).out;
        const numeric = numericalGradient(forward, tensors[name], dout);
        expect(relError(gradients[`d${name}`], numeric), name).toBeLessThan(TOLERANCE);
      }
      expect(relError(queryDots(shape, attention(problem).out, dout), gradients.delta)).toBeLessThan(1e-13);
    }
  });
});

describe('f64 attention with masks, groups and sizes of its own', () => {
  const [batch, heads, kvHeads, n, keys, headDim, valueDim] = [2, 4, 2, 3, 5, 4, 3];
  const shape = { batch, heads, kvHeads, n, keys, headDim, valueDim };
  const q = randn(batch * heads * n * headDim, 1);
  const k = randn(batch * kvHeads * keys * headDim, 2);
  const v = randn(batch * kvHeads * keys * valueDim, 3);
  const dout = randn(batch * heads * n * valueDim, 4);
  const bias = { kind: 'added' as const, sizes: [1, heads, n] as const, data: randn(heads * n * keys, 5) };
  const hidden = { ...bias, data: bias.data.map((x, i) => (i % 4 === 1 ? Number.NEGATIVE_INFINITY : x)) };
  const sees = { kind: 'boolean' as const, sizes: [batch, 1, 1] as const, data: [0, 1, 1, 0, 1, 1, 0, 0, 0, 1] };
  const problems: { [name: string]: Partial<AttentionProblem> } = {
    'more keys than queries and fewer heads of them': {},
    causal: { causal: 'start', offset: 1 },
    'causal, some queries without a key': { causal: 'start', offset: -1 },
    'causal up to the last valid key': { causal: 'end', lengths: [5, 2] },
    lengths: { lengths: [2, 0] },
    'an added mask': { mask: bias },
    'an added mask that hides': { mask: hidden },
    'a boolean mask': { mask: sees },
    'a soft cap': { softcap: 1.5, scale: 0.9 },
    'all at once': { causal: 'end', offset: 1, lengths: [4, 5], mask: hidden, softcap: 2 },
  };

  it.each(Object.entries(problems))('gradients with %s against central differences', (_, extra) => {
    const problem: AttentionProblem = { ...shape, q, k, v, ...extra };
    const gradients = attentionGradients(problem, dout);
    for (const [name, from] of Object.entries({ q, k, v })) {
      const forward = (x: Float64Array) => attention({ ...problem, [name]: x }).out;
      const numeric = numericalGradient(forward, from, dout);
      expect(relError(gradients[`d${name}` as 'dq'], numeric), name).toBeLessThan(TOLERANCE);
    }
    if (extra.mask?.kind !== 'added') return expect(gradients.dmask).toBeUndefined();
    const mask = extra.mask;
    const forward = (data: Float64Array) => attention({ ...problem, mask: { ...mask, data } }).out;
    expect(relError(gradients.dmask!, numericalGradient(forward, Float64Array.from(mask.data), dout))).toBeLessThan(
      TOLERANCE,
    );
  });

  it('is the formula entry by entry, with all at once', () => {
    const problem: AttentionProblem = { ...shape, q, k, v, ...problems['all at once'] };
    const { out, lse } = attention(problem);
    const weights = attentionScores(problem, 'weights');
    for (let b = 0; b < batch; b++) {
      for (let h = 0; h < heads; h++) {
        for (let i = 0; i < n; i++) {
          const row = (b * heads + h) * n + i;
          const scores = Array.from({ length: keys }, (_, j) => {
            let dot = 0;
            for (let d = 0; d < headDim; d++)
              dot += q[row * headDim + d]! * k[((b * kvHeads + Math.floor(h / 2)) * keys + j) * headDim + d]!;
            const length = [4, 5][b]!;
            if (j >= length || j > i + 1 + length - n) return Number.NEGATIVE_INFINITY;
            return 2 * Math.tanh(dot / Math.sqrt(headDim) / 2) + hidden.data[(h * n + i) * keys + j]!;
          });
          const sum = scores.reduce((a, s) => a + Math.exp(s), 0);
          expect(lse[row]).toBeCloseTo(Math.log(sum), 12);
          scores.forEach((s, j) => void expect(weights[row * keys + j]).toBeCloseTo(Math.exp(s) / sum, 12));
          for (let d = 0; d < valueDim; d++) {
            const wanted = scores.reduce(
              (a, s, j) => a + (Math.exp(s) / sum) * v[((b * kvHeads + Math.floor(h / 2)) * keys + j) * valueDim + d]!,
              0,
            );
            expect(out[((b * n + i) * heads + h) * valueDim + d]).toBeCloseTo(wanted, 12);
          }
        }
      }
    }
  });

  it('gives a query without a key the result 0', () => {
    const { out, lse } = attention({ ...shape, q, k, v, lengths: [0, 5] });
    const half = out.length / 2;
    expect(out.subarray(0, half).every((x) => x === 0)).toBe(true);
    expect(out.subarray(half).every((x) => x !== 0)).toBe(true);
    expect([lse[0], lse[heads * n - 1]]).toEqual([-3e38, -3e38]);
  });
});

describe('f64 q/k norm and rotation', () => {
  const [batch, n, heads, headDim] = [2, 4, 3, 8];
  const one = batch * n * heads * headDim;
  const qkv = randn(3 * one, 1).map((x) => 1.3 * x + 0.4);
  const affine = randn(4 * headDim, 2);
  const cotangents = { dq: randn(one, 3), dk: randn(one, 4), dv: randn(one, 5) };
  const dy = Float64Array.of(...cotangents.dq, ...cotangents.dk, ...cotangents.dv);
  const tables = { axial: rotaryTables('axial', 2, headDim), any: randn(2 * n * headDim, 6), without: undefined };

  it.each(['none', 'rms', 'layer'] as const)('gradients with norm %s against central differences', (norm) => {
    for (const rope of Object.values(tables)) {
      const problem = { batch, n, heads, headDim, qkv, norm, eps: 1e-3, affine, ...(rope && { rope }) };
      const forward = (change: Partial<QkvProblem>) => {
        const { q, k, v } = qkNormRotary({ ...problem, ...change });
        return Float64Array.of(...q, ...k, ...v);
      };
      const { dqkv, daffine } = qkNormRotaryGradients(problem, cotangents);
      const byQkv = numericalGradient((x) => forward({ qkv: x }), qkv, dy);
      const byAffine = numericalGradient((x) => forward({ affine: x }), affine, dy);
      expect(relError(dqkv, byQkv)).toBeLessThan(TOLERANCE);
      expect(relError(daffine, byAffine)).toBeLessThan(TOLERANCE);

      const { affine: _, ...bare } = problem;
      const numeric = numericalGradient((x) => forward({ qkv: x, affine: undefined }), qkv, dy);
      expect(relError(qkNormRotaryGradients(bare, cotangents).dqkv, numeric)).toBeLessThan(TOLERANCE);
    }
  });

  it('gradients of the affine map by chunks add up to the whole', () => {
    const problem = { batch, n, heads, headDim, qkv, norm: 'rms' as const, eps: 1e-6, rope: tables.any };
    const whole = qkNormRotaryGradients(problem, cotangents).daffine;
    const chunks = qkNormRotaryGradients(problem, cotangents, 5).daffine;
    expect(chunks.length).toBe(5 * 4 * headDim); // 24 rows
    const sum = whole.map((_, at) => [0, 1, 2, 3, 4].reduce((a, c) => a + chunks[c * 4 * headDim + at]!, 0));
    expect(relError(sum, whole)).toBeLessThan(1e-13);
  });

  it.each(['axial', 'stretched'] as const)(
    '%s rotations make scores depend on differences of positions alone',
    (kind) => {
      const [side, dim] = [4, 16];
      const row = randn(3 * dim, 7);
      const all = Float64Array.from({ length: side * side * 3 * dim }, (_, i) => row[i % (3 * dim)]!);
      const rope = rotaryTables(kind, side, dim);
      const { q, k } = qkNormRotary({
        batch: 1,
        n: side * side,
        heads: 1,
        headDim: dim,
        qkv: all,
        norm: 'none',
        eps: 0,
        rope,
      });
      const score = (i: number, j: number) => {
        let sum = 0;
        for (let d = 0; d < dim; d++) sum += q[i * dim + d]! * k[j * dim + d]!;
        return sum;
      };
      expect(score(5, 10)).toBeCloseTo(score(0, 5), 12); // one row and one column on, in both
      expect(score(5, 9)).toBeCloseTo(score(2, 6), 12); // one row on
      expect(Math.abs(score(5, 9) - score(5, 6))).toBeGreaterThan(1e-3); // rows are not columns
      expect(relError(q.subarray(0, dim), row.subarray(0, dim))).toBeLessThan(1e-15); // the first token stays as it is
    },
  );
});
