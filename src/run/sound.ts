import { RunError } from './errors.ts';
import { firstNotFiniteTensor } from './finite.ts';

/** @throws RunError that names the first tensor of a file that holds a NaN or an infinity. */
export function checkSound(
  where: string,
  tensors: Iterable<readonly [name: string, values: Float32Array]>,
  fix: string,
): void {
  const stray = firstNotFiniteTensor(tensors);
  if (stray) throw new RunError(`${where}: ${stray.name} holds ${stray.value} (element ${stray.index})`, fix);
}

/** What to do about weights that are not numbers. */
export const USE_SOUND_WEIGHTS =
  'use weights from before the training diverged: an earlier checkpoint, or a run with a lower --lr';
