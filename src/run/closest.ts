import { edits } from '../kernel/nearest.ts';

/** The word of `known` with the fewest edits (insert, delete, replace) to `word`. */
export function closest(word: string, known: readonly string[]): string {
  let best = '';
  let least = Number.POSITIVE_INFINITY;
  for (const candidate of known) {
    const distance = edits(word, candidate);
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}
