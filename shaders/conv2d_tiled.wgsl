// conv2d_tiled: the GPU variant of conv2d_plain, with the same buffers and dims: a product whose A are the windows of x, made as its tiles
// are fetched, and whose B is weight. Tiles, staging and inner loop are those of matmul_tiled.
// Grid: a workgroup of 8 x 8 makes 32 QM pixels x 32 QN channels, folded over (group, tile). Which pixels an invocation fetches stays the
//   same: their places are found once, and in each step that of its taps, without a division; with WHOLE only where a tap ends.
// Precision: f32, k summed in order.
// Source: as conv2d_plain; shaders/matmul_tiled.wgsl.
// @use conv_dims
// @use conv_source
// @use conv_finish_four
// @use conv_loop

const QM: u32 = 1u;                 // knob: blocks of 4 pixels an invocation, 1 or 2: 32 QM pixels a workgroup
const QN: u32 = 1u;                 // knob: blocks of 4 channels an invocation, 1 or 2: 32 QN channels a workgroup
const TRANSPOSED: bool = false;     // knob: x is the gradient of what a convolution made, out the gradient of what it read
const STRIDED: bool = false;        // knob: stride is above 1; only read with TRANSPOSED
const CAT: bool = false;            // knob: x and x2 lie side by side, times scale and scale2
const DOUBLED: bool = false;        // knob: x is stored at half the height and width
const SILU: bool = false;           // knob: read silu(x)
const VEC: bool = false;            // knob: x, x2 and weight are read as vectors of 4: depth, and first, are multiples of 4
alias Elem = f32;                   // knob: vec4f with VEC
const ACT: u32 = 0u;                // knob: 0 none; see lib act
const HAS_BIAS: bool = false;       // knob: add bias
const HAS_PRE: bool = false;        // knob: also write the value before act
const SCALED: bool = false;         // knob: multiply by out_scale
const HAS_SLOPE: bool = false;      // knob: multiply by the slope of SiLU at out_scale before, for the gradient of a SiLU that was read
const HAS_RESIDUAL: bool = false;   // knob: add residual_scale residual
const WHOLE: bool = false;          // knob: a step's 16 k are channels of one tap, of one of x, x2: depth, and first, are multiples of 16; with VEC
const VEC_N: bool = false;          // knob: before, residual, out and pre are accessed as vectors of 4; n is a multiple of 4
alias OElem = array<f32, 1>;        // knob: vec4f with VEC_N
alias RElem = f32;                  // knob: vec4f with VEC_N
const ROLLED: bool = false;         // knob: what is fetched is found in loops, in one place: for compilers of CPUs

alias OScalar = f32;
const TRANS_A: bool = false;
const TRANS_B: bool = true;
const BK: u32 = 16u; // k a step: (QM + QN) 2 KiB of workgroup memory
const SIDE: u32 = 8u; // invocations along pixels and along channels
const THREADS: u32 = 64u; // SIDE x SIDE
const BM: u32 = 4u * SIDE * QM;
const BN: u32 = 4u * SIDE * QN;
const ITEMS_A: u32 = BK * BM / 16u; // items of A, four vec4s each: an invocation's first
const ITEMS_B: u32 = BK * BN / 16u;
const TWICE: bool = ITEMS_A + ITEMS_B > THREADS; // an invocation stages two of them

@group(0) @binding(0) var<storage, read> x: array<Elem>;
@group(0) @binding(1) var<storage, read> x2: array<Elem>; // optional: CAT
@group(0) @binding(2) var<storage, read> weight: array<Elem>;
@group(0) @binding(3) var<storage, read> bias: array<f32>; // optional: HAS_BIAS
@group(0) @binding(4) var<storage, read> before: array<RElem>; // optional: HAS_SLOPE
@group(0) @binding(5) var<storage, read> residual: array<RElem>; // optional: HAS_RESIDUAL
@group(0) @binding(6) var<storage, read_write> out: array<OElem>;
@group(0) @binding(7) var<storage, read_write> pre: array<OElem>; // optional: HAS_PRE
@group(0) @binding(8) var<uniform> dims: Dims;

fn weight_at(i: u32) -> vec4f { return vec4f(weight[i]); }

// What fetches need that stays the same.
struct Sources {
  a0: Anchor,
  a1: Anchor,
  a2: Anchor,
  a3: Anchor,
  channel: u32, // first channel of the group
  weight: u32, // first row of the group
  col: u32,
  by: Reciprocals,
}

// The four numbers k of the window at an anchor.
fn along_taps(anchor: Anchor, channel: u32, t0: Tap, t1: Tap, t2: Tap, t3: Tap) -> vec4f {
  return vec4f(
    channels_at(place_of(anchor, t0), channel + t0.channel).x,
    channels_at(place_of(anchor, t1), channel + t1.channel).x,
    channels_at(place_of(anchor, t2), channel + t2.channel).x,
    channels_at(place_of(anchor, t3), channel + t3.channel).x,
  );
}

// The same in loops, whose bounds are no constants: SwiftShader's compiler takes minutes over sixteen places written out.
fn fetch_rolled(s: Sources, k: u32) -> Fetched {
  let anchors = array<Anchor, 4>(s.a0, s.a1, s.a2, s.a3);
  var lines: array<vec4f, 4>;
  for (var r = 0u; r < min(4u, 4u * dims.m); r++) {
    for (var t = 0u; t < select(min(4u, dims.k - k), 1u, VEC); t++) {
      let tap = tap_of(k + t, s.by);
      let value = channels_at(place_of(anchors[r], tap), s.channel + tap.channel);
      if (VEC) { lines[r] = value; } else { lines[r][t] = value.x; }
    }
  }
  return Fetched(lines[0], lines[1], lines[2], lines[3]);
}

