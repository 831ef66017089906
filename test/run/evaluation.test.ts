import { expect, it } from 'vitest';
import { comparedEvaluations } from '../../src/report/compared_evaluations.ts';
import { type Evaluation, parseEvaluation, rowOf, type SeedScores } from '../../src/run/evaluation.ts';
import { deviation, limitOf, mean } from '../../src/run/statistics.ts';

const scores = (seed: number, frechet: number): SeedScores => ({
  seed,
  frechet,
  kid: 0.1 * seed,
  precision: 0.5,
  recall: 0.25,
  accuracy: null,
  nearest: 1,
  nfe: 4,
  seconds: 2,
  bySize: [
    { images: 1000, frechet: frechet + 1 },
    { images: 2000, frechet: frechet + 0.5 },
  ],
});
const sampler = { steps: 4, order: 1, setting: 'plain' } as const;

it('a row of several seeds has their means and deviations, and where the line in 1 / samples meets 0', () => {
  const row = rowOf(sampler, [scores(3, 7), scores(4, 8), scores(5, 12)]);
  expect(row).toMatchObject({ ...sampler, frechet: 9, precision: 0.5, accuracy: null, seeds: [3, 4, 5], nfe: 4 });
  expect(row.deviation).toMatchObject({ frechet: Math.sqrt(7), precision: 0, accuracy: null });
  expect(row.bySize).toEqual([
    { images: 1000, frechet: 10 },
    { images: 2000, frechet: 9.5 },
  ]);
  expect(row.limit).toBeCloseTo(9, 9);
  expect(rowOf(sampler, [scores(0, 7)]).deviation).toMatchObject({ frechet: null });
});

it('a line through points is the least-squares one, and one point has none', () => {
  const on = (n: number, off = 0) => ({ images: n, frechet: 3 + 500 / n + off });
  expect(limitOf([on(100), on(200), on(1000)])).toBeCloseTo(3, 9);
  expect(limitOf([on(100, 0.5), on(200, -1.5), on(200, 1.5), on(1000, 0.5)])).not.toBeCloseTo(3, 3);
  expect(limitOf([on(100)])).toBeNull();
  expect([mean([1, 2, 6]), deviation([1, 2, 6]), deviation([4])]).toEqual([3, Math.sqrt(7), null]);
});

it('a comparison is one table and one picture, and names what was not taken alike', () => {
  const of = (name: string, more: Partial<Evaluation>, ...seeds: number[]) => ({
    name,
    evaluation: {
      features: 'digits',
      images: 2000,
      reference: 'digits, 60 images',
      model: 'tiny, step 1',
      adapter: 'an adapter',
      date: '2026-01-02',
      rows: [
        rowOf(
          sampler,
          seeds.map((seed) => scores(seed, 5 + seed)),
        ),
      ],
      ...more,
    },
  });
  const alike = comparedEvaluations([of('one', {}, 0, 2), of('<two>', {}, 0, 2)]);
  expect(alike.notes).toEqual([]);
  expect(alike.html.match(/<svg/g)).toHaveLength(1);
  expect(alike.html).toContain('6 ± 1.4');
  expect(alike.html).toContain('2 × 2,000');
  expect(alike.html).not.toContain('<two>');
  const { notes, html } = comparedEvaluations([of('one', {}, 0, 2), of('two', { images: 500 }, 0, 1)]);
  expect(notes).toEqual(['the samples differ: one 2000; two 500', 'the seeds of the noise differ: one 0,2; two 0,1']);
  expect(html).toContain('the samples differ');
});

it('the table of an earlier version is read, without what it does not have', () => {
  const { seeds: _, deviation: __, bySize: ___, limit: ____, ...old } = rowOf(sampler, [scores(0, 7)]);
  const about = { features: 'f', images: 4, reference: 'r', model: 'm', adapter: 'a', date: 'd' };
  expect(parseEvaluation(JSON.stringify({ ...about, rows: [old] }))).toMatchObject({ rows: [{ frechet: 7 }] });
});
