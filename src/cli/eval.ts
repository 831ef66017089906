import { existsSync, readFileSync } from 'node:fs';
import { extname } from 'node:path';
import type { Command } from 'commander';
import type { Dataset } from '../data/dataset.ts';
import { type DataRequest, loadDataset } from '../data/load.node.ts';
import { adapterName } from '../device/index.ts';
import { openNodeDevice } from '../device/node.ts';
import { atomicWrite } from '../io/atomic.node.ts';
import { checkFits, embed } from '../metrics/embed.ts';
import { type Reference, referenceOf, type Scores, score } from '../metrics/score.ts';
import type { FeatureNetwork } from '../models/features/feature_network.ts';
import { WeightStore } from '../nn/weights.ts';
import { checkLatents, type PicturedLatents, shownShape } from '../run/decoder.ts';
import { type Evaluation, type EvaluationRow, mergeEvaluations, parseEvaluation } from '../run/evaluation.ts';
import { isFewStep } from '../run/few_step.ts';
import type { FolderStore } from '../run/folder_store.node.ts';
import { checkCount } from '../run/samples.ts';
import type { RunConfig } from '../run/settings.ts';
import { Workspace } from '../tensor/index.ts';
import { addDecoderOptions, type DecoderFlags, picturedLatents } from './autoencoder.ts';
import { embedSamples, type SampledNetwork } from './embed_samples.ts';
import { UsageError } from './failure.ts';
import { type FeaturesFile, featureNetwork, readFeatures } from './features.ts';
import { writeNearest } from './nearest_grid.ts';
import { countNumber, numberList, seedNumber } from './numbers.ts';
import { prepareFiles } from './output.ts';
import { addSamplingOptions, type SamplingFlags, withSampling } from './sampling_options.ts';
import { openSource, type Source } from './source.ts';
import { StopSignals } from './stop.ts';

interface EvalOptions extends SamplingFlags, DecoderFlags {
  from: string;
  features?: string;
  data?: string;
  images: number;
  steps?: number[];
  batch: number;
  seed: number;
  json?: string;
  nearest?: string;
  weights?: string;
}

export function addEval(ucgm: Command): void {
  const command = ucgm
    .command('eval')
    .description(
      'Scores samples by number of steps: Frechet distance, KID, precision, recall, label accuracy, nearest training image.',
    )
    .requiredOption('--from <path>', 'run folder or model file')
    .option(
      '--features <file>',
      'feature network, safetensors (default: the one for digits that comes along); FID needs that of convert --features inception-v3',
    )
    .option('--data <name>', "images to compare with (default: the run's; a run on latents has none)")
    .option('--images <n>', 'samples, in equal numbers of each class', countNumber, 10000)
    .option('--steps <list>', 'numbers of steps, such as 1,2,4 (default: by the kind of model)', (text) =>
      numberList(text),
    )
    .option('--batch <n>', 'images sampled at a time, fewer where the device cannot hold so many', countNumber, 500)
    .option('--seed <n>', 'seed of the noise', seedNumber, 0)
    .option('--json <file>', "where to write the table (default: the run's eval.json)")
    .option(
      '--nearest <file>',
      'PNG to write, at one number of steps: samples, and below each its nearest image of --data',
    )
    .option('--weights <which>', 'of a run: ema or model (default: ema)');
  addDecoderOptions(command);
  addSamplingOptions(command).action(evaluate);
}

