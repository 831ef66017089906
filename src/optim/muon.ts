import { lincomb } from '../kernels/lincomb.ts';
import { type MatmulLayout, matmul } from '../kernels/matmul.ts';
import { gradStatsGroups, muonMomentum, muonScale, muonStep } from '../kernels/optimizer.ts';
import {
  bytesOf,
  count,
  FlatBuffers,
  FlatLayout,
  type FlatParameters,
  heldShape,
  Storage,
  Tensor,
  type Workspace,
} from '../tensor/index.ts';
import { hiddenMatrices, matrixShape } from './matrices.ts';
import { OptimizerError } from './optimizer_options.ts';

/** Steps of the iteration, and the coefficients of its polynomial a x + b x^3 + c x^5 (Jordan et al. 2024). */
const STEPS = 5;
const [A, B, C] = [3.4445, -4.775, 2.0315];
/** Bytes of the matrices that are worked on at once; one alone may be larger. */
const BATCH_BYTES = 2 ** 26;

type Place = FlatLayout['places'][number];

/** Matrices of one shape, made orthogonal in one go. */
interface Batch {
  readonly rows: number;
  readonly cols: number;
  /** How far they move for their shape. */
  readonly size: number;
  readonly places: readonly Place[];
}

/** A range of flat buffers that AdamW steps in one dispatch. */
export interface AdamRange {
  readonly param: Tensor;
  readonly grad: Tensor;
  readonly m: Tensor;
  readonly v: Tensor;
}

/**
 * Muon (Jordan et al. 2024, github.com/KellerJordan/Muon): hidden layers' matrices move against their momentum made nearly orthogonal, by
 * five Newton-Schulz steps X <- a X + (b X X' + c (X X')^2) X from a Frobenius norm of 1, times sqrt(max(1, rows / cols)). The published
 * code works in bf16, this in f32. The smaller Gram matrix is taken, X X' or X' X, so nothing is transposed. The a of each step is left
 * out, so that it is a product with its residual, and comes back in the last factor.
 */
export class Muon {
  /** AdamW's second moment, of the parameters that are no such matrices. */
  readonly v: FlatBuffers;
  /** What AdamW steps. */
  readonly ranges: readonly AdamRange[];
  readonly #workspace: Workspace;
  readonly #parameters: FlatParameters;
  readonly #m: FlatBuffers;
  readonly #batches: readonly Batch[];
  readonly #hyper: Tensor;
  /** [STEPS, 2]: what X X' and its square are weighed with. */
  readonly #coefs: Tensor;

