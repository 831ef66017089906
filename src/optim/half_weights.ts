import { cast } from '../kernels/cast.ts';
import type { FlatParameters, HalfCopy, Tensor, Workspace } from '../tensor/index.ts';

/** The f16 copy of weights in training, where they have one, and whether it is of what they are. */
export class HalfWeights {
  readonly copy: HalfCopy | undefined;
  readonly #workspace: Workspace;
  readonly #parameters: FlatParameters;
  /** `filled` of the weights that the copy is of. */
  #of = -1;

  constructor(workspace: Workspace, parameters: FlatParameters) {
    this.#workspace = workspace;
    this.#parameters = parameters;
    this.copy = parameters.halves;
  }

  /** Records the copying of weights that came from elsewhere than the optimiser. */
  begin(): void {
    if (this.#of !== this.#parameters.values.filled) this.update();
  }

  /** Records the copying of all weights. */
  update(): void {
    const { values } = this.#parameters;
    const { stream, device } = this.#workspace;
    this.copy?.chunks.forEach((out, i) => {
      const [x, { count }] = [values.chunks[i] as Tensor, out];
      stream.run(cast.prepare(device, { dtype: 'f32', outDtype: 'f16' }, { count }), { x, out }, { count });
    });
    this.#of = values.filled;
  }

  /** What was recorded did not come to be. */
  forget(): void {
    this.#of = -1;
  }
}
