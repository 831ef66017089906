import { dadaptDistance, dadaptMoments, dadaptStep, gradStatsGroups } from '../kernels/optimizer.ts';
import { FlatBuffers, type FlatParameters, type Tensor, type Workspace } from '../tensor/index.ts';
import { type AdamSettings, dadaptHyper } from './hyper.ts';

/** What d starts from: far below any distance that matters. */
const FIRST_DISTANCE = 1e-6;

/**
 * D-adapted Adam (Defazio & Mishchenko 2023): the learning rate is lr d, and d grows to an estimate of the distance to the
 * solution, one number for all tensors. Leave lr at 1 unless it diverges.
 */
export class DAdaptation {
  /** Weighted sum of the gradients, as large as the moments. */
  readonly s: FlatBuffers;
  /** [4]: d, its numerator, the d of the last step's moments, 0. Part of a checkpoint. */
  readonly distance: Tensor;
  readonly #workspace: Workspace;
  readonly #groups: readonly number[];
  readonly #partial: Tensor;
  readonly #moments: Tensor;
  readonly #step: Tensor;

  constructor(workspace: Workspace, parameters: FlatParameters) {
    this.#workspace = workspace;
    this.s = new FlatBuffers(workspace, parameters.layout, 'optimizer', 's');
    this.distance = workspace.create('optimizer', 'distance', [4]);
    this.#groups = parameters.values.chunks.map((chunk) => gradStatsGroups(chunk.count));
    const groups = this.#groups.reduce((a, b) => a + b, 0);
    this.#partial = workspace.create('optimizer', 'distance partials', [groups, 2]);
    this.#moments = workspace.create('optimizer', 'hyper of moments', [8]);
    this.#step = workspace.create('optimizer', 'hyper of steps', [2]);
    workspace.stream.write(this.distance, new Float32Array([FIRST_DISTANCE, 0, FIRST_DISTANCE, 0]));
  }

  /** Records one update. */
  update(parameters: FlatParameters, m: FlatBuffers, v: FlatBuffers, clip: Tensor, settings: AdamSettings): void {
    const { stream, device } = this.#workspace;
    const hyper = dadaptHyper(settings);
    stream.write(this.#moments, hyper.moments);
    stream.write(this.#step, hyper.step);
    const { distance } = this;
    const at = (buffers: FlatBuffers | undefined, i: number) => buffers?.chunks[i] as Tensor;
    let partial_offset = 0;
    this.#groups.forEach((groups, i) => {
      const grad = at(parameters.gradients, i);
      stream.run(
        dadaptMoments.prepare(device),
        {
          grad,
          m: at(m, i),
          v: at(v, i),
          s: at(this.s, i),
          clip,
          hyper: this.#moments,
          distance,
          partial: this.#partial,
        },
        { count: grad.count, partial_offset },
      );
      partial_offset += groups;
    });
    stream.run(
      dadaptDistance.prepare(device),
      { partial: this.#partial, hyper: this.#moments, distance, clip },
      { groups: partial_offset },
    );
    parameters.values.chunks.forEach((param, i) => {
      const buffers = { param, m: at(m, i), v: at(v, i), hyper: this.#step, distance, clip };
      stream.run(dadaptStep.prepare(device), buffers, { count: param.count });
    });
  }

  free(): void {
    this.s.free();
    for (const tensor of [this.distance, this.#partial, this.#moments, this.#step]) this.#workspace.free(tensor);
  }
}
