// conv2d_matrix: conv2d_plain's convolution, forward and by its input, on subgroup matrices: a product whose A are the windows of x, gathered
// eight channels at a time as its tiles are fetched and stored nowhere, and whose B is weight. Tiles, staging and loop are those of matmul_matrix.
// Buffers: as conv2d_plain, x and x2 f32 or f16, weight f32 or f16, all else f32. depth, and first, are multiples of 8, so that eight neighbours
//   of a window are of one tap, and of one of x, x2.
//   With SPLITS above 1 k is cut into parts, multiples of 32, and out are their sums [SPLITS, m, groups n], without an epilogue: conv2d_finish
//   adds them up, and has it. The last parts may be empty: zeros.
// Grid: a workgroup of four subgroups of 32 makes 32 TM pixels x 32 TN channels, a subgroup 16 TM x 16 TN, folded over (part, group, tile).
//   Which pixels an invocation fetches stays the same: their places are found once, and in each step that of its tap, without a division.
// Precision: operands are rounded to f16, products and sums f32 (a tensor core truncates as it adds); the epilogue in f32.
// Source: as conv2d_plain; shaders/matmul_matrix.wgsl.
// @use conv_dims
// @use conv_places
// @use conv_eights
// @use conv_finish_four
// @use matrix_loop
// @use matrix_finish

const TM: u32 = 4u;                 // knob: matrices of 16 pixels a subgroup, 2 or 4
const TN: u32 = 4u;                 // knob: matrices of 16 channels a subgroup, 2 or 4
const TRANSPOSED: bool = false;     // knob: x is the gradient of what a convolution made, out the gradient of what it read
const STRIDED: bool = false;        // knob: stride is above 1; only read with TRANSPOSED
const CAT: bool = false;            // knob: x and x2 lie side by side, times scale and scale2
const DOUBLED: bool = false;        // knob: x is stored at half the height and width
const SILU: bool = false;           // knob: read silu(x)
const HALVES_X: bool = false;       // knob: x and x2 are halves, read as four words
const HALVES_W: bool = false;       // knob: weight likewise
alias XStored = f32;                // knob: how x and x2 are stored, f32 or f16
alias WStored = f32;                // knob: how weight is stored
alias XElem = vec4f;                // knob: vec4u with HALVES_X
alias WElem = vec4f;                // knob: vec4u with HALVES_W
const ACT: u32 = 0u;                // knob: 0 none; see lib act
const HAS_BIAS: bool = false;       // knob: add bias
const HAS_PRE: bool = false;        // knob: also write the value before act
const SCALED: bool = false;         // knob: multiply by out_scale
const HAS_SLOPE: bool = false;      // knob: multiply by the slope of SiLU at out_scale before, for the gradient of a SiLU that was read
const HAS_RESIDUAL: bool = false;   // knob: add residual_scale residual
const WHOLE: bool = false;          // knob: a step's 32 k are channels of one tap: depth is a multiple of 32; read with HALVES_X, and without CAT and SILU
const SPLITS: u32 = 1u;             // knob: parts of k, which workgroups of their own sum
const VEC_N: bool = false;          // knob: before, residual, out and pre are accessed as vectors of 4; n is a multiple of 4
alias OElem = array<f32, 1>;        // knob: vec4f with VEC_N
alias RElem = f32;                  // knob: vec4f with VEC_N

alias OScalar = f32;
const TRANS_A: bool = false;
const TRANS_B: bool = true;

@group(0) @binding(0) var<storage, read> x: array<XElem>; // holds XStored
@group(0) @binding(1) var<storage, read> x2: array<XElem>; // optional: CAT // holds XStored
@group(0) @binding(2) var<storage, read> weight: array<WElem>; // holds WStored
@group(0) @binding(3) var<storage, read> bias: array<f32>; // optional: HAS_BIAS
@group(0) @binding(4) var<storage, read> before: array<RElem>; // optional: HAS_SLOPE
@group(0) @binding(5) var<storage, read> residual: array<RElem>; // optional: HAS_RESIDUAL
@group(0) @binding(6) var<storage, read_write> out: array<OElem>;
@group(0) @binding(7) var<storage, read_write> pre: array<OElem>; // optional: HAS_PRE
@group(0) @binding(8) var<uniform> dims: Dims;

const BY_TAP: bool = WHOLE && HALVES_X && !CAT && !SILU;

// The k that a workgroup sums: all of it with SPLITS 1, which compilers then see to be so.
struct Part {
  begin: u32,
  end: u32,
}

// The windows of an invocation's items of A, 32 pixels apart: there are TM. By taps they are found again at each.
struct FromA {
  pixel: u32, // the first, by taps
  a0: Anchor,
  a1: Anchor,
  a2: Anchor,
  a3: Anchor,
  channel: u32, // first channel of the group
  by: Reciprocals,
  part: Part,
}

// Rows of weight.
struct FromB {
  row: u32, // first row of the group
  col: u32,
  part: Part,
}

fn anchor_of_item(s: FromA, i: u32) -> Anchor {
  if (i == 0u) {
    return s.a0;
  } else if (i == 1u) {
    return s.a1;
  } else if (i == 2u) {
    return s.a2;
  }
  return s.a3;
}

