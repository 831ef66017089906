import { describe, expect, it } from 'vitest';
import { type KernelCase, missingFeatures, type PreparedCase } from '../catalogue/case.ts';
import { catalogue } from '../catalogue/index.ts';
import { outputsOf } from '../catalogue/run.ts';
import { testDevice } from '../gpu.ts';

/** Most words of a case: larger ones of the same variant say no more. */
const WORDS = 2500;

/** Gradients that are no numbers are 0 to optimisers, as in the reference's training step. */
const CLEANS =
  /^(lion_step .* grad|dadapt_step|clip_scale|(adam_step|muon_momentum) .* grad|dadapt_moments .* (grad|clip)|cautious_count)/;
/** Inputs that only say which way others go. */
const CHOOSES = /^(poolBackward .* x|cautious_count .* clip)$/;
/** Where an infinity has a finite effect: exp(-inf) and 1 / inf are 0, a bound bounds, and a slope is 0 or 1. */
const FINITE_LIMIT =
  /^(adam_step|attention|lossBackward|cautious_scale|dadapt_distance|dadapt_moments|activation(Backward)? sigmoid|unary(Backward)? (tanh|erf)|activationBackward relu|(matmul|conv2dFinish) .*sigmoid|crossEntropyBackward .* stats)/;

/** The smallest case of each variant that is quick to compile on a CPU; the tiled kernels' tests hold them against the plain ones. */
const smallest = new Map<string, KernelCase>();
for (const kase of catalogue) {
  if (kase.benchOnly || kase.kernel === 'largest' || /tiled/.test(kase.name)) continue; // bits of a NaN are the largest: its cases
  const key = `${kase.kernel} ${kase.variant}${kase.forced ? ' forced' : ''}`;
  const elements = (k: KernelCase) => k.shape.reduce((a, b) => a * b, 1);
  const best = smallest.get(key);
  const size = elements(kase);
  if (size > 5 && size < WORDS && (!best || size < elements(best))) smallest.set(key, kase);
}

/** Outputs that change as one element moves up or down, how many, and those of them that are finite where it is a `value`. */
async function follow(device: GPUDevice, run: PreparedCase, name: string, at: number, values: number[]) {
  const input = run.inputs[name] as Float32Array;
  const outputsAt = (value: number) => outputsOf(device, run, { ...run.inputs, [name]: input.with(at, value) });
  const before = await outputsOf(device, run, run.inputs);
  const moved = [await outputsAt((input[at] as number) + 4), await outputsAt((input[at] as number) - 4)];
  let depending = 0;
  const lost: string[] = [];
  for (const value of values) {
    for (const [out, numbers] of await outputsAt(value)) {
      numbers.forEach((number, i) => {
        const old = before.get(out)?.[i];
        if (moved.every((m) => m.get(out)?.[i] === old)) return;
        depending++;
        if (Number.isFinite(number)) lost.push(`${value} in ${name}[${at}] is lost in ${out}[${i}]`);
      });
    }
  }
  return { depending, lost };
}

// A diverged network must look diverged, in every kernel: what depends on an input does so where it is no number, too.
describe('a NaN or an infinity reaches all that depends on it', () => {
  const followed = new Map<string, number>();
  for (const [label, kase] of smallest) {
    it(`in ${kase.kernel} ${kase.name}`, async () => {
      const device = await testDevice();
      if (missingFeatures(kase, device).length > 0) return; // refused, by kernels/suite.ts
      const run = kase.prepare(device);
      await run.kernel.ready;
      const lost: string[] = [];
      for (const [name, input] of Object.entries(run.inputs)) {
        const place = `${label} ${name}`;
        if (!(input instanceof Float32Array) || CLEANS.test(place) || CHOOSES.test(place)) continue;
        const values = FINITE_LIMIT.test(place) || kase.name.includes('clamped') ? [NaN] : [NaN, Infinity];
        const found = await follow(device, run, name, Math.floor(input.length / 3), values);
        followed.set(kase.kernel, (followed.get(kase.kernel) ?? 0) + found.depending);
        lost.push(...found.lost);
      }
      expect(lost).toEqual([]);
    });
  }

  it('and each kernel was followed', async () => {
    const device = await testDevice();
    const offered = [...smallest.values()].filter((kase) => missingFeatures(kase, device).length === 0);
    const kernels = new Set(offered.map((kase) => kase.kernel));
    const without = ['cautious_count', 'dadapt_step', 'clip_scale', 'randomUniform', 'randomNormal', 'initParameters'];
    without.push('wirePack', 'wireUnpack'); // by their bits, of which some of their cases are no numbers
    expect([...kernels].filter((kernel) => !followed.get(kernel))).toEqual(without);
  });
});
