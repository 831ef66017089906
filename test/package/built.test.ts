import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
const node = (...args: string[]) =>
  execFileSync(process.execPath, args, { cwd: root, encoding: 'utf8', stdio: 'pipe' });

describe('the built package', () => {
  beforeAll(() => void node('tools/build.mjs'));

  it("runs one kernel in somebody else's app, as the example shows", () => {
    expect(node('examples/one-kernel.mjs').trim()).toBe('-1.342 -0.447 0.447 1.342 -1.342 -0.447 0.447 1.342');
  });

  it('trains and samples a small network, as the example shows', () => {
    const lines = node('examples/train.mjs').split('\n');
    const losses = lines.flatMap((line) => /loss ([\d.]+)$/.exec(line)?.[1] ?? []).map(Number);
    expect(losses).toHaveLength(3);
    expect(losses[2]).toBeLessThan(0.7 * (losses[0] as number));
    const bars = lines.filter((line) => /^.{8} {3}.{3}[+#]{2}.{3}$/.test(line)); // the second picture: a bar of two columns
    expect(bars.length, lines.join('\n')).toBeGreaterThanOrEqual(7);
  });

  it('opens a device and exports the trainer, the sampler and the networks', () => {
    const script = `
      import * as ucgm from 'ucgm-webgpu';
      import { openNodeDevice } from 'ucgm-webgpu/node';
      const device = await openNodeDevice();
      const { class_, ...sizes } = ucgm.namedModel('tiny');
      const network = ucgm.createNetwork(class_, { ...sizes, input_size: 8, in_channels: 1, num_classes: 10 });
      console.log(typeof ucgm.Trainer, typeof ucgm.sample, network.parameters.length > 10);
      device.destroy();`;
    expect(node('--input-type=module', '-e', script).trim()).toBe('function function true');
  });

  it('has a command line in one file', () => {
    const help = node('dist/ucgm.mjs', '--help');
    for (const command of ['train', 'tune', 'sample', 'eval', 'report', 'convert', 'export', 'doctor'])
      expect(help).toContain(command);
  });

  it('carries the licences of what is bundled in it', () => {
    const notices = readFileSync(resolve(root, 'dist/THIRD_PARTY_LICENSES.txt'), 'utf8');
    for (const name of ['commander', 'echarts', 'ml-matrix', 'valibot', 'yaml', 'zrender'])
      expect(notices).toMatch(new RegExp(`^${name} [\\d.]+ \\(.+\\)$`, 'm'));
    expect(notices).toContain('Apache License');
  });

  it('finds the model that comes along', () => {
    expect(node('dist/ucgm.mjs', 'sample', '--count', '2', '--grid', 'dist/digits.png')).toContain('2 network passes');
  });
});
