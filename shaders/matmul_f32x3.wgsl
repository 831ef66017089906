// matmul_f32x3: out = residual + gate * act(op(A) op(B) + bias), batched, to f32 accuracy by three products of halves on subgroup matrices;
// a variant of matmul_tiled with the same buffers and dims, and `ranges`.
// Buffers, row-major (batch outermost), f32 but where it says otherwise:
//   a [batch, m, k] ([batch, k, m] when TRANS_A), b [batch, k, n] ([batch, n, k] when TRANS_B), fewer where the batch shares matrices (lib
//   shared_matrix)
//   ranges [..., 128]: the bits of the largest magnitudes of 128 parts of some tensors (largest.wgsl), a's at range_a, b's at range_b
//   out [splits * batch, m, n], pre [same] = the value before act; bias [n]; residual [batch, residual_rows, n]; gate as in matmul_tiled
// Split over k: split s sums k in [s * k_chunk, (s + 1) * k_chunk) into out[s * batch + i]; the caller adds the splits. k_chunk >= k: one split.
// Grid: a workgroup of four subgroups of 32 makes 64 x 64 outputs, a subgroup 32 x 32. Folded over (split, batch, tile).
// Operands are scaled by powers of two, so that the largest of each is near 2^14, and taken as x = h + l / 2048, halves both: 22 bits and a sign
// each. Ah Bh goes to one sum, Al Bh + Ah Bl to another, which comes in at the end, 2048 times smaller. A tensor core truncates as it adds: every
// two steps the first sum goes through workgroup memory into f32 registers (an H100 is 1e-6 off for 256 of k and numbers of one sign, FMA
// 3e-7). Where a range is no finite number, all is summed by FMA instead.
// Precision: as f32 sums, or better; the epilogue in f32.
// Source: Ootomo and Yokota 2022, "Recovering single precision accuracy from Tensor Cores while surpassing the FP32 theoretical peak performance".
// @use act
// @use product_place
// @use subgroup_matrix
// @use matrix_tiles
// @use product_finish

const TRANS_A: bool = false;       // knob: a is stored [k, m]
const TRANS_B: bool = false;       // knob: b is stored [n, k]
const VEC_A: bool = false;         // knob: a is read eight neighbours at a time; its rows are a multiple of 8 (and k_chunk, where they run along k)
const VEC_B: bool = false;         // knob: b likewise
const VEC_N: bool = false;         // knob: residual, out and pre are accessed as vectors of 4; n is a multiple of 4
alias AElem = f32;                 // knob: f32, a vector of 4 with VEC_A
alias BElem = f32;                 // knob: f32, a vector of 4 with VEC_B
alias OScalar = f32;               // knob: f16 stores residual, out and pre in half precision
alias RElem = f32;                 // knob: as OScalar, a vector of 4 with VEC_N
alias OElem = array<f32, 1>;       // knob: array<OScalar, 1>, or a vector of 4 with VEC_N: both can be indexed, so one store serves both
const A_EACH: u32 = 1u;            // knob: neighbours in the batch that share a matrix of a
const A_OF: u32 = 0u;              // knob: matrices of a that the batch goes through again and again; 0: as many as it needs
const B_EACH: u32 = 1u;            // knob: likewise of b
const B_OF: u32 = 0u;              // knob: likewise of b
const ACT: u32 = 0u;               // knob: 0 none; see lib act
const HAS_BIAS: bool = false;      // knob: add bias
const HAS_GATE: bool = false;      // knob: multiply by gate
const HAS_RESIDUAL: bool = false;  // knob: add residual
const HAS_PRE: bool = false;       // knob: also write the value before act

const TM: u32 = 2u; // matrices of 16 rows a subgroup
const TN: u32 = 2u;
const GLU: bool = false;
const WORDS_A: bool = false;
const WORDS_B: bool = false;
alias AScalar = f32;
alias BScalar = f32;
const LEAST_HALF: f32 = 0.00006103515625; // 2^-14, the least with all its bits
const LOW: f32 = 2048.0; // what the lower halves are multiplied by

