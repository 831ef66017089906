import { afterAll, describe, expect, it } from 'vitest';
import { Tape } from '../../src/autograd/tape.ts';
import { type Autoencoder, decodeLatents, encodePictures } from '../../src/models/autoencoders/autoencoder.ts';
import { openAutoencoder } from '../../src/models/autoencoders/registry.ts';
import type { HostWeights } from '../../src/models/features/small_cnn.ts';
import { type Tensor, Workspace } from '../../src/tensor/index.ts';
import { testDevice } from '../gpu.ts';
import { openFixture, ParityReport } from './fixtures.ts';
import { taef2Weights } from './taef2.ts';

// The fixtures' own statement of expected agreement in f32.
const OUTPUT = 2e-5;
const GRADIENT = 1e-4;

const fixture = await openFixture('autoencoders');
const report = new ParityReport('autoencoders');

/** Keys whose architecture has the form of a case. */
const KEYS: { readonly [format: string]: readonly string[] } = {
  ldm: ['vavae_f16d32', 'e2evavae_f16d32'],
  'diffusers AutoencoderKL': ['sdvae_f8c4', 'sdvae_ema_f8c4'],
  'efficientvit DCAE': ['dcae_f32c32'],
  'diffusers AutoencoderDC': ['dcae_f32c32'],
  'taesd flux_2': ['taef2'],
};

async function weightsOf(kase: string): Promise<Map<string, HostWeights>> {
  const values = fixture.group(`${kase}/param`);
  if (values.size === 0) return taef2Weights();
  return new Map(
    [...values].map(([name, data]) => [name, { shape: fixture.shape(`${kase}/param/${name}`), data }] as const),
  );
}

async function opened(workspace: Workspace, key: string, kase: string): Promise<Autoencoder> {
  const config = fixture.config[kase];
  return openAutoencoder(workspace, key, { weights: await weightsOf(kase), where: kase, config });
}

const images = (name: string, data = fixture.f32(name)) => {
  const [batch, , height, width] = fixture.shape(name) as [number, number, number, number];
  return { data, batch, height, width };
};
const has = (name: string) => fixture.names.includes(name);
const clipped = (d: number) => Math.min(1, Math.max(0, d));

