import { LatentBatches } from '../data/latent_batches.node.ts';
import type { LatentStats } from '../data/latent_stats.node.ts';
import { type OpenedData, openBatches } from '../data/load.node.ts';
import { broadcastText, gatherTexts } from '../parallel/agree.ts';
import { ParallelError } from '../parallel/communicator.ts';
import { partOf } from '../parallel/share.ts';
import { Session } from '../run/session.ts';
import type { RunConfig } from '../run/settings.ts';
import { SILENT_STORE } from '../run/silent_store.ts';
import { openTunedDevice } from './open_device.ts';
import { placeRanks, ranks } from './ranks.ts';
import { StopSignals } from './stop.ts';

/** What each rank of a training is told by its command line. */
export interface RankOptions {
  /** Take what is kept of the adapter; true if left out. */
  readonly tuned?: boolean | undefined;
  /** Several ranks may work on one card; false if left out. */
  readonly shareDevice?: boolean | undefined;
}

/** What rank 0 tells the others of a training, as JSON. */
interface Plan {
  readonly config: RunConfig;
  /** Of latents: how they are scaled. */
  readonly stats?: {
    readonly [K in keyof LatentStats]: LatentStats[K] extends Float32Array ? number[] : LatentStats[K];
  };
}

/** Rank 0's part: tells the others what is trained, and sees that they have the same data. Nothing where there are none. */
export async function tellOthers(config: RunConfig, source: OpenedData): Promise<void> {
  const stats = source instanceof LatentBatches ? source.stats : undefined;
  const plan: Plan = { config, ...(stats && { stats: { ...stats, mean: [...stats.mean], std: [...stats.std] } }) };
  await broadcastText(ranks(), JSON.stringify(plan));
  await checkSameData(source);
}

/** What all ranks but the first do in a training: the steps, and nothing that is seen. */
export async function takePart(opening: RankOptions): Promise<void> {
  const stop = new StopSignals();
  try {
    const { config, stats } = JSON.parse(await broadcastText(ranks())) as Plan;
    const scale = stats && { ...stats, mean: Float32Array.from(stats.mean), std: Float32Array.from(stats.std) };
    const part = partOf(config.data.batch_size, ranks().rank, ranks().size);
    const source = await openBatches(config.data, config.train.seed, scale, part);
    try {
      await checkSameData(source);
      await trainFrom(source, config, stop, opening);
    } finally {
      await source.close();
    }
  } finally {
    stop.close();
  }
  if (stop.exitCode !== undefined) process.exitCode = stop.exitCode;
}

async function trainFrom(
  source: OpenedData,
  config: RunConfig,
  stop: StopSignals,
  { tuned, shareDevice }: RankOptions,
): Promise<void> {
  const session = await Session.open({
    config,
    source,
    store: SILENT_STORE,
    requestDevice: async () => {
      const device = await openTunedDevice({ tuned, manyKernels: true });
      await placeRanks(device, shareDevice ?? false);
      return device;
    },
    events: [{ started: () => stop.wait() }],
    ranks: ranks(),
  });
  await session.train({ signal: stop.signal });
  await session.close();
  session.device.destroy();
}

/** @throws ParallelError, on all ranks, where one has other data than rank 0. */
async function checkSameData(source: OpenedData): Promise<void> {
  const { size, channels, height, width, numClasses, fingerprint, name } = source;
  const stats = source instanceof LatentBatches ? source.stats.fingerprint : undefined;
  const own = JSON.stringify({ size, channels, height, width, numClasses, fingerprint, stats });
  const all = await gatherTexts(ranks(), own);
  const other = all.findIndex((text) => text !== all[0]);
  if (other < 0) return;
  throw new ParallelError(
    `${name}: rank ${other} has ${all[other]}, rank 0 ${all[0]}`,
    'give every host the same data, under the same path',
  );
}
