// conv2d_bwd_weight_matrix: conv2d_bwd_weight_plain's gradient on subgroup matrices: a product over pixels whose A is dy, transposed, and whose
// B are the windows of x, gathered eight channels at a time as its tiles are fetched. Tiles, staging and loop are those of matmul_matrix.
// Buffers: as conv2d_bwd_weight_plain, x and x2 f32 or f16, dy f32 or f16, dweight f32. m, depth, and first, are multiples of 8.
// Split over pixels: split s sums those in [s * k_chunk, (s + 1) * k_chunk) into part s; the caller adds the parts.
// Grid: a workgroup of four subgroups of 32 makes 32 TM channels of dy x 32 TN places of the window, folded over (split, group, tile). The place
//   that an invocation fetches stays the same: it is found once, and in each step its pixels, without a division.
// Precision: operands are rounded to f16, products and sums f32 (a tensor core truncates as it adds).
// Source: as conv2d_bwd_weight_plain; shaders/matmul_matrix.wgsl.
// @use conv_weight_dims
// @use conv_places
// @use conv_eights
// @use matrix_loop
// @use matrix_finish

const TM: u32 = 4u;                 // knob: matrices of 16 channels of dy a subgroup, 2 or 4
const TN: u32 = 4u;                 // knob: matrices of 16 places a subgroup, 2 or 4
const CAT: bool = false;            // knob: x and x2 lie side by side, times scale and scale2
const DOUBLED: bool = false;        // knob: x is stored at half the height and width
const SILU: bool = false;           // knob: read silu(x)
const HALVES_X: bool = false;       // knob: x and x2 are halves, read as four words
const HALVES_DY: bool = false;      // knob: dy likewise
alias XStored = f32;                // knob: how x and x2 are stored, f32 or f16
alias DyStored = f32;               // knob: how dy is stored
alias XElem = vec4f;                // knob: vec4u with HALVES_X
alias DyElem = vec4f;               // knob: vec4u with HALVES_DY

const TRANSPOSED: bool = false;
const STRIDED: bool = false;
const TRANS_A: bool = true;
const TRANS_B: bool = false;

@group(0) @binding(0) var<storage, read> x: array<XElem>; // holds XStored
@group(0) @binding(1) var<storage, read> x2: array<XElem>; // optional: CAT // holds XStored
@group(0) @binding(2) var<storage, read> dy: array<DyElem>; // holds DyStored
@group(0) @binding(3) var<storage, read_write> dweight: array<vec4f>;
@group(0) @binding(4) var<uniform> dims: Dims;

// Channels of dy, at pixels from k_begin on.
struct FromA {
  row: u32, // of the group
  group: u32,
  k_begin: u32,
  k_end: u32,
}

// A place of the window, at pixels from k_begin on.
struct FromB {
  tap: Tap, // its channel that of all groups'
  k_begin: u32,
  k_end: u32, // 0 where there is no such place
  by: Reciprocals,
}

fn dy_at(i: u32) -> vec4u { return bitcast<vec4u>(dy[i]); }

fn halves_of_a(item: vec2u, i: u32, s: FromA, step: u32) -> vec4u {
  let k = s.k_begin + step + item.x + i * A_LINES;
  let row = s.row + item.y * 8u;
  if (k >= s.k_end || row >= dims.m) {
    return vec4u();
  }
  let at = (k * dims.groups + s.group) * dims.m + row;
  if (HALVES_DY) {
    return dy_at(at / 8u);
  }
  return halves(bitcast<vec4f>(dy_at(at / 4u)), bitcast<vec4f>(dy_at(at / 4u + 1u)));
}

fn halves_of_b(item: vec2u, i: u32, s: FromB, step: u32) -> vec4u {
  let k = s.k_begin + step + item.x + i * B_LINES;
  if (k >= s.k_end) {
    return vec4u();
  }
  let place = place_of(anchor_of(k, dims.k, s.by), s.tap);
  return halves_at(place, s.tap.channel, dims.depth * dims.groups, dims.first);
}

fn finish(slice: u32, row: u32, col: u32, sum: vec4f) {
  if (row < dims.m && col < dims.n) {
    dweight[((slice * dims.m + row) * dims.n + col) / 4u] = sum;
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
  let index = wid.x + wid.y * groups.x;
  let slice = index / (tiles_n * tiles_m); // split * groups + group
  let splits = (dims.k + dims.k_chunk - 1u) / dims.k_chunk;
  if (slice >= splits * dims.groups) {
    return;
  }
  let tile = index % (tiles_n * tiles_m);
  let group = slice % dims.groups;
  let k_begin = (slice / dims.groups) * dims.k_chunk;
  let k_end = min(dims.k, k_begin + dims.k_chunk);
  let row = (tile / tiles_n) * BM;
  let col = (tile % tiles_n) * BN;

  let by = reciprocals();
  let place = col + item_of(local, false, BN).y * 8u;
  let tap = tap_of(min(place, dims.n - 8u), by); // of all eight: depth is a multiple of 8
  let from_a = FromA(row, group, k_begin, k_end);
  let from_b = FromB(
    Tap(tap.row, tap.col, group * dims.depth + tap.channel),
    k_begin,
    select(0u, k_end, place < dims.n),
    by,
  );
  let s = sums_of(local, subgroup, from_a, from_b, k_end - k_begin);
  finish_tile(s, slice, subgroup, lane, row, col);
}
