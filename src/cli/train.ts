import { readFileSync } from 'node:fs';
import { type Command, InvalidArgumentError } from 'commander';
import { loadDataset } from '../data/load.node.ts';
import { adapterName } from '../device/index.ts';
import { openNodeDevice } from '../device/node.ts';
import { mergeConfig, type PartialConfig, parseConfig, type RunConfig, stringifyConfig } from '../io/config.ts';
import { presetNamed } from '../io/presets.ts';
import { RunFolder } from '../io/run-folder.node.ts';
import { Workspace } from '../tensor/index.ts';
import { Trainer } from '../ucgm/trainer.ts';
import { UsageError } from './failure.ts';
import { networkOf, resolveModel } from './model.ts';
import { trainingLoop } from './training_loop.ts';

interface TrainOptions {
  data?: string;
  model?: string;
  preset?: string;
  config?: string;
  steps?: number;
  batch?: number;
  lr?: number;
  seed?: number;
  out: string;
  resume?: boolean;
}

/** A whole number from the command line. */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError('give a whole number.');
  return value;
}

/** A number from the command line. */
export function realNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('give a number.');
  return value;
}

export function addTrain(ucgm: Command): void {
  ucgm
    .command('train')
    .description('Trains a model and writes a run folder: configuration, metrics, checkpoints, samples.')
    .requiredOption('--out <folder>', 'run folder to write')
    .option('--data <name>', 'digits, shapes, or a folder (class folders of PNGs, or MNIST idx files)')
    .option('--model <name>', 'tiny, small, mnist, or CLASS-SIZE/PATCH such as TiT-S/2')
    .option('--preset <name>', 'settings to start from: tiny, mnist, multistep (default: tiny)')
    .option(
      '--config <file>',
      "YAML with sections model, data, transport, optimizer, train, sample; the reference's keys",
    )
    .option('--steps <n>', 'training steps in all', wholeNumber)
    .option('--batch <n>', 'batch size', wholeNumber)
    .option('--lr <x>', 'learning rate', realNumber)
    .option('--seed <n>', 'seed of every random number', wholeNumber)
    .option('--resume', 'go on from the last checkpoint of --out')
    .action(train);
}

async function train(options: TrainOptions): Promise<void> {
  const folder = options.resume ? RunFolder.open(options.out) : undefined;
  const config = resolveConfig(options, folder);
  const dataset = await loadDataset({
    name: config.data.name,
    ...(config.data.size !== undefined && { size: config.data.size }),
  });
  config.model = resolveModel(config.model, dataset);
  const network = networkOf(config.model);
  const device = await openNodeDevice();
  console.log(
    `adapter ${adapterName(device)}; data ${dataset.name}, ${dataset.size} images of ${dataset.numClasses} classes`,
  );
  const workspace = new Workspace(device);
  const trainer = new Trainer(workspace, network, config.data.batch_size, {
    objective: config.transport,
    optimizer: { ...config.optimizer, eps: config.optimizer.eps ?? 1e-8 },
    emaDecay: config.train.ema_decay,
    maxGradNorm: config.train.max_grad_norm,
    seed: config.train.seed,
  });
  console.log(
    `model ${config.model.name}, ${(trainer.weights.flat.count / 1e6).toFixed(2)}M parameters; batch ${config.data.batch_size}, ${config.train.steps} steps`,
  );
  const run = folder ?? RunFolder.create(options.out);
  run.writeConfig(stringifyConfig(config));
  const interrupted = await trainingLoop({ trainer, dataset, config, run, resume: options.resume === true });
  trainer.free();
  workspace.dispose();
  device.destroy();
  if (interrupted) process.exitCode = 130;
}

/** Preset, then the run's or the given file, then the command line. */
function resolveConfig(options: TrainOptions, folder: RunFolder | undefined): RunConfig {
  const given: PartialConfig = {
    model: { name: options.model },
    data: { name: options.data, batch_size: options.batch },
    optimizer: { lr: options.lr },
    train: { steps: options.steps, seed: options.seed },
  } as PartialConfig;
  if (folder) {
    const fixed = (['model', 'preset', 'config', 'data', 'batch', 'seed'] as const).find(
      (name) => options[name] !== undefined,
    );
    if (fixed)
      throw new UsageError(
        `--${fixed} does not go with --resume`,
        'a resumed run keeps its own configuration; --steps and --lr may change',
      );
    return mergeConfig(folder.path, parseConfig(folder.configText(), folder.path), given);
  }
  const preset = presetNamed(options.preset ?? 'tiny');
  const file = options.config === undefined ? {} : parseConfig(readText(options.config), options.config);
  return mergeConfig(options.config ?? 'the command line', preset, file, given);
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    throw new UsageError(`--config ${path} cannot be read`, 'give a YAML file that exists');
  }
}
