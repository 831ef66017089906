import type { Tensor } from '../tensor/index.ts';

/** What follows the weights step by step, with numbers of its own on the host: a teacher. */
export interface Follower {
  /** Records what it needs before a step, which is not forgotten with a step that fails. */
  begin(): void;
  /** Records its update after the optimiser's; none in a step that `clip` [4] holds. */
  update(clip: Tensor): void;
  /** Takes its numbers on the host back to what they are now: where the next update does not come to be. */
  mark(): () => void;
}
