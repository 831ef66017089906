import type { Command } from 'commander';
import { mergeConfig, type PartialConfig, type RunConfig } from '../io/config.ts';
import { presetNamed } from '../io/presets.ts';
import { readConfigFile } from './config_file.ts';
import { UsageError } from './failure.ts';
import { isFewStep } from './kind.ts';
import { realNumber, seedNumber, wholeNumber } from './numbers.ts';
import { runTraining } from './run_training.ts';
import { openSource } from './source.ts';

interface TuneOptions {
  from: string;
  out: string;
  data?: string;
  preset: string;
  config?: string;
  steps?: number;
  batch?: number;
  lr?: number;
  zeta?: number;
  seed?: number;
}

export function addTune(ucgm: Command): void {
  ucgm
    .command('tune')
    .description("Turns a multi-step model's averaged weights into a few-step model (1 to 8 sampling steps).")
    .requiredOption('--from <path>', 'run folder, or model file, of a multi-step model')
    .requiredOption('--out <folder>', 'run folder to write; go on with it by train --resume')
    .option('--data <name>', "training images (default: the model's)")
    .option('--preset <name>', 'the recipe: fewstep (UCGM), or anystep (RCGM)', 'fewstep')
    .option('--config <file>', 'YAML with settings that differ from the recipe')
    .option('--steps <n>', 'tuning steps', wholeNumber)
    .option('--batch <n>', "batch size (default: the run's)", wholeNumber)
    .option('--lr <x>', 'learning rate', realNumber)
    .option('--zeta <x>', 'strength of the enhanced target', realNumber)
    .option('--seed <n>', 'seed of every random number', seedNumber)
    .action(tune);
}

/** A recipe, by default the reference's, over the model, its data and its transport. */
async function tune(options: TuneOptions): Promise<void> {
  const { config: before, weights } = openSource(options.from);
  const { transport_type } = before.transport;
  if (isFewStep(before))
    console.warn(`${options.from} is a few-step model already: its average is no multi-step teacher`);
  const given: PartialConfig = {
    transport: { transport_type, enhanced_ratio: options.zeta },
    data: { name: options.data, batch_size: options.batch },
    optimizer: { lr: options.lr },
    train: { steps: options.steps, seed: options.seed },
  } as PartialConfig;
  const recipe = presetNamed(options.preset);
  const two = recipe.model?.two_times === true; // what a second time needs is not in the weights, and starts without effect
  const own: PartialConfig = { model: { ...before.model, ...(two && { two_times: true }) }, data: before.data };
  const file = options.config === undefined ? {} : readConfigFile(options.config).config;
  checkSame(options, before, file);
  const config = mergeConfig(options.config ?? 'the command line', recipe, own, file, given);
  await runTraining({ config, out: options.out, weights });
}

/** The model and the transport are those of the weights. @throws UsageError where a file says otherwise. */
function checkSame(options: TuneOptions, before: RunConfig, { model = {}, transport = {} }: PartialConfig): void {
  const given = { ...model, ...(transport.transport_type && { transport_type: transport.transport_type }) };
  const own: { [key: string]: unknown } = { ...before.model, transport_type: before.transport.transport_type };
  for (const [key, value] of Object.entries(given))
    if (own[key] !== value && key !== 'two_times')
      throw new UsageError(
        `${options.config}: ${key} is ${value}, that of ${options.from} is ${own[key]}`,
        'leave it out: tuning goes on with the model and the transport of its start',
      );
}