describe('parity: autoencoders', () => {
  afterAll(() => report.print());
  for (const [kase, config] of Object.entries(fixture.config)) {
    if (config.kind !== 'autoencoder') continue;
    const keys = KEYS[config.format] ?? [];
    // taef2's pictures are in 0..1; those of ours in -1..1.
    const unit = config.format === 'taesd flux_2';
    const [given, taken] = unit ? [(v: number) => 2 * v - 1, (v: number) => (v + 1) / 2] : [undefined, undefined];
    const compare = (key: string, name: string, ours: Float32Array, tolerance = OUTPUT) =>
      report.compare(`${kase} as ${key}`, name, ours, fixture.f32(`${kase}/${name}`), tolerance);

    it(`${kase} is an autoencoder of ours`, () => expect(keys.length, config.format).toBeGreaterThan(0));

    for (const key of keys) {
      it(`${kase} as ${key}`, async () => {
        const workspace = new Workspace(await testDevice());
        const autoencoder = await opened(workspace, key, kase);
        const image = images(`${kase}/image`);
        const picture = { ...image, data: given ? image.data.map(given) : image.data };
        if (autoencoder.latent === 'latent')
          compare(key, 'encoded', (await encodePictures(workspace, autoencoder, picture)).data);
        else {
          const mean = await encodePictures(workspace, { ...autoencoder, latent: 'mean' }, picture);
          compare(key, 'mean', mean.data);
          const sampled = { ...autoencoder, latent: 'sample' } as const;
          const noise = fixture.f32(`${kase}/noise`);
          compare(key, 'sampled', (await encodePictures(workspace, sampled, picture, { noise })).data);
        }
        const decoded = await decodeLatents(workspace, autoencoder, images(`${kase}/z`));
        compare(key, 'decoded', taken ? decoded.data.map(taken) : decoded.data);
        const shown = decoded.data.map((d) => clipped((d + 1) / 2));
        if (has(`${kase}/picture`)) compare(key, 'picture', shown);
        await workspace.dispose();
      });
    }

    if (!has(`${kase}/grad_image`)) continue;
    for (const [from, to, gradient] of [
      ['image', 'encoded', 'grad_image'],
      ['z', 'decoded', 'grad_z'],
    ] as const)
      it(`${kase}: ${gradient}`, async () => {
        const key = keys[0] as string;
        const workspace = new Workspace(await testDevice());
        const autoencoder = await opened(workspace, key, kase);
        workspace.beginStep();
        const tape = new Tape(workspace, { record: true });
        const put = (name: string): Tensor => {
          const tensor = tape.alloc(...fixture.shape(`${kase}/${name}`));
          workspace.stream.write(tensor, fixture.f32(`${kase}/${name}`));
          return tensor;
        };
        const [x, cotangent] = [tape.watch(put(from)), put(`cotangent_${to}`)];
        const made = from === 'image' ? autoencoder.encode(tape, x) : autoencoder.decode(tape, x);
        compare(key, to, await workspace.read(made));
        tape.backward(made, cotangent);
        compare(key, gradient, await workspace.read(tape.gradient(x)), GRADIENT);
        await workspace.dispose();
      });
  }

  for (const [kase, config] of Object.entries(fixture.config)) {
    if (config.kind !== 'latent scaling' || !config.param_of) continue;
    it(kase, async () => {
      const workspace = new Workspace(await testDevice());
      const { format: _, ...sizes } = fixture.config[config.param_of];
      const weights = await weightsOf(config.param_of);
      const autoencoder = openAutoencoder(workspace, 'edm2_sdvae_f8c4', { weights, where: kase, config: sizes });
      // The scaling that the reference states, and ours, which is to be the same.
      const { mean, std, multiplier } = autoencoder.scale as NonNullable<Autoencoder['scale']>;
      const names = ['raw_mean', 'raw_std'] as const;
      for (const [i, ours] of [mean, std].entries())
        report.compare(kase, names[i] as string, ours, config[names[i] as string], 1e-6);
      expect([0, multiplier]).toEqual([config.final_mean, config.final_std]);
      const final = images(`${kase}/final`);
      const pixels = final.height * final.width;
      const raw = final.data.map((v, i) => {
        const channel = Math.floor(i / pixels) % mean.length;
        return (v * (std[channel] as number)) / multiplier + (mean[channel] as number);
      });
      report.compare(kase, 'raw', raw, fixture.f32(`${kase}/raw`), OUTPUT);
      const { data } = await decodeLatents(workspace, autoencoder, { ...final, data: raw });
      // Its pictures are in 0..1.
      const decoded = data.map((v) => (v + 1) / 2);
      report.compare(kase, 'decoded', decoded, fixture.f32(`${kase}/decoded`), OUTPUT);
      report.compare(kase, 'picture', decoded.map(clipped), fixture.f32(`${kase}/picture`), OUTPUT);
      const bytes = decoded.map((d) => Math.floor(255 * clipped(d)));
      const apart = fixture.f32(`${kase}/bytes`).filter((byte, i) => Math.abs(byte - (bytes[i] as number)) > 1).length;
      expect(apart, 'bytes that are more than 1 apart').toBe(0);
      await workspace.dispose();
    });
  }

  it('the identity', async () => {
    const workspace = new Workspace(await testDevice());
    const autoencoder = openAutoencoder(workspace, 'idae_f1c3');
    for (const [kase, config] of Object.entries(fixture.config)) {
      if (config.kind !== 'latent scaling' || config.param_of) continue;
      const { data } = await decodeLatents(workspace, autoencoder, images(`${kase}/z`));
      const picture = data.map((z) => clipped((z + 1) / 2));
      report.compare(kase, 'picture', picture, fixture.f32(`${kase}/picture`), OUTPUT);
    }
    await workspace.dispose();
  });
});
