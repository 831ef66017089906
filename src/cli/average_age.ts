import { existsSync } from 'node:fs';
import type { FolderStore } from '../run/folder_store.node.ts';
import { firstMetricsStep } from '../run/metrics_log.node.ts';
import type { RunConfig } from '../run/settings.ts';

/** Share of its start in an average from which on its samples show that. */
const MUCH = 0.1;

const percent = (share: number) => `${(100 * share).toFixed(0)}%`;

function ageNote(decay: number, steps: number, fix: string): string | undefined {
  const share = decay ** steps;
  if (share <= MUCH) return undefined;
  const better = Number((MUCH ** (1 / steps)).toPrecision(3));
  return `after ${steps} steps with ema_decay ${decay} the averaged weights are still ${percent(share)} their start, and so are samples of them. Fix: ${fix}, or train with train.ema_decay ${better} or lower`;
}

/** What is to be said before a training whose average will not have left its start, or nothing. */
export function shortTraining({ train }: RunConfig): string | undefined {
  return ageNote(train.ema_decay, train.steps, 'train longer, sample with --weights model');
}

/** What is to be said of a run's average, of a decay, that still holds much of its start, or nothing. */
export function youngAverage(
  run: FolderStore,
  { train }: RunConfig,
  step: number,
  decay = train.ema_decay,
): string | undefined {
  // A converted run's average has an age that nobody knows: its steps are not in the log.
  if (step < 1 || !existsSync(run.metricsPath) || firstMetricsStep(run.metricsPath) !== 1) return undefined;
  return ageNote(decay, step, 'use --weights model');
}
