import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
const node = (...args: string[]) =>
  execFileSync(process.execPath, args, { cwd: root, encoding: 'utf8', stdio: 'pipe' });

/** Uses dist/own/scale.ts; what TypeScript must refuse is marked, so that it fails where it would not. */
const OWN_KERNEL = `
import { readBuffer } from 'ucgm-webgpu';
import { defineKernel } from 'ucgm-webgpu/kernels';
import { openNodeDevice } from 'ucgm-webgpu/node';
import { scale } from './scale.ts';

const family = defineKernel({
  shader: scale,
  sizes: ({ count }) => ({ x: count, y: count }),
  grid: ({ count }, { WG }) => Math.ceil(count / (WG as number)),
});
const device = await openNodeDevice();
const usage = 0x80 | 0x8 | 0x4; // STORAGE | COPY_DST | COPY_SRC: TypeScript's own library has no GPUBufferUsage
const [x, y] = [device.createBuffer({ size: 8, usage }), device.createBuffer({ size: 8, usage })];
device.queue.writeBuffer(x, 0, new Float32Array([1, 2]));
const kernel = await family.create(device);
// @ts-expect-error no such dim
const wrong = () => kernel.bind({ x, y }, { counts: 2 });
// @ts-expect-error no such buffer
const missing = () => kernel.bind({ x, z: y }, { count: 2 });
const encoder = device.createCommandEncoder();
const pass = encoder.beginComputePass();
kernel.encode(pass, kernel.bind({ x, y }, { count: 2, factor: 3 }));
pass.end();
device.queue.submit([encoder.finish()]);
console.log([...new Float32Array(await readBuffer(device, y))].join(' '));
device.destroy();
export { missing, wrong };
`;

describe('the built package', () => {
  beforeAll(() => void node('tools/build.mjs'));

  it("runs one kernel in somebody else's app, as the example shows", () => {
    expect(node('examples/one-kernel.mjs').trim()).toBe('-1.342 -0.447 0.447 1.342 -1.342 -0.447 0.447 1.342');
  });

  it('multiplies matrices in the best variant, as the example shows', () => {
    expect(node('examples/product.mjs').trim()).toBe('1 2 3 3 4 7');
  });

  it("runs a user's own kernel from its WGSL, as the example shows", () => {
    expect(node('examples/own-kernel.mjs').trim().split('\n')).toEqual(['2 4 6 8', '-1 -2 -3 8']);
  });

  it("writes a user's own kernel as source whose types know its buffers and dims", () => {
    const said = node('dist/ucgm.mjs', 'embed', 'examples/scale.wgsl', '--out', 'dist/own/scale.ts');
    expect(said.trim()).toBe('scale: buffers x, y; dims count, factor');
    writeFileSync(resolve(root, 'dist/own/main.ts'), OWN_KERNEL);
    const types = [
      '--ignoreConfig',
      '--noEmit',
      '--strict',
      '--module',
      'nodenext',
      '--target',
      'es2023',
      '--lib',
      'es2023,dom',
    ];
    node('node_modules/typescript/bin/tsc', ...types, '--allowImportingTsExtensions', 'dist/own/main.ts');
    expect(node('--import', 'tsx', 'dist/own/main.ts').trim()).toBe('3 6');
    const refused = spawnSync(process.execPath, ['dist/ucgm.mjs', 'embed', 'README.md', '--out', 'dist/own/x.ts'], {
      cwd: root,
      encoding: 'utf8',
    });
    expect(refused).toMatchObject({ status: 2, stderr: expect.stringMatching(/README: does not parse.*Fix: correct/) });
  });

  it("trains a user's own network, as the example shows", () => {
    const lines = node('examples/own-network.mjs').trim().split('\n');
    const losses = lines.flatMap((line) => /loss ([\d.]+)$/.exec(line)?.[1] ?? []).map(Number);
    expect(losses[2]).toBeLessThan(0.75 * (losses[0] as number));
    expect(lines.slice(3)).toEqual(['##..   ####', '##..   ####', '##..   ....', '##..   ....']);
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
    for (const command of [
      'train',
      'tune',
      'sample',
      'eval',
      'report',
      'convert',
      'export',
      'embed',
      'doctor',
      'bench',
    ])
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
