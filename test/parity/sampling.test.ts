import { afterAll, describe, it } from 'vitest';
import { createNetwork } from '../../src/models/registry.ts';
import { WeightStore } from '../../src/nn/weights.ts';
import { count, Workspace } from '../../src/tensor/index.ts';
import { sample } from '../../src/ucgm/sampler.ts';
import { SAMPLING_DEFAULTS, type SamplingOptions, timeGrid } from '../../src/ucgm/schedule.ts';
import { transportNamed } from '../../src/ucgm/transport.ts';
import { testDevice } from '../gpu.ts';
import { openFixture, ParityReport, trained } from './fixtures.ts';

// f32 against f32 of another summation order, over all steps of a run: the fixtures' own statement for outputs.
const OUTPUT = 2e-5;
// A second-order step multiplies the velocity at t' by g(t') a(t) / 2 g(t), and with it the last bits of two implementations.
const LAST_BITS = 2 ** -22;

const fixture = await openFixture('sampling');
const report = new ParityReport('sampling');
const { model, ...cases } = fixture.config;

describe('parity: sampling', () => {
  afterAll(() => report.print());
  for (const [kase, { transport_type, ...config }] of Object.entries(cases)) {
    it(kase, async () => {
      const workspace = new Workspace(await testDevice());
      const network = createNetwork('TiT', model);
      const weights = new WeightStore(workspace, network).frozen('weights');
      weights.flat.values.write(trained(fixture.group('model/param')));
      const noise = fixture.f32('input/noise');
      const one = count(fixture.shape('input/z'));
      const options = optionsOf(config);
      const { all } = await sample(workspace, network, weights, transport_type, options, {
        noise: fixture.f32('input/z'),
        labels: Uint32Array.from(fixture.f32('input/y')),
        stepNoise: (step) => noise.slice(step * one, (step + 1) * one),
        keepAll: true,
      });
      const ours = Float32Array.from(all.flatMap((part) => [...part]));
      report.compare(
        kase,
        'samples',
        ours,
        firstOfTwice(fixture.f32(`${kase}/samples`), ours.length, all.length),
        tolerance(options, transport_type),
      );
      await workspace.dispose();
    });
  }
});

/** The reference's plain ODE sampler (sampling_method, num_steps) is UCGM-S with gaps of 0.001 and nothing else. */
function optionsOf({ sampling_method, num_steps, ...config }: { [key: string]: unknown }): SamplingOptions {
  if (sampling_method === undefined) return { ...SAMPLING_DEFAULTS, compat: 'reference', ...config };
  const sampling_order = sampling_method === 'Heun' ? 2 : 1;
  const steps = { sampling_steps: num_steps as number, sampling_order, rfba_gap_steps: [0.001, 0.001] } as const;
  return { ...SAMPLING_DEFAULTS, compat: 'reference', ...steps };
}

function tolerance(options: SamplingOptions, transportType: string): number {
  if (options.sampling_order === 1) return OUTPUT;
  const { a, g } = transportNamed(transportType);
  const [t, next] = timeGrid(options, transportNamed(transportType)) as [number, number];
  return Math.max(OUTPUT, LAST_BITS * Math.abs((g(next) ** 2 * a(t)) / (2 * g(t))));
}

/** Under guidance the reference's batch holds everything twice: of each step's samples the first half. */
function firstOfTwice(theirs: Float32Array, length: number, steps: number): Float32Array {
  if (theirs.length !== 2 * length) return theirs;
  const [two, one] = [theirs.length / steps, length / steps];
  return Float32Array.from({ length }, (_, i) => theirs[Math.floor(i / one) * two + (i % one)] as number);
}
