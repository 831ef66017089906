import type { DispatchRecord, Kernel, ShaderSource } from '../kernel/index.ts';
import { wirePack, wireSum, wireUnpack } from '../kernels/wire.ts';
import { Storage, Tensor, type Workspace } from '../tensor/index.ts';
import type { Communicator } from './communicator.ts';
import { type Piece, wireBytes } from './pieces.ts';
import type { Place } from './staging.ts';

/** Starts a message in the order in which turns were taken. */
export type Turn = (start: () => Promise<void>) => Promise<void>;

export type Dispatch = (pass: GPUComputePassEncoder) => void;

/** What is to be submitted: copies, then dispatches, then copies. */
export interface Work {
  readonly before?: (encoder: GPUCommandEncoder) => void;
  readonly dispatches: readonly (Dispatch | undefined)[];
  readonly after?: (encoder: GPUCommandEncoder) => void;
}

/** Submits work, with what others have to submit. Resolves when it is. */
export type Submit = (work: Work) => Promise<void>;

/** What one piece after the other goes through on its way: memory on device and host for the largest of them. */
export interface Lane {
  /**
   * Makes a piece the mean of all ranks': begins by submitting its numbers, before it returns. Resolves when the commands are submitted that
   * bring the mean.
   * @param scatter its turn among the messages to each rank (alltoall). @param gather the same among those to all (allgather).
   */
  exchange(piece: Piece, scatter: Turn, gather: Turn): Promise<void>;
  free(): void;
}

/** What a lane is made for. */
export interface LaneUse {
  readonly workspace: Workspace;
  readonly ranks: Communicator;
  readonly submit: Submit;
  /** [ranks] of each rank's numbers. */
  readonly weights: Tensor;
  /** All that are to go this way. */
  readonly pieces: readonly Piece[];
  /** For the buffers' labels. */
  readonly name: string;
}

/** The kernels of one piece. Numbers of f32 are sent as they are. */
export interface Dispatches {
  readonly pack: Dispatch | undefined;
  readonly sum: Dispatch;
  readonly unpack: Dispatch | undefined;
}

/** Bytes of a part of the largest piece. */
export const largestPart = (pieces: readonly Piece[]): number =>
  Math.max(...pieces.map(({ wire, part }) => wireBytes(wire, part)));

/** The device's side of a lane: buffers for the largest piece, and the kernels of each. */
export class LaneKernels {
  /** A piece as it is sent, where that is not as it is. */
  readonly packed: GPUBuffer;
  /** What is summed, [ranks] after each other, and the sum. */
  readonly received: GPUBuffer;
  readonly summed: GPUBuffer;
  readonly #workspace: Workspace;
  readonly #dispatches: ReadonlyMap<Piece, Dispatches>;

  /**
   * @param parts of how many of a piece's parts this rank makes the sum. Of all in bf16 it goes to `packed`, where `unpack` takes it; else to
   * `summed`.
   */
  constructor({ workspace, ranks, weights, pieces, name }: LaneUse, parts: number) {
    this.#workspace = workspace;
    const largest = largestPart(pieces);
    const storage = (label: string, bytes: number) =>
      workspace.ledger.create('staging', `${label} ${name}`, bytes, 0x80 | 0x4 | 0x8);
    this.packed = storage('packed', ranks.size * largest);
    this.received = storage('to sum', ranks.size * parts * largest);
    this.summed = storage('summed', parts * largest);
    this.#dispatches = new Map(pieces.map((piece) => [piece, this.#dispatchesOf(piece, weights, parts)]));
  }

  /** Resolves when all kernels are compiled. */
  static async compiled({ device }: Workspace): Promise<void> {
    const sums = [false, true].map((bf16) => wireSum.prepare(device, { bf16 }).ready);
    await Promise.all([wirePack.prepare(device).ready, wireUnpack.prepare(device).ready, ...sums]);
  }

  of(piece: Piece): Dispatches {
    return this.#dispatches.get(piece) as Dispatches;
  }

  /** Where the numbers of a piece are, as they are sent. */
  sourceOf({ tensor, first, wire }: Piece): Place {
    return wire === 'bf16' ? { buffer: this.packed, at: 0 } : { buffer: tensor.buffer, at: tensor.offset + 4 * first };
  }

  free(): void {
    for (const buffer of [this.packed, this.received, this.summed]) this.#workspace.ledger.destroy(buffer);
  }

  #dispatchesOf({ tensor, first, count, wire, part }: Piece, weights: Tensor, parts: number): Dispatches {
    const { device } = this.#workspace;
    const bf16 = wire === 'bf16';
    const numbers = new Tensor([count], new Storage(tensor.buffer, tensor.offset + 4 * first, 4 * count));
    const [pack, unpack] = [wirePack.prepare(device), wireUnpack.prepare(device)];
    const sum = wireSum.prepare(device, { bf16 });
    const words = (parts * wireBytes(wire, part)) / 4;
    const whole = parts === weights.count;
    const summing = { x: this.received, weights, out: bf16 && whole ? this.packed : this.summed };
    return {
      pack: bf16 ? dispatch(pack, pack.bind({ x: numbers, out: this.packed }, { count })) : undefined,
      sum: dispatch(sum, sum.bind(summing, { ranks: weights.count, words })),
      unpack: bf16 ? dispatch(unpack, unpack.bind({ x: this.packed, out: numbers }, { count })) : undefined,
    };
  }
}

function dispatch<S extends ShaderSource>(kernel: Kernel<S>, record: DispatchRecord): Dispatch {
  return (pass) => kernel.encode(pass, record);
}
