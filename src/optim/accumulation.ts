import { ema } from '../kernels/optimizer.ts';
import { FlatBuffers, type Tensor, type Workspace } from '../tensor/index.ts';

/** The running mean of loss and gradients over the parts of a step, each weighted by its share of the batch. */
export class Accumulation {
  readonly #workspace: Workspace;
  readonly #gradients: FlatBuffers;
  readonly #loss: Tensor;
  readonly #sum: FlatBuffers;
  readonly #sumOfLoss: Tensor;
  /** The decay [1] of the update after each part. */
  readonly #decays: readonly Tensor[];
  readonly #shares: readonly number[];

  /** @param shares of the parts, whose sum is what all are a share of. */
  constructor(workspace: Workspace, gradients: FlatBuffers, loss: Tensor, shares: readonly number[]) {
    this.#workspace = workspace;
    this.#gradients = gradients;
    this.#loss = loss;
    this.#shares = shares;
    this.#sum = new FlatBuffers(workspace, gradients.layout, 'gradient', 'accumulated gradient');
    this.#sumOfLoss = workspace.create('gradient', 'accumulated loss', [1]);
    let before = 0;
    this.#decays = shares.map((share, i) => {
      const known = before / (before + share);
      before += share;
      const decay = workspace.create('gradient', `decay of part ${i}`, [1]);
      // After the last part the mean so far goes into the gradients, not they into it.
      workspace.stream.write(decay, Float32Array.of(i === shares.length - 1 ? 1 - known : known));
      return decay;
    });
  }

  /** True where it is of such parts. */
  isOf(shares: readonly number[]): boolean {
    return shares.length === this.#shares.length && shares.every((share, i) => share === this.#shares[i]);
  }

  /** Records the taking of part `i`'s loss and gradients; after the last part they are the means of all. */
  take(i: number): void {
    const { stream } = this.#workspace;
    if (i === 0) {
      this.#sum.copyFrom(this.#gradients);
      stream.copy(this.#loss, this.#sumOfLoss);
      return;
    }
    const last = i === this.#shares.length - 1;
    const decay = this.#decays[i] as Tensor;
    const pairs = [...this.#sum.chunks.map((sum, k) => [sum, this.#gradients.chunks[k] as Tensor] as const)];
    for (const [sum, part] of [...pairs, [this.#sumOfLoss, this.#loss] as const]) {
      const [average, param] = last ? [part, sum] : [sum, part];
      stream.run(ema.prepare(this.#workspace.device), { average, param, decay }, { count: average.count });
    }
  }

  free(): void {
    this.#sum.free();
    for (const tensor of [this.#sumOfLoss, ...this.#decays]) this.#workspace.free(tensor);
  }
}
