import { afterAll, describe, expect, it } from 'vitest';
import { createNetwork } from '../../src/models/registry.ts';
import { Workspace } from '../../src/tensor/index.ts';
import { OBJECTIVE_DEFAULTS } from '../../src/ucgm/options.ts';
import { Trainer } from '../../src/ucgm/trainer.ts';
import { testDevice } from '../gpu.ts';
import { openFixture, ParityReport, trained } from './fixtures.ts';

// Twenty steps feed rounding back into the weights: the fixtures' own statement for losses, and the same for the weights.
const RUN = 1e-3;

const fixture = await openFixture('training_run');
const report = new ParityReport('training_run');

describe('parity: a training run', () => {
  afterAll(() => report.print());
  for (const [kase, begin] of [
    ['multi', 'start'],
    ['few', 'multi/ema'],
  ] as const) {
    if (!(kase in fixture.config)) continue; // of a choice of the fixtures
    it(kase, async () => {
      const { steps, optimizer, optimizer_args, transport, ema_decay, max_grad_norm } = fixture.config[kase];
      const { weight_funcion, ...objective } = transport;
      const workspace = new Workspace(await testDevice());
      const image = fixture.shape(`${kase}/step0/x`);
      const trainer = new Trainer(workspace, createNetwork('TiT', fixture.config.model), image[0] as number, {
        objective: { ...OBJECTIVE_DEFAULTS, ...objective, weight_function: weight_funcion, compat: 'reference' },
        optimizer: { type: optimizer, ...optimizer_args },
        emaDecay: ema_decay,
        maxGradNorm: max_grad_norm,
        seed: 0,
      });
      const start = trained(fixture.group(begin));
      trainer.weights.flat.values.write(start);
      trainer.average.flat.values.write(start);
      for (let step = 0; step < steps; step++) {
        const batch = (name: string) => fixture.f32(`${kase}/step${step}/${name}`);
        await trainer.train({ x: batch('x'), z: batch('z'), t: batch('t'), labels: Uint32Array.from(batch('c')) });
      }
      const metrics = await trainer.metrics();
      const losses = fixture.f32(`${kase}/losses`);
      expect(metrics).toHaveLength(steps);
      report.compare(
        kase,
        'losses',
        metrics.map((m) => m.loss),
        losses,
        RUN,
      );
      for (const [what, values] of [
        ['final', trainer.weights.flat.values],
        ['ema', trainer.average.flat.values],
      ] as const) {
        const ours = await values.read();
        for (const [name, theirs] of trained(fixture.group(`${kase}/${what}`)))
          report.compare(kase, `${what} ${name}`, ours.get(name) ?? [], theirs, RUN);
      }
      await trainer.free();
      await workspace.dispose();
    });
  }
});
