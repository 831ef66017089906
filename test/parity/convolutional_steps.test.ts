import { afterAll, describe, expect, it } from 'vitest';
import { Tape } from '../../src/autograd/tape.ts';
import { WeightStore } from '../../src/nn/weights.ts';
import { count, type Tensor, Workspace } from '../../src/tensor/index.ts';
import { consistencyCoefficients, ROW } from '../../src/ucgm/consistency.ts';
import { objective } from '../../src/ucgm/objective.ts';
import { droppedLabels, OBJECTIVE_DEFAULTS, type ObjectiveOptions } from '../../src/ucgm/options.ts';
import { sample } from '../../src/ucgm/sampler.ts';
import { SAMPLING_DEFAULTS } from '../../src/ucgm/schedule.ts';
import { multiStepCoefficients, needsTeacher } from '../../src/ucgm/targets.ts';
import { Trainer } from '../../src/ucgm/trainer.ts';
import { testDevice } from '../gpu.ts';
import { gradientPairs, maskedTraining, networkOf, place } from './convolutional.ts';
import { type Fixture, openFixture, ParityReport } from './fixtures.ts';

// The fixtures' own statement of expected agreement in f32.
const OUTPUT = 2e-5;
const GRADIENT = 1e-4;
/** At lambda > 0: finite differences. */
const FEW = { target: 2e-4, gradient: 1e-3 };
const RUN = 1e-4;

const optionsOf = ({ teacher_scale: _, weight_funcion, ...rest }: { [key: string]: unknown }): ObjectiveOptions => ({
  ...OBJECTIVE_DEFAULTS,
  ...rest,
  weight_function: weight_funcion as 'Cosine',
  compat: 'reference',
});

