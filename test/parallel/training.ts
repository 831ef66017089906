/** The training that ranks are compared by: a few thousand weights, a teacher, dropped labels, a batch that 2 and 3 ranks share evenly. */
import { type BatchSource, datasetBatches } from '../../src/data/batches.ts';
import { shapesDataset } from '../../src/data/shapes.ts';
import type { Communicator } from '../../src/parallel/communicator.ts';
import { partOf } from '../../src/parallel/share.ts';
import { FolderStore } from '../../src/run/folder_store.node.ts';
import { presetNamed } from '../../src/run/presets.ts';
import { Session } from '../../src/run/session.ts';
import { mergeConfig, type RunConfig } from '../../src/run/settings.ts';
import { SILENT_STORE } from '../../src/run/silent_store.ts';

export const BATCH = 12;

/** Local steps; rounds end at checkpoints too. */
export const LOCAL: Partial<RunConfig['train']> = { local_steps: 4 };

export function configOf(train: Partial<RunConfig['train']> = {}): RunConfig {
  return mergeConfig('the test', presetNamed('tiny'), {
    model: { name: 'tiny', hidden_size: 16, depth: 1, num_heads: 2, patch_size: 4 },
    data: { name: 'shapes', batch_size: BATCH },
    transport: { enhanced_ratio: 0.47, lab_drop_ratio: 0.4 },
    optimizer: { lr: 1e-3 },
    train: { steps: 20, seed: 3, checkpoint_every: 10, log_every: 1, keep_checkpoints: 9, sample_every: 0, ...train },
  });
}

/** A rank's part of the batches. */
export function sourceOf({ train }: RunConfig, ranks: Communicator): BatchSource {
  const { first, size } = partOf(BATCH, ranks.rank, ranks.size);
  const dataset = shapesDataset({ size: 8, count: 64 });
  return datasetBatches(dataset, { seed: train.seed, batchSize: size, shard: { first, of: BATCH }, flip: true });
}

/** Trains to the end in a folder, from its newest checkpoint if it has one, and gives the losses. */
export async function trainIn(
  folder: string,
  ranks: Communicator,
  device: GPUDevice,
  { config = configOf(), resume = false, source = sourceOf(config, ranks) } = {},
): Promise<number[]> {
  const losses: number[] = [];
  const store = ranks.rank > 0 ? SILENT_STORE : resume ? FolderStore.open(folder) : FolderStore.create(folder);
  const session = await Session.open({
    config,
    source,
    store,
    device,
    resume,
    ranks,
    events: [{ measured: ({ loss }) => void losses.push(loss) }],
  });
  await session.train();
  await session.close();
  return losses;
}
