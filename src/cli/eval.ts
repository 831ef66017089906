import { existsSync, readFileSync } from 'node:fs';
import { extname } from 'node:path';
import type { Command } from 'commander';
import type { Dataset } from '../data/dataset.ts';
import { type DataRequest, loadDataset } from '../data/load.node.ts';
import { atomicWrite } from '../io/atomic.node.ts';
import { checkLatents, type PicturedLatents, shownShape } from '../run/decoder.ts';
import { type Evaluation, type EvaluationRow, mergeEvaluations, parseEvaluation, rowOf } from '../run/evaluation.ts';
import { isFewStep } from '../run/few_step.ts';
import type { FolderStore } from '../run/folder_store.node.ts';
import { checkCount } from '../run/samples.ts';
import type { RunConfig } from '../run/settings.ts';
import { checkNetworkPrecision } from '../tensor/index.ts';
import { addDecoderOptions, type DecoderFlags, picturedLatents } from './autoencoder.ts';
import { compareEvaluations } from './eval_compare.ts';
import { HEADER, lineOf, settingOf, sizesLine } from './eval_table.ts';
import { UsageError } from './failure.ts';
import { type FeaturesFile, readFeatures } from './features.ts';
import { countNumber, numberList, seedNumber, seedNumbers } from './numbers.ts';
import { NO_TUNED } from './open_device.ts';
import { prepareFiles } from './output.ts';
import { ranks, SHARE_DEVICE } from './ranks.ts';
import { addSamplingOptions, type SamplingFlags, withSampling } from './sampling_options.ts';
import { Scorer } from './scoring.ts';
import { openSource, type Source } from './source.ts';
import { StopSignals } from './stop.ts';
import { addWeightsOptions, type WeightsFlags } from './weights_options.ts';

/** What the scoring of a model needs to be told. */
export interface ScoringFlags extends WeightsFlags, DecoderFlags {
  from: string;
  features?: string;
  data?: string;
  images: number;
  batch: number;
  tuned?: boolean;
}

interface EvalOptions extends Omit<ScoringFlags, 'from'>, SamplingFlags {
  from?: string;
  compare?: string[];
  html?: string;
  steps?: number[];
  seed?: number;
  seeds?: number[];
  json?: string;
  shareDevice?: boolean;
  nearest?: string;
}

/** Adds the options that a command needs to score a model's samples. */
export function addScoringOptions(command: Command, images: number): Command {
  return addDecoderOptions(addWeightsOptions(command))
    .option(
      '--features <file>',
      'feature network, safetensors (default: the one for digits that comes along); FID needs that of convert --features inception-v3',
    )
    .option('--data <name>', "images to compare with (default: the run's; a run on latents has none)")
    .option('--images <n>', 'samples, in equal numbers of each class', countNumber, images)
    .option('--batch <n>', 'images sampled at a time, fewer where the device cannot hold so many', countNumber, 500)
    .option(...NO_TUNED);
}

export function addEval(ucgm: Command): void {
  const command = ucgm
    .command('eval')
    .description(
      'Scores samples by number of steps: Frechet distance, KID, precision, recall, label accuracy, nearest training image.',
    )
    .option('--from <path>', 'run folder or model file')
    .option('--steps <list>', 'numbers of steps, such as 1,2,4 (default: by the kind of model)', (text) =>
      numberList(text),
    )
    .option('--seed <n>', 'seed of the noise (default: 0)', seedNumber)
    .option('--seeds <list>', 'seeds of the noise: how many, 0 first, or which, such as 3,4', seedNumbers)
    .option('--json <file>', "where to write the table (default: the run's eval.json)")
    .option(
      '--nearest <file>',
      'PNG to write, at one number of steps: samples, and below each its nearest image of --data',
    )
    .option('--compare <paths...>', 'in place of --from: run folders, or eval.json files, to set side by side')
    .option('--html <file>', 'where to write the table and the picture of --compare (default: compare.html)')
    .option('--share-device', SHARE_DEVICE);
  addSamplingOptions(addScoringOptions(command, 10000)).action(evaluate);
}

