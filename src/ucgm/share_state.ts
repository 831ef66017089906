import { randomConstants } from '../nn/tables.ts';
import { broadcastText } from '../parallel/agree.ts';
import type { Communicator } from '../parallel/communicator.ts';
import type { FlatBuffers } from '../tensor/index.ts';
import { ownNumbers } from './checkpoint.ts';
import { takeConstants } from './constants.ts';
import type { Trainer } from './trainer.ts';

/** The numbers of a trainer's state that are on the host. */
interface Numbers {
  /** Whether it is another state than the one in which every rank begins by itself. */
  readonly other: boolean;
  readonly step: number;
  readonly optimizerStep: number;
  readonly cmd: number;
  readonly ahead: boolean;
  readonly began: number;
}

/**
 * Gives the trainers of all ranks the state of rank 0's, where that was restored or started from given weights. Called on every rank.
 * @param given whether it was given weights: rank 0's word counts.
 */
export async function shareState(trainer: Trainer, ranks: Communicator, given: boolean): Promise<void> {
  if (ranks.size === 1) return;
  const { optimizer, teacher, workspace } = trainer;
  const own: Numbers = {
    other: given || trainer.step > 0,
    step: trainer.step,
    optimizerStep: optimizer.step,
    cmd: teacher?.cmd ?? 0, // a double is printed so that it reads back exactly
    ahead: teacher?.ahead ?? false,
    began: trainer.learner.roundBegan,
  };
  const first = JSON.parse(await broadcastText(ranks, JSON.stringify(own))) as Numbers;
  if (!first.other) return;
  for (const buffers of trainer.groups().values()) await shareBuffers(buffers, ranks);
  for (const [, tensor] of ownNumbers(trainer)) {
    const values = ranks.rank === 0 ? await workspace.read(tensor) : new Float32Array(tensor.count);
    await ranks.broadcast(new Uint8Array(values.buffer));
    workspace.stream.write(tensor, values);
  }
  const constants = new Map([...randomConstants(trainer.network)].map(([name, data]) => [name, data.slice()]));
  for (const data of constants.values()) await ranks.broadcast(new Uint8Array(data.buffer));
  takeConstants(trainer, (name) => constants.get(name));
  if (ranks.rank > 0) trainer.restored(first.step, first.optimizerStep, first.cmd, first.ahead, first.began);
}

async function shareBuffers(buffers: FlatBuffers, ranks: Communicator): Promise<void> {
  for (const [i, chunk] of buffers.chunks.entries()) {
    const values = ranks.rank === 0 ? await buffers.readChunk(i) : new Float32Array(chunk.count);
    await ranks.broadcast(new Uint8Array(values.buffer));
    if (ranks.rank > 0) buffers.writeChunk(i, 0, values);
  }
}
