import type { DispatchRecord, Kernel, ShaderSource } from '../kernel/index.ts';
import { wirePack, wireSum, wireUnpack } from '../kernels/wire.ts';
import { Storage, Tensor, type Workspace } from '../tensor/index.ts';
import type { Bytes } from './communicator.ts';
import { type Piece, wireBytes } from './pieces.ts';

const MAP_READ = 0x1;
const MAP_WRITE = 0x2;
const [READS, WRITES] = [MAP_READ | 0x8, MAP_WRITE | 0x4]; // | COPY_DST, | COPY_SRC

/** A dispatch to be encoded. */
type Dispatch = (pass: GPUComputePassEncoder) => void;

/** Bytes of a piece: the first, and the first after them. */
type Range = readonly [first: number, end: number];

/** Where the bytes of a piece begin. */
interface Place {
  readonly buffer: GPUBuffer;
  readonly at: number;
}

interface Dispatches {
  readonly pack: Dispatch | undefined;
  readonly sum: Dispatch;
  readonly unpack: Dispatch | undefined;
}

/** Memory of the host for messages out of the device, or into it. */
class Staging {
  readonly buffer: GPUBuffer;
  readonly #mode: number;
  #mapped: Promise<void>;

  constructor(workspace: Workspace, label: string, bytes: number, mode: typeof MAP_READ | typeof MAP_WRITE) {
    this.#mode = mode;
    const into = mode === MAP_WRITE;
    this.buffer = workspace.ledger.create('staging', label, bytes, into ? WRITES : READS, into);
    this.#mapped = Promise.resolve();
  }

  /** Asks for the memory; for what the device writes, after the submit of that. */
  map(): void {
    this.#mapped = this.buffer.mapAsync(this.#mode);
    this.#mapped.catch(() => {}); // told to whoever waits for it
  }

  /** The first `size` bytes, when they can be had. */
  async bytes(size: number): Promise<Bytes> {
    await this.#mapped;
    return new Uint8Array(this.buffer.getMappedRange(0, size));
  }
}

/**
 * What one piece after the other goes through on its way: memory on device and host for the largest of them. The part of which this rank makes the
 * sum stays on the device, before it and after.
 */
export class Lane {
  readonly send: Staging;
  readonly receive: Staging;
  readonly own: Staging;
  readonly gather: Staging;
  readonly #workspace: Workspace;
  readonly #packed: GPUBuffer;
  readonly #received: GPUBuffer;
  readonly #summed: GPUBuffer;
  readonly #weights: Tensor;
  readonly #ranks: number;
  readonly #rank: number;
  readonly #dispatches = new Map<Piece, Dispatches>();

  /** @param weights [ranks] of each rank's numbers. @param rank this one. @param pieces all that are to go this way. */
  constructor(workspace: Workspace, weights: Tensor, rank: number, pieces: readonly Piece[], name: string) {
    const largest = Math.max(...pieces.map(({ wire, part }) => wireBytes(wire, part)));
    const ranks = weights.count;
    this.#workspace = workspace;
    this.#weights = weights;
    this.#ranks = ranks;
    this.#rank = rank;
    const { ledger } = workspace;
    const storage = (label: string, bytes: number) =>
      ledger.create('staging', `${label} ${name}`, bytes, 0x80 | 0x4 | 0x8);
    this.send = new Staging(workspace, `sent ${name}`, ranks * largest, MAP_READ);
    this.receive = new Staging(workspace, `received ${name}`, ranks * largest, MAP_WRITE);
    this.own = new Staging(workspace, `own ${name}`, largest, MAP_READ);
    this.gather = new Staging(workspace, `gathered ${name}`, ranks * largest, MAP_WRITE);
    this.#packed = storage('packed', ranks * largest);
    this.#received = storage('to sum', ranks * largest);
    this.#summed = storage('summed', largest);
    for (const piece of pieces) this.#dispatches.set(piece, this.#dispatchesOf(piece));
  }

  /** Resolves when all kernels are compiled. */
  static async compiled(workspace: Workspace): Promise<void> {
    const { device } = workspace;
    const sums = [false, true].map((bf16) => wireSum.prepare(device, { bf16 }).ready);
    await Promise.all([wirePack.prepare(device).ready, wireUnpack.prepare(device).ready, ...sums]);
  }

