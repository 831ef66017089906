import { execFileSync } from 'node:child_process';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { App, ROOT } from './app.ts';
import { EXAMPLES } from './examples.ts';

/** What TypeScript must refuse is marked, so that it fails where it would not. */
const WRONG_USE = `
import { defineKernel } from 'ucgm-webgpu/kernels';
import { scale } from './scale.ts';

const family = defineKernel({ shader: scale, sizes: ({ count }) => ({ x: count, y: count }), grid: ({ count }) => count });
export async function wrong(device: GPUDevice, x: GPUBuffer, y: GPUBuffer) {
  const kernel = await family.create(device);
  // @ts-expect-error no such dim
  kernel.bind({ x, y }, { counts: 2 });
  // @ts-expect-error no such buffer
  kernel.bind({ x, z: y }, { count: 2 });
}
`;

const OWN_USE = `
import { create } from './norm.js';
export async function use(device: GPUDevice, pass: GPUComputePassEncoder, x: GPUBuffer, y: GPUBuffer) {
  const kernel = await create(device);
  const bytes: number = kernel.sizes({ rows: 2, cols: 4, eps: 1e-6 }).y;
  kernel.dispatch(pass, { x, y: { buffer: y, size: bytes } }, { rows: 2, cols: 4, eps: 1e-6 });
  // @ts-expect-error no such dim
  kernel.dispatch(pass, { x, y }, { rows: 2, columns: 4, eps: 1e-6 });
  // @ts-expect-error the variant has no such buffer
  kernel.dispatch(pass, { x, y, stats: y }, { rows: 2, cols: 4, eps: 1e-6 });
}
`;

/** A plain program of WebGPU. */
const OWN_RUN = `
import { create as createGPU, globals } from 'webgpu';
import { create } from './norm.js';
Object.assign(globalThis, globals);
const gpu = createGPU([]);
const device = await (await gpu.requestAdapter()).requestDevice();
const norm = await create(device);
const dims = { rows: 2, cols: 4, eps: 1e-6 };
const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
const { x: size } = norm.sizes(dims);
const [x, y] = [0, 1].map(() => device.createBuffer({ size, usage }));
const read = device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
device.queue.writeBuffer(x, 0, new Float32Array([1, 2, 3, 4, 10, 20, 30, 40]));
const encoder = device.createCommandEncoder();
norm.dispatch(encoder, { x, y }, dims);
encoder.copyBufferToBuffer(y, 0, read, 0, size);
device.queue.submit([encoder.finish()]);
await read.mapAsync(GPUMapMode.READ);
console.log([...new Float32Array(read.getMappedRange())].map((v) => v.toFixed(2)).join(' '));
device.destroy();
`;

describe('the packed package', () => {
  let app: App;
  beforeAll(() => void (app = new App()));
  afterAll(() => app.remove());

  it.each(Object.keys(EXAMPLES).filter((name) => name !== 'own-kernel/embedded'))('runs the example %s', (name) => {
    EXAMPLES[name]?.(app.node(`examples/${name}.mjs`).trimEnd().split('\n'));
  });

  it("writes a user's own kernel as source whose types know its buffers and dims, as the example shows", () => {
    expect(app.embedScale()).toBe('scale: buffers x, y; dims count, factor');
    writeFileSync(app.path('examples/own-kernel/wrong.ts'), WRONG_USE);
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
    const files = ['examples/own-kernel/embedded.ts', 'examples/own-kernel/wrong.ts'];
    app.node(join(ROOT, 'node_modules/typescript/bin/tsc'), ...types, '--allowImportingTsExtensions', ...files);
    const tsx = join(ROOT, 'node_modules/tsx/dist/cli.mjs');
    EXAMPLES['own-kernel/embedded']?.(app.node(tsx, 'examples/own-kernel/embedded.ts').trimEnd().split('\n'));
    const refused = app.ucgm('embed', 'node_modules/ucgm-webgpu/README.md', '--out', 'x.ts');
    expect(refused).toMatchObject({ status: 2, stderr: expect.stringMatching(/README: does not parse.*Fix: correct/) });
  });

  it('writes a kernel as files of a user, whose types know its buffers and dims, and which runs without the package', () => {
    const asked = ['--options', '{ kind: layer, stats: false }', '--dims', '{ rows: 2, cols: 4 }'];
    expect(app.ucgm('kernel', 'norm', ...asked, '--out', 'own/norm.js').stdout).toMatch(/^own\/norm\.js: norm_fwd\[/);
    expect(readFileSync(app.path('own/norm.wgsl'), 'utf8')).toContain('// norm_fwd: y = (xhat * weight + bias)');
    writeFileSync(app.path('own/use.ts'), OWN_USE);
    const tsc = [
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
    app.node(join(ROOT, 'node_modules/typescript/bin/tsc'), ...tsc, 'own/use.ts');
    writeFileSync(app.path('own/run.mjs'), OWN_RUN);
    expect(app.node('own/run.mjs')).toBe('-1.34 -0.45 0.45 1.34 -1.34 -0.45 0.45 1.34\n');
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
    expect(app.node('--input-type=module', '-e', script).trim()).toBe('function function true');
  });

  it('has a command line in one file', () => {
    const help = app.ucgm('--help').stdout;
    const commands = [
      'train',
      'tune',
      'sample',
      'eval',
      'report',
      'convert',
      'export',
      'embed',
      'kernel',
      'doctor',
      'bench',
    ];
    for (const command of commands) expect(help).toContain(command);
  });

  it('measures kernels without the repository, and says of what commit it is', () => {
    const ran = app.ucgm('bench', '--suite', 'smoke', '--filter', '^add ', '--json', 'bench.jsonl');
    expect(ran.stdout.trimEnd().split('\n').at(-1)).toBe('1 passed, 0 failed');
    const [environment, line] = readFileSync(app.path('bench.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((text) => JSON.parse(text));
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    expect(environment).toMatchObject({ version, commit: commit() });
    expect(line).toMatchObject({ suite: 'smoke', case: 'add 41', commit: environment.commit });
  });

  it('carries the licences of what is bundled in it', () => {
    const notices = readFileSync(app.path('node_modules/ucgm-webgpu/dist/THIRD_PARTY_LICENSES.txt'), 'utf8');
    for (const name of ['commander', 'echarts', 'ml-matrix', 'valibot', 'yaml', 'zrender'])
      expect(notices).toMatch(new RegExp(`^${name} [\\d.]+ \\(.+\\)$`, 'm'));
    expect(notices).toContain('Apache License');
  });

  it('finds the models where they are installed, and says what to install where they are not', () => {
    expect(app.ucgm('sample', '--count', '2', '--grid', 'digits.png').stdout).toContain('2 network passes');
    renameSync(app.path('node_modules/ucgm-webgpu-models'), app.path('elsewhere'));
    expect(app.ucgm('sample', '--count', '2', '--grid', 'digits.png')).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/mnist_anystep.safetensors is not installed. Fix: npm install ucgm-webgpu-models/),
    });
    renameSync(app.path('elsewhere'), app.path('node_modules/ucgm-webgpu-models'));
  });
});

/** The commit of the sources as git tells it; `unknown` where they are no repository. */
function commit(): string {
  try {
    const args = ['describe', '--always', '--dirty', '--exclude', '*'];
    return execFileSync('git', args, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return 'unknown';
  }
}