struct Dims {
  m: u32,
  n: u32,
  k: u32,
  batch: u32, // optional, else 1
  k_chunk: u32, // optional, else k
  gate_rows: u32, // optional: HAS_GATE, else 1
  gate_stride: u32, // optional: HAS_GATE, else 0
  gate_offset: u32, // optional: HAS_GATE, else 0
  residual_rows: u32, // optional: HAS_RESIDUAL, else 1
  range_a: u32, // optional, else 0
  range_b: u32, // optional, else 1
}

@group(0) @binding(0) var<storage, read> a: array<AElem>;
@group(0) @binding(1) var<storage, read> b: array<BElem>;
@group(0) @binding(2) var<storage, read> bias: array<f32>; // optional: HAS_BIAS
@group(0) @binding(3) var<storage, read> gate: array<f32>; // optional: HAS_GATE
@group(0) @binding(4) var<storage, read> residual: array<RElem>; // optional: HAS_RESIDUAL
@group(0) @binding(5) var<storage, read_write> out: array<OElem>;
@group(0) @binding(6) var<storage, read_write> pre: array<OElem>; // optional: HAS_PRE
@group(0) @binding(7) var<uniform> dims: Dims;
@group(0) @binding(8) var<storage, read> ranges: array<u32>;

var<workgroup> parts: array<array<vec4u, PART>, 8>; // higher halves: two subgroups' lines of A, two's of B; then the lower ones likewise
var<workgroup> largest: array<atomic<u32>, 2>; // of a and b
var<workgroup> magnitudes: vec2u;

// What an invocation fetches of a step: two eights of A, two of B.
struct Fetched {
  a0: Read,
  a1: Read,
  b0: Read,
  b1: Read,
}

fn fetch(item_a: vec2u, item_b: vec2u, from_a: Source, from_b: Source, step: u32) -> Fetched {
  return Fetched(
    fetch_a(item_a, 0u, from_a, step),
    fetch_a(item_a, 1u, from_a, step),
    fetch_b(item_b, 0u, from_b, step),
    fetch_b(item_b, 1u, from_b, step),
  );
}

// Numbers rounded to the 11 bits of a half, by their bits: compilers take a conversion to halves and back for nothing. Zero where a half
// would have fewer bits: the lower half has them then.
fn rounded(x: vec4f) -> vec4f {
  let near = bitcast<vec4f>((bitcast<vec4u>(x) + 0x1000u) & vec4u(0xffffe000u));
  return select(near, vec4f(), abs(x) < vec4f(LEAST_HALF));
}

fn stage_eight(part: u32, at: u32, f: Read, scale: f32) {
  let low = f.low * scale;
  let high = f.high * scale;
  let h_low = rounded(low);
  let h_high = rounded(high);
  parts[part][at] = halves(h_low, h_high);
  parts[part + 4u][at] = halves((low - h_low) * LOW, (high - h_high) * LOW);
}

fn stage_a(item: vec2u, i: u32, f: Read, scale: f32) {
  let place = place_a(item, i);
  stage_eight(place.x, place.y, f, scale);
}

fn stage_b(item: vec2u, i: u32, f: Read, scale: f32) {
  let place = place_b(item, i);
  stage_eight(2u + place.x, place.y, f, scale);
}

fn stage(item_a: vec2u, item_b: vec2u, f: Fetched, scales: vec2f) {
  stage_a(item_a, 0u, f.a0, scales.x);
  stage_a(item_a, 1u, f.a1, scales.x);
  stage_b(item_b, 0u, f.b0, scales.y);
  stage_b(item_b, 1u, f.b1, scales.y);
}

struct Sums {
  c00: Sum,
  c01: Sum,
  c10: Sum,
  c11: Sum,
}

fn add_products(before: Sums, x0: Left, x1: Left, y0: Right, y1: Right) -> Sums {
  return Sums(
    add_product(x0, y0, before.c00),
    add_product(x0, y1, before.c01),
    add_product(x1, y0, before.c10),
    add_product(x1, y1, before.c11),
  );
}

fn left(part: u32, i: u32, kk: u32) -> Left {
  return left_at(part, left_place(i, kk), A_LINE, TRANS_A);
}

fn right(part: u32, i: u32, kk: u32) -> Right {
  return right_at(part, right_place(i, kk), B_LINE, TRANS_B);
}

// The sum of products of higher halves, and that of a higher with a lower one.
struct Both {
  high: Sums,
  low: Sums,
}

