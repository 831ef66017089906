/**
 * Products on subgroup matrices with lib subgroup_matrix emulated, so that all else in their shaders runs on adapters without the
 * extension: a subgroup is 32 neighbours, of which each holds 8 numbers of a matrix of sums, and operands are read where they lie when
 * they are multiplied.
 */
import { readFileSync } from 'node:fs';
import { matrixCeiling } from '../../bench/ceilings.ts';
import { type ATTENTION_SHADERS, defineMatrixAttention } from '../../src/kernels/attention_matrix.ts';
import { defineMatrixConv, defineMatrixConvWeight } from '../../src/kernels/conv_matrix.ts';
import { defineMatrixMatmul, MATMUL_SHADERS } from '../../src/kernels/matmul_matrix.ts';
import { reflect, withLibraries } from '../../src/reflect/index.ts';
import type { Conv2dBwdWeightMatrix, Conv2dMatrix, ceiling_matrices } from '../../src/shaders.generated.ts';

/** Words of the emulated libraries: `read` where a half lies. */
const halfAt = (name: string, array: string) => `
fn ${name}(part: u32, at: u32, line: u32, row: u32, col: u32) -> f32 {
  let word = ${array}[part][at + row * line + col / 8u][col % 8u / 2u];
  return unpack2x16float(word)[col % 2u];
}
`;

/** A left operand is held, a row an invocation; `once` is 1, in a bound that is no constant: llvmpipe would unroll loops, and compile for minutes. */
const leftOf = (read: string) => `
  var x = Left();
  for (var k = 0u; k < 16u * once(); k++) { x.v[k] = ${read}; }
  return x;
}
`;

const library = (dim: string) => `
struct Left { v: array<f32, 16> }
struct Right { part: u32, at: u32, line: u32, turned: bool, lines: bool }
struct Sum { v: array<f32, 8> }
var<private> own_lane: u32;

fn once() -> u32 { return min(dims.${dim}, 1u); }
${halfAt('half_at', 'parts')}
fn left_at(part: u32, at: u32, line: u32, turned: bool) -> Left {
  let row = own_lane / 2u;
  ${leftOf('half_at(part, at, line, select(row, k, turned), select(k, row, turned))')}
fn right_at(part: u32, at: u32, line: u32, turned: bool) -> Right { return Right(part, at, line, turned, false); }

fn add_product(x: Left, y: Right, sum: Sum) -> Sum {
  var s = sum;
  for (var k = 0u; k < 16u * once(); k++) {
    for (var j = 0u; j < 8u * once(); j++) {
      let col = own_lane % 2u * 8u + j;
      s.v[j] += x.v[k] * half_of(y, select(k, col, y.turned), select(col, k, y.turned));
    }
  }
  return s;
}

fn put_sum(part: u32, at: u32, sum: Sum, line: u32) {
  let place = at + own_lane / 2u * line + own_lane % 2u * 2u;
  parts[part][place] = bitcast<vec4u>(vec4f(sum.v[0], sum.v[1], sum.v[2], sum.v[3]));
  parts[part][place + 1u] = bitcast<vec4u>(vec4f(sum.v[4], sum.v[5], sum.v[6], sum.v[7]));
}

fn sum_at(part: u32, at: u32, line: u32) -> Sum {
  let place = at + own_lane / 2u * line + own_lane % 2u * 2u;
  let low = bitcast<vec4f>(parts[part][place]);
  let high = bitcast<vec4f>(parts[part][place + 1u]);
  return Sum(array(low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w));
}
`;

const NO_LINES = `
fn half_of(y: Right, row: u32, col: u32) -> f32 { return half_at(y.part, y.at, y.line, row, col); }
`;

const LINES_LIBRARY = `${halfAt('half_of_lines', 'lines')}
fn half_of(y: Right, row: u32, col: u32) -> f32 {
  if (y.lines) { return half_of_lines(y.part, y.at, y.line, row, col); }
  return half_at(y.part, y.at, y.line, row, col);
}

fn left_of_lines(part: u32, at: u32, line: u32) -> Left {
  let row = own_lane / 2u;
  ${leftOf('half_of_lines(part, at, line, row, k)')}
fn right_of_lines(part: u32, at: u32, line: u32, turned: bool) -> Right { return Right(part, at, line, turned, true); }
`;

