import type { Owner } from './owner.ts';

/** What a step needs, which grows with the batch; all else grows with the model. */
const OF_A_STEP: readonly Owner[] = ['arena', 'data', 'staging'];

type Bytes = Readonly<Record<Owner, number>>;

/** Who holds memory, the greatest first: `arena 4096, parameter 512`. */
export function heldBy(bytes: Bytes): string {
  const held = Object.entries(bytes).filter(([, size]) => size > 0);
  return held
    .sort(([, a], [, b]) => b - a)
    .map(([owner, size]) => `${owner} ${size}`)
    .join(', ');
}

/** What to do where memory is short, by who holds most of it. */
export function whatHelps(bytes: Bytes): string {
  const total = Object.values(bytes).reduce((sum, size) => sum + size, 0);
  const step = OF_A_STEP.reduce((sum, owner) => sum + bytes[owner], 0);
  const percent = (size: number) => `${Math.round((100 * size) / Math.max(1, total))}%`;
  return 2 * step >= total
    ? `a smaller batch (a step's tensors take ${percent(step)}, and grow with it), or gradient_checkpointing`
    : `a smaller model (weights, gradients, moments and averages take ${percent(total - step)}), or an optimiser with fewer moments`;
}
