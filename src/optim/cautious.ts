import { cautiousCount, cautiousScale } from '../kernels/optimizer.ts';
import {
  count,
  type FlatBuffers,
  type FlatLayout,
  firstOf,
  heldShape,
  type Tensor,
  type Workspace,
} from '../tensor/index.ts';

/** Elements of a piece: what one workgroup counts. */
const PIECE = 16384;

/**
 * What a cautious optimiser (Liang et al. 2024) asks of each tensor: in how many elements its update agrees with the gradient,
 * and how much farther these move for it.
 */
export class CautiousMask {
  /** [tensors] f32, filled by `measure`. */
  readonly scales: Tensor;
  /** For each flat buffer: the tensor that every 64 elements are of, u32. */
  readonly owners: readonly Tensor[];
  readonly #workspace: Workspace;
  readonly #form: 'adam' | 'lion';
  readonly #chunks: readonly { readonly pieces: Tensor; readonly count: number; readonly first: number }[];
  readonly #tensors: Tensor;
  readonly #agreements: Tensor;

  constructor(workspace: Workspace, layout: FlatLayout, form: 'adam' | 'lion') {
    this.#workspace = workspace;
    this.#form = form;
    const owners = layout.chunks.map((bytes) => new Uint32Array(bytes / 256));
    const pieces: number[][] = layout.chunks.map(() => []);
    const tensors: number[] = [];
    let made = 0;
    layout.places.forEach((place, tensor) => {
      const { shape, chunk, offset } = place;
      const [first, elements] = [firstOf(offset), count(heldShape(place))];
      (owners[chunk] as Uint32Array).fill(tensor, offset / 256, offset / 256 + Math.ceil(elements / 64));
      const before = made;
      for (let at = 0; at < elements; at += PIECE, made++)
        (pieces[chunk] as number[]).push((first + at) / 4, first + Math.min(elements, at + PIECE));
      tensors.push(before, made, count(shape));
    });
    const place = (label: string, data: Uint32Array<ArrayBuffer>) => {
      const tensor = workspace.create('optimizer', label, [data.length]);
      workspace.stream.write(tensor, data);
      return tensor;
    };
    this.owners = owners.map((data) => place('cautious owners', data));
    let first = 0;
    this.#chunks = pieces.map((list) => {
      const own = { pieces: place('cautious pieces', Uint32Array.from(list)), count: list.length / 2, first };
      first += own.count;
      return own;
    });
    this.#tensors = place('cautious tensors', Uint32Array.from(tensors));
    this.#agreements = workspace.create('optimizer', 'cautious agreements', [made]);
    this.scales = workspace.create('optimizer', 'cautious scales', [layout.places.length]);
  }

  /** Records the counting, before the step that changes the moments. */
  measure(gradients: FlatBuffers, moments: FlatBuffers, hyper: Tensor, clip: Tensor): void {
    const { stream, device } = this.#workspace;
    this.#chunks.forEach(({ pieces, count, first }, i) => {
      const [grad, m] = [gradients.chunks[i] as Tensor, moments.chunks[i] as Tensor];
      stream.run(
        cautiousCount.prepare(device),
        { grad, m, hyper, clip, pieces, agreements: this.#agreements },
        { elements: grad.count, pieces: count, count_offset: first },
      );
    });
    stream.run(
      cautiousScale.prepare(device, { form: this.#form }),
      { agreements: this.#agreements, tensors: this.#tensors, scales: this.scales },
      { tensors: this.scales.count, pieces: this.#agreements.count },
    );
  }

  free(): void {
    const own = [...this.owners, ...this.#chunks.map((c) => c.pieces), this.#tensors, this.#agreements, this.scales];
    for (const tensor of own) this.#workspace.free(tensor);
  }
}