async function evaluate({ from, compare, html, ...options }: EvalOptions): Promise<void> {
  if (compare) {
    if (from !== undefined) throw new UsageError('--from and --compare', 'give one of them');
    return compareEvaluations(compare, html ?? 'compare.html');
  }
  if (html !== undefined) throw new UsageError('--html without --compare', 'use ucgm report for one run');
  if (from === undefined)
    throw new UsageError("required option '--from <path>' not specified", 'give a run folder or a model file');
  await evaluateOne({ ...options, from });
}

async function evaluateOne(options: Omit<EvalOptions, 'from'> & { from: string }): Promise<void> {
  const files = [
    ...(options.json === undefined ? [] : [{ flag: '--json', path: options.json, extension: '.json' }]),
    ...(options.nearest === undefined ? [] : [{ flag: '--nearest', path: options.nearest, extension: '.png' }]),
  ];
  const writes = ranks().rank === 0; // the others draw and embed for it
  if (writes) prepareFiles(files, options.from);
  const source = openToScore(options);
  checkNetworkPrecision(options.precision ?? 'f32', source.network);
  const steps = options.steps ?? (isFewStep(source.config) ? [1, 2, 4, 8] : [4, 8, 20]);
  const settings = steps.map((n) => withSampling(source.config, options, n)); // before the work: an error costs nothing
  if (options.seed !== undefined && options.seeds) throw new UsageError('--seed and --seeds', 'give one of them');
  const seeds = options.seeds ?? [options.seed ?? 0];
  const run = options.json === undefined ? source.run : undefined;
  const json = options.json ?? run?.evaluationPath;
  if (writes && run)
    prepareFiles(
      [run.evaluationPath, run.reportPath].map((path) => ({ flag: 'eval', path, extension: extname(path) })),
    );
  const { dataset, features, latents } = await openData(source, options);
  const { nearest } = options;
  if (nearest !== undefined)
    checkNearest(shownShape(source.network.input, latents?.decoder), dataset, { steps, seeds });
  const unlock = writes ? run?.lock(console.warn) : undefined;
  const stop = new StopSignals();
  stop.wait();
  const { signal } = stop;
  try {
    const rows: EvaluationRow[] = [];
    const { images, batch } = options;
    const precision = options.precision ?? 'f32';
    const about = await scoreAll(rows, {
      source,
      latents,
      dataset,
      features,
      images,
      batch,
      precision,
      settings,
      seeds,
      signal,
      nearest,
      shareDevice: options.shareDevice ?? false,
      tuned: options.tuned,
    });
    if (writes && json !== undefined && about && rows.length > 0) {
      writeRows(json, { ...about, rows, date: new Date().toISOString().slice(0, 10) });
      if (run) await refreshReport(run, source.config);
    }
    signal.throwIfAborted();
  } finally {
    unlock?.();
    stop.close();
  }
}

/** The model that is to be scored. @throws UsageError for too few or too many samples, and as openSource. */
export function openToScore(options: ScoringFlags): Source {
  if (options.images < 4) throw new UsageError(`--images ${options.images}`, 'give at least 4 images');
  const source = openSource(options.from, options);
  checkCount(source.network, options.images, '--images');
  return source;
}

/** The images that samples are compared with, the network of the features, and what makes images of latents. */
export async function openData(
  source: Source,
  options: Pick<ScoringFlags, 'data' | 'features' | keyof DecoderFlags>,
): Promise<{ dataset: Dataset; features: FeaturesFile; latents: PicturedLatents | undefined }> {
  const latents = picturedLatents(source.latents, source.config.data, options);
  const dataset = await loadDataset(comparedData(source, latents, options.data));
  if (dataset.notice !== undefined) console.warn(dataset.notice);
  const features = readFeatures(dataset, options.features);
  if (options.data !== undefined) checkClasses(source, dataset);
  return { dataset, features, latents };
}

