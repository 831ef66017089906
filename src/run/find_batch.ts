import { KernelError } from '../kernel/index.ts';
import { BufferLimitError, count, Workspace } from '../tensor/index.ts';
import type { Trainer } from '../ucgm/trainer.ts';
import { draw } from './draw.ts';
import { trainerOf } from './prepare.ts';
import type { RunConfig } from './settings.ts';

/** The largest batch of the reference. */
export const LARGEST_BATCH = 1024;
/** Batches are multiples of it, where one fits. */
const UNIT = 8;
/** Steps of a trial: after the second all that lasts is there. */
const STEPS = 2;
/** Steps of a drawing that is measured: of more none takes more, of either order. */
const DRAWING_STEPS = 4;
/** Room that is asked for, of what the largest batch would take by what small ones took: they tell it to a few percent. */
const MORE = 1.25;
/** What of the room for 8 more may be left over before it is tried whether they fit. */
const NEARLY = 0.8;

/** What keeps a batch from being larger: memory, a binding of the device, the images that there are, or LARGEST_BATCH. */
export type BatchBound = 'memory' | 'binding' | 'data' | 'largest';

/** A batch that a device holds. */
export interface FoundBatch {
  readonly batch: number;
  /** Bytes of all buffers in a training by it, and beside it in the drawing of a sample: of so many that there are. */
  readonly bytes: number;
  readonly room: number;
  /** Of `bytes` those of the drawing. */
  readonly drawing: number;
  readonly bound: BatchBound;
}

/** What is known of the search for a batch. */
export interface BatchSearch {
  /** Images that there are: a batch has no more. */
  readonly images: number;
  /** Bytes that a training may take, drawing with it; told how many would be of use. Asked once, while nothing is on the device. */
  readonly room: (useful: number) => Promise<number>;
}

/** What a training by one batch took. */
interface Trial {
  readonly batch: number;
  readonly bytes: number;
  /** Bytes of its largest step tensor. */
  readonly largest: number;
}

/**
 * The greatest batch, a multiple of 8 where one fits, that a device holds in a training as settings say. Steps of small batches tell what a
 * sample takes; by that larger ones are chosen, and tried. Precision, gradient checkpointing and accumulated passes are in what is
 * measured.
 * @param config settled. @throws BufferLimitError or KernelError where not even one sample, of each pass of a step, fits; as Trainer.
 */
export async function findBatch(device: GPUDevice, config: RunConfig, search: BatchSearch): Promise<FoundBatch> {
  const { memory_limit: given, accumulate: least = 1 } = config.train;
  const most = Math.max(least, Math.min(search.images, LARGEST_BATCH));
  const start = UNIT * Math.ceil(least / UNIT);
  let bound: BatchBound = search.images < LARGEST_BATCH ? 'data' : 'largest';
  let over = most < start ? most + 1 : UNIT * (Math.floor(most / UNIT) + 1); // the least that is too large
  let failed = 0;
  let drawing = 0;
  const first = await takeSteps(device, config, least, given, async (trainer) => {
    drawing = await drawingBytes(trainer, config);
  });
  const fits: [Trial, ...Trial[]] = [first];
  const last = () => fits[fits.length - 1] as Trial;
  const tooLarge = (batch: number, why: BatchBound) => {
    [over, bound] = [batch, why];
    failed++;
  };
  const attempt = async (batch: number, limit: number | undefined) => {
    if (batch <= last().batch || batch >= over) return;
    try {
      fits.push(await takeSteps(device, config, batch, limit));
    } catch (error) {
      if (error instanceof BufferLimitError) tooLarge(batch, 'memory');
      else if (error instanceof KernelError && error.code === 'limit') tooLarge(batch, 'binding');
      else throw error;
    }
  };
  for (const batch of [start, 4 * start]) await attempt(batch, given);
  const room = given ?? (await search.room(Math.ceil(MORE * (drawing + bytesAt(fits, over)))));
  const own = room - drawing; // what the training itself may take
  for (; fits.length > 1 && last().bytes > own; fits.pop()) tooLarge(last().batch, 'memory');
  const unit = over > start ? UNIT : 1;
  while (over - last().batch > unit) {
    const { batch, bytes } = last();
    const byMemory = reach(fits, own, 'bytes');
    const byBinding = reach(fits, device.limits.maxStorageBufferBindingSize, 'largest');
    const reached = Math.min(byMemory, byBinding);
    if (reached < batch + NEARLY * unit || bytes > own) {
      bound = byBinding < byMemory ? 'binding' : 'memory';
      break;
    }
    // After two that were too large what a sample takes says little: half way.
    const guess = unit * Math.floor(Math.min(failed > 1 ? (batch + over) / 2 : reached, over - unit) / unit);
    await attempt(Math.max(batch + unit, guess), own);
  }
  return { batch: last().batch, bytes: last().bytes + drawing, room, drawing, bound };
}

/** Bytes of a batch by what those that fit took. */
function bytesAt(fits: readonly [Trial, ...Trial[]], batch: number): number {
  const [a, b] = lastTwo(fits);
  const each = a ? (b.bytes - a.bytes) / (b.batch - a.batch) : b.bytes / b.batch;
  return Math.ceil(b.bytes + Math.max(0, each) * (batch - b.batch));
}

/** The batch, a fraction perhaps, at which what grew with it comes to `limit`. */
function reach(fits: readonly [Trial, ...Trial[]], limit: number, what: 'bytes' | 'largest'): number {
  const [a, b] = lastTwo(fits);
  const each = a ? (b[what] - a[what]) / (b.batch - a.batch) : 0;
  return each > 0 ? b.batch + (limit - b[what]) / each : Number.POSITIVE_INFINITY;
}

const lastTwo = (fits: readonly [Trial, ...Trial[]]) => [fits.at(-2), fits.at(-1) ?? fits[0]] as const;

/** Trains some steps by a batch within a limit of bytes, then does what `beside` does. @throws BufferLimitError and KernelError where it does not fit. */
async function takeSteps(
  device: GPUDevice,
  config: RunConfig,
  batch: number,
  memoryLimit: number | undefined,
  beside: (trainer: Trainer) => Promise<void> = async () => {},
): Promise<Trial> {
  const data = { ...config.data, batch_size: batch };
  const workspace = new Workspace(device, { memoryLimit });
  try {
    const trainer = trainerOf(workspace, { ...config, data });
    const images = { x: new Float32Array(batch * count(trainer.network.input)), labels: new Uint32Array(batch) };
    for (let step = 0; step < STEPS; step++) await trainer.train(images);
    await device.queue.onSubmittedWorkDone();
    const trial: Trial = { batch, bytes: workspace.ledger.peak, largest: workspace.arena.largest };
    await beside(trainer);
    return trial;
  } finally {
    await workspace.dispose();
  }
}

/**
 * Bytes that the drawing of a sample takes beside a training: more samples are drawn one after the other where they do not fit. A
 * checkpoint takes no more: a copy of the weights is in both.
 */
async function drawingBytes({ workspace, network, average }: Trainer, config: RunConfig): Promise<number> {
  const lease = workspace.lease('sampling');
  const sample = { ...config.sample, sampling_steps: DRAWING_STEPS };
  const { seed, precision = 'f32' } = config.train;
  await draw(lease, network, average, { ...config, sample }, { labels: new Uint32Array(1), seed, precision });
  return lease.ledger.peak;
}
