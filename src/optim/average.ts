import { ema } from '../kernels/optimizer.ts';
import type { FlatBuffers, Tensor, Workspace } from '../tensor/index.ts';

/** An average that an optimiser updates in the pass that makes the new values. */
export interface FusedAverage {
  readonly values: FlatBuffers;
  readonly decay: number;
}

/** An exponential moving average over flat buffers: average = decay average + (1 - decay) values. */
export class Average {
  readonly values: FlatBuffers;
  readonly #workspace: Workspace;
  readonly #decay: Tensor;

  constructor(workspace: Workspace, values: FlatBuffers) {
    this.#workspace = workspace;
    this.values = values;
    this.#decay = workspace.create('average', 'decay', [1]);
  }

  /** Records one update, which does nothing in a step that `clip` [4] holds. decay 0 copies exactly. */
  update(from: FlatBuffers, decay: number, clip?: Tensor): void {
    const { stream, device } = this.#workspace;
    stream.write(this.#decay, new Float32Array([decay]));
    this.values.chunks.forEach((average, i) => {
      stream.run(
        ema.prepare(device, { guarded: clip !== undefined }),
        { average, param: from.chunks[i] as Tensor, decay: this.#decay, clip },
        { count: average.count },
      );
    });
  }

  /** Records a copy. */
  copy(from: FlatBuffers): void {
    this.values.copyFrom(from);
  }

  free(): void {
    this.#workspace.free(this.#decay);
  }
}