/** Puts rows into a file, beside those that are there. */
function writeRows(json: string, evaluation: Evaluation): void {
  const before = existsSync(json) ? parseEvaluation(readFileSync(json, 'utf8')) : undefined;
  atomicWrite(json, `${JSON.stringify(mergeEvaluations(before, evaluation), null, 2)}\n`);
  console.log(`written: ${json}`);
}

/** The images that samples are compared with; those that latents were encoded from must be named. @throws UsageError. */
function comparedData(
  { network, config: { data } }: Source,
  latents: PicturedLatents | undefined,
  named: string | undefined,
): DataRequest {
  if (!latents) return { name: named ?? data.name, ...(data.size !== undefined && { size: data.size }) };
  const { decoder } = latents;
  if (!decoder)
    throw new UsageError('the model was trained on latents of an autoencoder that is not known', 'give --vae KEY');
  checkLatents(decoder, network.input[0]);
  if (named === undefined)
    throw new UsageError('the model was trained on latents', 'give --data FOLDER, the images to compare with');
  return { name: named, size: shownShape(network.input, decoder)[1], crop: 'centre' };
}

/** Samples and images side by side are of one size, and of one setting. @throws UsageError. */
function checkNearest(
  shape: readonly number[],
  { name, channels, height, width }: Dataset,
  { steps, seeds }: { steps: readonly number[]; seeds: readonly number[] },
): void {
  if (steps.length > 1 || seeds.length > 1)
    throw new UsageError(
      `--nearest with --steps ${steps} and seeds ${seeds}`,
      'give one number of steps, and one seed',
    );
  if (shape.join() !== [channels, height, width].join())
    throw new UsageError(
      `--nearest: the samples are ${shape.join(' x ')}, the images of ${name} ${channels} x ${height} x ${width}`,
      'give --data of the size of the samples',
    );
}

/** Labels are compared by number: those of other data mean other things. @throws UsageError. */
function checkClasses({ network }: Source, dataset: Dataset): void {
  if (network.numClasses >= 2 && network.numClasses !== dataset.numClasses)
    throw new UsageError(
      `the model has ${network.numClasses} classes, ${dataset.name} ${dataset.numClasses}`,
      'give --data of the classes that the model was trained on, or leave it out',
    );
}

type Evaluating = Parameters<typeof Scorer.open>[0] & {
  readonly settings: readonly RunConfig[];
  readonly seeds: readonly number[];
  readonly nearest: string | undefined;
};

/** Scores every setting, a row each, or those before a signal came; returns what the rows have in common. */
async function scoreAll(
  rows: EvaluationRow[],
  { settings, seeds, nearest, ...request }: Evaluating,
): Promise<Omit<Evaluation, 'rows' | 'date'> | undefined> {
  const { signal, images } = request;
  const say = ranks().rank === 0 ? console.log : () => {};
  let scorer: Scorer | undefined;
  try {
    scorer = await Scorer.open(request);
    say(HEADER);
    for (const config of settings) {
      const all = [];
      for (const seed of seeds) all.push(await scorer.score(config, seed));
      if (nearest !== undefined && ranks().rank === 0) await scorer.writeNearest(nearest);
      const { sampling_steps: steps, sampling_order: order } = config.sample;
      const row = rowOf({ steps, order, setting: settingOf(config) }, all);
      rows.push(row);
      say(lineOf(row, images));
      const sizes = sizesLine(row);
      if (sizes) say(sizes);
    }
  } catch (error) {
    if (!(signal.aborted && error === signal.reason)) throw error;
  }
  await scorer?.close();
  return scorer?.about;
}

/** The run's report with the new table in it. */
async function refreshReport(run: FolderStore, config: RunConfig): Promise<void> {
  const stripStep = run.checkpoints().at(-1);
  const { writeReport } = await import('./report_file.ts'); // a plotting library, of no use until now
  console.log(`report ${writeReport({ run, config, ...(stripStep !== undefined && { stripStep }) })}`);
}
