import type { NetworkWeights, WeightStore } from '../nn/weights.ts';
import type { FlatBuffers, Tensor, Workspace } from '../tensor/index.ts';
import { Average } from './average.ts';

/** The group of a checkpoint that holds the average of a decay, beside `ema`, which holds the learner's own. */
export const averageGroup = (decay: number): string => `ema-${decay}`;

/** Averages of one set of weights beside the learner's own, a decay each: to choose among them when the training is over. */
export class Averages {
  readonly #each: readonly { readonly decay: number; readonly weights: NetworkWeights; readonly average: Average }[];

  constructor(workspace: Workspace, store: WeightStore, from: FlatBuffers, decays: readonly number[]) {
    this.#each = decays.map((decay) => {
      const weights = store.frozen(`average ${decay}`);
      const average = new Average(workspace, weights.flat.values);
      average.copy(from);
      return { decay, weights, average };
    });
  }

  /** Records an update of each, as of so many steps, which does nothing in a step that `clip` [4] holds. */
  update(from: FlatBuffers, clip?: Tensor, steps = 1): void {
    for (const { average, decay } of this.#each) average.update(from, decay ** steps, clip);
  }

  /** By decay. */
  byDecay(): Map<number, NetworkWeights> {
    return new Map(this.#each.map(({ decay, weights }) => [decay, weights]));
  }

  /** By group of a checkpoint. */
  groups(): [string, FlatBuffers][] {
    return this.#each.map(({ decay, weights }) => [averageGroup(decay), weights.flat.values]);
  }

  free(): void {
    for (const { average } of this.#each) average.free();
  }
}
