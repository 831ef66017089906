import { capsOf } from '../kernel/index.ts';
import { type BatchBound, findBatch, LARGEST_BATCH } from '../run/find_batch.ts';
import type { PartialConfig, RunConfig } from '../run/settings.ts';
import { allocatable } from '../tensor/index.ts';
import { UsageError } from './failure.ts';
import { ranks } from './ranks.ts';

/** In place of a size: the batch that the device holds. */
export const AUTO = 'auto';

/** Share of a GPU's free memory that a training may take: drivers and pipelines take some as it goes on. */
const OF_A_GPU = 0.9;
/** Share of the machine's free memory that one on a software adapter may take: the process, and others, have the rest. */
const OF_A_MACHINE = 0.5;

/**
 * Whether the last of these settings to give a batch size asks for one to be found. @throws UsageError where several ranks train: each
 * would find its own.
 */
export function asksForBatch(...parts: readonly PartialConfig[]): boolean {
  const given = parts.map(({ data }) => data?.batch_size as unknown).filter((size) => size !== undefined);
  if (given.at(-1) !== AUTO) return false;
  const { size } = ranks();
  if (size > 1)
    throw new UsageError(
      `a batch size of ${AUTO} with ${size} ranks`,
      `find it by one process, and give --batch ${size} times that: it is the batch of all ranks together`,
    );
  return true;
}

/** What stands in the settings until the batch is found. */
export const UNTIL_FOUND = { data: { batch_size: 1 } } as PartialConfig;

/** Finds the batch that a device holds, and prints it, with what keeps it from being larger. @param config settled. @throws as findBatch. */
export async function findAndSay(device: GPUDevice, config: RunConfig, images: number): Promise<number> {
  const room = capsOf(device).software
    ? async () => Math.floor(OF_A_MACHINE * process.availableMemory())
    : async (useful: number) => Math.floor(OF_A_GPU * (await allocatable(device, Math.ceil(useful / OF_A_GPU))));
  const found = await findBatch(device, config, { images, room });
  const { maxStorageBufferBindingSize: binding } = device.limits;
  const bounds: { readonly [Bound in BatchBound]: string } = {
    memory: 'more does not fit the memory',
    binding: `more does not fit a binding of this device, ${megabytes(binding)}`,
    data: `there are ${images} items of data`,
    largest: `${LARGEST_BATCH} is the reference's largest`,
  };
  console.log(
    `batch ${found.batch}: takes ${megabytes(found.bytes)} of ${megabytes(found.room)}; ${bounds[found.bound]}`,
  );
  return found.batch;
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
