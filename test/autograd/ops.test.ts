import { afterAll, describe, it } from 'vitest';
import { CASES } from './cases.ts';
import { gradcheck } from './gradcheck.ts';

describe('gradient check by central differences', () => {
  let worst = 0;
  for (const kase of CASES) {
    it(`${kase.ops[0]}: ${kase.name}`, async () => {
      worst = Math.max(worst, await gradcheck(kase.shapes, kase.build, kase.fixed));
    });
  }
  afterAll(() => console.log(`gradient check: worst difference ${worst.toExponential(1)} over ${CASES.length} ops`));
});
