import { bytesOf } from './dtype.ts';
import { TensorError, WorkspaceError } from './errors.ts';
import { HalfCopy } from './half_copy.ts';
import { gathered, heldShape, type Shaped, spread } from './held.ts';
import { BufferLimitError, type Owner } from './ledger.ts';
import { WeightPack } from './pack.ts';
import { count, Storage, TENSOR_USAGE, Tensor } from './tensor.ts';
import type { Workspace } from './workspace.ts';

/** Name and shape of one parameter, in the order in which it lies in the flat buffers, but for those beside others. */
export interface ParameterSpec extends Shaped {
  readonly name: string;
  /** Parameters that give one name here lie one after the other, where the first of them would: see `sideBySide`. */
  readonly beside?: string;
}

interface Place extends Shaped {
  readonly name: string;
  readonly chunk: number;
  /** Bytes into its chunk. */
  readonly offset: number;
}

/** The element at a byte of a flat buffer: all are f32. */
export const firstOf = (offset: number): number => offset / bytesOf('f32', 1);

const ALIGN = 256;
/** So that a copy of f16 starts at multiples of ALIGN too. */
const ALIGN_HALVES = 2 * ALIGN;

/**
 * Where every parameter lies in flat buffers, so that clip, optimiser and EMA are a dispatch a buffer and not hundreds. A
 * buffer is cut where a binding would pass the device's limit. Parameters start at multiples of 256 bytes, or 512; the gaps hold
 * zeros in every kind of flat buffer and stay zero under every optimiser.
 */
export class FlatLayout {
  /** In the order of the specs. */
  readonly places: readonly Place[];
  /** Bytes of each buffer. */
  readonly chunks: readonly number[];

  /** @throws TensorError for a duplicate name, BufferLimitError for a parameter that alone passes the limit. */
  constructor(specs: readonly ParameterSpec[], maxBytes: number, align = ALIGN) {
    const placed = new Map<string, Place>();
    const chunks: number[] = [];
    let used = 0;
    for (const spec of besideEachOther(specs)) {
      const { name, shape, held } = spec;
      const bytes = Math.ceil(bytesOf('f32', count(heldShape(spec))) / align) * align;
      if (placed.has(name))
        throw new TensorError(`parameter ${name} is declared twice`, 'give every parameter a name of its own');
      if (bytes > maxBytes) {
        throw new BufferLimitError(
          `parameter ${name} [${shape}] needs ${bytes} bytes; a binding of this device holds ${maxBytes}`,
          "request the adapter's limits, or make it smaller",
        );
      }
      if (used + bytes > maxBytes) {
        chunks.push(used);
        used = 0;
      }
      placed.set(name, { name, shape, held, chunk: chunks.length, offset: used });
      used += bytes;
    }
    if (used > 0) chunks.push(used);
    this.places = specs.map(({ name }) => placed.get(name) as Place);
    this.chunks = chunks;
  }
}

/** Specs in the order in which they lie. */
function besideEachOther(specs: readonly ParameterSpec[]): ParameterSpec[] {
  const together = new Map<string, ParameterSpec[]>();
  for (const spec of specs) {
    if (spec.beside !== undefined) together.set(spec.beside, [...(together.get(spec.beside) ?? []), spec]);
  }
  return specs.flatMap((spec) => {
    if (spec.beside === undefined) return [spec];
    const all = together.get(spec.beside) as ParameterSpec[];
    return spec === all[0] ? all : [];
  });
}

/** Some parameters' names, for a message. */
const some = (layout: FlatLayout) =>
  `${layout.places
    .slice(0, 5)
    .map((place) => place.name)
    .join(', ')}, ...`;

/** One kind of number for every parameter (values, gradients, a moment, an average), in flat buffers. */
export class FlatBuffers {
  readonly layout: FlatLayout;
  /** The buffers whole, as 1-D tensors: what the optimiser sees. */
  readonly chunks: readonly Tensor[];
  /** How often all or some of it came from elsewhere than kernels: who keeps a copy makes it anew then. */
  filled = 0;
  readonly #workspace: Workspace;

