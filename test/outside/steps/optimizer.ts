import { linear } from '../../../src/autograd/ops/linear.ts';
import { Tape } from '../../../src/autograd/tape.ts';
import { adamStep } from '../../../src/kernels/optimizer.ts';
import { type AdamSettings, adamHyper } from '../../../src/optim/hyper.ts';
import type { Tensor } from '../../../src/tensor/index.ts';
import { need } from '../case.ts';
import { filled, tensor } from '../tensors.ts';
import { at, read, type StepContext, type Steps } from './step.ts';

const GRADIENT = 'of the sum of x w^T + b by w [out, in] and b, x1 in the first step and x2 in the second';

/** Torch's AdamW is its Adam with a decay beside it, lr wd p, that the corrected step does not scale; the reference's is another. */
function hyperOf(type: 'Adam' | 'AdamW', settings: AdamSettings, step: number): Float32Array {
  if (type === 'Adam') return adamHyper('Adam', settings, step);
  const hyper = adamHyper('Adam', { ...settings, weightDecay: 0 }, step);
  hyper[DECAY] = (settings.lr * settings.weightDecay) / (hyper[0] as number);
  return hyper;
}

/** Where shaders/adam_step.wgsl has the decay. */
const DECAY = 7;

/** Steps of an optimiser on the weight and bias of a linear layer, whose gradients come from the tape. */
function adam(s: StepContext, type: 'Adam' | 'AdamW'): Map<string, Tensor> {
  const o = read(s, { lr: 0, beta1: 0, beta2: 0, eps: 0, weight_decay: 0, steps: 0, gradient: '' });
  need(o.gradient === GRADIENT, `a gradient ${o.gradient}`);
  need(s.inputs.length === 2 + o.steps && !s.tape.recording, `${o.steps} steps of ${s.inputs.length} tensors`);
  const { workspace } = s.tape;
  const [w, b] = [at(s, 0), at(s, 1)];
  const moments = [w, b].map((p) => [filled(s.tape, p.shape, 0), filled(s.tape, p.shape, 0)] as const);
  const clip = tensor(s.tape, [4], [1, 0, 0, 0]);
  for (let step = 1; step <= o.steps; step++) {
    const tape = new Tape(workspace, { record: true });
    const y = linear(tape, at(s, 1 + step), tape.watch(w), tape.watch(b));
    tape.backward(y, filled(tape, y.shape, 1));
    const settings = { lr: o.lr, beta1: o.beta1, beta2: o.beta2, eps: o.eps, weightDecay: o.weight_decay };
    const hyper = tensor(s.tape, [9], hyperOf(type, settings, step));
    [w, b].forEach((param, i) => {
      const [m, v] = moments[i] as readonly [Tensor, Tensor];
      const grad = tape.gradient(param);
      const kernel = adamStep.prepare(workspace.device);
      s.tape.run(kernel, { param, grad, m, v, hyper, clip }, { count: param.count, tensors: 0 });
    });
  }
  return new Map([
    ['w2', w],
    ['b2', b],
  ]);
}

export const optimizer: Steps = {
  adam: (s) => adam(s, 'Adam'),
  adamw: (s) => adam(s, 'AdamW'),
};
