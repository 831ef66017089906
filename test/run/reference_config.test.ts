import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { namedModel } from '../../src/models/registry.ts';
import { parseConfigFile } from '../../src/run/config_file.ts';
import { networkOf, resolveModel } from '../../src/run/model.ts';
import { presetNamed } from '../../src/run/presets.ts';
import { ConfigError, mergeConfig } from '../../src/run/settings.ts';

/** The figures of the reference's multi-step training on SD-VAE latents, in its keys and spelling. */
const REFERENCE = `
output_dir: './outputs'
data: { data_path: './latents', fid_reference_file: './fid.npz', image_size: 256, num_classes: 1000, num_workers: 8, latent_norm: False, latent_multiplier: 0.18215 }
vae: { type: 'sdvae_ema_f8c4', downsample_ratio: 8 }
model: { type: TiT-XL/2, in_chans: 4 }
train: { no_reopt: False, no_reuni: False, no_buffer: False, max_steps: 1000000, global_batch_size: 1024, global_seed: 0, log_every: 100, ckpt_every: 20000, ema_decay: 0.9999 }
optimizer: { type: 'AdamW', lr: 0.0002, weight_decay: 0.0, beta1: 0.9, beta2: 0.95 }
transport: { type: Linear, lab_drop_ratio: 0.1, consistc_ratio: 0.0, enhanced_ratio: 0.44, scaled_cbl_eps: 0.0, ema_decay_rate: 0.999, enhanced_range: [0.0, 0.75], time_dist_ctrl: [2.4, 2.4, 1.00], weight_funcion: Cosine, wt_cosine_loss: True }
sample: { ckpt: "0500000.pt", type: UNI, cfg_scale: 0.0, cfg_interval: [0.00, 0.75], sampling_steps: 60, stochast_ratio: 0.0, extrapol_ratio: 0.21, sampling_order: 1, time_dist_ctrl: [1.17, 0.8, 1.1], rfba_gap_steps: [0.001, 0.001], per_batch_size: 125, fid_sample_num: 50000 }
`;

const read = (text: string) => parseConfigFile(text, 'ref.yaml');
const changed = (from: string | RegExp, to: string) => read(REFERENCE.replace(from, to));

