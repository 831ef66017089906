// matmul_matrix: out = residual + gate * act(op(A) op(B) + bias), batched; the variant of matmul_tiled for devices that multiply matrices, with
// the same buffers and dims.
// Buffers, row-major (batch outermost):
//   a [batch, m, k] ([batch, k, m] when TRANS_A), b [batch, k, n] ([batch, n, k] when TRANS_B), fewer where the batch shares matrices (lib
//   shared_matrix), each f32 or f16
//   out [splits * batch, m, n], pre [same] = the value before act, for the backward of a fused activation or gate
//   bias [n]; residual [batch, residual_rows, n], row r reads row r % residual_rows (m for a plain residual, N for a position table)
//   gate: row r reads gate[(r / gate_rows) * gate_stride + gate_offset + col]
//   sums [splits * batch, m] = the sums of A's rows over k, as rounded, as bias gradients need: the first column of tiles takes them on the way
// GLU: the columns of B are x1 [n / 2], then x2 [n / 2]; out [batch, m, n / 2] = silu(x1 + bias) * (x2 + bias), pre [batch, m, n] both
//   factors' linear maps. Of two subgroups side by side one makes the columns of x1, the other those of x2 beside them; each finishes half of both.
// Split over k: split s sums k in [s * k_chunk, (s + 1) * k_chunk) into out[s * batch + i]; the caller adds the splits. k_chunk >= k: one split.
// Grid: a workgroup of four subgroups of 32 makes 32 TM x 32 TN outputs, a subgroup 16 TM x 16 TN. Folded over (split, batch, tile).
// Sums leave by workgroup memory, 16 rows of a subgroup at a time, for the epilogue.
// Precision: operands are rounded to f16, products and sums f32 (a tensor core truncates as it adds); the epilogue in f32.
// @use act
// @use product_place
// @use matrix_tiles
// @use matrix_step
// @use product_finish
// @use product_glu

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
const HAS_SUMS: bool = false;      // knob: also write sums; with TRANS_A
const GLU: bool = false;           // knob: gate one half of the columns by the other; with TRANS_B and no other epilogue but bias, pre

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
@group(0) @binding(8) var<storage, read_write> sums: array<f32>; // optional: HAS_SUMS

alias FromA = Source;
alias FromB = Source;

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

fn plus(a: Eight, b: Eight) -> Eight {
  return Eight(a.low + b.low, a.high + b.high);
}

// What an invocation fetches of the same eight rows of A at a step, added up.
fn fetched_sum(f: Fetched) -> Eight {
  let two = plus(eight_of(f.a0), eight_of(f.a1));
  if (TM > 2u) {
    return plus(two, plus(eight_of(f.a2), eight_of(f.a3)));
  }
  return two;
}

// The sums of A's rows, of which every invocation has added up eight of some lines, as two vec4u of workgroup memory.
fn write_sums(local: u32, slice: u32, row_base: u32, eight: Eight) {
  parts[local / 64u][local % 64u * 2u] = bitcast<vec4u>(eight.low);
  parts[local / 64u][local % 64u * 2u + 1u] = bitcast<vec4u>(eight.high);
  workgroupBarrier();
  let quads = BM / 4u; // quad i is a half of what the invocations i / 2, i / 2 + BM / 8, ... hold
  let row = row_base + local * 4u;
  if (local < quads) {
    var total = vec4f();
    for (var i = local / 2u; i < THREADS; i += BM / 8u) {
      total += bitcast<vec4f>(parts[i / 64u][i % 64u * 2u + local % 2u]);
    }
    let at = slice * dims.m + row;
    if (row < dims.m) { sums[at] = total.x; }
    if (row + 1u < dims.m) { sums[at + 1u] = total.y; }
    if (row + 2u < dims.m) { sums[at + 2u] = total.z; }
    if (row + 3u < dims.m) { sums[at + 3u] = total.w; }
  }
  workgroupBarrier();
}

@compute @workgroup_size(128)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
  @builtin(subgroup_id) subgroup: u32,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let tile = product_place(wid, groups, BM, select(BN, BN / 2u, GLU), select(dims.n, dims.n / 2u, GLU));
  if (!tile.live) {
    return;
  }
  let from_a = source_a(tile.from_a, tile.row, tile.k_begin, tile.k_end);
  let from_b = source_b(tile.from_b, tile.col, tile.k_begin, tile.k_end);
  let part_a = subgroup / 2u;
  let part_b = 2u + subgroup % 2u;

  let item_a = item_of(local, !TRANS_A, BM);
  let item_b = item_of(local, TRANS_B, BN);
  let summing = HAS_SUMS && tile.col == 0u;
  var eight = Eight();
  var s = Sums();
  var next = fetch(item_a, item_b, from_a, from_b, 0u);
  var after = fetch(item_a, item_b, from_a, from_b, BK);
  for (var k0 = 0u; k0 < tile.k_end - tile.k_begin; k0 += 2u * BK) {
    // Past the end the fetches give zeros, so that a last odd step adds nothing.
    stage(item_a, item_b, next);
    if (summing) {
      eight = plus(eight, fetched_sum(next));
    }
    workgroupBarrier();
    next = fetch(item_a, item_b, from_a, from_b, k0 + 2u * BK);
    s = multiply(multiply(s, part_a, part_b, 0u), part_a, part_b, 1u);
    workgroupBarrier();
    stage(item_a, item_b, after);
    if (summing) {
      eight = plus(eight, fetched_sum(after));
    }
    workgroupBarrier();
    after = fetch(item_a, item_b, from_a, from_b, k0 + 3u * BK);
    s = multiply(multiply(s, part_a, part_b, 0u), part_a, part_b, 1u);
    workgroupBarrier();
  }

  if (summing) { write_sums(local, tile.slice, tile.row, eight); }
  let row_out = tile.row + (subgroup / 2u) * 16u * TM;
  let quad = lane % (4u * TN); // of a line of sums: that of an invocation stays the same
  let col_out = tile.col + select((subgroup % 2u) * 16u * TN, 0u, GLU) + quad * 4u;
  let part = subgroup / 2u * 2u; // with GLU that of x1; x2's is the next
  for (var i = 0u; i < TM; i++) {
    put_sums(subgroup, s, i);
    workgroupBarrier();
    let row_first = row_out + i * 16u;
    if (GLU) {
      let biases = glu_bias(col_out);
      for (var x = 0u; x < TN; x++) {
        let e = x * 64u + subgroup % 2u * 32u + lane;
        finish_glu(tile.batch, row_first + e / (4u * TN), col_out, quad_at(part, e), quad_at(part + 1u, e), biases);
      }
    } else {
      let first = column_from(row_first, col_out);
      for (var x = 0u; x < 2u * TN; x++) {
        let e = x * 32u + lane;
        let row = row_first + e / (4u * TN);
        finish(tile.slice, tile.batch, row, col_out, quad_at(subgroup, e), column_at(first, row, col_out, 16u));
      }
    }
    workgroupBarrier();
  }
}
