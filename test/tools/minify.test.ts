import { describe, expect, it } from 'vitest';
import type { ShaderSource } from '../../src/kernel/index.ts';
import { specialise } from '../../src/kernel/specialise.ts';
import { reflect } from '../../src/reflect/index.ts';
import * as generated from '../../src/shaders.generated.ts';
// @ts-expect-error plain JavaScript: the build runs it
import { minified, shortened, tokensOf } from '../../tools/minify.mjs';
import { openDevice } from '../gpu.ts';

const shaders = Object.values(generated) as ShaderSource[];
const names = shortened(shaders) as Map<string, string>;
const short = new Map(shaders.map((shader) => [shader, { ...shader, code: minified(shader, names) as string }]));

/** Defaults, then each switch the other way: with it go lines, blocks and bindings that the runtime finds by their text. */
const variantsOf = ({ knobs }: ShaderSource) => [
  {},
  ...Object.entries(knobs).flatMap(([name, knob]) => (knob.type === 'bool' ? [{ [name]: !knob.default }] : [])),
];

/** The names of `b` by those of `a`, where the two programs differ in nothing else. @throws Error */
function renaming(a: string, b: string): Map<string, string> {
  const [from, to] = [a, b].map((code) => tokensOf(code) as string[]) as [string[], string[]];
  expect(to).toHaveLength(from.length);
  const names = new Map<string, string>();
  for (const [i, token] of from.entries()) {
    const other = to[i] as string;
    if ((names.get(token) ?? other) !== other) throw new Error(`${token} is ${names.get(token)} and ${other}`);
    names.set(token, other);
  }
  expect(new Set(names.values()).size, 'two names became one').toBe(names.size);
  return names;
}

describe('minified shaders', () => {
  it.each(shaders)('$name is the same program in every variant, but for names', (shader) => {
    const other = short.get(shader) as ShaderSource;
    for (const knobs of variantsOf(shader)) {
      const [a, b] = [specialise(shader, knobs), specialise(other, knobs)];
      const renamed = renaming(a.code, b.code);
      for (const name of [shader.entryPoint, ...Object.keys(shader.bindings), ...Object.keys(shader.knobs)])
        expect(renamed.get(name) ?? name).toBe(name);
      expect({ ...b, code: '' }).toEqual({ ...a, code: '' });
    }
    expect(other.code.length).toBeLessThan(shader.code.length);
  });

  it('a compiler takes them in each variant in which it takes the source', async () => {
    const device = await openDevice({ limits: 'default' });
    const complaint = async (code: string) => {
      device.pushErrorScope('validation');
      device.createShaderModule({ code });
      return (await device.popErrorScope())?.message;
    };
    let taken = 0;
    for (const [shader, other] of short) {
      if (shader.enables?.some((extension) => !device.features.has(extension as GPUFeatureName))) continue;
      for (const knobs of variantsOf(shader)) {
        if ((await complaint(specialise(shader, knobs).code)) !== undefined) continue; // a switch that needs another one
        expect(await complaint(specialise(other, knobs).code)).toBeUndefined();
        taken++;
      }
    }
    expect(taken).toBeGreaterThan(2 * short.size);
    device.destroy();
  });

  it('leaves names of the language alone, and a space where two operators would be one', () => {
    const code = `@group(0) @binding(0) var<storage, read_write> y: array<f32>;
struct Dims { count: u32 }
@group(0) @binding(1) var<uniform> dims: Dims;
@compute @workgroup_size(1)
fn main(@builtin(local_invocation_id) local_invocation_id: vec3u) {
  let length = vec2f(1.0, 2.0);
  let lasting = - -f32(dims.count);
  let both: vec2<f32> = length * lasting;
  y[local_invocation_id.x] = both.x - -both.y;
}
`;
    const own = reflect(code, 'own');
    const text = minified(own, shortened([own])) as string;
    expect(text).toMatch(/@builtin\(local_invocation_id\)local_invocation_id:vec3u/);
    expect(text).toMatch(/= - -f32\(\w\.\w\);/);
    expect(text).toMatch(/:vec2<f32> =/);
    expect(text).toMatch(/\.x- -\w\.y;/);
    expect(text).not.toMatch(/lasting|count/);
    renaming(code, text);
  });
});