  constructor(workspace: Workspace, layout: FlatLayout, owner: Owner, label: string) {
    this.layout = layout;
    this.#workspace = workspace;
    this.chunks = layout.chunks.map((bytes, i) => {
      const buffer = workspace.ledger.create(owner, `${label} ${i}`, bytes, TENSOR_USAGE);
      return new Tensor([bytes / bytesOf('f32', 1)], new Storage(buffer, 0, bytes));
    });
  }

  /** The range of one parameter. */
  slice(place: Place, gradient?: Storage, half?: Storage): Storage {
    return new Storage(
      (this.chunks[place.chunk] as Tensor).buffer,
      place.offset,
      bytesOf('f32', count(heldShape(place))),
      gradient,
      half,
    );
  }

  /** Records a copy of all values. */
  copyFrom(other: FlatBuffers): void {
    this.filled++;
    this.chunks.forEach((chunk, i) => {
      this.#workspace.stream.copy(other.chunks[i] as Tensor, chunk);
    });
  }

  /** Records a fill with zeros. */
  clear(): void {
    for (const chunk of this.chunks) this.#workspace.stream.clear(chunk);
  }

  /** Records writes of host values by parameter name. @throws TensorError for a name or length that does not fit. */
  write(values: ReadonlyMap<string, Float32Array<ArrayBuffer>>): void {
    this.filled++;
    for (const [name, data] of values) {
      const place = this.layout.places.find((p) => p.name === name);
      if (!place)
        throw new TensorError(`no parameter is named ${name}`, `leave it out: there are ${some(this.layout)}`);
      if (data.length !== count(place.shape))
        throw new TensorError(
          `parameter ${name} is [${place.shape}], got ${data.length} values`,
          'give weights of this network',
        );
      const tensor = new Tensor(heldShape(place), this.slice(place));
      this.#workspace.stream.write(tensor, place.held ? spread(data, place.held) : data);
    }
  }

  /** Copies all values to the host, by parameter name, in the order of the specs. */
  async read(): Promise<Map<string, Float32Array<ArrayBuffer>>> {
    const out = new Map(this.layout.places.map(({ name }) => [name, new Float32Array(0)]));
    for (const [i, chunk] of this.chunks.entries()) {
      const host = await this.#workspace.read(chunk); // one at a time: the host holds the values and one chunk
      for (const place of this.layout.places.filter(({ chunk }) => chunk === i)) {
        const first = firstOf(place.offset);
        const values = host.subarray(first, first + count(heldShape(place)));
        out.set(place.name, place.held ? gathered(values, place.held) : values.slice());
      }
    }
    return out;
  }

  /**
   * Copies f32 elements of a flat buffer to the host as they lie, the zeros between parameters with them: `length` from `offset` on, or
   * all. What several devices average goes by places, not by names. @throws TensorError past the buffer's bounds.
   */
  async readChunk(chunk: number, offset = 0, length?: number): Promise<Float32Array<ArrayBuffer>> {
    const tensor = this.#chunk(chunk);
    const size = length ?? tensor.count - offset;
    checkRange(tensor, chunk, offset, size);
    return size === 0 ? new Float32Array(0) : this.#workspace.read(tensor.slice(offset, size));
  }

  /**
   * Records a write of f32 elements to a flat buffer, from `offset` on, as `readChunk` gives them: the gaps between parameters must stay
   * zeros. The data is copied now. @throws TensorError past the buffer's bounds, and for other data.
   */
  writeChunk(chunk: number, offset: number, data: Float32Array<ArrayBuffer>): void {
    const tensor = this.#chunk(chunk);
    if (!(data instanceof Float32Array))
      throw new TensorError(`chunk ${chunk} is given ${Object(data).constructor?.name}`, 'give a Float32Array');
    checkRange(tensor, chunk, offset, data.length);
    this.filled++;
    if (data.length > 0) this.#workspace.stream.write(tensor, data, offset);
  }

