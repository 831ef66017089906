import type { Tensor, Workspace } from '../tensor/index.ts';

/** Tensors for losses of so many sizes are kept. */
const MOST_COUNTS = 64;

/** Tensors that hold one number for each of a loss's elements. They last, so that a step that has one need not write it again. */
export class EachLoss {
  readonly #workspace: Workspace;
  readonly #known = new Map<string, Tensor>();

  constructor(workspace: Workspace) {
    this.#workspace = workspace;
  }

  /** [count] of `value`, which a name and a count decide. */
  of(name: 'weight' | 'gradient', value: number, count: number): Tensor {
    const key = `${name} of ${count}`; // parts of a step may be of other sizes
    const known = this.#known.get(key);
    if (known) return known;
    const [oldest] = this.#known.size >= MOST_COUNTS ? this.#known : [];
    if (oldest) {
      this.#workspace.free(oldest[1]);
      this.#known.delete(oldest[0]);
    }
    const tensor = this.#workspace.create('data', `${name} of each loss`, [count]);
    this.#known.set(key, tensor);
    this.#workspace.stream.write(tensor, new Float32Array(count).fill(value));
    return tensor;
  }

  /** Frees all: what was written into them went with a step that failed. */
  free(): void {
    for (const tensor of this.#known.values()) this.#workspace.free(tensor);
    this.#known.clear();
  }
}