async function evaluate(options: EvalOptions): Promise<void> {
  if (options.images < 4) throw new UsageError(`--images ${options.images}`, 'give at least 4 images');
  const files = [
    ...(options.json === undefined ? [] : [{ flag: '--json', path: options.json, extension: '.json' }]),
    ...(options.nearest === undefined ? [] : [{ flag: '--nearest', path: options.nearest, extension: '.png' }]),
  ];
  prepareFiles(files, options.from);
  const source = openSource(options.from, { weights: options.weights });
  checkCount(source.network, options.images, '--images');
  const steps = options.steps ?? (isFewStep(source.config) ? [1, 2, 4, 8] : [4, 8, 20]);
  const settings = steps.map((n) => withSampling(source.config, options, n)); // before the work: an error costs nothing
  const run = options.json === undefined ? source.run : undefined;
  const json = options.json ?? run?.evaluationPath;
  if (run)
    prepareFiles(
      [run.evaluationPath, run.reportPath].map((path) => ({ flag: 'eval', path, extension: extname(path) })),
    );
  const latents = picturedLatents(source.latents, source.config.data, options);
  const dataset = await loadDataset(comparedData(source, latents, options));
  if (dataset.notice !== undefined) console.warn(dataset.notice);
  if (options.nearest !== undefined) checkNearest(shownShape(source.network.input, latents?.decoder), dataset, steps);
  const features = readFeatures(dataset, options.features);
  if (options.data !== undefined) checkClasses(source, dataset);
  const unlock = run?.lock(console.warn);
  const stop = new StopSignals();
  stop.wait();
  try {
    const rows: EvaluationRow[] = [];
    const about = await scoreAll(rows, { source, latents, dataset, features, settings, options, signal: stop.signal });
    if (json !== undefined && rows.length > 0) {
      writeRows(json, { ...about, rows, date: new Date().toISOString().slice(0, 10) });
      if (run) await refreshReport(run, source.config);
    }
    stop.signal.throwIfAborted();
  } finally {
    unlock?.();
    stop.close();
  }
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
  options: EvalOptions,
): DataRequest {
  if (!latents) return { name: options.data ?? data.name, ...(data.size !== undefined && { size: data.size }) };
  const { decoder } = latents;
  if (!decoder)
    throw new UsageError('the model was trained on latents of an autoencoder that is not known', 'give --vae KEY');
  checkLatents(decoder, network.input[0]);
  if (options.data === undefined)
    throw new UsageError('the model was trained on latents', 'give --data FOLDER, the images to compare with');
  return { name: options.data, size: shownShape(network.input, decoder)[1], crop: 'centre' };
}

