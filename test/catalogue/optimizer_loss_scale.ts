import { clipScale } from '../../src/kernels/optimizer.ts';
import { type KernelCase, prepared } from './case.ts';

/** What a step comes with. */
interface Step {
  readonly name: string;
  /** Norm of the gradients, of the loss as it is. */
  readonly norm: number;
  readonly bad?: number;
  readonly loss?: number;
  readonly maxNorm?: number;
  /** scale, skipped, skips in all, sound steps since. */
  readonly state: readonly [number, number, number, number];
  readonly held?: 0 | 1;
  /** What is to come of it. */
  readonly after: readonly [number, number, number, number];
  readonly holds: 0 | 1;
}

function scaledClipCase(o: Step, extra: Partial<KernelCase> = {}): KernelCase {
  const { name, norm, bad = 0, loss = 0.5, maxNorm = 0, state, held = 0, after, holds } = o;
  return {
    kernel: 'clip_scale',
    name: `scaled loss, ${name}`,
    variant: 'loss scale',
    shape: [3],
    tolerance: 1e-6,
    toleranceFrom: 'f32 rounding of a sum of positive terms',
    flops: 6,
    bytes: 24,
    ...extra,
    prepare: (device) => {
      const squares = (norm * state[0]) ** 2;
      const partial = new Float32Array([squares / 4, 0, squares / 4, bad, squares / 2, 0]);
      const finite = bad === 0 && Number.isFinite(norm);
      const clipped = maxNorm === 0 ? 1 : finite ? Math.min(1, maxNorm / (norm + 1e-6)) : 0;
      return prepared(
        clipScale.prepare(device, { lossScale: true }),
        { groups: 3 },
        {
          inputs: {
            partial,
            limits: new Float32Array([maxNorm, loss]),
            clip: new Float32Array([0, 0, 0, held]),
            loss_scale: new Float32Array(state),
          },
          outputs: { clip: 4, loss_scale: 4 },
          oracle: () => ({ clip: [clipped / state[0], norm, bad, holds], loss_scale: [...after] }),
        },
      );
    },
  };
}

export const lossScaleCases: KernelCase[] = [
  scaledClipCase(
    { name: 'a sound step', norm: 3, maxNorm: 1, state: [1024, 0, 2, 7], after: [1024, 0, 2, 8], holds: 0 },
    { smoke: true },
  ),
  scaledClipCase({ name: 'the 2000th', norm: 3, state: [1024, 0, 2, 1999], after: [2048, 0, 2, 0], holds: 0 }),
  scaledClipCase({
    name: 'at most 2^24',
    norm: 3,
    state: [2 ** 24, 0, 0, 1999],
    after: [2 ** 24, 0, 0, 0],
    holds: 0,
  }),
  scaledClipCase({
    name: 'an overflow',
    norm: 5,
    bad: 2,
    maxNorm: 1,
    state: [1024, 0, 2, 7],
    after: [512, 1, 3, 0],
    holds: 1,
  }),
  scaledClipCase({ name: 'a step after it', norm: 5, state: [512, 1, 3, 0], held: 1, after: [512, 0, 3, 1], holds: 0 }),
  scaledClipCase({
    name: 'another overflow',
    norm: 5,
    bad: 1,
    state: [512, 1, 3, 0],
    held: 1,
    after: [256, 1, 4, 0],
    holds: 1,
  }),
  scaledClipCase({
    name: 'an overflow of a scale of 1',
    norm: 5,
    bad: 1,
    state: [1, 0, 3, 4],
    after: [1, 0, 3, 4],
    holds: 1,
  }),
  scaledClipCase({
    name: 'a loss that is not finite',
    norm: 5,
    bad: 1,
    loss: Number.POSITIVE_INFINITY,
    state: [512, 0, 3, 4],
    after: [512, 0, 3, 4],
    holds: 1,
  }),
  scaledClipCase({
    name: 'a step after one that was held for good',
    norm: 5,
    state: [512, 0, 3, 4],
    held: 1,
    after: [512, 0, 3, 4],
    holds: 1,
  }),
];