describe("the reference's configuration files", () => {
  it('are read as they are: keys, spelling, and what they come to here', () => {
    const { config, reference, notes } = read(REFERENCE);
    expect(reference).toBe(true);
    const whole = mergeConfig('ref.yaml', presetNamed('multistep'), config);
    expect(whole.model).toMatchObject({ name: 'TiT-XL/2', in_channels: 4, input_size: 32, num_classes: 1000 });
    expect(whole.data).toEqual({
      name: './latents',
      batch_size: 1024,
      num_classes: 1000,
      latent_norm: false,
      latent_multiplier: 0.18215,
      autoencoder: 'sdvae_ema_f8c4',
    });
    expect(whole.optimizer).toEqual({ type: 'AdamW', lr: 2e-4, weight_decay: 0, betas: [0.9, 0.95] });
    expect(whole.transport).toMatchObject({
      transport_type: 'Linear',
      enhanced_ratio: 0.44,
      time_dist_ctrl: [2.4, 2.4, 1],
      weight_function: 'Cosine',
      wt_cosine_loss: true,
    });
    expect(whole.train).toMatchObject({ steps: 1000000, seed: 0, checkpoint_every: 20000, ema_decay: 0.9999 });
    expect(whole.sample).toMatchObject({ cfg_scale: 1, sampling_steps: 60, extrapol_ratio: 0.21 });
    expect(notes.map((note) => note.replace(/^ref.yaml: ([\w.]+).*/, '$1'))).toEqual(['data.fid_reference_file']);
    const network = networkOf(resolveModel(whole.model, { height: 32, width: 32, channels: 4, numClasses: 1000 }));
    expect(network.input).toEqual([4, 32, 32]);
  });

  it('may leave out all but the transport, as those for tuning do', () => {
    const { config, reference } = read('transport: { type: ReLinear }');
    expect(reference).toBe(true);
    expect(config).toEqual({ transport: { transport_type: 'ReLinear' } });
  });

  it('on pixels need no autoencoder, and the plain ODE sampler is UCGM-S without its parts', () => {
    const { config, notes } = read(
      REFERENCE.replace('sdvae_ema_f8c4', 'idae_f1c3')
        .replace('downsample_ratio: 8', 'downsample_ratio: 1')
        .replace('type: UNI', 'type: ODE'),
    );
    expect(config.model?.input_size).toBe(256);
    expect(config.data).not.toHaveProperty('latent_multiplier');
    expect(config.sample).toMatchObject({
      extrapol_ratio: 0,
      time_dist_ctrl: [1, 1, 1],
      rfba_gap_steps: [0.001, 0.001],
    });
    expect(notes.join()).toContain('latent_multiplier: left out');
  });

  it.each([
    ['UNet+', 'UNet+'],
    ['EDM2-XS/1', 'EDM2'],
  ])('with the convolutional network %s', (name, class_) => {
    const { config } = changed('TiT-XL/2', name);
    expect(config.model?.name).toBe(name);
    const whole = mergeConfig('test', presetNamed('multistep'), config);
    const data = { height: 32, width: 32, channels: 4, numClasses: 1000 };
    const network = networkOf(resolveModel(whole.model, data));
    expect(namedModel(name).class_).toBe(class_);
    expect(network.input).toEqual([4, 32, 32]);
    expect(network.numClasses).toBe(1000);
  });

  it.each([
    ['global_seed', 'global_sed', 'no key train.global_sed. Fix: did you mean train.global_seed?'],
    ['weight_funcion', 'weight_functoin', 'did you mean transport.weight_funcion?'],
    ['vae:', 'veae:', 'there is no key veae. Fix: did you mean vae?'],
    ['image_size: 256', 'image_size: 250', 'data.image_size is 250. Fix: give a multiple of vae.downsample_ratio (8)'],
    ['type: UNI', 'type: SDE', 'sample.type is "SDE". Fix: use UNI or ODE'],
    ['beta1: 0.9, ', '', 'optimizer.beta1, beta2'],
    ['optimizer: {', 'optimizer: 3\nother: {', 'optimizer is no section'],
  ])('with %j as %j: one line that says what is wrong', (from, to, message) => {
    expect(() => changed(from, to)).toThrow(ConfigError);
    expect(() => changed(from, to)).toThrow(message);
  });

  it('load or throw ConfigError, whatever the text is', () => {
    const piece = fc.constantFrom(
      ': ',
      '- ',
      '\n',
      '{',
      '}',
      '[',
      '&a ',
      '*a',
      '!!',
      '__proto__',
      '1e999',
      'null',
      'vae',
    );
    // Mostly one section of it, after the line that makes it a reference's: as many edits of less text, and far less YAML to read.
    const [first, ...sections] = REFERENCE.trimStart().split(/^(?=\w)/m) as [string, ...string[]];
    const section = fc.constantFrom(...sections.map((text) => first + text));
    const base = fc.oneof({ weight: 9, arbitrary: section }, fc.constant(REFERENCE));
    const edit = fc.record({
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      text: fc.oneof(piece, fc.string({ maxLength: 3 })),
      cut: fc.nat(12),
    });
    fc.assert(
      fc.property(base, fc.array(edit, { minLength: 1, maxLength: 4 }), (whole, edits) => {
        let text = whole;
        for (const { at: share, text: added, cut } of edits) {
          const at = Math.floor(share * whole.length);
          text = text.slice(0, at) + added + text.slice(at + cut);
        }
        try {
          mergeConfig('ref.yaml', presetNamed('multistep'), read(text).config);
        } catch (error) {
          expect(error, text).toBeInstanceOf(ConfigError);
          expect((error as Error).message).not.toContain('\n');
        }
      }),
      { numRuns: 10_000, seed: 3 },
    );
  });
});
