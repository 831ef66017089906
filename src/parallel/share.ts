import { ParallelError } from './communicator.ts';

/** The part of a batch that a rank has: whole samples, as evenly as they go. @throws ParallelError for fewer samples than ranks. */
export function partOf(batch: number, rank: number, size: number): { readonly first: number; readonly size: number } {
  if (batch < size)
    throw new ParallelError(
      `a batch of ${batch} for ${size} ranks`,
      'set data.batch_size (--batch) to a sample a rank at least: it is the batch of all ranks together',
    );
  const first = Math.floor((rank * batch) / size);
  return { first, size: Math.floor(((rank + 1) * batch) / size) - first };
}

/** The share of a batch that each rank has. */
export function sharesOf(batch: number, size: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: size }, (_, rank) => partOf(batch, rank, size).size / batch);
}
