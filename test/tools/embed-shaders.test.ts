import { describe, expect, it } from 'vitest';
import { specialise } from '../../src/kernel/index.ts';
import { componentWrites } from '../../src/reflect/component_writes.ts';
import { embeddedFile, reflect, withLibraries } from '../../src/reflect/index.ts';
import { checkStyle } from '../../tools/embed-shaders.ts';

const SHADER = `// doubles: y = factor x.
const WG: u32 = 64u;           // knob: invocations a workgroup
const HAS_BIAS: bool = false;  // knob: add bias
alias Elem = f32;              // knob: vec4f with a multiple of 4
override SCALE: f32 = 2.0;
const HALF: u32 = WG / 2u; // derived, no knob

struct Dims {
  count: u32,
  shift: f32, // optional: HAS_BIAS, else 0.5
  stride: u32, // optional, else count
}

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
    const { bindings, uniform, knobs, entryPoint } = reflect(SHADER, 'doubles');
    expect(entryPoint).toBe('main');
    expect(bindings).toEqual({
      x: { binding: 0, access: 'read', element: 'Elem' },
      bias: { binding: 1, access: 'read', element: 'f32', optional: 'HAS_BIAS' },
      y: { binding: 3, access: 'read_write', element: 'vec4f' },
    });
    expect(uniform).toEqual({
      binding: 4,
      size: 12,
      fields: {
        count: { type: 'u32', offset: 0 },
        shift: { type: 'f32', offset: 4, else: 0.5, optional: 'HAS_BIAS' },
        stride: { type: 'u32', offset: 8, else: 'count' },
      },
    });
    expect(knobs).toEqual({
      WG: { kind: 'const', type: 'u32', default: 64 },
      HAS_BIAS: { kind: 'const', type: 'bool', default: false },
      Elem: { kind: 'alias', type: 'type', default: 'f32' },
      SCALE: { kind: 'override', type: 'f32', default: 2 },
    });
  });

  it.each([
    ['WG', ['WG']],
    ['HALF', ['WG / 2']],
    ['8, WG', [8, 'WG']],
    ['8u, HALF', [8, 'WG / 2']],
    ['ANY', undefined],
  ])('reads a workgroup of %s', (sizes, workgroup) => {
    const code = SHADER.replace('(WG)', `(${sizes})`).replace('override', 'const ANY = 7u + 1u;\noverride');
    expect(reflect(code).workgroup).toEqual(workgroup);
  });

  it('knows which sizes of the workgroup may be halved', () => {
    const fits = SHADER.replace('// knob: invocations', '// knob, halved to fit: invocations');
    expect(reflect(fits).knobs.WG).toEqual({ kind: 'const', type: 'u32', default: 64, halves: true });
    expect(() => reflect(fits.replace('(WG)', '(64)'))).toThrow('knob WG is no size of the workgroup');
    expect(() => reflect(fits.replace('= 64u', '= 96u'))).toThrow('knob WG is 96. Fix: halve to fit only powers of 2');
  });

  it('inlines each library once, and what it uses itself', () => {
    const libraries: { [name: string]: string } = { a: '// @use b\nfn a() {}', b: '// @use a\nfn b() {}' };
    const code = withLibraries('// @use a\n// @use b\nfn main() {}', (name) => libraries[name] as string);
    expect(code.match(/fn \w+/g)).toEqual(['fn main', 'fn a', 'fn b']);
  });

  it('puts what libraries enable below the comment that the code opens with', () => {
    const library = '// of matrices\nenable f16;\nrequires subgroup_id;\nfn a() {}';
    const code = withLibraries('// it does\n// @use a\nconst X: u32 = 1u;\n', () => library);
    expect(code).toMatch(/^\/\/ it does\n\/\/ @use a\nenable f16;\nrequires subgroup_id;\nconst X/);
    expect(code.match(/enable|requires/g)).toHaveLength(2);
  });

  it('counts what a binding holds, not the words that it is read in', () => {
    const code = SHADER.replace('alias Elem', 'alias Held = f32; // knob: f16\nalias Elem').replace(
      'x: array<Elem>;',
      'x: array<Elem>; // holds Held',
    );
    const shader = reflect(code, 'doubles');
    expect(shader.bindings.x).toEqual({ binding: 0, access: 'read', element: 'Elem', holds: 'Held' });
    const { bindings, features } = specialise(shader, { Elem: 'vec4u', Held: 'f16' });
    expect(bindings[0]?.element).toEqual({ type: 'vec4u', scalarBytes: 2, scalars: 8 });
    expect(features).toEqual(['shader-f16']);
    expect(() => reflect(code.replace('holds Held', 'holds WG'), 'doubles')).toThrow(
      'x holds WG, which is no alias knob',
    );
  });

  it('reads past what wgsl_reflect does not know', () => {
    const code = SHADER.replace(
      'struct',
      'alias Tile = subgroup_matrix_left<f16, 8, 8>;\nvar<workgroup> w: buffer<64>;\nstruct',
    );
    expect(reflect(code).bindings).toEqual(reflect(SHADER).bindings);
  });

  it.each([
    ['no entry point', SHADER.replace('@compute @workgroup_size(WG)', ''), 'no compute entry point'],
    ['another group', SHADER.replace('@group(0) @binding(3)', '@group(1) @binding(3)'), 'y is not in group 0'],
    ['a dim that is no number', SHADER.replace('shift: f32', 'shift: vec2f'), 'dims.shift is a vec2f'],
    [
      'a dim that is another by a wrong name',
      SHADER.replace('else count', 'else rows'),
      'stride is rows where left out',
    ],
    [
      'a dim that some variants lack and nothing is said of',
      SHADER.replace(', else 0.5', ''),
      'optional without a value',
    ],
    ['a buffer of a known length', SHADER.replace('array<vec4f>', 'array<vec4f, 4>'), 'y is no runtime-sized array'],
    ['what is no WGSL', 'fn main( {', 'does not parse'],
    ['an unknown condition', SHADER.replace('optional: HAS_BIAS', 'optional: HAS_BIAZ'), 'no bool knob'],
  ])('refuses %s, naming the kernel', (_, code, message) => {
    expect(() => reflect(code, 'doubles')).toThrow('doubles: ');
    expect(() => reflect(code, 'doubles')).toThrow(message);
  });

  it('asks more of the shaders of this library', () => {
    expect(() => checkStyle(SHADER.slice(SHADER.indexOf('const')))).toThrow('must open with a comment');
    expect(() => checkStyle(`${SHADER}// $\{x}`)).toThrow('is a template');
  });

  it('writes TypeScript whose types name the buffers and dims, and not the source', () => {
    const text = embeddedFile([reflect(SHADER, 'doubles_it')], 'ucgm-webgpu/kernels', 'Written by ucgm embed.');
    expect(text).toContain("import type { ShaderSource } from 'ucgm-webgpu/kernels';");
    expect(text).toMatch(/\* doubles: y = factor x\.\n \*\/\nexport interface DoublesIt extends/);
    expect(text).toContain('` as string,');
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
    expect(() => reflect(code, 'doubles')).toThrow(/doubles: line \d+ writes one component/);
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
  /** A binding that the variant lacks is a private variable, which code that never runs may name. */
  const WITHOUT_BIAS = SHADER.replace(/^@group.* bias: array<f32>;/m, 'var<private> bias: array<f32, 16>;');
  const shader = reflect(SHADER, 'doubles');

  it('rewrites the header lines of the knobs and nothing else', () => {
    const { code, constants, variant, knobs } = specialise(shader, {
      WG: 8,
      Elem: 'vec4f',
      SCALE: 3,
      HAS_BIAS: undefined,
    });
    const expected = WITHOUT_BIAS.replace('WG: u32 = 64u;', 'WG: u32 = 8u;').replace('Elem = f32;', 'Elem = vec4f;');
    expect(code).toBe(expected);
    expect(constants).toEqual({ SCALE: 3 });
    expect(variant).toBe('Elem=vec4f,SCALE=3,WG=8');
    expect(knobs.HAS_BIAS).toBe(false);
  });

  it('names no variant for the defaults, and enables f16 where an alias asks for it', () => {
    expect(specialise(shader, { WG: 64 })).toMatchObject({ code: WITHOUT_BIAS, variant: '', features: [] });
    expect(specialise(shader, { HAS_BIAS: true })).toMatchObject({ variant: 'HAS_BIAS=true' });
    const half = specialise(shader, { Elem: 'vec4h' });
    expect(half.code.startsWith('enable f16;\n')).toBe(true);
    expect(half.features).toEqual(['shader-f16']);
    expect(half.bindings).toMatchObject([{ name: 'x', element: { scalarBytes: 2, scalars: 4 } }, { name: 'y' }]);
  });

  it('drops what only an absent binding enters, and keeps the else of it', () => {
    const body = `  if (HAS_BIAS) { // a } in a comment
    if (dims.count > 1u) { v += bias[0]; }
  } else {
    v = 1.0;
  }
  if (HAS_BIAS && id.x == 0u) {
    v += bias[3];
  }
  if (id.x > 0u) { v += 2.0; } else if (HAS_BIAS) { v += bias[1]; }
`;
    const code = SHADER.replace('  y[id.x] =', `  var v = 0.0;\n${body}  y[id.x] =`);
    const left = specialise(reflect(code), {}).code;
    expect(left).toContain(
      'var v = 0.0;\n{\n    v = 1.0;\n  }\n\n  if (id.x > 0u) { v += 2.0; } else if (HAS_BIAS) { v += bias[1]; }',
    );
    expect(left.match(/bias\[/g)).toHaveLength(1);
    expect(specialise(reflect(code), { HAS_BIAS: true }).code).toContain(body);
  });

  it('drops what a switch leaves out, minified too, unless something else has its name as well', () => {
    const code = SHADER.replace(
      'override',
      'const WIDE: bool = false; // knob: whether\nconst TALL: bool = true; // knob: whether\noverride',
    );
    const body = (open: string) => `  if${open}WIDE) { v += 1.0; } else if (id.x > 0u) { v += 2.0; }
  if${open}WIDE && id.x > 0u) { v += 3.0; }
  if${open}TALL) { v += 4.0; } else { v += 5.0; }
`;
    const written = (open: string, more = '') =>
      code.replace('  y[id.x] =', `  var v = 0.0;\n${more}${body(open)}  y[id.x] =`);
    for (const open of ['(', ' (']) {
      const left = specialise(reflect(written(open)), {}).code;
      expect(left).toContain(
        `var v = 0.0;\nif (id.x > 0u) { v += 2.0; }\n\n  if${open}TALL) { v += 4.0; } else { v += 5.0; }\n  y[id.x] =`,
      );
      expect(specialise(reflect(written(open)), { WIDE: true }).code).toContain(body(open));
    }
    const shadowed = written(' (', '  let WIDE = id.x > 3u;\n');
    expect(specialise(reflect(shadowed), {}).code).toContain(body(' ('));
  });

  it('knows the features of what the source enables itself', () => {
    const code = `enable subgroups, f16;\n${SHADER}`;
    expect(specialise(reflect(code), { Elem: 'f16' })).toMatchObject({ features: ['subgroups', 'shader-f16'] });
    expect(specialise(reflect(code), { Elem: 'f16' }).code.match(/enable/g)).toHaveLength(1);
  });

  it('refuses unknown knobs and values of another type', () => {
    expect(() => specialise(shader, { WIDTH: 3 })).toThrow(/has no knob WIDTH.*use one of: WG, HAS_BIAS, Elem, SCALE/);
    expect(() => specialise(shader, { WG: 1.5 })).toThrow('knob WG is 1.5');
    expect(() => specialise(shader, { HAS_BIAS: 1 })).toThrow('type bool');
    expect(() => specialise(shader, { SCALE: Number.NaN })).toThrow('type f32');
  });
});
