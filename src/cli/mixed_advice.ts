import type { RunConfig } from '../run/settings.ts';

/** lambda from which on a target hangs on small differences of the network. */
const NEAR_ONE = 0.9;

/** What is to be said before UCGM's few-step training in mixed precision, or nothing: one of eight came out far worse (docs/results.md). */
export function mixedFewStep({ transport, train }: RunConfig): string | undefined {
  const { method = 'UCGM', consistc_ratio } = transport;
  if (train.precision !== 'mixed' || method !== 'UCGM' || consistc_ratio < NEAR_ONE) return undefined;
  return `consistc_ratio ${consistc_ratio} in mixed precision: of eight such trainings on MNIST one came out at two and a half times the distance of f32. Fix: --precision f32`;
}
