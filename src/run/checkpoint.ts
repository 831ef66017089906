import { toFloat32 } from '../io/safetensors.ts';
import { type HostTensor, restoreTrainer, trainerState } from '../ucgm/checkpoint.ts';
import type { Trainer } from '../ucgm/trainer.ts';
import { checkSound } from './sound.ts';
import type { RunStore } from './store.ts';

/** Writes the trainer's whole state as a checkpoint and removes old ones. @throws NonFiniteError, before anything is written; IoError. */
export async function saveCheckpoint(trainer: Trainer, store: RunStore, keep: number): Promise<void> {
  const state = await trainerState(trainer);
  await store.writeCheckpoint(trainer.step, state);
  await store.prune(keep);
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
  const tensors = new Map<string, HostTensor>();
  for (const [name, tensor] of latest.tensors) tensors.set(name, { shape: tensor.shape, data: toFloat32(tensor) });
  const before = (await store.checkpoints()).findLast((step) => step < latest.step);
  const then = before === undefined ? 'starts anew' : `goes on from step ${before}`;
  const values = [...tensors].map(([name, { data }]) => [name, data] as const);
  checkSound(latest.where, values, `remove this file: the run then ${then}`);
  restoreTrainer(trainer, { tensors, metadata: latest.metadata });
  say.note(`resumed at step ${trainer.step}`);
}
