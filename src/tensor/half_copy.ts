import { bytesOf } from './dtype.ts';
import { heldShape, type Shaped } from './held.ts';
import { count, Storage, type Tensor } from './tensor.ts';
import type { Workspace } from './workspace.ts';

/** An f16 copy of the flat buffers of a layout, which lies as they do. Whoever changes them fills it. */
export class HalfCopy {
  /** The copies whole, f16, as the flat buffers' own chunks. */
  readonly chunks: readonly Tensor[];
  readonly #workspace: Workspace;

  constructor(workspace: Workspace, layout: { readonly chunks: readonly number[] }, label: string) {
    this.#workspace = workspace;
    this.chunks = layout.chunks.map((bytes, i) =>
      workspace.create('parameter', `${label} as f16 ${i}`, [bytes / bytesOf('f32', 1)], 'f16'),
    );
  }

  /** The range of one parameter. */
  slice(place: Shaped & { readonly chunk: number; readonly offset: number }): Storage {
    const { buffer } = this.chunks[place.chunk] as Tensor;
    return new Storage(buffer, place.offset / 2, bytesOf('f16', count(heldShape(place))));
  }

  free(): void {
    for (const chunk of this.chunks) this.#workspace.free(chunk);
  }
}
