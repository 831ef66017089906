// matmul_matrix: out = residual + gate * act(op(A) op(B) + bias), batched; the variant of matmul_tiled for devices that multiply matrices, with
// the same buffers and dims.
// Buffers, row-major (batch outermost):
//   a [batch, m, k] ([batch, k, m] when TRANS_A), b [batch, k, n] ([batch, n, k] when TRANS_B), fewer where the batch shares matrices (lib
//   shared_matrix), each f32 or f16
//   out [splits * batch, m, n], pre [same] = the value before act, for the backward of a fused activation or gate
//   bias [n]; residual [batch, residual_rows, n], row r reads row r % residual_rows (m for a plain residual, N for a position table)
//   gate: row r reads gate[(r / gate_rows) * gate_stride + gate_offset + col]
// Split over k: split s sums k in [s * k_chunk, (s + 1) * k_chunk) into out[s * batch + i]; the caller adds the splits. k_chunk >= k: one split.
// Grid: a workgroup of four subgroups of 32 makes 32 TM x 32 TN outputs, a subgroup 16 TM x 16 TN. Folded over (split, batch, tile).
// Each step stages BK of k in workgroup memory while the tiles of the two steps after are on their way into registers: with the fetch one step
// ahead the compiler moved it behind the products. Sums are named, and leave by workgroup memory, 16 lines at a time, for the epilogue.
// Precision: operands are rounded to f16, products and sums f32 (a tensor core truncates as it adds); the epilogue in f32.
// @use act
// @use shared_matrix
// @use subgroup_matrix
// @use matrix_tiles
// @use product_finish

const TM: u32 = 4u;                // knob: matrices of 16 rows a subgroup, 2 or 4
const TN: u32 = 4u;                // knob: matrices of 16 columns a subgroup, 2 or 4
const TRANS_A: bool = false;       // knob: a is stored [k, m]
const TRANS_B: bool = false;       // knob: b is stored [n, k]
const VEC_A: bool = false;         // knob: a is read eight neighbours at a time; its rows are a multiple of 8 (and k_chunk, where they run along k)
const VEC_B: bool = false;         // knob: b likewise
const VEC_N: bool = false;         // knob: residual, out and pre are accessed as vectors of 4; n is a multiple of 4
const WORDS_A: bool = false;       // knob: the eight of a are halves, read as four words
const WORDS_B: bool = false;       // knob: the eight of b likewise
alias AStored = f32;               // knob: how a is stored, f32 or f16
alias BStored = f32;               // knob: how b is stored
alias AScalar = f32;               // knob: as AStored, u32 with WORDS_A
alias BScalar = f32;               // knob: as BStored, u32 with WORDS_B
alias AElem = f32;                 // knob: as AScalar, a vector of 4 with VEC_A
alias BElem = f32;                 // knob: as BScalar, a vector of 4 with VEC_B
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
}

@group(0) @binding(0) var<storage, read> a: array<AElem>; // holds AStored
@group(0) @binding(1) var<storage, read> b: array<BElem>; // holds BStored
@group(0) @binding(2) var<storage, read> bias: array<f32>; // optional: HAS_BIAS
@group(0) @binding(3) var<storage, read> gate: array<f32>; // optional: HAS_GATE
@group(0) @binding(4) var<storage, read> residual: array<RElem>; // optional: HAS_RESIDUAL
@group(0) @binding(5) var<storage, read_write> out: array<OElem>;
@group(0) @binding(6) var<storage, read_write> pre: array<OElem>; // optional: HAS_PRE
@group(0) @binding(7) var<uniform> dims: Dims;

var<workgroup> parts: array<array<vec4u, PART>, 4>; // two subgroups' lines of A, then two's of B; at the end a subgroup's sums each

// What an invocation fetches of a step: TM eights of A, TN of B, as halves.
struct Fetched {
  a0: vec4u,
  a1: vec4u,
  a2: vec4u,
  a3: vec4u,
  b0: vec4u,
  b1: vec4u,
  b2: vec4u,
  b3: vec4u,
}

