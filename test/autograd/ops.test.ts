import { afterAll, describe, it } from 'vitest';
import { linear } from '../../src/autograd/ops/linear.ts';
import type { Tensor } from '../../src/tensor/index.ts';
import { CASES } from './cases.ts';
import { gradcheck } from './gradcheck.ts';

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
  afterAll(() => console.log(`gradient check: worst difference ${worst.toExponential(1)} over ${CASES.length} ops`));
});
