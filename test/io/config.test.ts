import { describe, expect, it } from 'vitest';
import { ConfigError, mergeConfig, type PartialConfig, parseConfig, stringifyConfig } from '../../src/io/config.ts';
import { presetNamed } from '../../src/io/presets.ts';

describe('configuration', () => {
  it('reads back what it writes, for every preset', () => {
    for (const name of ['tiny', 'mnist', 'fewstep', 'multistep']) {
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
    [{ sample: { stochast_ratio: 2 } }, 'sample.stochast_ratio is 2'],
    [{ transport: { enhanced_range: [0] } }, 'transport.enhanced_range'],
  ])('names key and value of %o', (change, message) => {
    expect(() => mergeConfig('file', presetNamed('tiny'), change as PartialConfig)).toThrow(message);
  });

  it('names the nearest preset', () => {
    expect(() => presetNamed('mnits')).toThrow('did you mean mnist?');
  });
});
