// matmul_tiled: out = residual + gate * act(op(A) op(B) + bias), batched; the GPU variant of matmul_plain, with the same buffers and dims.
// Buffers, row-major (batch outermost):
//   a [batch, m, k] ([batch, k, m] when TRANS_A), b [batch, k, n] ([batch, n, k] when TRANS_B), fewer where the batch shares matrices (lib
//   shared_matrix)
//   out [splits * batch, m, n], pre [same] = the value before act, for the backward of a fused activation or gate
//   bias [n]; residual [batch, residual_rows, n], row r reads row r % residual_rows (m for a plain residual, N for a position table)
//   gate: row r reads gate[(r / gate_rows) * gate_stride + gate_offset + col]
//   sums [splits * batch, m] = the sums of A's rows over k, as bias gradients need: the first column of tiles takes them on the way
// GLU: the columns of B are x1 [n / 2], then x2 [n / 2]; out [batch, m, n / 2] = silu(x1 + bias) * (x2 + bias), pre [batch, m, n] both
//   factors' linear maps. An invocation's second block of columns is that of x2 beside x1's.
// Split over k: split s sums k in [s * k_chunk, (s + 1) * k_chunk) into out[s * batch + i]; the caller adds the splits. k_chunk >= k: one split.
// Grid: a workgroup of 8 x 8 makes 32 QM x 32 QN outputs; invocation (x, y) has QM x QN blocks of 4 x 4, 32 apart, so that neighbours
// read neighbouring vec4s of workgroup memory. Folded over (split, batch, tile). Small workgroups, several a multiprocessor, wait for
// each other at no barrier and end one by one: 64 x 64 outputs by 64 invocations beat 128 x 128 by 256.
// Each step stages BK of k in workgroup memory, k outermost, while the step after is already on its way into registers, in items of four
// vec4s: BM items are A's, then BN are B's. An operand that lies along k in storage is transposed in registers, 4 x 4 at a time; its vec4s
// are swizzled so that those writes meet no bank twice. The steps of k are written out: a driver that keeps them a loop takes a quarter longer.
// Sums and fetched numbers are named, not arrays: an array of vec4s that a loop indexes went to local memory on an NVIDIA driver, and
// 128 x 128 tiles made 2 TFLOP/s instead of tens.
// Precision: sums and the epilogue in f32, k summed in order, or in runs with RUNS; a, b and out, pre, residual may be stored as f16.
// @use act
// @use product_place
// @use product_tiles
// @use product_blocks
// @use product_finish
// @use product_glu

const QM: u32 = 1u;                // knob: blocks of 4 rows an invocation, 1 or 2: 32 QM rows a workgroup
const QN: u32 = 1u;                // knob: blocks of 4 columns an invocation, 1 or 2: 32 QN columns a workgroup
const TRANS_A: bool = false;       // knob: a is stored [k, m]
const TRANS_B: bool = false;       // knob: b is stored [n, k]
const VEC_A: bool = false;         // knob: a is read as vectors of 4; its rows are a multiple of 4 (and k_chunk, where they run along k)
const VEC_B: bool = false;         // knob: b is read as vectors of 4; likewise
const VEC_N: bool = false;         // knob: residual, out and pre are accessed as vectors of 4; n is a multiple of 4
alias AScalar = f32;               // knob: f16 stores a in half precision
alias BScalar = f32;               // knob: f16 stores b in half precision
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
const GLU: bool = false;           // knob: gate one half of the columns by the other; with TRANS_B, QN = 2 and no other epilogue but bias, pre
const HAS_SUMS: bool = false;      // knob: also write sums; with TRANS_A; any tile, but QM = QN = 1 alone have registers left for it
const RUNS: bool = false;          // knob: sum k in runs of RUN, so that rounding does not grow with it; with QM = QN = 1

const RUN: u32 = 2048u; // of k, summed by themselves with RUNS
const BK: u32 = 16u; // k a step: (QM + QN) 2 KiB of workgroup memory
const SIDE: u32 = 8u; // invocations along m and along n
const THREADS: u32 = 64u; // SIDE x SIDE
const BM: u32 = 4u * SIDE * QM;
const BN: u32 = 4u * SIDE * QN;
const BN_OUT: u32 = select(BN, BN / 2u, GLU); // columns of out
const ITEMS_A: u32 = BK * BM / 16u; // items of A, four vec4s each
const ITEMS_B: u32 = BK * BN / 16u;
const TWICE: bool = ITEMS_A + ITEMS_B > THREADS; // an invocation stages two of them

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