// By taps: where the pixels below the present tap begin, in eights, negative where there is none; and the k after the tap's.
var<private> tap_pixels: vec4i;
var<private> tap_end: u32;

fn first_of_item(s: FromA, i: u32, tap: Tap) -> i32 {
  let place = place_of(anchor_of(s.pixel + i * A_LINES, dims.m, s.by), tap);
  return select(-1, place * i32(dims.depth * dims.groups / 8u), place >= 0);
}

fn to_tap(s: FromA, k: u32) {
  let tap = tap_of(k, s.by);
  tap_end = k - tap.channel + dims.depth;
  tap_pixels.x = first_of_item(s, 0u, tap);
  tap_pixels.y = first_of_item(s, 1u, tap);
  if (TM > 2u) {
    tap_pixels.z = first_of_item(s, 2u, tap);
    tap_pixels.w = first_of_item(s, 3u, tap);
  }
}

fn tap_pixels_of(i: u32) -> i32 {
  if (i == 0u) {
    return tap_pixels.x;
  } else if (i == 1u) {
    return tap_pixels.y;
  } else if (i == 2u) {
    return tap_pixels.z;
  }
  return tap_pixels.w;
}

// Eight channels of a window, of a tap that all of a step's k share. Steps come in order, the first maybe within a tap, and of each the first
// item first.
fn halves_by_tap(item: vec2u, i: u32, s: FromA, step: u32) -> vec4u {
  let k = s.part.begin + step;
  if (k >= s.part.end) {
    return vec4u();
  }
  if (i == 0u && k >= tap_end) {
    to_tap(s, k);
  }
  let first = tap_pixels_of(i);
  if (first < 0) {
    return vec4u();
  }
  return x_at(u32(first) + (s.channel + k + dims.depth - tap_end) / 8u + item.y);
}

fn halves_of_a(item: vec2u, i: u32, s: FromA, step: u32) -> vec4u {
  if (BY_TAP) {
    return halves_by_tap(item, i, s, step);
  }
  let k = s.part.begin + step + item.y * 8u;
  if (k >= s.part.end) {
    return vec4u();
  }
  let tap = tap_of(k, s.by); // of all eight: depth is a multiple of 8
  let place = place_of(anchor_of_item(s, i), tap);
  return halves_at(place, s.channel + tap.channel, dims.depth * dims.groups, dims.first);
}

fn weight_at(i: u32) -> vec4u { return bitcast<vec4u>(weight[i]); }

fn halves_of_b(item: vec2u, i: u32, s: FromB, step: u32) -> vec4u {
  let col = s.col + item.x + i * B_LINES;
  let k = s.part.begin + step + item.y * 8u;
  if (col >= dims.n || k >= s.part.end) {
    return vec4u();
  }
  let at = (s.row + col) * dims.k + k;
  if (HALVES_W) {
    return weight_at(at / 8u);
  }
  return halves(bitcast<vec4f>(weight_at(at / 4u)), bitcast<vec4f>(weight_at(at / 4u + 1u)));
}

// Four outputs from channel `col` of the group on, of pixel `row`; with several parts of k, `slice` is that of a part.
fn finish(slice: u32, row: u32, col: u32, sum: vec4f) {
  if (row >= dims.m || col >= dims.n) {
    return;
  }
  var group = slice;
  var line = row;
  if (SPLITS > 1u) {
    group = slice % dims.groups;
    line += slice / dims.groups * dims.m;
  }
  let channel = group * dims.n + col;
  finish_four(line * (dims.n * dims.groups) + channel, channel, min(4u, dims.n - col), sum);
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
  if (slice >= SPLITS * dims.groups) {
    return;
  }
  var group = slice;
  var part = Part(0u, dims.k);
  if (SPLITS > 1u) {
    group = slice % dims.groups;
    let length = (dims.k + 32u * SPLITS - 1u) / (32u * SPLITS) * 32u;
    part.begin = min(dims.k, slice / dims.groups * length);
    part.end = min(dims.k, part.begin + length);
  }
  let tile = index % (tiles_n * tiles_m);
  let row = (tile / tiles_n) * BM;
  let col = (tile % tiles_n) * BN;

  let by = reciprocals();
  let fetched = row + item_of(local, true, BM).x;
  var from_a = FromA();
  from_a.channel = group * dims.depth;
  from_a.by = by;
  from_a.part = part;
  if (BY_TAP) {
    from_a.pixel = fetched;
  } else {
    from_a.a0 = anchor_of(fetched, dims.m, by);
    from_a.a1 = anchor_of(fetched + A_LINES, dims.m, by);
    from_a.a2 = anchor_of(fetched + 2u * A_LINES, dims.m, by);
    from_a.a3 = anchor_of(fetched + 3u * A_LINES, dims.m, by);
  }
  let from_b = FromB(dims.first_row + group * dims.n, col, part);
  let s = sums_of(local, subgroup, from_a, from_b, part.end - part.begin);
  finish_tile(s, slice, subgroup, lane, row, col);
}
