// matmul_plain: out = residual + gate * act(op(A) op(B) + bias), batched; op is the identity or a transpose.
// Buffers, row-major (batch outermost):
//   a [batch, m, k] ([batch, k, m] when TRANS_A), b [batch, k, n] ([batch, n, k] when TRANS_B), fewer where the batch shares matrices (lib
//   shared_matrix)
//   out [splits * batch, m, n], pre [same] = the value before act, for the backward of a fused activation or gate
//   bias [n]; residual [batch, residual_rows, n], row r reads row r % residual_rows (m for a plain residual, N for a position table)
//   gate: row r reads gate[(r / gate_rows) * gate_stride + gate_offset + col]
// Split over k: split s sums k in [s * k_chunk, (s + 1) * k_chunk) into out[s * batch + i]; the caller adds the splits. k_chunk >= k: one split.
// Grid: TM rows x TN columns an invocation, read straight from storage, WG_X x WG_Y invocations a workgroup, folded over (split, batch, tile).
// Precision: sums and the epilogue in f32; a, b and out, pre, residual may be stored as f16. The oracle of the tiled variant, and the fast path
// on CPU adapters. llvmpipe turns a storage read inside a loop into a branch a lane and a word, whether or not the lanes agree on the
// address, so the reads an FMA decide: 16 x 16 outputs an invocation read 32 words for 256 FMAs, and a vec4f read costs less than four f32
// reads. A step of k is written out: what a loop indexes SwiftShader reads and writes a lane at a time, a sixth to a tenth as fast. Sums stay
// arrays: named, which keeps them in registers as far as there are any, llvmpipe takes 1.3 to 2 times as long for 16 x 16.
// @use act
// @use product_place

const TM: u32 = 4u;                // knob: output rows an invocation, up to 16; a multiple of 4 with VEC_A
const TN: u32 = 4u;                // knob: output columns an invocation, a multiple of 4 up to 16
const WG_X: u32 = 8u;              // knob: invocations along n
const WG_Y: u32 = 8u;              // knob: invocations along m
const TRANS_A: bool = false;       // knob: a is stored [k, m]
const TRANS_B: bool = false;       // knob: b is stored [n, k]
const VEC_A: bool = false;         // knob: a is read as vectors of 4; needs TRANS_A and m a multiple of 4
const VEC_B: bool = false;         // knob: b is read as vectors of 4; needs no TRANS_B and n a multiple of 4
alias AScalar = f32;               // knob: f16 stores a in half precision
alias BScalar = f32;               // knob: f16 stores b in half precision
alias AElem = f32;                 // knob: as AScalar, a vector of 4 with VEC_A
alias BElem = f32;                 // knob: as BScalar, a vector of 4 with VEC_B
alias OScalar = f32;               // knob: f16 stores residual, out and pre in half precision
const A_EACH: u32 = 1u;            // knob: neighbours in the batch that share a matrix of a
const A_OF: u32 = 0u;              // knob: matrices of a that the batch goes through again and again; 0: as many as it needs
const B_EACH: u32 = 1u;            // knob: likewise of b
const B_OF: u32 = 0u;              // knob: likewise of b
const ACT: u32 = 0u;               // knob: 0 none; see lib act
const HAS_BIAS: bool = false;      // knob: add bias
const HAS_GATE: bool = false;      // knob: multiply by gate
const HAS_RESIDUAL: bool = false;  // knob: add residual
const HAS_PRE: bool = false;       // knob: also write the value before act
const RUNS: bool = false;          // knob: sum k in runs of RUN, so that rounding does not grow with it; up to 1.5 times the time on a CPU

const RUN: u32 = 2048u;  // of k, summed by themselves with RUNS
const TQ: u32 = TN / 4u; // quads of neighbouring columns an invocation
const BANDS: u32 = (TM + 3u) / 4u; // fours of rows an invocation; rows past TM are another's

// Sums, by rows and quads of columns: as many as the largest tile has, so that places in it are constants.
alias Sums = array<array<vec4f, 4>, 16>;

// A number for each column of an invocation.
struct Columns {
  q0: vec4f,
  q1: vec4f,
  q2: vec4f,
  q3: vec4f,
}

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
@group(0) @binding(4) var<storage, read> residual: array<OScalar>; // optional: HAS_RESIDUAL
@group(0) @binding(5) var<storage, read_write> out: array<OScalar>;
@group(0) @binding(6) var<storage, read_write> pre: array<OScalar>; // optional: HAS_PRE
@group(0) @binding(7) var<uniform> dims: Dims;

// Elements as vectors: a vector of 4 is itself, one number is all four.
fn a_at(i: u32) -> vec4f { return vec4f(vec4<AScalar>(a[i])); }
fn b_at(i: u32) -> vec4f { return vec4f(vec4<BScalar>(b[i])); }

// Where each row of A, or column of B, of an invocation starts.
alias Starts = array<u32, 16>;

// Number kk of a row of A that starts at `start`.
fn row_at(start: u32, kk: u32) -> f32 { return a_at(start + kk * select(1u, dims.m, TRANS_A)).x; }

// Number kk of a column of B that starts at `start`.
fn column_at(start: u32, kk: u32) -> f32 { return b_at(start + kk * select(dims.n, 1u, TRANS_B)).x; }

