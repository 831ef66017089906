import type { Command } from 'commander';
import { atomicWrite } from '../io/atomic.node.ts';
import { shellText } from '../run/commands.ts';
import { type EvaluationRow, rowOf } from '../run/evaluation.ts';
import { samplerFlags, searchSampler, type Trial } from '../run/sampler_search.ts';
import type { RunConfig } from '../run/settings.ts';
import { mean } from '../run/statistics.ts';
import type { SamplingOptions } from '../ucgm/schedule.ts';
import { addScoringOptions, openData, openToScore, type ScoringFlags } from './eval.ts';
import { HEADER, lineOf, settingOf } from './eval_table.ts';
import { UsageError } from './failure.ts';
import { countNumber, numberList, seedNumbers } from './numbers.ts';
import { prepareFiles } from './output.ts';
import { addSamplingOptions, type SamplingFlags, withSampling } from './sampling_options.ts';
import { Scorer } from './scoring.ts';
import { searchTable } from './search_table.ts';
import { StopSignals } from './stop.ts';

/** Milliseconds between two lines of how far a search is. */
const SHOWN_EVERY = 10_000;

/** The first seed of held-out noise. */
const HELD_OUT = 1000;

interface SearchOptions extends ScoringFlags, SamplingFlags {
  steps: number[];
  trials: number;
  seeds: number[];
  heldOut: number;
  heldOutImages?: number;
  json: string;
}

/** What was found for one number of steps. */
interface Found {
  readonly steps: number;
  /** The command that samples by it. */
  readonly command: string;
  readonly sample: SamplingOptions;
  /** Every setting that was tried, and its distance on the noise of the search. */
  readonly trials: readonly Trial[];
  /** Scores on held-out noise: of the setting that the search began with, and of the best. */
  readonly plain: EvaluationRow;
  readonly found: EvaluationRow;
}

export function addSearchSampler(ucgm: Command): void {
  const command = ucgm
    .command('search-sampler')
    .description(
      'Searches guidance, kappa, the Kumaraswamy warp of the times and rho for the least Frechet distance at each number of steps, ' +
        'and scores start and result on noise that was not searched on.',
    )
    .requiredOption('--from <path>', 'run folder or model file')
    .requiredOption('--json <file>', 'where to write what was tried and found')
    .option('--steps <list>', 'numbers of steps', (text) => numberList(text), [2, 4, 8, 20])
    .option('--trials <n>', 'settings to try at each number of steps', countNumber, 40)
    .option('--seeds <list>', 'seeds of the noise that is searched on: how many, or which', seedNumbers, [0])
    .option('--held-out <n>', `other seeds that the result is scored on, from ${HELD_OUT} on`, countNumber, 2)
    .option('--held-out-images <n>', 'samples of these scores (default: as --images)', countNumber);
  addSamplingOptions(addScoringOptions(command, 2000)).action(search);
  command.addHelpText(
    'after',
    `
The options of the sampler say where the search begins; --order, --gaps and --cfg-interval stay. It prints a table, a row a number of
steps: the setting found, its distance (FD) and that of the start, and the most steps that were no better before; then all scores, and
a command of sample for each. A search draws --images samples for each of --trials settings and each of --seeds.`,
  );
}

