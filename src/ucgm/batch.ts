import { FixableError } from '../kernel/index.ts';
import type { VelocityNetwork } from '../nn/network.ts';
import { count, type Numbers, realNumbers, wholeNumbers } from '../tensor/index.ts';
import { OptionError } from './transport.ts';

/** Host side of one batch. */
export interface Batch {
  /** Data [B, C, H, W], -1..1: f32, or f64 and plain arrays, which are rounded. */
  readonly x: Numbers;
  /** Labels [B], none dropped yet: whole numbers of any type. */
  readonly labels: Numbers;
  /** Noise and times given from outside instead of drawn: to follow a recorded run. */
  readonly z?: Numbers;
  readonly t?: Numbers;
}

/**
 * A copy of a batch in the types that the device takes, of its data in `room` if that has the length.
 * @throws OptionError for what does not fit the network, and for NaN.
 */
export function copyBatch(
  batch: Batch,
  size: number,
  network: VelocityNetwork,
  room?: Float32Array<ArrayBuffer>,
): Batch & { readonly x: Float32Array<ArrayBuffer> } {
  if (typeof batch !== 'object' || batch === null || !batch.x || !batch.labels)
    throw new OptionError('the batch has no x or no labels', 'give { x, labels }');
  const shape = [size, ...network.input];
  const x = fitting(() => realNumbers('x', batch.x, room));
  const labels = labelsOf(batch.labels, network);
  if (x.length !== count(shape) || labels.length !== size) {
    throw new OptionError(
      `a batch of ${labels.length} labels and ${x.length} numbers does not fit`,
      `give ${size} labels and ${count(shape)} numbers ([${shape}])`,
    );
  }
  const z = batch.z && fitting(() => realNumbers('z', batch.z));
  if (z && z.length !== count(shape))
    throw new OptionError(`z has ${z.length} numbers`, `give ${count(shape)} for [${shape}]`);
  const t = batch.t && Float64Array.from(batch.t);
  if (t && (t.length !== size || !t.every((v) => v >= 0 && v <= 1)))
    throw new OptionError(`times t are ${t.length} numbers`, `give ${size} times from 0 to 1`);
  return { x, labels, ...(z && { z }), ...(t && { t }) };
}

/** A copy of labels 0 to K, K the null class. @throws OptionError for others. */
export function labelsOf(given: Numbers, network: VelocityNetwork): Uint32Array<ArrayBuffer> {
  const labels = fitting(() => wholeNumbers('labels', given));
  const classes = network.numClasses;
  const bad = classes >= 2 ? labels.find((y) => y > classes) : undefined;
  if (bad !== undefined)
    throw new OptionError(`label ${bad} is not below num_classes ${classes}`, 'set num_classes to the data set');
  return labels;
}

/** What `make` gives, with its error as one of options. */
export function fitting<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof FixableError)) throw error;
    throw new OptionError(error.what, error.fix);
  }
}
