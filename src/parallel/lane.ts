import type { DispatchRecord, Kernel, ShaderSource } from '../kernel/index.ts';
import { Storage, Tensor, type Workspace } from '../tensor/index.ts';
import type { Communicator } from './communicator.ts';
import type { Piece } from './pieces.ts';

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

/** A kernel with what it runs on. */
export function dispatch<S extends ShaderSource>(kernel: Kernel<S>, record: DispatchRecord): Dispatch {
  return (pass) => kernel.encode(pass, record);
}

/** A piece's numbers, where its gradients are. */
export function numbersOf({ tensor, first, count }: Piece): Tensor {
  return new Tensor([count], new Storage(tensor.buffer, tensor.offset + 4 * first, 4 * count));
}

/** A buffer of the device that a piece goes through. */
export function laneBuffer({ workspace, name }: LaneUse, label: string, bytes: number): GPUBuffer {
  return workspace.ledger.create('staging', `${label} ${name}`, bytes, 0x80 | 0x4 | 0x8); // STORAGE, COPY_SRC, COPY_DST
}
