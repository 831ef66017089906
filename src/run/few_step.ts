import type { RunConfig } from './settings.ts';

/** True for a model of few steps: a consistency model, or one of two times. */
export function isFewStep({ transport }: Pick<RunConfig, 'transport'>): boolean {
  return transport.consistc_ratio > 0 || (transport.method ?? 'UCGM') !== 'UCGM';
}
