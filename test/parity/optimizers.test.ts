import { afterAll, describe, it } from 'vitest';
import { Optimizer, type OptimizerOptions } from '../../src/optim/optimizer.ts';
import { type FlatBuffers, FlatParameters, Workspace } from '../../src/tensor/index.ts';
import { testDevice } from '../gpu.ts';
import { openFixture, ParityReport } from './fixtures.ts';

const OUTPUT = 2e-5; // the fixtures' own statement for outputs

const fixture = await openFixture('optimizers');
const report = new ParityReport('optimizers');

describe('parity: optimisers', () => {
  afterAll(() => report.print());
  for (const [kase, config] of Object.entries(fixture.config)) {
    const type = kase.split('_')[0] as OptimizerOptions['type'];
    it(kase, async () => {
      const workspace = new Workspace(await testDevice());
      const specs = [...fixture.group('start').keys()].map((name) => ({ name, shape: fixture.shape(`start/${name}`) }));
      const parameters = new FlatParameters(workspace, FlatParameters.layoutFor(workspace, specs), { trainable: true });
      parameters.values.write(fixture.group('start'));
      const optimizer = new Optimizer(workspace, parameters, { type, ...config });
      const clip = workspace.create('data', 'clip', [4]);
      workspace.stream.write(clip, new Float32Array([1, 0, 0, 0]));
      for (let step = 0; fixture.names.includes(`grad${step}/0`); step++) {
        (parameters.gradients as FlatBuffers).write(fixture.group(`grad${step}`));
        optimizer.update(clip);
        const ours = await parameters.values.read();
        for (const [name, theirs] of fixture.group(`${kase}/step${step}`))
          report.compare(kase, `step ${step} ${name}`, ours.get(name) ?? [], theirs, OUTPUT);
      }
      await workspace.dispose();
    });
  }
});