/** One training step of a case, in training mode with the masks of the fixture. */
async function step(fixture: Fixture, report: ParityReport, prefix: string, kase: string): Promise<void> {
  const config = fixture.config[prefix];
  const options = optionsOf(config.cases[kase]);
  const few = options.consistc_ratio !== 0;
  const workspace = new Workspace(await testDevice());
  const network = networkOf(config);
  const store = new WeightStore(workspace, network);
  const [weights, teacher] = [store.trainable(0), store.frozen('teacher')];
  const start = fixture.group(`${prefix}/param`);
  place(workspace, network, weights, start);
  const scale = config.cases[kase].teacher_scale ?? 1;
  place(workspace, network, teacher, new Map([...start].map(([name, values]) => [name, values.map((v) => v * scale)])));
  place(workspace, network, weights, start); // buffers are shared, and not scaled
  workspace.beginStep();
  const put = (data: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>, shape: readonly number[]): Tensor => {
    const tensor = workspace.arena.alloc(shape);
    workspace.stream.write(tensor, data);
    return tensor;
  };
  const image = fixture.shape(`${prefix}/x`);
  const batch = image[0] as number;
  const times = fixture.f32(`${prefix}/t`);
  const labels = Uint32Array.from(fixture.f32(`${prefix}/c`));
  if (network.numClasses < 2) labels.fill(0);
  else labels.fill(network.numClasses, batch - droppedLabels(options.lab_drop_ratio, batch));
  if (network.numClasses >= 2) expect([...labels]).toEqual([...fixture.f32(`${prefix}/${kase}/c_used`)]);
  const own = multiStepCoefficients(options, times);
  const consistency = consistencyCoefficients(options, times);
  const online = maskedTraining(fixture, `${prefix}/mask0`);
  const apart = few && options.enhanced_ratio !== 0;
  const total = workspace.create('data', 'loss', [1]);
  const result = objective(
    new Tape(workspace, { record: true }),
    new Tape(workspace, { record: false }),
    network,
    weights,
    needsTeacher(options) ? teacher : undefined,
    options,
    {
      x: put(fixture.f32(`${prefix}/x`), image),
      z: put(fixture.f32(`${prefix}/z`), image),
      t: put(times, [batch]),
      y: put(labels, [batch]),
      yNull: put(new Uint32Array(batch).fill(network.numClasses >= 2 ? network.numClasses : 0), [batch]),
      path: put(own.path, [batch, 2]),
      target: put(own.target, [batch, 4]),
      weight: put(own.weight, [batch]),
      training: { online, teacher: apart ? maskedTraining(fixture, `${prefix}/mask1`) : online },
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
  const name = `${prefix} ${kase}`;
  const theirs = (what: string) => fixture.f32(`${prefix}/${kase}/${what}`);
  const target = few ? FEW.target : OUTPUT;
  report.compare(name, 'F_t', await workspace.read(result.velocity), theirs('F_t'), OUTPUT);
  report.compare(name, 'target', await workspace.read(result.target), theirs('target'), target);
  report.compare(name, 'loss', await workspace.read(total), theirs('loss'), target);
  result.backward();
  const gradients = await (weights.flat.gradients as NonNullable<typeof weights.flat.gradients>).read();
  for (const [what, ours, expected] of gradientPairs(gradients, fixture.group(`${prefix}/${kase}/grad`)))
    report.compare(name, what, ours, expected, few ? FEW.gradient : GRADIENT);
  await workspace.dispose();
}

for (const file of ['unetplus', 'edm2']) {
  const fixture = await openFixture(file);
  const report = new ParityReport(`${file} steps`);
  describe(`parity: training and sampling of ${file}`, () => {
    afterAll(() => report.print());
    for (const [prefix, config] of Object.entries(fixture.config)) {
      if (config.kind !== 'steps') continue;
      for (const kase of Object.keys(config.cases))
        it(`${prefix} ${kase}`, async () => step(fixture, report, prefix, kase));

      for (const [kase, options] of Object.entries(config.samples ?? {}))
        it(`${prefix} sample ${kase}`, async () => {
          const workspace = new Workspace(await testDevice());
          const network = networkOf(config);
          const weights = new WeightStore(workspace, network).trainable(0);
          place(workspace, network, weights, fixture.group(`${prefix}/param`));
          const z = fixture.f32(`${prefix}/sample/z`);
          const labels = Uint32Array.from(fixture.f32(`${prefix}/sample/y`));
          if (network.numClasses < 2) labels.fill(0);
          const theirs = fixture.f32(`${prefix}/sample/${kase}/samples`);
          const how = { ...SAMPLING_DEFAULTS, compat: 'reference' as const, ...(options as object) };
          const { all } = await sample(workspace, network, weights, 'EDM', how, {
            noise: z,
            labels,
            stepNoise: () => new Float32Array(z.length),
            keepAll: true,
          });
          const one = count(fixture.shape(`${prefix}/sample/z`));
          const twice = theirs.length / all.length / one; // under guidance their batch holds everything twice
          const ours = all.flatMap((part) => [...part]);
          const first = ours.map((_, i) => theirs[Math.floor(i / one) * twice * one + (i % one)] as number);
          report.compare(`${prefix} sample ${kase}`, 'samples', ours, first, OUTPUT);
          await workspace.dispose();
        });

      const { run } = config;
      if (!run) continue;
      it(`${prefix} run of ${run.steps}`, async () => {
        const workspace = new Workspace(await testDevice());
        const network = networkOf({ ...config, dropout: run.dropout });
        const batch = fixture.shape(`${prefix}/run/step0/x`)[0] as number;
        const trainer = new Trainer(workspace, network, batch, {
          objective: optionsOf(run.transport),
          optimizer: { type: run.optimizer, ...run.optimizer_args },
          emaDecay: run.ema_decay,
          maxGradNorm: null,
          seed: 0,
        });
        const start = fixture.group(`${prefix}/param`);
        for (const weights of [trainer.weights, trainer.average]) place(workspace, network, weights, start);
        for (let i = 0; i < run.steps; i++) {
          const given = (name: string) => fixture.f32(`${prefix}/run/step${i}/${name}`);
          await trainer.train({ x: given('x'), z: given('z'), t: given('t'), labels: new Uint32Array(batch) });
        }
        const name = `${prefix} run`;
        const metrics = await trainer.metrics();
        const losses = metrics.map(({ loss }) => loss);
        report.compare(name, 'losses', losses, fixture.f32(`${prefix}/run/losses`), RUN);
        for (const [what, values] of [
          ['final', trainer.weights.flat.values],
          ['ema', trainer.average.flat.values],
        ] as const) {
          const ours = await values.read();
          for (const [parameter, theirs] of fixture.group(`${prefix}/run/${what}`))
            if (ours.has(parameter))
              report.compare(name, `${what} ${parameter}`, ours.get(parameter) ?? [], theirs, RUN);
        }
        await trainer.free();
        await workspace.dispose();
      });
    }
  });
}
