import type { Command } from 'commander';
import { mergeConfig, type PartialConfig, parseConfig } from '../io/config.ts';
import { presetNamed } from '../io/presets.ts';
import { RunFolder } from '../io/run-folder.node.ts';
import { realNumber, wholeNumber } from './numbers.ts';
import { runTraining } from './run_training.ts';
import { newestWeights } from './weights.ts';

interface TuneOptions {
  from: string;
  out: string;
  steps?: number;
  batch?: number;
  lr?: number;
  zeta?: number;
  seed?: number;
}

export function addTune(ucgm: Command): void {
  ucgm
    .command('tune')
    .description("Turns a multi-step run's averaged weights into a few-step model (1 to 8 sampling steps).")
    .requiredOption('--from <folder>', 'run folder of a multi-step model')
    .requiredOption('--out <folder>', 'run folder to write; go on with it by train --resume')
    .option('--steps <n>', 'tuning steps', wholeNumber)
    .option('--batch <n>', "batch size (default: the run's)", wholeNumber)
    .option('--lr <x>', 'learning rate', realNumber)
    .option('--zeta <x>', 'strength of the enhanced target', realNumber)
    .option('--seed <n>', 'seed of every random number', wholeNumber)
    .action(tune);
}

/** The reference's recipe (preset fewstep) over the run's model, data and transport. */
async function tune(options: TuneOptions): Promise<void> {
  const from = RunFolder.open(options.from);
  const before = mergeConfig(from.path, parseConfig(from.configText(), from.path));
  const { weights } = newestWeights(from, before.model, 'ema');
  const { consistc_ratio, transport_type } = before.transport;
  if (consistc_ratio !== 0) {
    console.warn(
      `${options.from} is a few-step model already (consistc_ratio ${consistc_ratio}): its average is no multi-step teacher`,
    );
  }
  const given: PartialConfig = {
    transport: { transport_type, enhanced_ratio: options.zeta },
    data: { batch_size: options.batch },
    optimizer: { lr: options.lr },
    train: { steps: options.steps, seed: options.seed },
  } as PartialConfig;
  const own: PartialConfig = { model: before.model, data: before.data };
  const config = mergeConfig('the command line', presetNamed('fewstep'), own, given);
  await runTraining({ config, out: options.out, weights });
}
