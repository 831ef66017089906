import type { Command } from 'commander';
import { randomConstants } from '../nn/tables.ts';
import { isFewStep } from '../run/few_step.ts';
import { FolderStore } from '../run/folder_store.node.ts';
import { presetNamed } from '../run/presets.ts';
import type { PartialConfig, RunConfig } from '../run/settings.ts';
import { tuningConfig } from '../run/tuning.ts';
import type { PassPrecision } from '../tensor/index.ts';
import type { HostParameters } from '../ucgm/trainer.ts';
import { type AUTO, asksForBatch, UNTIL_FOUND } from './auto_batch.ts';
import { readConfigFile } from './config_file.ts';
import { UsageError } from './failure.ts';
import { batchNumber, precisionName, realNumber, seedNumber, wholeNumber } from './numbers.ts';
import { NO_TUNED } from './open_device.ts';
import { checkFolder } from './output.ts';
import { SHARE_DEVICE } from './ranks.ts';
import { runTraining, type TrainingRequest } from './run_training.ts';
import { openSource } from './source.ts';

interface TuneOptions {
  from: string;
  teacher?: string;
  start?: number;
  average?: number;
  out: string;
  data?: string;
  preset: string;
  config?: string;
  steps?: number;
  batch?: number | typeof AUTO;
  lr?: number;
  zeta?: number;
  seed?: number;
  precision?: PassPrecision;
  tuned?: boolean;
  shareDevice?: boolean;
}

export function addTune(ucgm: Command): void {
  ucgm
    .command('tune')
    .description("Turns a multi-step model's averaged weights into a few-step model (1 to 8 sampling steps).")
    .requiredOption('--from <path>', 'run folder, or model file, of a multi-step model')
    .requiredOption('--out <folder>', 'run folder to write; go on with it by train --resume')
    .option(
      '--start <step>',
      'of a run: checkpoint to start from; its newest is the frozen teacher (default: the newest)',
      wholeNumber,
    )
    .option('--average <decay>', 'of a run: start from the average of this decay, one of train.ema', realNumber)
    .option('--teacher <path>', 'run folder, or model file, of the frozen teacher: same network (default: --from)')
    .option('--data <name>', "training images (default: the model's)")
    .option('--preset <name>', 'the recipe: fewstep (UCGM), anystep-tune (ANYSTEP), or anystep (RCGM)', 'fewstep')
    .option('--config <file>', 'YAML with settings that differ from the recipe')
    .option('--steps <n>', 'tuning steps', wholeNumber)
    .option('--batch <n>', "batch size; auto: what the device holds (default: the run's)", batchNumber)
    .option('--lr <x>', 'learning rate', realNumber)
    .option('--zeta <x>', 'strength of the enhanced target', realNumber)
    .option('--seed <n>', 'seed of every random number', seedNumber)
    .option('--precision <name>', 'f32, f32x3 or mixed (default: f32)', precisionName)
    .option(...NO_TUNED)
    .option('--share-device', SHARE_DEVICE)
    .action((options: TuneOptions) => runTraining(() => tuning(options), options));
}

/** A recipe, by default the reference's, over the model, its data and its transport. */
function tuning(options: TuneOptions): TrainingRequest {
  FolderStore.checkNew(options.out);
  checkFolder('--out', options.out);
  const {
    config: before,
    weights,
    network,
  } = openSource(options.from, { at: options.start, average: options.average });
  if (isFewStep(before))
    console.warn(`${options.from} is a few-step model already: its average is no multi-step teacher`);
  const given: PartialConfig = {
    transport: { enhanced_ratio: options.zeta },
    data: { name: options.data, batch_size: options.batch },
    optimizer: { lr: options.lr },
    train: { steps: options.steps, seed: options.seed, precision: options.precision },
  } as PartialConfig;
  const recipe = presetNamed(options.preset);
  const file = options.config === undefined ? {} : readConfigFile(options.config).config;
  checkSame(
    options.from,
    before,
    `${options.config}`,
    file,
    'leave it out: tuning goes on with the model and the transport of its start',
  );
  const findsBatch = asksForBatch(file, given);
  const parts = findsBatch ? [file, given, UNTIL_FOUND] : [file, given];
  const config = tuningConfig(recipe, before, parts, options.config ?? 'the command line');
  const teacher = teacherOf(options, before, config);
  const start = new Map([...weights, ...randomConstants(network)]);
  return { config, findsBatch, out: options.out, weights: start, ...(teacher && { teacher }) };
}

/** The weights of a frozen teacher other than the start; undefined where it is the start. @throws UsageError. */
function teacherOf(options: TuneOptions, before: RunConfig, { transport }: RunConfig): HostParameters | undefined {
  const frozen = transport.ema_decay_rate === 1 && transport.enhanced_ratio !== 0;
  if (options.teacher === undefined) {
    // An earlier checkpoint starts, the newest teaches: against the collapse of a model that has converged.
    return options.start === undefined || !frozen
      ? undefined
      : openSource(options.from, { average: options.average }).weights;
  }
  if (!frozen)
    throw new UsageError(
      `--teacher: the recipe has no frozen teacher (transport.ema_decay_rate ${transport.ema_decay_rate}, enhanced_ratio ${transport.enhanced_ratio})`,
      'use --preset fewstep, or leave --teacher out',
    );
  const { config, weights } = openSource(options.teacher);
  checkSame(options.from, before, options.teacher, config, 'give a teacher of the same network and transport');
  return weights;
}

/** What tuning may add to a network: its weights start without effect. */
const ADDED = ['two_times', 'guidance_input'];

/** The network and the transport are those of the start. @throws UsageError where something says otherwise. */
function checkSame(
  from: string,
  before: RunConfig,
  where: string,
  { model = {}, transport = {} }: PartialConfig,
  fix: string,
): void {
  const { name: _, ...sizes } = model;
  const given = { ...sizes, ...(transport.transport_type && { transport_type: transport.transport_type }) };
  const own: { [key: string]: unknown } = { ...before.model, transport_type: before.transport.transport_type };
  for (const [key, value] of Object.entries(given))
    if (JSON.stringify(own[key]) !== JSON.stringify(value) && !ADDED.includes(key))
      throw new UsageError(`${where}: ${key} is ${value}, that of ${from} is ${own[key]}`, fix);
}