fn halves_of_a(item: vec2u, i: u32, source: Source, step: u32) -> vec4u {
  let f = fetch_a(item, i, source, step);
  if (WORDS_A) {
    return f.words;
  }
  return halves(f.low, f.high);
}

fn halves_of_b(item: vec2u, i: u32, source: Source, step: u32) -> vec4u {
  let f = fetch_b(item, i, source, step);
  if (WORDS_B) {
    return f.words;
  }
  return halves(f.low, f.high);
}

fn fetch(item_a: vec2u, item_b: vec2u, from_a: Source, from_b: Source, step: u32) -> Fetched {
  var f = Fetched();
  f.a0 = halves_of_a(item_a, 0u, from_a, step);
  f.a1 = halves_of_a(item_a, 1u, from_a, step);
  if (TM > 2u) {
    f.a2 = halves_of_a(item_a, 2u, from_a, step);
    f.a3 = halves_of_a(item_a, 3u, from_a, step);
  }
  f.b0 = halves_of_b(item_b, 0u, from_b, step);
  f.b1 = halves_of_b(item_b, 1u, from_b, step);
  if (TN > 2u) {
    f.b2 = halves_of_b(item_b, 2u, from_b, step);
    f.b3 = halves_of_b(item_b, 3u, from_b, step);
  }
  return f;
}

fn stage_a(item: vec2u, i: u32, value: vec4u) {
  let place = place_a(item, i);
  parts[place.x][place.y] = value;
}

fn stage_b(item: vec2u, i: u32, value: vec4u) {
  let place = place_b(item, i);
  parts[2u + place.x][place.y] = value;
}

fn stage(item_a: vec2u, item_b: vec2u, f: Fetched) {
  stage_a(item_a, 0u, f.a0);
  stage_a(item_a, 1u, f.a1);
  if (TM > 2u) {
    stage_a(item_a, 2u, f.a2);
    stage_a(item_a, 3u, f.a3);
  }
  stage_b(item_b, 0u, f.b0);
  stage_b(item_b, 1u, f.b1);
  if (TN > 2u) {
    stage_b(item_b, 2u, f.b2);
    stage_b(item_b, 3u, f.b3);
  }
}

// Four matrices of a line of a subgroup's sums.
struct Sums {
  c0: Sum,
  c1: Sum,
  c2: Sum,
  c3: Sum,
}

struct Rights {
  y0: Right,
  y1: Right,
  y2: Right,
  y3: Right,
}

fn add_products(before: Sums, x: Left, y: Rights) -> Sums {
  var s = before;
  s.c0 = add_product(x, y.y0, s.c0);
  s.c1 = add_product(x, y.y1, s.c1);
  if (TN > 2u) {
    s.c2 = add_product(x, y.y2, s.c2);
    s.c3 = add_product(x, y.y3, s.c3);
  }
  return s;
}

fn rights(part: u32, kk: u32) -> Rights {
  var y = Rights();
  y.y0 = right_at(part, right_place(0u, kk), B_LINE, TRANS_B);
  y.y1 = right_at(part, right_place(1u, kk), B_LINE, TRANS_B);
  if (TN > 2u) {
    y.y2 = right_at(part, right_place(2u, kk), B_LINE, TRANS_B);
    y.y3 = right_at(part, right_place(3u, kk), B_LINE, TRANS_B);
  }
  return y;
}

fn left(part: u32, i: u32, kk: u32) -> Left {
  return left_at(part, left_place(i, kk), A_LINE, TRANS_A);
}

// A subgroup's sums, a line of matrices each.
struct Lines {
  l0: Sums,
  l1: Sums,
  l2: Sums,
  l3: Sums,
}

