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

/** What one piece after the other goes through on its way: memory on device and host for the largest of them. */
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
  readonly #dispatches = new Map<Piece, Dispatches>();

  /** @param weights [ranks] of each rank's numbers. @param pieces all that are to go this way. */
  constructor(workspace: Workspace, weights: Tensor, pieces: readonly Piece[], name: string) {
    const largest = Math.max(...pieces.map(({ wire, part }) => wireBytes(wire, part)));
    const ranks = weights.count;
    this.#workspace = workspace;
    this.#weights = weights;
    this.#ranks = ranks;
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

  /** The piece's numbers, as they are when this is reached, to `send`. */
  encodeSend(encoder: GPUCommandEncoder, piece: Piece): void {
    const { tensor, first, count, wire } = piece;
    const pack = this.#dispatches.get(piece)?.pack;
    if (!pack) encoder.copyBufferToBuffer(tensor.buffer, tensor.offset + 4 * first, this.send.buffer, 0, 4 * count);
    else {
      inPass(encoder, pack);
      encoder.copyBufferToBuffer(this.#packed, 0, this.send.buffer, 0, wireBytes(wire, count));
    }
  }

  /** The sum over all ranks of what came in `receive`, this rank's part of it, to `own`. */
  encodeSum(encoder: GPUCommandEncoder, piece: Piece): void {
    const bytes = wireBytes(piece.wire, piece.part);
    encoder.copyBufferToBuffer(this.receive.buffer, 0, this.#received, 0, this.#ranks * bytes);
    inPass(encoder, (this.#dispatches.get(piece) as Dispatches).sum);
    encoder.copyBufferToBuffer(this.#summed, 0, this.own.buffer, 0, bytes);
  }

  /** What came in `gather`, all parts of the sum, to the piece's place. */
  encodeResult(encoder: GPUCommandEncoder, piece: Piece): void {
    const { tensor, first, count, wire } = piece;
    const unpack = this.#dispatches.get(piece)?.unpack;
    if (!unpack) encoder.copyBufferToBuffer(this.gather.buffer, 0, tensor.buffer, tensor.offset + 4 * first, 4 * count);
    else {
      encoder.copyBufferToBuffer(this.gather.buffer, 0, this.#packed, 0, wireBytes(wire, count));
      inPass(encoder, unpack);
    }
  }

  free(): void {
    const { ledger } = this.#workspace;
    for (const { buffer } of [this.send, this.receive, this.own, this.gather]) ledger.destroy(buffer);
    for (const buffer of [this.#packed, this.#received, this.#summed]) ledger.destroy(buffer);
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

function dispatch<S extends ShaderSource>(kernel: Kernel<S>, record: DispatchRecord): Dispatch {
  return (pass) => kernel.encode(pass, record);
}

function inPass(encoder: GPUCommandEncoder, dispatch: Dispatch): void {
  const pass = encoder.beginComputePass();
  dispatch(pass);
  pass.end();
}
