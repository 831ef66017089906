import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { compact } from '../../src/reflect/compact.ts';
import { withLibraries } from '../../src/reflect/index.ts';
import * as shaders from '../../src/shaders.generated.ts';
// @ts-expect-error plain JavaScript, a part of tools/build.mjs
import { markPure } from '../../tools/pure.mjs';

const CODE = `// head
enable f16;
const WG: u32 = 64u; // knob: invocations
const HALF: u32 = WG / 2u;
const UNUSED: u32 = 1u;
/* over
   two lines */ struct Pair { a: f32, b: f32 }
@group(0) @binding(0) var<storage, read_write> y: array<Pair>; // the output
var<workgroup> lost: array<f32, UNUSED>;

@compute @workgroup_size(WG)
fn main(@builtin(local_invocation_index) i: u32) {
  if (i < HALF) { // not { all
    y[i] = twice();
  }
}

fn never() -> f32 {
  return lost[0];
}
fn twice() -> Pair { return Pair(1.0, 2.0); }
`;

describe('what is embedded of a shader', () => {
  it('is what the entry point, buffers and knobs reach, each at its line', () => {
    const text = compact({
      code: CODE,
      entryPoint: 'main',
      knobs: { WG: { kind: 'const', type: 'u32', default: 64 } },
    });
    expect(text.split('\n')).toEqual([
      '',
      'enable f16;',
      'const WG: u32 = 64u;',
      'const HALF: u32 = WG / 2u;',
      '',
      '',
      'struct Pair { a: f32, b: f32 }',
      '@group(0) @binding(0) var<storage, read_write> y: array<Pair>;',
      '',
      '',
      '@compute @workgroup_size(WG)',
      'fn main(@builtin(local_invocation_index) i: u32) {',
      'if (i < HALF) {',
      'y[i] = twice();',
      '}',
      '}',
      '',
      '',
      '',
      '',
      'fn twice() -> Pair { return Pair(1.0, 2.0); }',
    ]);
  });

  it('has the lines of the files in every shader of ours', () => {
    const folder = resolve(import.meta.dirname, '../../shaders');
    const read = (name: string) => readFileSync(join(folder, `${name}.wgsl`), 'utf8');
    const files = readdirSync(folder).filter((file) => file.endsWith('.wgsl'));
    expect(files.length).toBe(Object.keys(shaders).length);
    for (const { name, code } of Object.values(shaders)) {
      const lines = withLibraries(read(name), (library) => read(`lib/${library}`)).split('\n');
      for (const [i, line] of code.split('\n').entries())
        if (line !== '') expect(lines[i]?.replace(/\/\/.*$/, '').trim(), `${name}:${i + 1}`).toBe(line);
      expect(code).toMatch(/^fn main\(/m);
    }
  });
});

describe('what is marked as pure', () => {
  const bundle = async (contents: string) => {
    const { outputFiles } = await build({ stdin: { contents }, bundle: true, format: 'esm', write: false });
    return outputFiles[0]?.text ?? '';
  };
  const module = `function make(o) { return o; }
const shared = { a: make(1) };
export const one = make({ ...shared, tag: 'first' });
const two = make({ ...shared, tag: 'second' });
const plain = [1, 2];
`;

  it('is dropped by a bundler where nothing uses it, and the same where something does', async () => {
    expect(await bundle(module)).toContain('second');
    const marked = markPure(module);
    expect(await bundle(marked)).not.toContain('second');
    expect(marked).toContain('const plain = [1, 2];');
    expect(marked.split('\n')).toHaveLength(module.split('\n').length);
    const { one } = await import(`data:text/javascript,${encodeURIComponent(await bundle(marked))}`);
    expect(one).toEqual({ a: 1, tag: 'first' });
  });
});
