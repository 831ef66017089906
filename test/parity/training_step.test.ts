import { afterAll, describe, expect, it } from 'vitest';
import { Tape } from '../../src/autograd/tape.ts';
import { createNetwork } from '../../src/models/registry.ts';
import { WeightStore } from '../../src/nn/weights.ts';
import { type Tensor, Workspace } from '../../src/tensor/index.ts';
import { consistencyCoefficients, ROW } from '../../src/ucgm/consistency.ts';
import { objective } from '../../src/ucgm/objective.ts';
import { droppedLabels, OBJECTIVE_DEFAULTS, type ObjectiveOptions } from '../../src/ucgm/options.ts';
import { multiStepCoefficients, needsTeacher } from '../../src/ucgm/targets.ts';
import { testDevice } from '../gpu.ts';
import { openFixture, ParityReport, trained } from './fixtures.ts';

// The fixtures' own statement of expected agreement in f32.
const OUTPUT = 2e-5;
const GRADIENT = 1e-4;
const DIFFERENCE = 1e-3; // targets, losses and so gradients at lambda > 0: finite differences

const fixture = await openFixture('training_step');
const report = new ParityReport('training_step');
const { model, ...cases } = fixture.config;

describe('parity: one training step', () => {
  afterAll(() => report.print());
  for (const [kase, config] of Object.entries(cases)) {
    it(kase, async () => {
      const { weight_funcion, ...rest } = config;
      const options: ObjectiveOptions = {
        ...OBJECTIVE_DEFAULTS,
        ...rest,
        weight_function: weight_funcion,
        compat: 'reference',
      };
      const few = options.consistc_ratio !== 0;
      const workspace = new Workspace(await testDevice());
      const network = createNetwork('TiT', model);
      const weights = new WeightStore(workspace, network).trainable(0);
      weights.flat.values.write(trained(fixture.group('model/param')));
      workspace.beginStep();
      const put = (data: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>, shape: readonly number[]): Tensor => {
        const tensor = workspace.arena.alloc(shape);
        workspace.stream.write(tensor, data);
        return tensor;
      };
      const image = fixture.shape('batch/x');
      const batch = image[0] as number;
      const times = fixture.f32('batch/t');
      const labels = Uint32Array.from(fixture.f32('batch/c'));
      labels.fill(network.numClasses, batch - droppedLabels(options.lab_drop_ratio, batch));
      expect([...labels]).toEqual([...fixture.f32(`${kase}/c_used`)]);
      const coefficients = multiStepCoefficients(options, times);
      const consistency = consistencyCoefficients(options, times);
      const total = workspace.create('data', 'loss', [1]);
      const result = objective(
        new Tape(workspace, { record: true }),
        new Tape(workspace, { record: false }),
        network,
        weights,
        needsTeacher(options) ? weights : undefined, // every teacher equals the online weights at the first step
        options,
        {
          x: put(fixture.f32('batch/x'), image),
          z: put(fixture.f32('batch/z'), image),
          t: put(times, [batch]),
          y: put(labels, [batch]),
          yNull: put(new Uint32Array(batch).fill(network.numClasses), [batch]),
          path: put(coefficients.path, [batch, 2]),
          target: put(coefficients.target, [batch, 4]),
          weight: put(coefficients.weight, [batch]),
          ...(few && {
            consistency: {
              rows: put(consistency.rows, [batch, ROW.stride]),
              first: put(consistency.first, [batch]),
              second: put(consistency.second, [batch]),
            },
          }),
        },
        { values: total, slot: 0 },
      );
      report.compare(kase, 'F_t', await workspace.read(result.velocity), fixture.f32(`${kase}/F_t`), OUTPUT);
      report.compare(
        kase,
        'target',
        await workspace.read(result.target),
        fixture.f32(`${kase}/target`),
        few ? DIFFERENCE : OUTPUT,
      );
      report.compare(kase, 'loss', await workspace.read(total), fixture.f32(`${kase}/loss`), few ? DIFFERENCE : OUTPUT);
      result.backward();
      const ours = await (weights.flat.gradients as NonNullable<typeof weights.flat.gradients>).read();
      for (const [name, theirs] of fixture.group(`${kase}/grad`))
        report.compare(kase, name, ours.get(name) ?? [], theirs, few ? DIFFERENCE : GRADIENT);
      await workspace.dispose();
    });
  }
});
