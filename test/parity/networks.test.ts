import { afterAll, describe, it } from 'vitest';
import { Tape } from '../../src/autograd/tape.ts';
import { createNetwork } from '../../src/models/registry.ts';
import { WeightStore } from '../../src/nn/weights.ts';
import { Workspace } from '../../src/tensor/index.ts';
import { guidedVelocity } from '../../src/ucgm/guidance.ts';
import { testDevice } from '../gpu.ts';
import { openFixture, ParityReport, trained } from './fixtures.ts';

// f32 against f32 of another summation order: the fixtures' own statement of expected agreement.
const OUTPUT = 2e-5;
const GRADIENT = 1e-4;

const fixture = await openFixture('networks');
const report = new ParityReport('networks');

/** The reference's DDT has names of its own for depth and heads. */
function ours({ num_blocks, num_groups, ...config }: { [key: string]: unknown }): Parameters<typeof createNetwork>[1] {
  return { ...config, ...(num_blocks !== undefined && { depth: num_blocks, num_heads: num_groups }) } as never;
}

describe('parity: networks', () => {
  afterAll(() => report.print());
  for (const [kase, { class_, ...given }] of Object.entries(fixture.config)) {
    const config = ours(given);
    it(kase, async () => {
      const workspace = new Workspace(await testDevice());
      const network = createNetwork(class_, config);
      const store = new WeightStore(workspace, network);
      const weights = store.trainable(0);
      weights.flat.values.write(trained(fixture.group(`${kase}/param`)));

      workspace.beginStep();
      const [x, t, y, cotangent] = ['x', 't', 'y', 'cotangent'].map((name) => {
        const tensor = workspace.arena.alloc(fixture.shape(`${kase}/${name}`));
        const data = fixture.f32(`${kase}/${name}`);
        workspace.stream.write(tensor, name === 'y' ? Uint32Array.from(data) : data);
        return tensor;
      }) as [never, never, never, never];
      const tape = new Tape(workspace, { record: true });
      tape.watch(x);
      const out = network.forward(tape, weights, x, t, y);
      report.compare(kase, 'out', await workspace.read(out), fixture.f32(`${kase}/out`), OUTPUT);
      tape.backward(out, cotangent);
      report.compare(kase, 'grad_x', await workspace.read(tape.gradient(x)), fixture.f32(`${kase}/grad_x`), GRADIENT);
      const ours = await (weights.flat.gradients as NonNullable<typeof weights.flat.gradients>).read();
      for (const [name, theirs] of fixture.group(`${kase}/grad`)) {
        report.compare(kase, name, ours.get(name) ?? [], theirs, GRADIENT);
      }
      await workspace.dispose();
    });

    if (!fixture.names.includes(`${kase}/cfg/out_in`)) continue;
    it(`${kase} guidance`, async () => {
      const workspace = new Workspace(await testDevice());
      const network = createNetwork(class_, config);
      const weights = new WeightStore(workspace, network).trainable(0);
      weights.flat.values.write(trained(fixture.group(`${kase}/param`)));
      const shape = fixture.shape(`${kase}/x`);
      const batch = shape[0] as number;
      for (const [name, time] of [
        ['out_in', 0.4],
        ['out_outside', 0.9],
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
        const guidance = { scale: 2.5, interval: [0, 0.75], channels: network.referenceGuidedChannels } as const;
        const out = guidedVelocity(tape, network, weights, guidance, x, time, labels, times);
        // The reference returns the batch twice: guided in both halves.
        const theirs = fixture.f32(`${kase}/cfg/${name}`).subarray(0, out.count);
        report.compare(kase, `guidance ${name}`, await workspace.read(out), theirs, OUTPUT);
      }
      await workspace.dispose();
    });
  }
});