// With WHOLE: the tap that is being read, from k = begin to end, and the places below it.
struct Cursor {
  begin: u32,
  end: u32,
  places: vec4i,
}

var<private> cursor: Cursor;

// Four channels of the four windows, of a tap that all of a step's k share.
fn fetch_whole(e: u32, s: Sources, k0: u32) -> Fetched {
  if (k0 >= cursor.end) {
    let tap = tap_of(k0, s.by);
    cursor.begin = k0 - tap.channel;
    cursor.end = cursor.begin + dims.depth;
    cursor.places = vec4i(place_of(s.a0, tap), place_of(s.a1, tap), place_of(s.a2, tap), place_of(s.a3, tap));
  }
  let channel = s.channel + k0 - cursor.begin + (e % (BK / 4u)) * 4u;
  return Fetched(
    channels_at(cursor.places.x, channel),
    channels_at(cursor.places.y, channel),
    channels_at(cursor.places.z, channel),
    channels_at(cursor.places.w, channel),
  );
}

// The windows are A.
fn fetch_a(e: u32, s: Sources, k0: u32) -> Fetched {
  let k = k0 + (e % (BK / 4u)) * 4u;
  if (k >= dims.k) {
    return Fetched();
  }
  if (WHOLE) {
    // Never: what is doubled is no gradient. With a second way out here NVIDIA's compiler fetches before it multiplies: 37 TFLOP/s, not 29.
    if (DOUBLED && TRANSPOSED && STRIDED) {
      return Fetched();
    }
    return fetch_whole(e, s, k0);
  }
  if (ROLLED) {
    return fetch_rolled(s, k);
  }
  if (VEC) {
    let tap = tap_of(k, s.by); // of all four: depth is a multiple of 4
    let channel = s.channel + tap.channel;
    return Fetched(
      channels_at(place_of(s.a0, tap), channel),
      channels_at(place_of(s.a1, tap), channel),
      channels_at(place_of(s.a2, tap), channel),
      channels_at(place_of(s.a3, tap), channel),
    );
  }
  let last = dims.k - 1u;
  let t0 = tap_of(k, s.by);
  let t1 = tap_of(min(k + 1u, last), s.by);
  let t2 = tap_of(min(k + 2u, last), s.by);
  let t3 = tap_of(min(k + 3u, last), s.by);
  let live = vec4u(k, k + 1u, k + 2u, k + 3u) < vec4u(dims.k);
  return Fetched(
    select(vec4f(), along_taps(s.a0, s.channel, t0, t1, t2, t3), live),
    select(vec4f(), along_taps(s.a1, s.channel, t0, t1, t2, t3), live),
    select(vec4f(), along_taps(s.a2, s.channel, t0, t1, t2, t3), live),
    select(vec4f(), along_taps(s.a3, s.channel, t0, t1, t2, t3), live),
  );
}

// Four k of the weights of a channel.
fn weights_of(first: u32, col: u32, k: u32) -> vec4f {
  var v = vec4f();
  let at = (first + col) * dims.k + k;
  if (col < dims.n && k < dims.k) {
    if (VEC) {
      v = weight_at(at / 4u);
    } else {
      v.x = weight_at(at).x;
      if (k + 1u < dims.k) { v.y = weight_at(at + 1u).x; }
      if (k + 2u < dims.k) { v.z = weight_at(at + 2u).x; }
      if (k + 3u < dims.k) { v.w = weight_at(at + 3u).x; }
    }
  }
  return v;
}

// The weights are B.
fn fetch_b(e: u32, s: Sources, k0: u32) -> Fetched {
  let col = s.col + (e / (BK / 4u)) * 4u;
  let k = k0 + (e % (BK / 4u)) * 4u;
  return Fetched(
    weights_of(s.weight, col, k),
    weights_of(s.weight, col + 1u, k),
    weights_of(s.weight, col + 2u, k),
    weights_of(s.weight, col + 3u, k),
  );
}

// Four outputs from channel `col` of the group on, of pixel `row`.
fn finish(group: u32, row: u32, col: u32, sum: vec4f) {
  if (row < dims.m && col < dims.n) {
    let channel = group * dims.n + col;
    finish_four(row * (dims.n * dims.groups) + channel, channel, min(4u, dims.n - col), sum);
  }
}

fn finish_block(sums: Block, group: u32, row: u32, col: u32) {
  finish(group, row, col, sums.r0);
  finish(group, row + 1u, col, sums.r1);
  finish(group, row + 2u, col, sums.r2);
  finish(group, row + 3u, col, sums.r3);
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let tiles_n = (dims.n + BN - 1u) / BN;
  let tiles_m = (dims.m + BM - 1u) / BM;
  let index = wid.x + wid.y * groups.x;
  let group = index / (tiles_n * tiles_m);
  if (group >= dims.groups) {
    return;
  }
  let tile = index % (tiles_n * tiles_m);
  let row_base = (tile / tiles_n) * BM;
  let col_base = (tile % tiles_n) * BN;

  let by = reciprocals();
  let fetched = row_base + (local / (BK / 4u)) * 4u;
  let sources = Sources(
    anchor_of(fetched, dims.m, by),
    anchor_of(fetched + 1u, dims.m, by),
    anchor_of(fetched + 2u, dims.m, by),
    anchor_of(fetched + 3u, dims.m, by),
    group * dims.depth,
    dims.first_row + group * dims.n,
    col_base,
    by,
  );
  let at = place(local);
  var s = sums_of(local, at, sources, 0u, dims.k);
  finish_all(&s, group, row_base + at.y * 4u, col_base + at.x * 4u);
}
