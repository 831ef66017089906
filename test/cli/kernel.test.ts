import { existsSync, readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { temporaryFolder, ucgm } from './run.ts';

const inFolder = temporaryFolder();
const read = (name: string) => readFileSync(inFolder(name), 'utf8');

it('writes a kernel as a module, its types and its WGSL, by the variant for the dims', async () => {
  const asked = ['--options', '{ kind: layer, stats: false }', '--dims', '{ rows: 64, cols: 384 }'];
  const { code, stdout } = await ucgm(['kernel', 'norm', ...asked, '--out', inFolder('layer.js')]);
  expect(code).toBe(0);
  expect(stdout).toMatch(
    /layer\.js: norm_fwd\[.*HELD=2.*\], [\d.]+ kB, \d\.\d kB by gzip; beside it layer\.d\.ts, layer\.wgsl\n$/,
  );
  const js = read('layer.js');
  expect(js).toMatch(
    /^\/\/ Written by ucgm-webgpu \d.*: npx ucgm kernel norm --options '\{ kind: layer, stats: false \}'/,
  );
  expect(js).toContain("// import { create } from './layer.js';");
  expect(js).not.toMatch(/^import /m);
  expect(Object.keys(await import(/* @vite-ignore */ pathToFileURL(inFolder('layer.js')).href))).toEqual(['create']);
  expect(read('layer.wgsl')).toContain('// norm_fwd: y = (xhat * weight + bias)');
  expect(read('layer.wgsl')).not.toMatch(/HAS_WEIGHT|@use/);
  expect(read('layer.d.ts')).toMatch(
    /export interface Dims \{\n.*\n {2}rows: number;\n.*\n {2}cols: number;\n.*\n {2}eps: number;\n\}/,
  );
});

const REFUSED: [args: string[], says: RegExp][] = [
  [['atention'], /there is no kernel atention\. Fix: write attention; there are: .*matmul/],
  [
    ['norm', '--options', '{ kind: layers }'],
    /norm_fwd: kind is "layers"\. Fix: give kind one of: "layer", "rms", "pixel"/,
  ],
  [['norm', '--options', '{ kind: rms }', '--dims', '{ rows: 3 }'], /norm: the variant depends on cols.*Fix: give/],
  [['softmax', '--caps', '{ halves: true }'], /--caps: has no option halves\. Fix: /],
  [
    ['attention', '--options', '{ headDim: 64 }', '--dims', '{ batch: 1, heads: 2, n: 64, head_dim: 32, scale: 1 }'],
    /head_dim 32 is not the kernel's 64\. Fix: /,
  ],
];

it.each(REFUSED)('refuses %j in one line, and writes nothing', async (args, says) => {
  const out = inFolder('refused.js');
  const { code, stderr } = await ucgm(['kernel', ...args, '--out', out]);
  expect(stderr.trim()).toMatch(says);
  expect(code).toBe(2);
  expect(existsSync(out)).toBe(false);
});
