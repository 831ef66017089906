import type { TunedNumbers } from '../src/kernel/index.ts';

/** The values that a number may take, by its path in the table. */
export type Axes = Readonly<Record<string, readonly number[]>>;

const ROUNDS = 4;
/** What a change must save to be taken: less is what two runs of one measurement differ by. */
const WORTH = 0.002;

/**
 * The numbers with which `cost` is least, from those of the table on: one after the other over all its values, until none is better.
 * A number that makes no difference stays as it is. Pure.
 */
export function fitNumbers(
  axes: Axes,
  cost: (numbers: TunedNumbers) => number,
): { numbers: TunedNumbers; cost: number } {
  let numbers: TunedNumbers = {};
  let least = cost(numbers);
  for (let round = 0; round < ROUNDS; round++) {
    const before = least;
    for (const [path, values] of Object.entries(axes)) {
      let best = numbers;
      let found = least - WORTH;
      for (const value of values) {
        const tried = { ...numbers, [path]: value };
        const its = cost(tried);
        if (its < found) [best, found] = [tried, its];
      }
      if (best !== numbers) [numbers, least] = [best, found];
    }
    if (least >= before) break;
  }
  return { numbers, cost: least };
}

/** Milliseconds of one way to do some work, by parts of k. */
export type BySplits = ReadonlyMap<number, number>;

/** The time for any count of parts, from those that were measured: on a line between neighbours, over the logarithm of the count. */
export function timeAt(times: BySplits, splits: number): number {
  const known = [...times].sort(([a], [b]) => a - b);
  const above = known.findIndex(([count]) => count >= splits);
  if (above < 0) return (known.at(-1) as [number, number])[1];
  const [high, slow] = known[above] as [number, number];
  if (high === splits || above === 0) return slow;
  const [low, fast] = known[above - 1] as [number, number];
  const share = Math.log(splits / low) / Math.log(high / low);
  return fast + share * (slow - fast);
}

/** Mean of the logarithms of what is chosen by the best: 0 where every choice is the best one. */
export const meanLoss = (pairs: readonly (readonly [chosen: number, best: number])[]): number =>
  pairs.reduce((sum, [chosen, best]) => sum + Math.log(chosen / best), 0) / pairs.length;
