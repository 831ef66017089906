import { clipScale, gradStats, gradStatsGroups } from '../kernels/optimizer.ts';
import type { FlatBuffers, Tensor, Workspace } from '../tensor/index.ts';

/** The global norm of all gradients, the clip factor that follows, and the count of non-finite ones. */
export class GradientClip {
  /** [4]: scale, norm, non-finite count, held: 1 from the first step on whose norm or loss is not finite, until `release`. */
  readonly result: Tensor;
  readonly #workspace: Workspace;
  readonly #gradients: FlatBuffers;
  readonly #partial: Tensor;
  readonly #limits: Tensor;
  readonly #groups: number[];
  readonly #lossScale: Tensor | undefined;

  /**
   * @param maxNorm null for no clipping: the norm is still measured.
   * @param lossScale [4] of a LossScale, where the gradients are those of a scaled loss.
   */
  constructor(workspace: Workspace, gradients: FlatBuffers, maxNorm: number | null, lossScale?: Tensor) {
    this.#lossScale = lossScale;
    this.#workspace = workspace;
    this.#gradients = gradients;
    this.#groups = gradients.chunks.map((chunk) => gradStatsGroups(chunk.count));
    const groups = this.#groups.reduce((a, b) => a + b, 0);
    this.#partial = workspace.create('optimizer', 'gradient partials', [groups, 2]);
    this.#limits = workspace.create('optimizer', 'clip limits', [2]);
    this.result = workspace.create('optimizer', 'clip', [4]);
    workspace.stream.write(this.#limits, new Float32Array([maxNorm ?? 0, 0]));
  }

  /** Records the measurement, of a step with this loss; `result` is ready for the dispatches after it. */
  measure(loss?: Tensor): void {
    const { stream, device } = this.#workspace;
    if (loss) stream.copy(loss, this.#limits.slice(1, 1));
    let partial_offset = 0;
    this.#gradients.chunks.forEach((grad, i) => {
      stream.run(gradStats.prepare(device), { grad, partial: this.#partial }, { count: grad.count, partial_offset });
      partial_offset += this.#groups[i] as number;
    });
    stream.run(
      clipScale.prepare(device, { lossScale: this.#lossScale !== undefined }),
      { partial: this.#partial, limits: this.#limits, clip: this.result, loss_scale: this.#lossScale },
      { groups: partial_offset },
    );
  }

  /** Lets steps go on after one that was held. */
  release(): void {
    this.#workspace.stream.write(this.result, new Float32Array(4));
  }

  free(): void {
    for (const tensor of [this.#partial, this.#limits, this.result]) this.#workspace.free(tensor);
  }
}
