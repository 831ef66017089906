import type { NetworkWeights } from '../nn/weights.ts';
import { Average } from '../optim/average.ts';
import type { Follower } from '../optim/follower.ts';
import type { Tensor, Workspace } from '../tensor/index.ts';

/**
 * The teacher of the enhanced target. ema_decay_rate 0: the online weights; 1: a frozen copy of the first ones; between:
 * an average whose decay `cmd` climbs from 0 (so the first update is a copy) by (1 - cmd)(ema - cmd)/2 a step.
 */
export class Teacher implements Follower {
  readonly weights: NetworkWeights;
  /** The decay of the next update; part of a checkpoint. */
  cmd = 0;
  readonly #rate: number;
  readonly #average: Average | undefined;
  readonly #online: NetworkWeights;
  readonly #force: ((weights: NetworkWeights, clip: Tensor | undefined) => void) | undefined;
  #copied = false;
  #begun = false;

  /** @param force What becomes of its weights in place before they are averaged on; see `Module.force`. */
  constructor(
    workspace: Workspace,
    rate: number,
    online: NetworkWeights,
    own: () => NetworkWeights,
    force?: (weights: NetworkWeights, clip: Tensor | undefined) => void,
  ) {
    this.#force = force;
    this.#rate = rate;
    this.#online = online;
    this.weights = rate === 0 ? online : own();
    this.#average = rate === 0 ? undefined : new Average(workspace, this.weights.flat.values);
  }

  /** Records the update before the first step, or the first after a checkpoint that has it not. */
  begin(): void {
    if (!this.#begun) this.update();
    this.#begun = true;
  }

  /** True when the update before the next step was made: part of a checkpoint. */
  get ahead(): boolean {
    return this.#begun;
  }

  /** Records the update after a step, for the next one; none in a step that `clip` [4] holds. */
  update(clip?: Tensor): void {
    if (!this.#average) return;
    if (this.#rate === 1) {
      if (!this.#copied) this.#average.copy(this.#online.flat.values);
      this.#copied = true;
      return;
    }
    this.#force?.(this.weights, clip);
    this.#average.update(this.#online.flat.values, this.cmd, clip);
    this.cmd += (1 - this.cmd) * (this.#rate - this.cmd) * 0.5;
  }

  mark(): () => void {
    const { cmd } = this;
    return () => {
      this.cmd = cmd;
    };
  }

  /** True where it stays what it is at the start. */
  get isFrozen(): boolean {
    return this.#rate === 1;
  }

  /**
   * The online weights were put in place of the first ones: a frozen teacher is a copy of these, from now on, or of weights of
   * its own, by parameter.
   */
  start(own?: ReadonlyMap<string, Float32Array<ArrayBuffer>>): void {
    if (!this.isFrozen) return;
    this.#average?.copy(this.#online.flat.values);
    if (own) this.weights.flat.values.write(own);
    this.#copied = true;
  }

  /** Weights and cmd come from a checkpoint: the frozen copy is not taken again. */
  restored(cmd: number, ahead: boolean): void {
    this.cmd = cmd;
    this.#begun = ahead;
    this.#copied = true;
  }

  free(): void {
    this.#average?.free();
  }
}