const BUILTINS =
  /\n {2}@builtin\(subgroup_id\) subgroup: u32,\n {2}@builtin\(subgroup_invocation_id\) lane: u32,\n\) \{/;

/** The code without the blocks of tiles above 64 x 64: llvmpipe inlines what they call before it sees that they never run. */
function small(code: string): string {
  const from = code.search(/^ *if \(T[MN] > 2u\) \{$/m);
  if (from < 0) return code;
  const indent = /^ */.exec(code.slice(from))?.[0] ?? '';
  const end = code.indexOf(`\n${indent}}\n`, from) + indent.length + 3;
  return small(code.slice(0, from) + code.slice(end));
}

/** The step of f32x3 as a loop, half as long to compile. */
const TWICE = 'return multiply_16(multiply_16(before, part_a, part_b, 0u), part_a, part_b, 1u);';
const LOOP = `var s = before;
  for (var kk = 0u; kk < 2u * min(dims.k, 1u); kk++) { s = multiply_16(s, part_a, part_b, kk); }
  return s;`;

/**
 * The loop of convolutions with a fetch a step, 16 k in one place, and an epilogue that is not unrolled: a fraction of the time to compile.
 * The loop of products, which is the same, is emulated as it is.
 */
const SHORT_LOOP = `var s = Sums();
  for (var k0 = 0u; k0 < length; k0 += BK) {
    stage(item_a, item_b, fetch(item_a, item_b, from_a, from_b, k0));
    workgroupBarrier();
    for (var kk = 0u; kk < 2u * once(); kk++) { s = multiply(s, part_a, part_b, kk); }
    workgroupBarrier();
  }
  return s;
}
`;

function withShortLoop(code: string): string {
  const from = code.indexOf('var s = Sums();\n  var next = fetch(');
  const end = code.indexOf('return s;\n}\n', from) + 'return s;\n}\n'.length;
  if (from < 0) throw new Error('lib matrix_sums has another loop than is made short');
  const short = code.slice(0, from) + SHORT_LOOP + code.slice(end);
  return short.replace('i < TM; i++', 'i < TM * once(); i++').replace('x < 2u * TN; x++', 'x < 2u * TN * once(); x++');
}

const shaderText = (path: string) => readFileSync(new URL(`../../shaders/${path}.wgsl`, import.meta.url), 'utf8');

/** A shader with its products of matrices emulated; `dim` is one of its dims, of 1 at least. */
function emulated(name: string, dim: string) {
  const text = shaderText(name);
  const lines = text.includes('attention_matrix');
  const libraries: { [lib: string]: string } = {
    subgroup_matrix: library(dim) + (lines ? '' : NO_LINES),
    subgroup_matrix_lines: LINES_LIBRARY,
  };
  const code = withLibraries(text, (lib) => libraries[lib] ?? shaderText(`lib/${lib}`));
  if (!BUILTINS.test(code)) throw new Error(`${name} takes its subgroup from other builtins than are emulated`);
  const own = '\n) {\n  let subgroup = local / 32u;\n  let lane = local % 32u;\n  own_lane = lane;';
  return small(code.replace(BUILTINS, own));
}

/** The family of products over the emulated shaders, for tiles of 64 x 64. */
export const emulatedMatmul = defineMatrixMatmul({
  ...MATMUL_SHADERS,
  matrix: reflect(emulated('matmul_matrix', 'k'), 'matmul_matrix'),
  f32x3: reflect(emulated('matmul_f32x3', 'k').replace(TWICE, LOOP), 'matmul_f32x3'),
});

/** The families of convolutions over the emulated shaders, for tiles of 64 x 64. */
export const emulatedConv = defineMatrixConv(
  reflect(withShortLoop(emulated('conv2d_matrix', 'k')), 'conv2d_matrix') as unknown as Conv2dMatrix,
);
export const emulatedConvWeight = defineMatrixConvWeight(
  reflect(
    withShortLoop(emulated('conv2d_bwd_weight_matrix', 'k')),
    'conv2d_bwd_weight_matrix',
  ) as unknown as Conv2dBwdWeightMatrix,
);

/** The ceiling of products of matrices over its emulated shader, for 2 x 2 matrices. */
export const emulatedCeiling = matrixCeiling(
  reflect(emulated('ceiling_matrices', 'rounds'), 'ceiling_matrices') as typeof ceiling_matrices,
);

const ofAttention = (name: string) => reflect(emulated(name, 'n'), name);

/** The families of attention over the emulated shaders. */
export const emulatedAttention = defineMatrixAttention({
  forward: ofAttention('attention_matrix_fwd'),
  backward: ofAttention('attention_matrix_bwd_kv'),
  backwardQ: ofAttention('attention_matrix_bwd_q'),
} as unknown as typeof ATTENTION_SHADERS);

/** Products of which one is wrong, and the other does not compile: what a self-test is to find. */
export const spoiltMatmul = defineMatrixMatmul({
  ...MATMUL_SHADERS,
  matrix: reflect(
    emulated('matmul_matrix', 'k').replace('s.v[j] += x.v[k] *', 's.v[j] += 1.01 * x.v[k] *'),
    'matmul_matrix',
  ),
  f32x3: {
    ...MATMUL_SHADERS.f32x3,
    enables: [],
    code: MATMUL_SHADERS.f32x3.code.replaceAll(/^enable .*$/gm, ''),
  } as typeof MATMUL_SHADERS.f32x3,
});