/** Samples and images side by side are of one size, and of one setting. @throws UsageError. */
function checkNearest(shape: readonly number[], { name, channels, height, width }: Dataset, steps: number[]): void {
  if (steps.length > 1) throw new UsageError(`--nearest with --steps ${steps}`, 'give one number of steps');
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

interface Evaluating {
  readonly source: Source;
  readonly latents: PicturedLatents | undefined;
  readonly dataset: Dataset;
  readonly features: FeaturesFile;
  readonly settings: readonly RunConfig[];
  readonly options: EvalOptions;
  readonly signal: AbortSignal;
}

/** Scores every setting, a row each, or those before a signal came; returns what the rows have in common. */
async function scoreAll(
  rows: EvaluationRow[],
  { source, latents, dataset, features, settings, options, signal }: Evaluating,
): Promise<Omit<Evaluation, 'rows' | 'date'>> {
  const device = await openNodeDevice();
  const workspace = new Workspace(device);
  const network = featureNetwork(workspace, features);
  const [channels, height, width] = shownShape(source.network.input, latents?.decoder);
  checkFits(network, { channels, height, width });
  const start = performance.now();
  try {
    const reference = await referenceFor(workspace, network, dataset, options.images, signal);
    console.log(
      `${dataset.size} images to compare with, in the features of ${network.name}: ${secondsSince(start)} s on ${adapterName(device)}`,
    );
    const weights = new WeightStore(workspace, source.network).frozen('weights');
    weights.flat.values.write(source.weights);
    console.log(HEADER);
    for (const config of settings) {
      const task = { source, latents, weights, network, config };
      const row = await scoreOne(workspace, task, { reference, dataset, options, signal });
      checkScores(row);
      rows.push(row);
      console.log(lineOf(row));
    }
  } catch (error) {
    if (!(signal.aborted && error === signal.reason)) throw error;
  }
  const about = {
    features: network.name,
    images: options.images,
    reference: `${dataset.name}, ${dataset.size} images`,
    model: `${source.config.model.name}, ${source.label}`,
    adapter: adapterName(device),
  };
  network.free();
  await workspace.dispose();
  device.destroy();
  return about;
}

/** JSON has no NaN: it would be written as none. @throws UsageError. */
function checkScores(row: EvaluationRow): void {
  const stray = Object.entries(row).find(([, value]) => typeof value === 'number' && !Number.isFinite(value));
  if (stray)
    throw new UsageError(
      `the score ${stray[0]} at ${row.steps} steps is ${stray[1]}`,
      'give more --images, or look at the samples: the model may have diverged',
    );
}

/** The run's report with the new table in it. */
async function refreshReport(run: FolderStore, config: RunConfig): Promise<void> {
  const stripStep = run.checkpoints().at(-1);
  const { writeReport } = await import('./report_file.ts'); // a plotting library, of no use until now
  console.log(`report ${writeReport({ run, config, ...(stripStep !== undefined && { stripStep }) })}`);
}

async function referenceFor(
  workspace: Workspace,
  network: FeatureNetwork,
  dataset: Dataset,
  images: number,
  signal: AbortSignal,
): Promise<Reference> {
  const { features } = await embed(workspace, network, dataset, { signal });
  return referenceOf(workspace, features, network.dim, images, { signal });
}

/** Samples and scores at one number of steps. */
async function scoreOne(
  workspace: Workspace,
  task: SampledNetwork,
  {
    reference,
    dataset,
    options,
    signal,
  }: Pick<Evaluating, 'dataset' | 'options' | 'signal'> & { reference: Reference },
): Promise<EvaluationRow> {
  const { source, config } = task;
  const numClasses = Math.max(1, source.network.numClasses);
  const labels = Uint32Array.from({ length: options.images }, (_, i) => i % numClasses);
  const drawing = { labels, seed: options.seed, atOnce: options.batch, signal };
  const { embedding, nfe, seconds, seen } = await embedSamples(workspace, task, drawing);
  const scores: Scores = await score(workspace, reference, embedding, labels, { signal });
  if (options.nearest !== undefined) await writeNearest(options.nearest, workspace, seen, dataset, reference.all);
  const { sampling_steps, sampling_order } = config.sample;
  return { steps: sampling_steps, order: sampling_order, nfe, setting: settingOf(config), ...scores, seconds };
}

/** The sampler's options but its steps, in one line. */
function settingOf({ sample }: RunConfig): string {
  const { sampling_order, extrapol_ratio, stochast_ratio, time_dist_ctrl, rfba_gap_steps, cfg_scale } = sample;
  const until = sample.target_time;
  const parts = [sampling_order === 1 ? 'Euler' : 'Heun'];
  if (extrapol_ratio !== 0) parts.push(`kappa ${extrapol_ratio}`);
  if (stochast_ratio !== 0) parts.push(`rho ${stochast_ratio}`);
  if (time_dist_ctrl.some((v) => v !== 1)) parts.push(`warp ${time_dist_ctrl}`);
  parts.push(`gaps ${rfba_gap_steps}`);
  if (until !== undefined)
    parts.push(`mean velocity to ${{ end: 'the end', next: 'the next time', same: 'its own time' }[until]}`);
  if (cfg_scale !== 1) parts.push(`cfg ${cfg_scale} on ${sample.cfg_interval}`);
  if (sample.compat) parts.push(`compat ${sample.compat}`);
  return parts.join(', ');
}

const HEADER = ' steps    FD      KID  precision recall accuracy nearest  seconds  setting';

function lineOf(r: EvaluationRow): string {
  const cells = [
    String(r.steps).padStart(6),
    r.frechet.toFixed(2).padStart(8),
    r.kid.toFixed(3).padStart(8),
    r.precision.toFixed(3).padStart(8),
    r.recall.toFixed(3).padStart(8),
    (r.accuracy === null ? '-' : r.accuracy.toFixed(3)).padStart(8),
    (r.nearest === null ? '-' : r.nearest.toFixed(2)).padStart(7),
    r.seconds.toFixed(1).padStart(8),
  ];
  return `${cells.join(' ')}  ${r.setting}`;
}

const secondsSince = (start: number) => ((performance.now() - start) / 1000).toFixed(1);
