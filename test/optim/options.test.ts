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
