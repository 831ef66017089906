import { encodeSafetensors, parseSafetensors, type Safetensors, toFloat32 } from '../io/safetensors.ts';
import { type HostTensor, restoreTrainer, type TrainerState, trainerState } from '../ucgm/checkpoint.ts';
import type { Trainer } from '../ucgm/trainer.ts';
import { checkSound } from './sound.ts';
import type { RunStore } from './store.ts';

/** Writes the trainer's whole state as a checkpoint and removes old ones. @throws NonFiniteError, before anything is written; IoError. */
export async function saveCheckpoint(trainer: Trainer, store: RunStore, keep: number): Promise<void> {
  const state = await trainerState(trainer);
  await store.writeCheckpoint(trainer.step, state);
  await store.prune(keep);
}

/** The trainer's whole state as the bytes of a checkpoint. @throws as trainerState. */
export async function checkpointBytes(trainer: Trainer): Promise<Uint8Array<ArrayBuffer>> {
  const { tensors, metadata } = await trainerState(trainer);
  return joined(encodeSafetensors(tensors, metadata));
}

/** Chunks of a file as one array. */
export function joined(chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0));
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
}

/** The state that a checkpoint holds: its bytes, or what was read of them. @throws IoError that names `where`. */
export function stateOf(checkpoint: Uint8Array | Safetensors, where: string): TrainerState {
  const { tensors: raw, metadata } =
    checkpoint instanceof Uint8Array ? parseSafetensors(checkpoint, where) : checkpoint;
  const tensors = new Map<string, HostTensor>();
  for (const [name, tensor] of raw) tensors.set(name, { shape: tensor.shape, data: toFloat32(tensor) });
  return { tensors, metadata };
}

/** What is to be said while a trainer is put into a run's newest state. */
export interface ResumeNotes {
  note(text: string): void;
  warn(text: string): void;
}

/**
 * Puts a trainer into the newest state that a run holds; a run without one begins anew.
 * @throws RunError for a checkpoint with numbers that are not finite, OptionError for one of another network, IoError.
 */
export async function resumeTrainer(trainer: Trainer, store: RunStore, say: ResumeNotes): Promise<void> {
  const latest = await store.latestCheckpoint();
  if (!latest) {
    say.note('no checkpoint yet: starting from the first step');
    return;
  }
  latest.warnings.forEach(say.warn);
  const state = stateOf(latest, latest.where);
  const before = (await store.checkpoints()).findLast((step) => step < latest.step);
  const then = before === undefined ? 'starts anew' : `goes on from step ${before}`;
  const values = [...state.tensors].map(([name, { data }]) => [name, data] as const);
  checkSound(latest.where, values, `remove this file: the run then ${then}`);
  restoreTrainer(trainer, state);
  say.note(`resumed at step ${trainer.step}`);
}
