import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { decode } from 'fast-png';
import { beforeAll, describe, expect, it } from 'vitest';
import { readLatentStats } from '../../src/data/latent_stats.node.ts';
import { readSafetensors } from '../../src/io/safetensors.node.ts';
import { type RawTensor, toFloat32 } from '../../src/io/safetensors.ts';
import { f32, i64, writeRaw, writeShard } from '../data/shards.ts';
import { temporaryFolder, ucgm } from './run.ts';

const YAML = `
model: { name: tiny, hidden_size: 32, depth: 2, num_heads: 2, patch_size: 2 }
data: { batch_size: 8, latent_multiplier: 0.5 }
transport: { enhanced_ratio: 0.47 }
train: { steps: 8, seed: 3, checkpoint_every: 4, sample_every: 8, log_every: 1 }
sample: { sampling_steps: 2 }
`;

describe('ucgm on latent shards', () => {
  const path = temporaryFolder();
  const train = (out: string, data: string, ...more: string[]) =>
    ucgm(['train', '--config', path('latents.yaml'), '--data', path(data), '--out', path(out), ...more]);
  const checkpoint = (out: string) => readFileSync(path(out, 'checkpoints', '8.safetensors'));

  beforeAll(async () => {
    writeFileSync(path('latents.yaml'), YAML);
    mkdirSync(path('data'));
    writeShard(path('data', '0.safetensors'), { first: 0, count: 20, shape: [4, 8, 8] });
    writeShard(path('data', '1.safetensors'), { first: 20, count: 13, shape: [4, 8, 8] });
    const { code, stdout, stderr } = await train('whole', 'data');
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain('data data, 33 latents of 5 classes');
    expect(stdout).toContain('pictures are of latents');
  });

  it('trains, and resumes to the same bits, also where the data lost its statistics', async () => {
    expect((await train('halves', 'data', '--steps', '4')).code).toBe(0);
    rmSync(path('data', 'latents_stats.safetensors'));
    const resumed = await ucgm(['train', '--resume', '--out', path('halves'), '--steps', '8']);
    expect(resumed).toMatchObject({ code: 0, stderr: '' });
    expect(existsSync(path('data', 'latents_stats.safetensors'))).toBe(false); // the run has its own
    expect(checkpoint('halves').equals(checkpoint('whole'))).toBe(true);
  });

  it('draws grids of three channels on the way', () => {
    const png = decode(readFileSync(path('whole', 'samples', '8.png')));
    expect([png.channels, png.width, png.height]).toEqual([3, 5 * 10 - 2, 4 * 10 - 2]);
    expect(Math.max(...png.data)).toBe(255);
  });

  it('samples latents for a decoder, and a grid of the same, without the data', async () => {
    const args = ['sample', '--from', path('whole'), '--count', '6', '--latents', path('out.safetensors')];
    const { code, stdout } = await ucgm([...args, '--grid', path('out.png')]);
    expect([code, stdout]).toEqual([
      0,
      expect.stringMatching(/of latents[\s\S]*out.safetensors, [\s\S]*out.png: step 8, ema, 2 n/),
    ]);
    const { tensors } = readSafetensors(path('out.safetensors'));
    const latents = tensors.get('latents')!;
    expect(latents.shape).toEqual([6, 4, 8, 8]);
    expect([...toFloat32(tensors.get('labels')!)]).toEqual([0, 1, 2, 3, 4, 0]);
    // De-normalised: around the data's mean, about 17, by deviations of about 10; the network itself gives about 0 and 0.5.
    const { mean } = readLatentStats(path('whole', 'latents_stats.safetensors'));
    const values = toFloat32(latents);
    const average = values.reduce((a, b) => a + b, 0) / values.length;
    expect(mean[0]).toBeGreaterThan(10);
    expect(Math.abs(average - mean[0]!)).toBeLessThan(5);
    expect(decode(readFileSync(path('out.png'))).channels).toBe(3);
  });

  it('exports a file that carries the scale of its latents', async () => {
    expect((await ucgm(['export', '--from', path('whole'), '--out', path('model.safetensors')])).code).toBe(0);
    const args = [
      'sample',
      '--from',
      path('model.safetensors'),
      '--count',
      '6',
      '--latents',
      path('again.safetensors'),
    ];
    expect(await ucgm(args)).toMatchObject({ code: 0, stderr: '' });
    const [run, file] = ['out', 'again'].map((name) => {
      const { tensors } = readSafetensors(path(`${name}.safetensors`));
      return toFloat32(tensors.get('latents') as RawTensor);
    }) as [Float32Array, Float32Array];
    const difference = Math.hypot(...file.map((v, k) => v - (run[k] as number))) / Math.hypot(...run);
    expect(difference).toBeLessThan(1e-2); // half precision
  });

  it('ends with one line where the data goes wrong on the way', async () => {
    mkdirSync(path('bad'));
    const values = Array.from({ length: 20 * 256 }, (_, i) => (i === 19 * 256 ? Number.NaN : Math.sin(i)));
    const labels = i64(Array.from({ length: 20 }, (_, i) => i % 3));
    writeRaw(path('bad', 'x.safetensors'), { latents: f32([20, 4, 8, 8], values), labels });
    writeFileSync(path('latents.yaml'), YAML.replace('latent_multiplier: 0.5', 'latent_norm: false'));
    const { code, stderr } = await train('failed', 'bad');
    writeFileSync(path('latents.yaml'), YAML);
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/^ucgm: .*x.safetensors: sample 19 holds NaN. Fix: .*\n$/),
    ]);
  });

  it('refuses labels that the classes do not hold, and --latents of a run on images', async () => {
    writeFileSync(path('latents.yaml'), YAML.replace('batch_size', 'num_classes: 3, batch_size'));
    const { code, stderr } = await train('none', 'data');
    expect([code, stderr]).toEqual([2, expect.stringMatching(/label 3 of sample 3 is outside the 3 classes. Fix: /)]);
    expect(existsSync(path('none'))).toBe(false);
    rmSync(path('whole', 'latents_stats.safetensors'));
    const sample = ['sample', '--from', path('whole')];
    const images = await ucgm([...sample, '--latents', path('more.safetensors')]);
    expect([images.code, images.stderr]).toEqual([2, expect.stringMatching(/was trained on images. Fix: use --grid/)]);
    expect(await ucgm(sample)).toMatchObject({ code: 2, stderr: expect.stringContaining('nothing to write') });
  });
});
