import type { Command } from 'commander';
import { realNumber } from './numbers.ts';
import type { Choice } from './source.ts';

/** Which weights of a run, as the command line says it. */
export type WeightsFlags = Pick<Choice, 'weights' | 'average'>;

/** Adds the options by which a run's weights are chosen. */
export function addWeightsOptions(command: Command): Command {
  return command
    .option('--weights <which>', 'of a run: ema or model (default: ema)')
    .option('--average <decay>', 'of a run: the average of this decay, one of train.ema', realNumber);
}
