import { outerStep } from '../../src/kernels/optimizer.ts';
import { nesterov } from '../reference/optimizer.ts';
import { type KernelCase, prepared } from './case.ts';
import { type Extra, padded, randn, repadded } from './optimizer_data.ts';

export function outerStepCase(count: number, lr: number, momentum: number, extra: Extra = {}): KernelCase {
  return {
    kernel: 'outer_step',
    name: `${count}, lr ${lr}, momentum ${momentum}`,
    variant: 'outer_step',
    shape: [count],
    tolerance: 4e-7,
    toleranceFrom: 'f32 rounding of six operations',
    flops: count * 6,
    bytes: count * 28,
    ...extra,
    prepare: (device) => {
      const [param, start, m, grad] = [13, 14, 15, 16].map((seed) => randn(count, seed)) as [
        Float32Array<ArrayBuffer>,
        Float32Array<ArrayBuffer>,
        Float32Array<ArrayBuffer>,
        Float32Array<ArrayBuffer>,
      ];
      const hyper = new Float32Array([lr, momentum]);
      const inputs = { param: padded(param), start: padded(start), m: padded(m), grad: padded(grad), hyper };
      const { length } = inputs.param;
      return prepared(
        outerStep.prepare(device),
        { count },
        {
          inputs,
          outputs: { param: length, start: length, m: length },
          oracle: () => {
            const next = nesterov({ param: start, m }, grad, hyper[0] as number, hyper[1] as number);
            return { param: repadded(next.param), start: repadded(next.param), m: repadded(next.m) };
          },
        },
      );
    },
  };
}