@group(0) @binding(0) var<storage, read> a: array<AElem>;
@group(0) @binding(1) var<storage, read> b: array<BElem>;
@group(0) @binding(2) var<storage, read> bias: array<f32>; // optional: HAS_BIAS
@group(0) @binding(3) var<storage, read> gate: array<f32>; // optional: HAS_GATE
@group(0) @binding(4) var<storage, read> residual: array<RElem>; // optional: HAS_RESIDUAL
@group(0) @binding(5) var<storage, read_write> out: array<OElem>;
@group(0) @binding(6) var<storage, read_write> pre: array<OElem>; // optional: HAS_PRE
@group(0) @binding(7) var<uniform> dims: Dims;
@group(0) @binding(8) var<storage, read_write> sums: array<f32>; // optional: HAS_SUMS

// Elements as vectors: a vector of 4 is itself, one number is all four.
fn a_at(i: u32) -> vec4f { return vec4f(vec4<AScalar>(a[i])); }
fn b_at(i: u32) -> vec4f { return vec4f(vec4<BScalar>(b[i])); }

// The column of B that is `within` columns into a tile of out.
fn b_column(col_base: u32, within: u32) -> u32 {
  if (GLU && within >= BN / 2u) {
    return dims.n / 2u + col_base + within - BN / 2u;
  }
  return col_base + within;
}

// The sums of A's rows, of which an invocation that fetches A has added up one quad of some lines.
fn write_sums(local: u32, slice: u32, row_base: u32, own: vec4f) {
  let quads = BM / 4u;
  if (local < ITEMS_A) { tile_a[local / quads][local % quads] = own; }
  workgroupBarrier();
  if (local >= quads) {
    return;
  }
  let total = (tile_a[0][local] + tile_a[1][local]) + (tile_a[2][local] + tile_a[3][local]);
  let row = row_base + local * 4u;
  let at = slice * dims.m + row;
  if (row < dims.m) { sums[at] = total.x; }
  if (row + 1u < dims.m) { sums[at + 1u] = total.y; }
  if (row + 2u < dims.m) { sums[at + 2u] = total.z; }
  if (row + 3u < dims.m) { sums[at + 3u] = total.w; }
}

fn finish_block(sums: Block, slice: u32, batch: u32, row: u32, col: u32) {
  let first = column_from(row, col);
  finish(slice, batch, row, col, sums.r0, first);
  finish(slice, batch, row + 1u, col, sums.r1, column_at(first, row + 1u, col, 4u));
  finish(slice, batch, row + 2u, col, sums.r2, column_at(first, row + 2u, col, 4u));
  finish(slice, batch, row + 3u, col, sums.r3, column_at(first, row + 3u, col, 4u));
}

fn finish_glu_block(x1: Block, x2: Block, batch: u32, row: u32, col: u32) {
  let biases = glu_bias(col);
  finish_glu(batch, row, col, x1.r0, x2.r0, biases);
  finish_glu(batch, row + 1u, col, x1.r1, x2.r1, biases);
  finish_glu(batch, row + 2u, col, x1.r2, x2.r2, biases);
  finish_glu(batch, row + 3u, col, x1.r3, x2.r3, biases);
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let tile = product_place(wid, groups, BM, BN_OUT, select(dims.n, dims.n / 2u, GLU));
  if (!tile.live) {
    return;
  }

  var s = Sums();
  var a_sums = vec4f(); // with HAS_SUMS
  var runs_before = Block(); // of b00, with RUNS
  let at = place(local);
  let sources = Sources(tile.from_a, tile.from_b, tile.row, tile.col, tile.k_end);
  var next = fetch_first(local, sources, tile.k_begin);
  var next2 = Fetched();
  if (TWICE) { next2 = fetch_second(local, sources, tile.k_begin); }
  for (var k0 = tile.k_begin; k0 < tile.k_end; k0 += BK) {
    if (HAS_SUMS) { a_sums += (next.v0 + next.v1) + (next.v2 + next.v3); }
    stage_first(local, next);
    if (TWICE) { stage_second(local, next2); }
    workgroupBarrier();
    let after = k0 + BK; // past the end the fetches give zeros that nothing reads
    next = fetch_first(local, sources, after);
    if (TWICE) { next2 = fetch_second(local, sources, after); }
    four_steps(&s, 0u, at);
    four_steps(&s, 4u, at);
    four_steps(&s, 8u, at);
    four_steps(&s, 12u, at);
    workgroupBarrier();
    if (RUNS && (after - tile.k_begin) % RUN == 0u) {
      runs_before = sum_of(runs_before, s.b00);
      s.b00 = Block();
    }
  }
  if (RUNS) { s.b00 = sum_of(runs_before, s.b00); }

  if (HAS_SUMS && tile.col == 0u) { write_sums(local, tile.slice, tile.row, a_sums); }
  let row = tile.row + at.y * 4u;
  let col = tile.col + at.x * 4u;
  for (var i = 0u; i < block_count(); i++) {
    if (GLU) {
      if (i % QN == 0u) { finish_glu_block(block_of(&s, i), block_of(&s, i + 1u), tile.batch, row + block_row(i), col); }
    } else {
      finish_block(block_of(&s, i), tile.slice, tile.batch, row + block_row(i), col + block_col(i));
    }
  }
}
