import { existsSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { SMALL, temporaryFolder, ucgm } from './run.ts';

describe('bad input ends with one line, its fix, and exit code 2', () => {
  const path = temporaryFolder();
  const out = path('out');
  const yaml = (text: string): string[] => {
    writeFileSync(path('bad.yaml'), text);
    return ['train', '--out', out, '--config', path('bad.yaml')];
  };

  beforeAll(async () => {
    mkdirSync(path('empty'));
    mkdirSync(path('pictures', 'cat'), { recursive: true });
    writeFileSync(path('small.yaml'), SMALL);
    for (const name of ['cut', 'lying']) {
      const args = ['train', '--config', path('small.yaml'), '--out', path(name), '--steps', '1'];
      expect((await ucgm(args)).code).toBe(0);
    }
    truncateSync(path('cut', 'checkpoints', '1.safetensors'), 1000);
    const lying = path('lying', 'checkpoints', '1.safetensors');
    const bytes = readFileSync(lying);
    bytes.write(bytes.toString('latin1').replace(/"data_offsets":\[0,\d/, '"data_offsets":[9,9'), 'latin1');
    writeFileSync(lying, bytes);
  });

  const cases: [what: string, args: () => string[], message: RegExp, env?: { [name: string]: string }][] = [
    ['no such command', () => ['trian'], /unknown command/],
    ['no such option', () => ['train', '--out', out, '--stepz', '3'], /unknown option '--stepz'/],
    ['a number that is none', () => ['train', '--out', out, '--steps', 'many'], /whole number/],
    ['no steps', () => ['train', '--out', out, '--steps', '0'], /train.steps is 0/],
    ['no such model', () => ['train', '--out', out, '--model', 'TiT-Z/2'], /model TiT-Z\/2 does not exist/],
    ['no such preset', () => ['train', '--out', out, '--preset', 'tinny'], /did you mean tiny/],
    ['no such key', () => yaml('train: { step: 3 }'), /no key train.step.*did you mean train.steps/],
    ['no such section', () => yaml('trian: { steps: 3 }'), /no key trian/],
    ['broken YAML', () => yaml('train: { steps: 3'), /bad.yaml/],
    ['a value out of range', () => yaml('transport: { consistc_ratio: 2 }'), /transport.consistc_ratio is 2/],
    ['a beta of 1', () => yaml('optimizer: { betas: [0.9, 1] }'), /optimizer.betas.1 is 1/],
    [
      'a time that UCGM lacks',
      () => yaml('model: { name: tiny, two_times: true }'),
      /no use for a network of two times/,
    ],
    ['no configuration file', () => ['train', '--out', out, '--config', path('none.yaml')], /cannot be read/],
    ['patches that do not divide', () => yaml('model: { name: tiny, patch_size: 5 }'), /patch/],
    ['heads that do not divide', () => yaml('model: { name: tiny, num_heads: 7 }'), /heads/],
    ['images that do not fit', () => yaml('model: { name: tiny, input_size: 64 }'), /64/],
    ['no such data', () => ['train', '--out', out, '--data', path('nowhere')], /is no dataset/],
    ['a folder without images', () => ['train', '--out', out, '--data', path('empty')], /holds no images/],
    [
      'a class without images',
      () => ['train', '--out', out, '--data', path('pictures')],
      /holds no images; left out: 1 folder without images \(cat\)/,
    ],
    [
      'a cut checkpoint',
      () => ['sample', '--from', path('cut'), '--grid', `${out}.png`],
      /1.safetensors: the header claims/,
    ],
    ['a lying checkpoint', () => ['sample', '--from', path('lying'), '--grid', `${out}.png`], /1.safetensors.*offsets/],
    ['no run', () => ['sample', '--from', path('empty'), '--grid', `${out}.png`], /holds no run/],
    [
      'a weight too large for a binding',
      () => yaml('model: { name: tiny, num_classes: 900000 }'),
      /needs \d+ bytes.*Fix/,
    ],
    [
      'no adapter',
      () => ['train', '--out', out],
      /no WebGPU adapter/,
      { VK_ICD_FILENAMES: '/nonexistent', VK_DRIVER_FILES: '/nonexistent' },
    ],
  ];

  it.each(cases)('%s', async (_, args, message, env) => {
    const { code, stderr } = await ucgm(args(), env);
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/^ucgm: [^\n]*Fix: [^\n]+\n$/);
    expect(code).toBe(2);
    expect(existsSync(out)).toBe(false);
  });
});
