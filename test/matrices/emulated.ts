/**
 * Products on subgroup matrices with lib subgroup_matrix emulated, so that all else in their shaders runs on adapters without the
 * extension: a subgroup is 32 neighbours, of which each holds 8 numbers of a matrix of sums, and operands are read where they lie when
 * they are multiplied.
 */
import { readFileSync } from 'node:fs';
import { defineMatrixMatmul, MATMUL_SHADERS } from '../../src/kernels/matmul_matrix.ts';
import { reflect, withLibraries } from '../../src/reflect/index.ts';

const LIBRARY = `
struct Left { part: u32, at: u32, line: u32, turned: bool }
struct Right { part: u32, at: u32, line: u32, turned: bool }
struct Sum { v: array<f32, 8> }
var<private> own_lane: u32;

fn left_at(part: u32, at: u32, line: u32, turned: bool) -> Left { return Left(part, at, line, turned); }
fn right_at(part: u32, at: u32, line: u32, turned: bool) -> Right { return Right(part, at, line, turned); }

fn half_at(part: u32, at: u32, line: u32, row: u32, col: u32) -> f32 {
  let word = parts[part][at + row * line + col / 8u][col % 8u / 2u];
  return unpack2x16float(word)[col % 2u];
}

fn add_product(x: Left, y: Right, sum: Sum) -> Sum {
  var s = sum;
  let row = own_lane / 2u;
  let once = min(dims.k, 1u); // bounds that are no constants: llvmpipe would unroll the loops, and compile for minutes
  for (var k = 0u; k < 16u * once; k++) {
    let v = half_at(x.part, x.at, x.line, select(row, k, x.turned), select(k, row, x.turned));
    for (var j = 0u; j < 8u * once; j++) {
      let col = own_lane % 2u * 8u + j;
      s.v[j] += v * half_at(y.part, y.at, y.line, select(k, col, y.turned), select(col, k, y.turned));
    }
  }
  return s;
}

fn put_sum(part: u32, at: u32, sum: Sum, line: u32) {
  let place = at + own_lane / 2u * line + own_lane % 2u * 2u;
  parts[part][place] = bitcast<vec4u>(vec4f(sum.v[0], sum.v[1], sum.v[2], sum.v[3]));
  parts[part][place + 1u] = bitcast<vec4u>(vec4f(sum.v[4], sum.v[5], sum.v[6], sum.v[7]));
}
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

function emulated(name: 'matmul_matrix' | 'matmul_f32x3') {
  const read = (path: string) => readFileSync(new URL(`../../shaders/${path}.wgsl`, import.meta.url), 'utf8');
  const code = withLibraries(read(name), (lib) => (lib === 'subgroup_matrix' ? LIBRARY : read(`lib/${lib}`)));
  if (!BUILTINS.test(code)) throw new Error(`${name} takes its subgroup from other builtins than are emulated`);
  const own = '\n) {\n  let subgroup = local / 32u;\n  let lane = local % 32u;\n  own_lane = lane;';
  return reflect(small(code.replace(BUILTINS, own).replace(TWICE, LOOP)), name);
}

/** The family of products over the emulated shaders, for tiles of 64 x 64. */
export const emulatedMatmul = defineMatrixMatmul({
  ...MATMUL_SHADERS,
  matrix: emulated('matmul_matrix'),
  f32x3: emulated('matmul_f32x3'),
});