  #chunk(chunk: number): Tensor {
    const tensor = this.chunks[chunk];
    if (!tensor) throw new TensorError(`there is no chunk ${chunk}`, `give one of 0 to ${this.chunks.length - 1}`);
    return tensor;
  }

  free(): void {
    for (const chunk of this.chunks) this.#workspace.free(chunk);
  }
}

/** @throws TensorError unless `length` elements from `offset` on lie within the chunk. */
function checkRange({ count }: Tensor, chunk: number, offset: number, length: number): void {
  const whole = (n: number) => Number.isSafeInteger(n) && n >= 0;
  if (whole(offset) && whole(length) && offset + length <= count) return;
  throw new TensorError(
    `${length} elements from ${offset} on of chunk ${chunk}`,
    `give whole numbers within its ${count} elements`,
  );
}

/**
 * A model's parameters by name: values, and gradients when they are to be trained. An average or a teacher has the same
 * layout without gradients.
 */
export class FlatParameters {
  readonly layout: FlatLayout;
  readonly values: FlatBuffers;
  readonly gradients: FlatBuffers | undefined;
  /** An f16 copy of the values, each parameter's `half`. */
  readonly halves: HalfCopy | undefined;
  readonly #tensors = new Map<string, Tensor>();
  readonly #packs: readonly WeightPack[];
  #freed = false;

  constructor(
    workspace: Workspace,
    layout: FlatLayout,
    options: { owner?: Owner; label?: string; trainable?: boolean; halves?: boolean } = {},
  ) {
    const label = options.label ?? 'weights';
    this.layout = layout;
    this.values = new FlatBuffers(workspace, layout, options.owner ?? 'parameter', label);
    this.gradients = options.trainable
      ? new FlatBuffers(workspace, layout, 'gradient', `${label} gradient`)
      : undefined;
    this.halves = options.halves ? new HalfCopy(workspace, layout, label) : undefined;
    for (const place of layout.places) {
      const storage = this.values.slice(place, this.gradients?.slice(place), this.halves?.slice(place));
      this.#tensors.set(place.name, new Tensor(heldShape(place), storage));
    }
    this.#packs = this.values.chunks.map((whole) => {
      const matrices = [...this.#tensors.values()].filter(
        ({ buffer, shape }) => buffer === whole.buffer && shape.length > 1,
      );
      return new WeightPack(workspace.ledger, whole, matrices);
    });
  }

  /** The layout that a device can bind; with `halves` one of which an f16 copy can be bound too. */
  static layoutFor(workspace: Workspace, specs: readonly ParameterSpec[], halves = false): FlatLayout {
    const { maxStorageBufferBindingSize, maxBufferSize } = workspace.device.limits;
    const align = halves ? ALIGN_HALVES : ALIGN;
    const most = Math.floor(Math.min(maxStorageBufferBindingSize, maxBufferSize) / align) * align;
    return new FlatLayout(specs, most, align);
  }

  /** A parameter's tensor. @throws TensorError for an unknown name. */
  get(name: string): Tensor {
    const tensor = this.#tensors.get(name);
    if (!tensor) throw new TensorError(`no parameter is named ${name}`, `ask for one of ${some(this.layout)}`);
    if (this.#freed) throw new WorkspaceError('these weights were freed', 'use them before their trainer is freed');
    return tensor;
  }

  has(name: string): boolean {
    return this.#tensors.has(name);
  }

  /** Number of trained values, gaps not counted. */
  get count(): number {
    return this.layout.places.reduce((sum, p) => sum + count(p.shape), 0);
  }

  free(): void {
    this.#freed = true;
    for (const pack of this.#packs) pack.free();
    this.values.free();
    this.gradients?.free();
    this.halves?.free();
  }
}
