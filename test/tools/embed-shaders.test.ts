import { describe, expect, it } from 'vitest';
import { specialise } from '../../src/kernel/index.ts';
import { componentWrites, reflect, withLibraries } from '../../tools/embed-shaders.ts';

const SHADER = `// doubles: y = factor x.
const WG: u32 = 64u;           // knob: invocations a workgroup
const HAS_BIAS: bool = false;  // knob: add bias
alias Elem = f32;              // knob: vec4f with a multiple of 4
override SCALE: f32 = 2.0;
const HALF: u32 = WG / 2u; // derived, no knob

struct Dims { count: u32, shift: f32, }

@group(0) @binding(0) var<storage, read> x: array<Elem>;
@group(0) @binding(1) var<storage, read> bias: array<f32>; // optional: HAS_BIAS
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(4) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3u) {
  y[id.x] = vec4f(x[id.x]) * SCALE + dims.shift;
}
`;

describe('embedding shaders', () => {
  it('reads bindings, dims and knobs', () => {
    const { bindings, uniform, knobs, entryPoint } = reflect('doubles', SHADER);
    expect(entryPoint).toBe('main');
    expect(bindings).toEqual({
      x: { binding: 0, access: 'read', element: 'f32', elementBytes: 4 },
      bias: { binding: 1, access: 'read', element: 'f32', elementBytes: 4, optional: 'HAS_BIAS' },
      y: { binding: 3, access: 'read_write', element: 'vec4f', elementBytes: 16 },
    });
    expect(uniform).toEqual({
      binding: 4,
      size: 8,
      fields: { count: { type: 'u32', offset: 0 }, shift: { type: 'f32', offset: 4 } },
    });
    expect(knobs).toEqual({
      WG: { kind: 'const', type: 'u32', default: 64 },
      HAS_BIAS: { kind: 'const', type: 'bool', default: false },
      Elem: { kind: 'alias', type: 'type', default: 'f32' },
      SCALE: { kind: 'override', type: 'f32', default: 2 },
    });
  });

  it('inlines each library once, and what it uses itself', () => {
    const libraries: { [name: string]: string } = { a: '// @use b\nfn a() {}', b: '// @use a\nfn b() {}' };
    const code = withLibraries('// @use a\n// @use b\nfn main() {}', (name) => libraries[name] as string);
    expect(code.match(/fn \w+/g)).toEqual(['fn main', 'fn a', 'fn b']);
  });

  it.each([
    ['no opening comment', SHADER.slice(SHADER.indexOf('const')), 'must open with a comment'],
    ['a template', `${SHADER}// $\{x}`, 'is a template'],
    ['no entry point', SHADER.replace('@compute @workgroup_size(WG)', ''), 'no compute entry point'],
    ['another group', SHADER.replace('@group(0) @binding(3)', '@group(1) @binding(3)'), 'y is not in group 0'],
    ['an unknown condition', SHADER.replace('optional: HAS_BIAS', 'optional: HAS_BIAZ'), 'no bool knob'],
  ])('refuses %s, naming the file', (_, code, message) => {
    expect(() => reflect('doubles', code)).toThrow(`shaders/doubles.wgsl: `);
    expect(() => reflect('doubles', code)).toThrow(message);
  });

  // A write of one component may store the whole vector: two invocations that share it race.
  it.each([
    ['a component of workgroup memory', 'var<workgroup> tile: array<vec4f, 8>;', 'tile[id.x].y = 1.0;'],
    ['a component by index', 'var<workgroup> tile: array<vec4f, 8>;', 'tile[id.x / 4u][id.x % 4u] = 1.0;'],
    ['a component after a nested index', 'var<workgroup> tile: array<vec4f, 8>;', 'tile[at[id.x]].w += 1.0;'],
    ['a component of an array of arrays', 'var<workgroup> tile: array<array<vec2f, 8>, 2>;', 'tile[1u][id.x].x = 1.0;'],
    ['a component of storage', 'var<workgroup> tile: array<f32, 8>;', 'y[id.x].z = 1.0;'],
    ['a component of one shared vector', 'var<workgroup> tile: vec4f;', 'tile[id.x] = 1.0;'],
    ['a component of what a knob may make a vector', 'var<workgroup> tile: array<Elem, 8>;', 'tile[id.x][0] = 1.0;'],
    ['a component over two lines', 'var<workgroup> tile: array<vec4f, 8>;', 'tile[id.x]\n    .x\n    = 1.0;'],
  ])('refuses to write %s', (_, variable, write) => {
    const code = SHADER.replace('@compute', `${variable}\n@compute`).replace(
      '  y[id.x] = ',
      `  ${write}\n  y[id.x] = `,
    );
    expect(componentWrites(code)).toHaveLength(1);
    expect(() => reflect('doubles', code)).toThrow(/shaders\/doubles.wgsl: line \d+ writes one component/);
  });

  it('allows whole vectors, single numbers, and reads of a component', () => {
    const whole = `var<workgroup> tile: array<vec4f, 8>;
var<workgroup> sums: array<array<f32, 8>, 2>;
fn f(i: u32) {
  var own = array<vec4f, 2>();
  own[0].x = tile[i].x;
  own[1][i] = tile[i][2];
  tile[i] = own[0];
  sums[1u][i] = tile[i].y;
  if (tile[i].x == 1.0) { tile[i] += own[1]; }
}`;
    expect(componentWrites(whole)).toEqual([]);
  });
});

describe('specialising', () => {
  const shader = reflect('doubles', SHADER);

  it('rewrites the header lines of the knobs and nothing else', () => {
    const { code, constants, variant, knobs } = specialise(shader, {
      WG: 8,
      Elem: 'vec4f',
      SCALE: 3,
      HAS_BIAS: undefined,
    });
    const expected = SHADER.replace('WG: u32 = 64u;', 'WG: u32 = 8u;').replace('Elem = f32;', 'Elem = vec4f;');
    expect(code).toBe(expected);
    expect(constants).toEqual({ SCALE: 3 });
    expect(variant).toBe('Elem=vec4f,SCALE=3,WG=8');
    expect(knobs.HAS_BIAS).toBe(false);
  });

  it('names no variant for the defaults, and enables f16 where an alias asks for it', () => {
    expect(specialise(shader, { WG: 64 })).toMatchObject({ code: SHADER, variant: '' });
    expect(specialise(shader, { Elem: 'f16' }).code.startsWith('enable f16;\n')).toBe(true);
  });

  it('refuses unknown knobs and values of another type', () => {
    expect(() => specialise(shader, { WIDTH: 3 })).toThrow(/has no knob WIDTH.*use one of: WG, HAS_BIAS, Elem, SCALE/);
    expect(() => specialise(shader, { WG: 1.5 })).toThrow('knob WG is 1.5');
    expect(() => specialise(shader, { HAS_BIAS: 1 })).toThrow('type bool');
    expect(() => specialise(shader, { SCALE: Number.NaN })).toThrow('type f32');
  });
});
