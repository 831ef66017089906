import { afterAll, describe, it } from 'vitest';
import { Tape } from '../../src/autograd/tape.ts';
import { WeightStore } from '../../src/nn/weights.ts';
import { Workspace } from '../../src/tensor/index.ts';
import { guidedVelocity } from '../../src/ucgm/guidance.ts';
import { testDevice } from '../gpu.ts';
import { gradientPairs, maskedTraining, networkOf, place } from './convolutional.ts';
import { openFixture, ParityReport } from './fixtures.ts';

// The fixtures' own statement of expected agreement in f32.
const OUTPUT = 2e-5;
const GRADIENT = 1e-4;

for (const file of ['unetplus', 'edm2']) {
  const fixture = await openFixture(file);
  const report = new ParityReport(file);
  describe(`parity: ${file}`, () => {
    afterAll(() => report.print());
    for (const [kase, config] of Object.entries(fixture.config)) {
      if (config.kind !== 'network') continue;
      for (const mode of config.train ? ['eval', 'train'] : ['eval'])
        it(`${kase} ${mode}`, async () => {
          const workspace = new Workspace(await testDevice());
          const network = networkOf(config);
          const weights = new WeightStore(workspace, network).trainable(0);
          place(workspace, network, weights, fixture.group(`${kase}/param`));
          const from = mode === 'train' ? `${kase}/train` : kase;
          workspace.beginStep();
          const [x, t, y, cotangent] = ['x', 't', 'y', 'cotangent'].map((name) => {
            const tensor = workspace.arena.alloc(fixture.shape(`${kase}/${name}`));
            const data = fixture.f32(`${kase}/${name}`);
            workspace.stream.write(tensor, name === 'y' ? Uint32Array.from(data) : data);
            return tensor;
          }) as [never, never, never, never];
          const tape = new Tape(workspace, { record: true });
          tape.watch(x);
          const training = mode === 'train' ? maskedTraining(fixture, `${from}/mask0`) : undefined;
          const out = network.forward(tape, weights, x, t, y, undefined, training);
          report.compare(`${kase} ${mode}`, 'out', await workspace.read(out), fixture.f32(`${from}/out`), OUTPUT);
          tape.backward(out, cotangent);
          const gradX = await workspace.read(tape.gradient(x));
          report.compare(`${kase} ${mode}`, 'grad_x', gradX, fixture.f32(`${from}/grad_x`), GRADIENT);
          const ours = await (weights.flat.gradients as NonNullable<typeof weights.flat.gradients>).read();
          for (const [name, own, theirs] of gradientPairs(ours, fixture.group(`${from}/grad`)))
            report.compare(`${kase} ${mode}`, name, own, theirs, GRADIENT);
          const after = fixture.group(`${from}/param_after`);
          if (after.size > 0) {
            const free = workspace.create('data', 'clip', [4]);
            network.force?.(workspace, weights, free);
            const forced = await weights.flat.values.read();
            for (const [name, theirs] of after)
              if (forced.has(name))
                report.compare(`${kase} ${mode}`, `forced ${name}`, forced.get(name) ?? [], theirs, OUTPUT);
          }
          await workspace.dispose();
        });

      if (!config.cfg) continue;
      it(`${kase} guidance`, async () => {
        const { cfg_scale, cfg_interval, t_in, t_outside } = config.cfg;
        const workspace = new Workspace(await testDevice());
        const network = networkOf(config);
        const weights = new WeightStore(workspace, network).trainable(0);
        place(workspace, network, weights, fixture.group(`${kase}/param`));
        const shape = fixture.shape(`${kase}/x`);
        const batch = shape[0] as number;
        for (const [name, time] of [
          ['out_in', t_in],
          ['out_outside', t_outside],
        ] as const) {
          workspace.beginStep();
          const x = workspace.arena.alloc(shape);
          workspace.stream.write(x, fixture.f32(`${kase}/x`));
          const labels = workspace.arena.alloc([2 * batch]);
          const y = new Uint32Array(2 * batch).fill(network.numClasses);
          y.set(Uint32Array.from(fixture.f32(`${kase}/y`)));
          workspace.stream.write(labels, y);
          const times = workspace.arena.alloc([2 * batch]);
          const tape = new Tape(workspace, { record: false });
          const guidance = { scale: cfg_scale, interval: cfg_interval } as const;
          const out = guidedVelocity(tape, network, weights, guidance, x, time, labels, times);
          const theirs = fixture.f32(`${kase}/cfg/${name}`);
          report.compare(`${kase} guidance`, name, await workspace.read(out), theirs, OUTPUT);
        }
        await workspace.dispose();
      });
    }
  });
}
