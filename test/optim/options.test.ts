import { expect, it } from 'vitest';
import { Optimizer, type OptimizerOptions } from '../../src/optim/optimizer.ts';
import { FlatParameters, Workspace } from '../../src/tensor/index.ts';
import { testDevice } from '../gpu.ts';

it('numbers that no optimiser can work with are refused by name', async () => {
  const workspace = new Workspace(await testDevice());
  const layout = FlatParameters.layoutFor(workspace, [{ name: 'w', shape: [3] }]);
  const parameters = new FlatParameters(workspace, layout, { trainable: true });
  const fine: OptimizerOptions = { type: 'AdamW', lr: 1, betas: [0.9, 0.95], weight_decay: 0 };
  const making = (changed: object) => () => new Optimizer(workspace, parameters, { ...fine, ...changed });
  expect(making({ type: 'SGD' })).toThrow('optimizer: type is "SGD". Fix: give type one of: "AdamW", "Adam"');
  expect(making({ lr: 0 })).toThrow('lr is 0');
  expect(making({ betas: [0.9, 1] })).toThrow('betas are [0.9,1]');
  expect(making({ eps: 0 })).toThrow('eps is 0');
  expect(making({ weight_decay: -1 })).toThrow('weight_decay is -1');
  expect(making({ eps: 1e-6 })).not.toThrow();
  const muon = { type: 'Muon', matrix_lr: 0.02 };
  expect(making({ ...muon, type: 'AdamW' })).toThrow('matrix_lr is 0.02 with AdamW. Fix: leave it out');
  expect(making({ momentum: 0.9, type: 'Lion' })).toThrow('momentum is 0.9 with Lion');
  expect(making({ ...muon, matrix_lr: 0 })).toThrow('matrix_lr is 0. Fix: give a positive number');
  expect(making({ ...muon, momentum: 1 })).toThrow('momentum is 1. Fix: give a number in [0, 1)');
  expect(making({ warmup_steps: 1.5 })).toThrow('warmup_steps is 1.5. Fix: give a whole number of steps');
  expect(making({ warmup_steps: -1 })).toThrow('warmup_steps is -1');
  expect(making({ lr_decay: 'cosin' })).toThrow('lr_decay is "cosin". Fix: give lr_decay one of: "constant"');
  expect(making({ lr_decay: 'cosine' })).toThrow('lr_decay is cosine without lr_decay_steps. Fix: give the step');
  expect(making({ lr_final: 0.1 })).toThrow('lr_final is 0.1, but the rate does not fall. Fix: set lr_decay');
  expect(making({ lr_decay: 'constant', lr_decay_steps: 9 })).toThrow('lr_decay_steps is 9, but');
  const falling = { lr_decay: 'linear', lr_decay_steps: 9, warmup_steps: 8 };
  expect(making({ ...falling, warmup_steps: 9 })).toThrow('lr_decay_steps is 9 after 9 steps of warm-up');
  expect(making({ ...falling, lr_final: 1.5 })).toThrow('lr_final is 1.5. Fix: give a fraction of the rate');
  expect(making({ ...falling, lr_final: 0.5 })).not.toThrow();
  await workspace.dispose();
});

it('misspelt keys, missing ones and values of another type are refused by name', async () => {
  const workspace = new Workspace(await testDevice());
  const layout = FlatParameters.layoutFor(workspace, [{ name: 'w', shape: [3] }]);
  const parameters = new FlatParameters(workspace, layout, { trainable: true });
  const fine = { type: 'AdamW', lr: 1, betas: [0.9, 0.95], weight_decay: 0 };
  const making = (options: unknown) => () => new Optimizer(workspace, parameters, options as OptimizerOptions);
  expect(making({ ...fine, weightDecay: 0.1 })).toThrow(
    'optimizer: has no option weightDecay. Fix: write weight_decay; its options are: type, lr',
  );
  expect(making({})).toThrow('optimizer: type is missing');
  expect(making(undefined)).toThrow('optimizer: the options are missing. Fix: give an object of: type');
  expect(making({ ...fine, lr: '1' })).toThrow('lr is "1". Fix: give lr a finite number');
  expect(making({ ...fine, lr: Number.POSITIVE_INFINITY })).toThrow('lr is Infinity');
  workspace.dispose();
});