async function search(options: SearchOptions): Promise<void> {
  const { steps, seeds } = options;
  const heldOut = Array.from({ length: options.heldOut }, (_, i) => HELD_OUT + i);
  prepareFiles([{ flag: '--json', path: options.json, extension: '.json' }], options.from);
  const shared = seeds.find((seed) => heldOut.includes(seed));
  if (shared !== undefined)
    throw new UsageError(`seed ${shared} is searched on and held out`, `give --seeds below ${HELD_OUT}`);
  const source = openToScore(options);
  const starts = steps.map((n) => withSampling(source.config, options, n));
  const { dataset, features, latents } = await openData(source, options);
  const stop = new StopSignals();
  stop.wait();
  const { signal } = stop;
  const { images, batch, heldOutImages = images } = options;
  const all: Found[] = [];
  let scorer: Scorer | undefined;
  try {
    scorer = await Scorer.open({
      source,
      latents,
      dataset,
      features,
      images: heldOutImages,
      batch,
      precision: 'f32',
      tuned: options.tuned,
      signal,
    });
    for (const config of starts) {
      const before = all.at(-1)?.sample;
      all.push(
        await searchOne(scorer, {
          config,
          before,
          classes: source.network.numClasses,
          options,
          images,
          heldOut,
          heldOutImages,
        }),
      );
    }
  } catch (error) {
    if (!(signal.aborted && error === signal.reason)) throw error;
  }
  await scorer?.close();
  stop.close();
  if (scorer && all.length > 0) {
    const { features: network, reference, model, adapter } = scorer.about;
    const about = { model, reference, features: network, adapter, date: new Date().toISOString().slice(0, 10) };
    const how = { images, seeds, held_out: heldOut, held_out_images: heldOutImages };
    atomicWrite(options.json, `${JSON.stringify({ ...about, ...how, found: all }, null, 1)}\n`);
    table(all, heldOutImages);
    console.log(`written: ${options.json}`);
  }
  signal.throwIfAborted();
}

interface One {
  readonly config: RunConfig;
  /** What was found at another number of steps. */
  readonly before: SamplingOptions | undefined;
  readonly classes: number;
  readonly options: SearchOptions;
  readonly images: number;
  readonly heldOut: readonly number[];
  readonly heldOutImages: number;
}

/** Searches at one number of steps, and scores start and result on held-out noise. */
async function searchOne(
  scorer: Scorer,
  { config, before, classes, options, images, heldOut, heldOutImages }: One,
): Promise<Found> {
  const { seeds, trials: most } = options;
  const start = config.sample;
  const withSample = (sample: SamplingOptions): RunConfig => ({ ...config, sample });
  let tried = 0;
  let least = Number.POSITIVE_INFINITY;
  let shown = performance.now();
  const { best, trials } = await searchSampler({
    start,
    also: before ? [{ ...before, sampling_steps: start.sampling_steps }] : [],
    classes,
    trials: most,
    measure: async (sample) => {
      const distances: number[] = [];
      for (const seed of seeds) distances.push(await scorer.distance(withSample(sample), seed, images));
      const distance = mean(distances);
      least = Math.min(least, distance);
      tried++;
      if (performance.now() - shown > SHOWN_EVERY) {
        shown = performance.now();
        console.log(
          `${start.sampling_steps} steps: ${tried} of at most ${most} settings, distance ${least.toFixed(2)}`,
        );
      }
      return distance;
    },
  });
  const scored = async (sample: SamplingOptions) => {
    const { sampling_steps, sampling_order: order } = sample;
    const each = [];
    for (const seed of heldOut) each.push(await scorer.score(withSample(sample), seed));
    return rowOf({ steps: sampling_steps, order, setting: settingOf(withSample(sample)) }, each);
  };
  const plain = await scored(start);
  const found = best.sample === start ? plain : await scored(best.sample);
  const first = (trials[0] as Trial).distance.toFixed(2);
  console.log(
    `${start.sampling_steps} steps: ${first} to ${best.distance.toFixed(2)} in ${trials.length} trials of ${images} samples; ` +
      `on held-out noise, ${heldOutImages} samples, ${plain.frechet.toFixed(2)} to ${found.frechet.toFixed(2)}`,
  );
  const words = ['ucgm', 'sample', '--from', options.from, ...samplerFlags(best.sample), '--grid', 'samples.png'];
  return { steps: start.sampling_steps, command: shellText(words), sample: best.sample, trials, plain, found };
}

/** Prints what was found and how many steps it spares, the scores before and after, and the commands. */
function table(all: readonly Found[], images: number): void {
  console.log(
    `\nFrechet distance (FD) on held-out noise:\n${searchTable(all)}\n\nAll scores on it, before and found:\n${HEADER}`,
  );
  for (const { plain, found } of all) for (const row of new Set([plain, found])) console.log(lineOf(row, images));
  console.log('');
  for (const { command } of all) console.log(command);
}
