import { ema } from '../kernels/optimizer.ts';
import { firstOf } from '../tensor/flat.ts';
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

  /** Records the taking of the loss and gradients of part `i`, which is not the last. */
  take(i: number): void {
    if (i === 0) {
      this.#sum.copyFrom(this.#gradients);
      this.#workspace.stream.copy(this.#loss, this.#sumOfLoss);
      return;
    }
    for (const part of this.ranges) this.#update(this.#pairOf(part), i);
  }

  /** Loss and gradients, whole. */
  get ranges(): readonly Tensor[] {
    return [...this.#gradients.chunks, this.#loss];
  }

  /** Records that ranges of loss and gradients, which hold those of the last part, become the means of all parts. */
  finish(ranges: readonly Tensor[]): void {
    for (const range of ranges) {
      const { sum, part } = this.#pairOf(range);
      this.#update({ sum: part, part: sum }, this.#shares.length - 1);
    }
  }

  #update({ sum: average, part: param }: { readonly sum: Tensor; readonly part: Tensor }, i: number): void {
    const { stream, device } = this.#workspace;
    const decay = this.#decays[i] as Tensor;
    stream.run(ema.prepare(device), { average, param, decay }, { count: average.count });
  }

  /** A range of loss or gradients, and where its sum is. */
  #pairOf(range: Tensor): { readonly sum: Tensor; readonly part: Tensor } {
    const at = this.#gradients.chunks.findIndex(({ buffer }) => buffer === range.buffer);
    if (at < 0) return { sum: this.#sumOfLoss, part: this.#loss }; // whole: kernels bind no less than 16 bytes
    return { sum: (this.#sum.chunks[at] as Tensor).slice(firstOf(range.offset), range.count), part: range };
  }

  free(): void {
    this.#sum.free();
    for (const tensor of [this.#sumOfLoss, ...this.#decays]) this.#workspace.free(tensor);
  }
}
