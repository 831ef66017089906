import { adamStep } from '../../../src/kernels/optimizer.ts';
import type { Tensor } from '../../../src/tensor/index.ts';
import { need } from '../case.ts';
import { scale, tensor } from '../tensors.ts';
import type { Adapters, Context } from './context.ts';

/** ONNX's Adam: eps is added to sqrt(v) as it is, and the step is corrected, except in step 0. */
function adam(c: Context): Tensor[] {
  const o = c.attributes({ alpha: 0.9, beta: 0.999, epsilon: 1e-6, norm_coefficient: 0, norm_coefficient_post: 0 });
  const rate = c.host(0).data[0] as number;
  const [step] = c.integers(1) as [number];
  const size = step > 0 ? (rate * Math.sqrt(1 - o.beta ** step)) / (1 - o.alpha ** step) : rate;
  const tensors = (c.case.inputs.length - 2) / 4;
  need(Number.isInteger(tensors), `${c.case.inputs.length} inputs`);
  const moments = [o.alpha, 1 - o.alpha, o.beta, 1 - o.beta];
  const hyper = tensor(c.tape, [9], [size, ...moments, o.epsilon, o.norm_coefficient, 0, 1]);
  const clip = tensor(c.tape, [4], [1, 0, 0, 0]);
  const updated = Array.from({ length: tensors }, (_, i) => {
    const [param, grad, m, v] = [0, 1, 2, 3].map((part) => c.input(2 + part * tensors + i)) as [
      Tensor,
      Tensor,
      Tensor,
      Tensor,
    ];
    const kernel = adamStep.prepare(c.tape.workspace.device);
    c.tape.run(kernel, { param, grad, m, v, hyper, clip }, { count: param.count, tensors: 0 });
    const post = o.norm_coefficient_post;
    return [post === 0 ? param : scale(c.tape, param, 1 - post), m, v] as const;
  });
  return [0, 1, 2].flatMap((part) => updated.map((u) => u[part] as Tensor));
}

export const optimizer: Adapters = { Adam: adam };
