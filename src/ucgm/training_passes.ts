import { dropout } from '../autograd/ops/dropout.ts';
import type { Training } from '../nn/network.ts';
import type { Tensor } from '../tensor/index.ts';
import type { TrainingPasses } from './objective.ts';
import type { ObjectiveOptions } from './options.ts';

/** Layers of the teacher are counted from here, where it drops others than the network in training. */
const TEACHER = 2 ** 16;

/**
 * The passes of a trainer's steps. `key` u32 [4] is written before each: masks are functions of it, of the layer and of the sample in the
 * whole batch, `firstSample` of which come before. The network's passes of a step drop the same, and so does its teacher; only where
 * lambda and zeta are both set the teacher drops others, as in the reference.
 */
export function trainingPasses(key: Tensor, firstSample: number, options: ObjectiveOptions): TrainingPasses {
  const from = (first: number): Training => ({
    dropout: (tape, x, rate, layer) => dropout(tape, x, rate, { key, layer: first + layer, firstSample }),
  });
  const online = from(0);
  const apart = options.consistc_ratio !== 0 && options.enhanced_ratio !== 0;
  return { online, teacher: apart ? from(TEACHER) : online };
}