  /** @throws OptimizerError where no parameter is such a matrix. */
  constructor(workspace: Workspace, parameters: FlatParameters, m: FlatBuffers) {
    const { layout } = parameters;
    const matrices = hiddenMatrices(layout.places);
    if (matrices.length === 0)
      throw new OptimizerError('Muon finds no matrix of a hidden layer in the network', 'use AdamW');
    this.#workspace = workspace;
    this.#parameters = parameters;
    this.#m = m;
    this.#batches = batchesOf(matrices);
    const rest = layout.places
      .filter((place) => !matrices.includes(place))
      .sort((a, b) => a.chunk - b.chunk || a.offset - b.offset); // neighbours are stepped together
    this.v = new FlatBuffers(workspace, new FlatLayout(rest, Math.max(...layout.chunks)), 'optimizer', 'v');
    this.ranges = this.#rangesOf(rest);
    this.#hyper = workspace.create('optimizer', 'hyper of matrices', [4]);
    this.#coefs = workspace.create('optimizer', 'Newton-Schulz', [STEPS, 2]);
    const coefs = Array.from({ length: STEPS }, (_, k) => [B * A ** (2 * k - 1), C * A ** (4 * k - 1)]);
    workspace.stream.write(this.#coefs, Float32Array.from(coefs.flat()));
  }

  /** Records one update of the matrices, none in a step that `clip` [4] holds. `hyper` [4] is of `muonHyper`. */
  update(clip: Tensor, hyper: Float32Array<ArrayBuffer>): void {
    this.#workspace.stream.write(this.#hyper, hyper);
    for (const batch of this.#batches) this.#step(batch, clip);
  }

  #step({ rows, cols, size, places }: Batch, clip: Tensor): void {
    const { arena, stream, device } = this.#workspace;
    const { values, gradients } = this.#parameters;
    const [batch, n, hyper] = [places.length, rows * cols, this.#hyper];
    const groups = gradStatsGroups(n);
    const x = arena.alloc([batch, n]);
    const partial = arena.alloc([batch, groups]);
    const scales = arena.alloc([batch]);
    const spare = arena.alloc([batch, n]);
    places.forEach((place, i) => {
      const [grad, m] = [at(gradients as FlatBuffers, place), at(this.#m, place)];
      const dims = { count: n, x_offset: i * n, partial_offset: i * groups };
      stream.run(muonMomentum.prepare(device), { grad, m, clip, hyper, x, partial }, dims);
    });
    stream.run(muonScale.prepare(device), { partial, scales }, { matrices: batch, groups });
    const each = { batch, n, coef_stride: 1 };
    stream.run(lincomb.prepare(device, { inputs: 1 }), { u0: x, coefs: scales, out: spare }, each);
    const made = this.#orthogonal(spare, x, { batch, rows, cols });
    places.forEach((place, i) => {
      const buffers = { param: at(values, place), x: made, hyper, clip };
      stream.run(muonStep.prepare(device), buffers, { count: n, x_offset: i * n, size });
    });
    for (const tensor of [x, partial, scales, spare]) arena.release(tensor);
  }

  /** Records the iteration from `x` [batch, rows, cols]; gives which of `x` and `spare` the result is in, over A^STEPS. */
  #orthogonal(x: Tensor, spare: Tensor, shape: { batch: number; rows: number; cols: number }): Tensor {
    const { arena, stream, device } = this.#workspace;
    const { batch, rows, cols } = shape;
    const side = Math.min(rows, cols);
    const tall = rows > cols;
    const [gram, square, mixed] = [1, 2, 3].map(() => arena.alloc([batch, side, side])) as [Tensor, Tensor, Tensor];
    const product = (
      layout: MatmulLayout,
      a: Tensor,
      b: Tensor,
      out: Tensor,
      [m, n, k]: number[],
      residual?: Tensor,
    ) => {
      const sizes = { m: m as number, n: n as number, k: k as number, batch };
      const kernel = matmul.prepare(device, { layout, residual: residual !== undefined }, sizes);
      const rest = residual && { residual };
      stream.run(kernel, { a, b, out, ...rest }, { ...sizes, ...(residual && { residual_rows: sizes.m }) });
    };
    let [from, to] = [x, spare];
    for (let k = 0; k < STEPS; k++) {
      product(tall ? 'tn' : 'nt', from, from, gram, [side, side, Math.max(rows, cols)]);
      product('nn', gram, gram, square, [side, side, side]);
      const dims = { batch: 1, n: mixed.count, coef_stride: 0, coef_offset: 2 * k };
      const buffers = { u0: gram, u1: square, coefs: this.#coefs, out: mixed };
      stream.run(lincomb.prepare(device, { inputs: 2 }), buffers, dims);
      const [left, right] = tall ? [from, mixed] : [mixed, from];
      product('nn', left, right, to, [rows, cols, side], from);
      [from, to] = [to, from];
    }
    for (const tensor of [gram, square, mixed]) arena.release(tensor);
    return from;
  }

  /** Neighbours among the rest, in the parameters and in `v`, together. */
  #rangesOf(rest: readonly Place[]): AdamRange[] {
    const runs: { place: Place; own: Place; end: number; ownEnd: number }[] = [];
    rest.forEach((place, i) => {
      const own = this.v.layout.places[i] as Place;
      const bytes = sizeOf(place);
      const [end, ownEnd] = [place.offset + bytes, own.offset + bytes];
      const last = runs.at(-1);
      const next = last?.place.chunk === place.chunk && last.end === place.offset;
      if (last && next && last.own.chunk === own.chunk) Object.assign(last, { end, ownEnd });
      else runs.push({ place, own, end, ownEnd });
    });
    const { values, gradients } = this.#parameters;
    return runs.map(({ place, own, end }) => {
      const range = (buffers: FlatBuffers, from: Place) => at(buffers, from, end - place.offset);
      const grad = range(gradients as FlatBuffers, place);
      return { param: range(values, place), grad, m: range(this.#m, place), v: range(this.v, own) };
    });
  }

  free(): void {
    this.v.free();
    for (const tensor of [this.#hyper, this.#coefs]) this.#workspace.free(tensor);
  }
}

/** Matrices of one shape together, so that their products are one: as many as BATCH_BYTES hold. */
function batchesOf(matrices: readonly Place[]): Batch[] {
  const batches: (Batch & { places: Place[] })[] = [];
  const open = new Map<string, Place[]>();
  for (const place of matrices) {
    const { rows, cols } = matrixShape(heldShape(place));
    const most = Math.max(1, Math.floor(BATCH_BYTES / bytesOf('f32', rows * cols)));
    const own = matrixShape(place.shape); // rows and columns of zeros move nothing, and count for nothing
    const size = A ** STEPS * Math.sqrt(Math.max(1, own.rows / own.cols));
    const key = `${rows} ${cols} ${size}`;
    const known = open.get(key);
    if (known && known.length < most) known.push(place);
    else {
      const places = [place];
      open.set(key, places);
      batches.push({ rows, cols, size, places });
    }
  }
  return batches;
}

/** The bytes from a parameter's beginning to where the next may begin. */
const sizeOf = (place: Place) => Math.ceil(bytesOf('f32', count(heldShape(place))) / 256) * 256;

/** What flat buffers hold from a place on. */
function at(buffers: FlatBuffers, place: Place, bytes = sizeOf(place)): Tensor {
  const { buffer } = buffers.chunks[place.chunk] as Tensor;
  return new Tensor([bytes / bytesOf('f32', 1)], new Storage(buffer, place.offset, bytes));
}