// Adds 16 k of the staged step.
fn multiply_16(before: Both, part_a: u32, part_b: u32, kk: u32) -> Both {
  var s = before;
  let x0 = left(part_a, 0u, kk);
  let x1 = left(part_a, 1u, kk);
  let y0 = right(part_b, 0u, kk);
  let y1 = right(part_b, 1u, kk);
  s.low = add_products(s.low, left(part_a + 4u, 0u, kk), left(part_a + 4u, 1u, kk), y0, y1);
  s.low = add_products(s.low, x0, x1, right(part_b + 4u, 0u, kk), right(part_b + 4u, 1u, kk));
  s.high = add_products(s.high, x0, x1, y0, y1);
  return s;
}

fn multiply(before: Both, part_a: u32, part_b: u32) -> Both {
  return multiply_16(multiply_16(before, part_a, part_b, 0u), part_a, part_b, 1u);
}

const OUT_LINE: u32 = 4u * TN + 1u; // vec4u a row of sums in workgroup memory

// An invocation's outputs: four quads of each 16 rows of its subgroup.
struct Totals {
  t00: vec4f,
  t01: vec4f,
  t02: vec4f,
  t03: vec4f,
  t10: vec4f,
  t11: vec4f,
  t12: vec4f,
  t13: vec4f,
}

fn quad_at(part: u32, x: u32, lane: u32) -> vec4f {
  let e = x * 32u + lane;
  return bitcast<vec4f>(parts[part][e / (4u * TN) * OUT_LINE + e % (4u * TN)]);
}

// Adds a subgroup's sums, times `factor`, to its invocations' totals, through workgroup memory that nothing else is in: 16 rows in each of
// two parts of its own.
fn add_up(before: Totals, s: Sums, factor: f32, part: u32, lane: u32) -> Totals {
  var t = before;
  put_sum(part, 0u, s.c00, OUT_LINE);
  put_sum(part, 4u, s.c01, OUT_LINE);
  put_sum(part + 4u, 0u, s.c10, OUT_LINE);
  put_sum(part + 4u, 4u, s.c11, OUT_LINE);
  workgroupBarrier();
  t.t00 += factor * quad_at(part, 0u, lane);
  t.t01 += factor * quad_at(part, 1u, lane);
  t.t02 += factor * quad_at(part, 2u, lane);
  t.t03 += factor * quad_at(part, 3u, lane);
  t.t10 += factor * quad_at(part + 4u, 0u, lane);
  t.t11 += factor * quad_at(part + 4u, 1u, lane);
  t.t12 += factor * quad_at(part + 4u, 2u, lane);
  t.t13 += factor * quad_at(part + 4u, 3u, lane);
  workgroupBarrier();
  return t;
}

// The exponent e with which a largest magnitude times 2^e is in [2^14, 2^15), as far as powers of two go.
fn exponent_of(bits: u32) -> i32 {
  return select(clamp(14 - (i32(bits >> 23u) - 127), -126, 126), 0, bits == 0u);
}

fn power_of_two(e: i32) -> f32 {
  return bitcast<f32>(u32(e + 127) << 23u);
}

// The bits of the largest magnitudes of a and b, the same in all invocations; a NaN's are above all.
fn ranges_of(local: u32) -> vec2u {
  atomicMax(&largest[0], ranges[dims.range_a * THREADS + local]);
  atomicMax(&largest[1], ranges[dims.range_b * THREADS + local]);
  workgroupBarrier();
  if (local == 0u) {
    magnitudes = vec2u(atomicLoad(&largest[0]), atomicLoad(&largest[1]));
  }
  return workgroupUniformLoad(&magnitudes);
}

fn number_of_a(at: u32) -> f32 {
  if (VEC_A) {
    return a_at(at / 4u)[at % 4u];
  }
  return a_at(at).x;
}

fn number_of_b(at: u32) -> f32 {
  if (VEC_B) {
    return b_at(at / 4u)[at % 4u];
  }
  return b_at(at).x;
}

