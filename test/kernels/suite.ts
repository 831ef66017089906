import { describe, expect, it } from 'vitest';
import { type KernelCase, missingFeatures } from '../catalogue/case.ts';
import { runCase } from '../catalogue/run.ts';
import { testDevice } from '../gpu.ts';

/** One test a case, and one line with the family's worst relative error; `exact` for kernels that only move numbers. */
export function kernelSuite(
  family: string,
  cases: readonly KernelCase[],
  { exact = false, deviceOf = testDevice } = {},
): void {
  describe(`kernel ${family}`, () => {
    let worst = 0;
    let compared = 0;
    for (const kase of cases.filter((c) => !c.benchOnly)) {
      it(kase.name, async () => {
        const device = await deviceOf();
        const missing = missingFeatures(kase, device);
        if (missing.length > 0) return expect(() => kase.prepare(device)).toThrow(`needs the feature ${missing}`);
        const { error } = await runCase(device, kase);
        expect(error).toBeLessThanOrEqual(kase.tolerance);
        worst = Math.max(worst, error);
        compared++;
      });
    }
    it('worst relative error', () => {
      console.log(`${family}: worst relative error ${worst.toExponential(1)} over ${cases.length} cases`);
      if (exact) return expect(worst).toBe(0);
      if (compared === 0) return expect(cases.every((kase) => (kase.needs ?? []).length > 0)).toBe(true);
      expect(worst).toBeGreaterThan(0); // no kernel agrees with f64 to the last bit: zero means nothing was compared
    });
  });
}