// Numbers kk of four columns of B, from the one of number `col` on.
fn columns_at(starts: ptr<function, Starts>, col: u32, kk: u32) -> vec4f {
  let first = (*starts)[col];
  if (VEC_B) {
    return b_at(first + kk * (dims.n / 4u));
  }
  return vec4f(
    column_at(first, kk),
    column_at((*starts)[col + 1u], kk),
    column_at((*starts)[col + 2u], kk),
    column_at((*starts)[col + 3u], kk),
  );
}

// Adds a step of k to a row.
fn add_row(s: ptr<function, Sums>, row: u32, x: f32, columns: Columns) {
  (*s)[row][0] += x * columns.q0;
  if (TQ > 1u) { (*s)[row][1] += x * columns.q1; }
  if (TQ > 2u) { (*s)[row][2] += x * columns.q2; }
  if (TQ > 3u) { (*s)[row][3] += x * columns.q3; }
}

// Adds a step of k to four rows, from the one of number `row` on.
fn add_rows(s: ptr<function, Sums>, starts: ptr<function, Starts>, row: u32, kk: u32, columns: Columns) {
  let first = (*starts)[row];
  if (VEC_A) {
    let x = a_at(first + kk * (dims.m / 4u));
    add_row(s, row, x.x, columns);
    add_row(s, row + 1u, x.y, columns);
    add_row(s, row + 2u, x.z, columns);
    add_row(s, row + 3u, x.w, columns);
    return;
  }
  add_row(s, row, row_at(first, kk), columns);
  if (TM > 1u) { add_row(s, row + 1u, row_at((*starts)[row + 1u], kk), columns); }
  if (TM > 2u) { add_row(s, row + 2u, row_at((*starts)[row + 2u], kk), columns); }
  if (TM > 3u) { add_row(s, row + 3u, row_at((*starts)[row + 3u], kk), columns); }
}

@compute @workgroup_size(WG_X, WG_Y)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let place = product_place(wid, groups, TM * WG_Y, TN * WG_X, dims.n);
  if (!place.live) {
    return;
  }
  let slice = place.slice;
  let batch = place.batch;
  let k_begin = place.k_begin;
  let k_end = place.k_end;
  let row0 = place.row + lid.y * TM;
  let col0 = place.col + 4u * lid.x; // quads WG_X apart, so that neighbours read neighbours

  // Clamped, not masked: the store masks.
  var a_starts = Starts();
  var b_starts = Starts();
  for (var i = 0u; i < TM; i++) {
    let row = min(row0 + i, dims.m - 1u);
    a_starts[i] = (place.from_a + row * select(dims.k, 1u, TRANS_A)) / select(1u, 4u, VEC_A);
  }
  for (var j = 0u; j < TN; j++) {
    let col = min(col0 + j / 4u * 4u * WG_X + j % 4u, dims.n - 1u);
    b_starts[j] = (place.from_b + col * select(1u, dims.k, TRANS_B)) / select(1u, 4u, VEC_B);
  }

  var sums = Sums();
  var total = Sums(); // of the runs before, with RUNS
  for (var kk = k_begin; kk < k_end; kk++) {
    var columns = Columns();
    columns.q0 = columns_at(&b_starts, 0u, kk);
    if (TQ > 1u) { columns.q1 = columns_at(&b_starts, 4u, kk); }
    if (TQ > 2u) { columns.q2 = columns_at(&b_starts, 8u, kk); }
    if (TQ > 3u) { columns.q3 = columns_at(&b_starts, 12u, kk); }
    add_rows(&sums, &a_starts, 0u, kk, columns);
    if (BANDS > 1u) { add_rows(&sums, &a_starts, 4u, kk, columns); }
    if (BANDS > 2u) { add_rows(&sums, &a_starts, 8u, kk, columns); }
    if (BANDS > 3u) { add_rows(&sums, &a_starts, 12u, kk, columns); }
    if (RUNS && (kk + 1u - k_begin) % RUN == 0u) {
      for (var i = 0u; i < TM; i++) {
        for (var q = 0u; q < TQ; q++) {
          total[i][q] += sums[i][q];
        }
      }
      sums = Sums();
    }
  }

  for (var i = 0u; i < TM; i++) {
    for (var q = 0u; q < TQ; q++) {
      for (var j = 0u; j < 4u; j++) {
        let row = row0 + i;
        let col = col0 + q * 4u * WG_X + j;
        if (row < dims.m && col < dims.n) {
          let index = (slice * dims.m + row) * dims.n + col;
          var value = sums[i][q][j];
          if (RUNS) {
            value += total[i][q][j];
          }
          if (HAS_BIAS) {
            value += bias[col];
          }
          if (HAS_PRE) {
            pre[index] = OScalar(value);
          }
          value = act(value);
          if (HAS_GATE) {
            value *= gate[(row / dims.gate_rows) * dims.gate_stride + dims.gate_offset + col];
          }
          if (HAS_RESIDUAL) {
            value += f32(residual[(batch * dims.residual_rows + row % dims.residual_rows) * dims.n + col]);
          }
          out[index] = OScalar(value);
        }
      }
    }
  }
}
