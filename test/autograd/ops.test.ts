import { afterAll, describe, expect, it, vi } from 'vitest';
import { linear, linearSwiglu } from '../../src/autograd/ops/linear.ts';
import { Tape } from '../../src/autograd/tape.ts';
import type { Tensor } from '../../src/tensor/index.ts';
import { CASES } from './cases.ts';
import { gradcheck } from './gradcheck.ts';
import { table } from './op_case.ts';

describe('gradient check by central differences', () => {
  let worst = 0;
  for (const kase of CASES) {
    it(`${kase.ops[0]}: ${kase.name}`, async () => {
      worst = Math.max(worst, await gradcheck(kase.shapes, kase.build, kase.fixed));
    });
  }
  for (const kase of CASES.filter(({ ops }) => /^(linear|normModulate)/.test(ops[0] as string))) {
    it(`${kase.ops[0]}: ${kase.name}, as on a GPU`, async () => {
      worst = Math.max(worst, await gradcheck(kase.shapes, kase.build, kase.fixed, 'gpu'));
    });
  }
  it('linear: as on a GPU, the rows cut in parts', async () => {
    const shapes = { x: [1100, 8], w: [12, 8], b: [12] };
    const build = (tape: Parameters<typeof linear>[0], i: { [name: string]: Tensor }) =>
      linear(tape, i.x as Tensor, i.w as Tensor, i.b as Tensor);
    worst = Math.max(worst, await gradcheck(shapes, build, {}, 'gpu'));
  });
  it('linearSwiglu: as on a GPU, a bias whose sums no product takes, the rows cut in parts', async () => {
    const w = table(16, 8);
    const build = (tape: Tape, i: { [name: string]: Tensor }) =>
      linearSwiglu(tape, i.x as Tensor, i.w as Tensor, i.b as Tensor);
    for (const rows of [3, 1100]) {
      const run = vi.spyOn(Tape.prototype, 'run');
      try {
        worst = Math.max(worst, await gradcheck({ x: [rows, 8], b: [16] }, build, { w }, 'gpu'));
        expect(run.mock.calls.map(([kernel]) => kernel.name)).toContain('swiglu_bwd_sums');
      } finally {
        run.mockRestore();
      }
    }
  });
  afterAll(() => console.log(`gradient check: worst difference ${worst.toExponential(1)} over ${CASES.length} ops`));
});
