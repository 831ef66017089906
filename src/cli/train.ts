import type { Command } from 'commander';
import { FolderStore } from '../run/folder_store.node.ts';
import { presetNamed, startingPresets } from '../run/presets.ts';
import { mergeConfig, type PartialConfig } from '../run/settings.ts';
import type { PassPrecision } from '../tensor/index.ts';
import { type AUTO, asksForBatch, UNTIL_FOUND } from './auto_batch.ts';
import { readConfigFile } from './config_file.ts';
import { UsageError } from './failure.ts';
import { batchNumber, precisionName, realNumber, seedNumber, wholeNumber } from './numbers.ts';
import { NO_TUNED } from './open_device.ts';
import { SHARE_DEVICE } from './ranks.ts';
import { runTraining, type TrainingRequest } from './run_training.ts';

interface TrainOptions {
  data?: string;
  model?: string;
  preset?: string;
  config?: string;
  steps?: number;
  batch?: number | typeof AUTO;
  lr?: number;
  seed?: number;
  precision?: PassPrecision;
  out: string;
  resume?: boolean;
  tuned?: boolean;
  shareDevice?: boolean;
}

export function addTrain(ucgm: Command): void {
  ucgm
    .command('train')
    .description('Trains a model and writes a run folder: configuration, metrics, checkpoints, samples.')
    .requiredOption('--out <folder>', 'run folder to write')
    .option(
      '--data <name>',
      'digits, shapes, or a folder (images, one folder a class; MNIST idx files; or latent shards)',
    )
    .option('--model <name>', 'tiny, small, mnist, or CLASS-SIZE/PATCH such as TiT-S/2')
    .option('--preset <name>', `settings to start from: ${startingPresets().join(', ')} (default: tiny)`)
    .option(
      '--config <file>',
      "YAML with sections model, data, transport, optimizer, train, sample; the reference's keys",
    )
    .option('--steps <n>', 'training steps in all', wholeNumber)
    .option('--batch <n>', 'batch size; auto: what the device holds', batchNumber)
    .option('--lr <x>', 'learning rate', realNumber)
    .option('--seed <n>', 'seed of every random number', seedNumber)
    .option('--precision <name>', 'f32, f32x3 or mixed (default: f32)', precisionName)
    .option('--share-device', SHARE_DEVICE)
    .option('--resume', 'go on from the last checkpoint of --out')
    .option(...NO_TUNED)
    .action(train);
}

async function train(options: TrainOptions): Promise<void> {
  await runTraining(() => {
    const folder = options.resume ? FolderStore.open(options.out) : undefined;
    return {
      ...resolveConfig(options, folder),
      out: options.out,
      ...(folder && { resume: folder }),
    };
  }, options);
}

/** Preset, then the run's or the given file, then the command line. */
function resolveConfig(
  options: TrainOptions,
  folder: FolderStore | undefined,
): Pick<TrainingRequest, 'config' | 'findsBatch'> {
  const given: PartialConfig = {
    model: { name: options.model },
    data: { name: options.data, batch_size: options.batch },
    optimizer: { lr: options.lr },
    train: { steps: options.steps, seed: options.seed, precision: options.precision },
  } as PartialConfig;
  if (folder) {
    const fixed = (['model', 'preset', 'config', 'data', 'batch', 'seed'] as const).find(
      (name) => options[name] !== undefined,
    );
    if (fixed)
      throw new UsageError(
        `--${fixed} does not go with --resume`,
        'a resumed run keeps its own configuration; --steps, --lr and --precision may change',
      );
    return { config: mergeConfig(folder.path, folder.settings(), given) };
  }
  const file = options.config === undefined ? undefined : readConfigFile(options.config);
  const preset = presetNamed(options.preset ?? (file?.reference ? 'multistep' : 'tiny'));
  const parts = [preset, file?.config ?? {}, given];
  const findsBatch = asksForBatch(...parts);
  if (findsBatch) parts.push(UNTIL_FOUND);
  return { config: mergeConfig(options.config ?? 'the command line', ...parts), findsBatch };
}