// Adds the staged step of 16 k.
fn multiply(before: Lines, part_a: u32, part_b: u32, kk: u32) -> Lines {
  var s = before;
  let x0 = left(part_a, 0u, kk);
  let x1 = left(part_a, 1u, kk);
  var x2 = Left();
  var x3 = Left();
  if (TM > 2u) {
    x2 = left(part_a, 2u, kk);
    x3 = left(part_a, 3u, kk);
  }
  let y = rights(part_b, kk);
  s.l0 = add_products(s.l0, x0, y);
  s.l1 = add_products(s.l1, x1, y);
  if (TM > 2u) {
    s.l2 = add_products(s.l2, x2, y);
    s.l3 = add_products(s.l3, x3, y);
  }
  return s;
}

const OUT_LINE: u32 = 4u * TN + 1u; // vec4u a row of sums in workgroup memory

fn put_line(part: u32, s: Sums) {
  put_sum(part, 0u, s.c0, OUT_LINE);
  put_sum(part, 4u, s.c1, OUT_LINE);
  if (TN > 2u) {
    put_sum(part, 8u, s.c2, OUT_LINE);
    put_sum(part, 12u, s.c3, OUT_LINE);
  }
}

@compute @workgroup_size(128)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
  @builtin(subgroup_id) subgroup: u32,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let tiles_n = (dims.n + BN - 1u) / BN;
  let tiles_m = (dims.m + BM - 1u) / BM;
  let group = wid.x + wid.y * groups.x;
  let slice = group / (tiles_n * tiles_m); // split * batch + batch index
  let splits = (dims.k + dims.k_chunk - 1u) / dims.k_chunk;
  if (slice >= splits * dims.batch) {
    return;
  }
  let tile = group % (tiles_n * tiles_m);
  let batch = slice % dims.batch;
  let k_begin = (slice / dims.batch) * dims.k_chunk;
  let k_end = min(dims.k, k_begin + dims.k_chunk);
  let row_base = (tile / tiles_n) * BM;
  let col_base = (tile % tiles_n) * BN;
  let from_a = source_a(shared_matrix(batch, A_EACH, A_OF) * dims.m * dims.k, row_base, k_begin, k_end);
  let from_b = source_b(shared_matrix(batch, B_EACH, B_OF) * dims.k * dims.n, col_base, k_begin, k_end);
  let part_a = subgroup / 2u;
  let part_b = 2u + subgroup % 2u;

  let item_a = item_of(local, !TRANS_A, BM);
  let item_b = item_of(local, TRANS_B, BN);
  var s = Lines();
  var next = fetch(item_a, item_b, from_a, from_b, 0u);
  var after = fetch(item_a, item_b, from_a, from_b, BK);
  for (var k0 = 0u; k0 < k_end - k_begin; k0 += 2u * BK) {
    // Past the end the fetches give zeros, so that a last odd step adds nothing.
    stage(item_a, item_b, next);
    workgroupBarrier();
    next = fetch(item_a, item_b, from_a, from_b, k0 + 2u * BK);
    for (var kk = 0u; kk < BK / 16u; kk++) {
      s = multiply(s, part_a, part_b, kk);
    }
    workgroupBarrier();
    stage(item_a, item_b, after);
    workgroupBarrier();
    after = fetch(item_a, item_b, from_a, from_b, k0 + 3u * BK);
    for (var kk = 0u; kk < BK / 16u; kk++) {
      s = multiply(s, part_a, part_b, kk);
    }
    workgroupBarrier();
  }

  let row_out = row_base + (subgroup / 2u) * 16u * TM;
  let col_out = col_base + (subgroup % 2u) * 16u * TN;
  for (var i = 0u; i < TM; i++) {
    if (i == 0u) {
      put_line(subgroup, s.l0);
    } else if (i == 1u) {
      put_line(subgroup, s.l1);
    } else if (i == 2u) {
      put_line(subgroup, s.l2);
    } else {
      put_line(subgroup, s.l3);
    }
    workgroupBarrier();
    for (var x = 0u; x < 2u * TN; x++) {
      let e = x * 32u + lane;
      let sum = bitcast<vec4f>(parts[subgroup][e / (4u * TN) * OUT_LINE + e % (4u * TN)]);
      finish(slice, batch, row_out + i * 16u + e / (4u * TN), col_out + e % (4u * TN) * 4u, sum);
    }
    workgroupBarrier();
  }
}