// Four neighbours by FMA, in order.
fn summed(row: u32, col: u32, from_a: Source, from_b: Source, k_begin: u32, k_end: u32) -> vec4f {
  var sum = vec4f();
  let r = min(row, dims.m - 1u);
  let c = min(vec4u(col, col + 1u, col + 2u, col + 3u), vec4u(dims.n - 1u));
  for (var k = k_begin; k < k_end; k++) {
    let x = number_of_a(from_a.base + select(r * dims.k + k, k * dims.m + r, TRANS_A));
    let at = from_b.base + select(k * dims.n + c, c * dims.k + k, vec4<bool>(TRANS_B));
    sum += x * vec4f(number_of_b(at.x), number_of_b(at.y), number_of_b(at.z), number_of_b(at.w));
  }
  return sum;
}

@compute @workgroup_size(128)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
  @builtin(subgroup_id) subgroup: u32,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let tile = product_place(wid, groups, BM, BN, dims.n);
  if (!tile.live) {
    return;
  }
  let from_a = source_a(tile.from_a, tile.row, tile.k_begin, tile.k_end);
  let from_b = source_b(tile.from_b, tile.col, tile.k_begin, tile.k_end);
  let row_out = tile.row + (subgroup / 2u) * 16u * TM + lane / (4u * TN); // of quad 0; each quad after it is 32 / (4 TN) rows on
  let col_out = tile.col + (subgroup % 2u) * 16u * TN + lane % (4u * TN) * 4u;
  let range = ranges_of(local);

  if (max(range.x, range.y) >= 0x7f800000u) {
    for (var quad = 0u; quad < 8u; quad++) {
      let row = row_out + quad * 4u;
      let sum = summed(row, col_out, from_a, from_b, tile.k_begin, tile.k_end);
      finish(tile.slice, tile.batch, row, col_out, sum, column_from(row, col_out));
    }
    return;
  }

  let exponents = vec2i(exponent_of(range.x), exponent_of(range.y));
  let scales = vec2f(power_of_two(exponents.x), power_of_two(exponents.y));
  let part_a = subgroup / 2u;
  let part_b = 2u + subgroup % 2u;
  let item_a = item_of(local, !TRANS_A, BM);
  let item_b = item_of(local, TRANS_B, BN);
  var s = Both();
  var t = Totals();
  var next = fetch(item_a, item_b, from_a, from_b, 0u);
  var after = fetch(item_a, item_b, from_a, from_b, BK);
  for (var k0 = 0u; k0 < tile.k_end - tile.k_begin; k0 += 2u * BK) {
    // Past the end the fetches give zeros, so that a last odd step adds nothing.
    stage(item_a, item_b, next, scales);
    workgroupBarrier();
    next = fetch(item_a, item_b, from_a, from_b, k0 + 2u * BK);
    s = multiply(s, part_a, part_b);
    workgroupBarrier();
    stage(item_a, item_b, after, scales);
    workgroupBarrier();
    after = fetch(item_a, item_b, from_a, from_b, k0 + 3u * BK);
    s = multiply(s, part_a, part_b);
    workgroupBarrier();
    t = add_up(t, s.high, 1.0, subgroup, lane);
    s.high = Sums();
  }
  t = add_up(t, s.low, 1.0 / LOW, subgroup, lane);

  let back = -(exponents.x + exponents.y);
  let half = back / 2;
  let first = power_of_two(half);
  let second = power_of_two(back - half);
  let column = column_from(row_out, col_out);
  finish(tile.slice, tile.batch, row_out, col_out, t.t00 * first * second, column);
  finish(tile.slice, tile.batch, row_out + 4u, col_out, t.t01 * first * second, column_at(column, row_out + 4u, col_out, 32u));
  finish(tile.slice, tile.batch, row_out + 8u, col_out, t.t02 * first * second, column_at(column, row_out + 8u, col_out, 32u));
  finish(tile.slice, tile.batch, row_out + 12u, col_out, t.t03 * first * second, column_at(column, row_out + 12u, col_out, 32u));
  finish(tile.slice, tile.batch, row_out + 16u, col_out, t.t10 * first * second, column_at(column, row_out + 16u, col_out, 32u));
  finish(tile.slice, tile.batch, row_out + 20u, col_out, t.t11 * first * second, column_at(column, row_out + 20u, col_out, 32u));
  finish(tile.slice, tile.batch, row_out + 24u, col_out, t.t12 * first * second, column_at(column, row_out + 24u, col_out, 32u));
  finish(tile.slice, tile.batch, row_out + 28u, col_out, t.t13 * first * second, column_at(column, row_out + 28u, col_out, 32u));
}
