/**
 * A part of every step's batch, where several devices share it: all random numbers and the order of the data are functions of a sample's
 * index in the whole batch, so the parts together are what one device would have.
 */
export interface Shard {
  /** Index of the part's first sample in the whole batch. */
  readonly first: number;
  /** Samples of the whole batch. */
  readonly of: number;
}

/** The part that is the whole of a batch. */
export const wholeBatch = (size: number): Shard => ({ first: 0, of: size });

/** What is wrong with a part of `size` samples, if something is. */
export function wrongShard({ first, of }: Shard, size: number): { what: string; fix: string } | undefined {
  const whole = Number.isSafeInteger(first) && first >= 0 && Number.isSafeInteger(of);
  if (whole && first + size <= of) return undefined;
  return {
    what: `shard is { first: ${first}, of: ${of} } for ${size} samples`,
    fix: 'give whole numbers: the index of the first in the whole batch, and how many samples that has',
  };
}
