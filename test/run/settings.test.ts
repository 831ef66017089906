import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PRESET_NAMES, presetNamed } from '../../src/run/presets.ts';
import { ConfigError, mergeConfig, type PartialConfig, parseConfig, stringifyConfig } from '../../src/run/settings.ts';

describe('configuration', () => {
  it('reads back what it writes, for every preset', () => {
    for (const name of PRESET_NAMES) {
      const config = mergeConfig(name, presetNamed(name));
      expect(mergeConfig('again', parseConfig(stringifyConfig(config), 'again'))).toEqual(config);
    }
  });

  it('lets later parts win, key by key, and ignores what they leave out', () => {
    const parts = [{ train: { steps: 7 } }, { train: { steps: undefined, seed: 5 } }] as PartialConfig[];
    expect(mergeConfig('x', presetNamed('tiny'), ...parts).train).toMatchObject({ steps: 7, seed: 5, log_every: 10 });
  });

  it("reads the reference's spelling weight_funcion", () => {
    const given = parseConfig('transport: { weight_funcion: Cosine }', 'file');
    expect(given.transport).toEqual({ weight_function: 'Cosine' });
  });

  it.each([
    [
      'transport: { consistc_ration: 1 }',
      'no key transport.consistc_ration. Fix: did you mean transport.consistc_ratio?',
    ],
    ['transprot: {}', 'no key transprot. Fix: did you mean transport?'],
    ['train: 3', 'train is no section'],
    ['- 1', 'holds no sections'],
    ['train: { steps: 1', 'file: '],
  ])('names what is wrong with %j', (text, message) => {
    expect(() => parseConfig(text, 'file')).toThrow(ConfigError);
    expect(() => parseConfig(text, 'file')).toThrow(message);
  });

  it.each([
    [{ train: { steps: 0 } }, 'train.steps is 0'],
    [{ optimizer: { type: 'Adagrad' } }, 'optimizer.type is "Adagrad"'],
    [{ optimizer: { matrix_lr: 0 } }, 'optimizer.matrix_lr is 0'],
    [{ optimizer: { momentum: 1 } }, 'optimizer.momentum is 1'],
    [{ optimizer: { warmup_steps: 0.5 } }, 'optimizer.warmup_steps is 0.5'],
    [{ optimizer: { lr_decay: 'step' } }, 'optimizer.lr_decay is "step"'],
    [{ optimizer: { lr_decay_steps: 0 } }, 'optimizer.lr_decay_steps is 0'],
    [{ optimizer: { lr_final: 2 } }, 'optimizer.lr_final is 2'],
    [{ sample: { stochast_ratio: 2 } }, 'sample.stochast_ratio is 2'],
    [{ transport: { enhanced_range: [0] } }, 'transport.enhanced_range'],
    [{ optimizer: { lr: Number.POSITIVE_INFINITY } }, 'optimizer.lr is Infinity'],
    [{ optimizer: { lr: Number.NaN } }, 'optimizer.lr is NaN'],
    [{ optimizer: { lr: -1 } }, 'optimizer.lr is -1'],
    [{ sample: { cfg_scale: Number.NEGATIVE_INFINITY } }, 'sample.cfg_scale is -Infinity'],
    [{ data: { size: 100_000 } }, 'data.size is 100000'],
    [{ model: { depth: 1e9 } }, 'model.depth is 1000000000'],
  ])('names key and value of %o', (change, message) => {
    expect(() => mergeConfig('file', presetNamed('tiny'), change as PartialConfig)).toThrow(message);
  });

  it('refuses aliases that would unfold to gigabytes', () => {
    const lines = ['a0: &a0 [x, x]', ...Array.from({ length: 40 }, (_, i) => `a${i + 1}: &a${i + 1} [*a${i}, *a${i}]`)];
    expect(() => parseConfig(lines.join('\n'), 'file')).toThrow(ConfigError);
  });

  it('loads or throws ConfigError, whatever the text is', () => {
    const good = stringifyConfig(mergeConfig('tiny', presetNamed('tiny')));
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
      '|',
      '#',
      '"',
      '\t',
      '__proto__',
      '1e999',
      'null',
    );
    // Mostly one section of it: YAML is read at half a megabyte a second, and as many edits of less text find more.
    const base = fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...good.split(/^(?=\w)/m)) }, fc.constant(good));
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
          mergeConfig('file', presetNamed('tiny'), parseConfig(text, 'file'));
        } catch (error) {
          expect(error, text).toBeInstanceOf(ConfigError);
          expect((error as Error).message).not.toContain('\n');
        }
      }),
      { numRuns: 10_000, seed: 3 },
    );
  });

  it('names the nearest preset', () => {
    expect(() => presetNamed('mnits')).toThrow('did you mean mnist?');
  });
});