  /** The piece's numbers, as they are when this is reached, to `send`: those for the other ranks. */
  encodeSend(encoder: GPUCommandEncoder, piece: Piece): void {
    const pack = this.#dispatches.get(piece)?.pack;
    if (pack) inPass(encoder, pack);
    copyAll(encoder, this.#sourceOf(piece), { buffer: this.send.buffer, at: 0 }, this.#partsOf(piece).others);
  }

  /** The sum over all ranks of this rank's part, of what the others sent in `receive`, to `own`. */
  encodeSum(encoder: GPUCommandEncoder, piece: Piece): void {
    const bytes = wireBytes(piece.wire, piece.part);
    const [received, whole] = [
      { buffer: this.#received, at: 0 },
      { buffer: this.receive.buffer, at: 0 },
    ];
    const [before, after] = [this.#rank * bytes, (this.#rank + 1) * bytes];
    copyAll(encoder, whole, received, [
      [0, before],
      [after, this.#ranks * bytes],
    ]);
    copyAll(encoder, this.#sourceOf(piece), received, [this.#partsOf(piece).own]);
    inPass(encoder, (this.#dispatches.get(piece) as Dispatches).sum);
    encoder.copyBufferToBuffer(this.#summed, 0, this.own.buffer, 0, bytes);
  }

  /** The other ranks' parts of the sum, which came in `gather`, and this rank's to the piece's place. */
  encodeResult(encoder: GPUCommandEncoder, piece: Piece): void {
    const { others, own } = this.#partsOf(piece);
    const place = this.#sourceOf(piece);
    copyAll(encoder, { buffer: this.gather.buffer, at: 0 }, place, others);
    copyAll(encoder, { buffer: this.#summed, at: -this.#rank * wireBytes(piece.wire, piece.part) }, place, [own]);
    const unpack = this.#dispatches.get(piece)?.unpack;
    if (unpack) inPass(encoder, unpack);
  }

  free(): void {
    const { ledger } = this.#workspace;
    for (const { buffer } of [this.send, this.receive, this.own, this.gather]) ledger.destroy(buffer);
    for (const buffer of [this.#packed, this.#received, this.#summed]) ledger.destroy(buffer);
  }

  /** Where the numbers of a piece are, as they are sent. */
  #sourceOf({ tensor, first, wire }: Piece): Place {
    return wire === 'bf16' ? { buffer: this.#packed, at: 0 } : { buffer: tensor.buffer, at: tensor.offset + 4 * first };
  }

  /** The bytes of a piece of which this rank makes the sum, and all else. */
  #partsOf({ wire, count, part }: Piece): { readonly own: Range; readonly others: readonly Range[] } {
    const [all, each] = [wireBytes(wire, count), wireBytes(wire, part)];
    const [first, end] = [0, 1].map((next) => Math.min(all, (this.#rank + next) * each)) as [number, number];
    return {
      own: [first, end],
      others: [
        [0, first],
        [end, all],
      ],
    };
  }

  #dispatchesOf({ tensor, first, count, wire, part }: Piece): Dispatches {
    const { device } = this.#workspace;
    const bf16 = wire === 'bf16';
    const numbers = new Tensor([count], new Storage(tensor.buffer, tensor.offset + 4 * first, 4 * count));
    const sum = wireSum.prepare(device, { bf16 });
    const words = bf16 ? part / 2 : part;
    const [pack, unpack] = [wirePack.prepare(device), wireUnpack.prepare(device)];
    const summing = { x: this.#received, weights: this.#weights, out: this.#summed };
    return {
      pack: bf16 ? dispatch(pack, pack.bind({ x: numbers, out: this.#packed }, { count })) : undefined,
      sum: dispatch(sum, sum.bind(summing, { ranks: this.#ranks, words })),
      unpack: bf16 ? dispatch(unpack, unpack.bind({ x: this.#packed, out: numbers }, { count })) : undefined,
    };
  }
}

/** Copies ranges to where they are in another place. */
function copyAll(encoder: GPUCommandEncoder, from: Place, to: Place, ranges: readonly Range[]): void {
  for (const [first, end] of ranges)
    if (end > first) encoder.copyBufferToBuffer(from.buffer, from.at + first, to.buffer, to.at + first, end - first);
}

function dispatch<S extends ShaderSource>(kernel: Kernel<S>, record: DispatchRecord): Dispatch {
  return (pass) => kernel.encode(pass, record);
}

function inPass(encoder: GPUCommandEncoder, dispatch: Dispatch): void {
  const pass = encoder.beginComputePass();
  dispatch(pass);
  pass.end();
}
