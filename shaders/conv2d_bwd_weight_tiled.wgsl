// conv2d_bwd_weight_tiled: the GPU variant of conv2d_bwd_weight_plain, with the same buffers and dims: a product whose A is dy, transposed,
// and whose B are the windows of x, made as its tiles are fetched. Tiles, staging and inner loop are those of matmul_tiled.
// Grid: a workgroup of 8 x 8 makes 32 QM channels of dy x 32 QN places of the window, folded over (split, group, tile). Which places an
//   invocation fetches stays the same: they are found once, and in each step those of its pixels, by reciprocals.
// Precision: f32, k summed in order.
// Source: as conv2d_bwd_weight_plain; shaders/matmul_tiled.wgsl.
// @use conv_weight_dims
// @use conv_source
// @use conv_loop

const QM: u32 = 1u;                 // knob: blocks of 4 rows an invocation, 1 or 2: 32 QM channels of dy a workgroup
const QN: u32 = 1u;                 // knob: blocks of 4 columns an invocation, 1 or 2: 32 QN places a workgroup
const CAT: bool = false;            // knob: x and x2 lie side by side, times scale and scale2
const DOUBLED: bool = false;        // knob: x is stored at half the height and width
const SILU: bool = false;           // knob: read silu(x)
const VEC: bool = false;            // knob: x and x2 are read as vectors of 4: depth, and first, are multiples of 4
const VEC_DY: bool = false;         // knob: dy is read as vectors of 4: m is a multiple of 4
alias Elem = f32;                   // knob: vec4f with VEC
alias Column = f32;                 // knob: vec4f with VEC_DY
const WHOLE: bool = false;          // knob: a step's 16 pixels lie in one row: out_w, and k_chunk where there are parts, are multiples of 16; with VEC
alias OElem = array<f32, 1>;        // knob: vec4f with VEC, where n is a multiple of 4 too
const ROLLED: bool = false;         // knob: what is fetched is found in loops, in one place: for compilers of CPUs

const TRANSPOSED: bool = false;
const STRIDED: bool = false;
const TRANS_A: bool = true;
const TRANS_B: bool = false;
const BK: u32 = 16u; // pixels a step: (QM + QN) 2 KiB of workgroup memory
const SIDE: u32 = 8u; // invocations along m and along n
const THREADS: u32 = 64u; // SIDE x SIDE
const BM: u32 = 4u * SIDE * QM;
const BN: u32 = 4u * SIDE * QN;
const ITEMS_A: u32 = BK * BM / 16u; // items of A, four vec4s each
const ITEMS_B: u32 = BK * BN / 16u;
const TWICE: bool = ITEMS_A + ITEMS_B > THREADS; // an invocation stages two of them

@group(0) @binding(0) var<storage, read> x: array<Elem>;
@group(0) @binding(1) var<storage, read> x2: array<Elem>; // optional: CAT
@group(0) @binding(2) var<storage, read> dy: array<Column>;
@group(0) @binding(3) var<storage, read_write> dweight: array<OElem>;
@group(0) @binding(4) var<uniform> dims: Dims;

fn dy_at(i: u32) -> vec4f { return vec4f(dy[i]); }

// What fetches need that stays the same. An invocation's items of B have the same columns: their count divides 32.
struct Sources {
  t0: Tap,
  t1: Tap,
  t2: Tap,
  t3: Tap,
  cols: u32, // of the four columns, how many there are
  row: u32,
  group: u32,
  k_end: u32,
  by: Reciprocals,
}

// Four channels of dy from row0 on at pixel k.
fn dy_of(s: Sources, row0: u32, k: u32) -> vec4f {
  var v = vec4f();
  let at = (k * dims.groups + s.group) * dims.m + row0;
  if (row0 < dims.m && k < s.k_end) {
    if (VEC_DY) {
      v = dy_at(at / 4u);
    } else {
      v.x = dy_at(at).x;
      if (row0 + 1u < dims.m) { v.y = dy_at(at + 1u).x; }
      if (row0 + 2u < dims.m) { v.z = dy_at(at + 2u).x; }
      if (row0 + 3u < dims.m) { v.w = dy_at(at + 3u).x; }
    }
  }
  return v;
}

// dy is A.
fn fetch_a(e: u32, s: Sources, k0: u32) -> Fetched {
  let row = s.row + (e % (BM / 4u)) * 4u;
  let k = k0 + e / (BM / 4u);
  return Fetched(
    dy_of(s, row, k),
    dy_of(s, row, k + BK / 4u),
    dy_of(s, row, k + 2u * (BK / 4u)),
    dy_of(s, row, k + 3u * (BK / 4u)),
  );
}

// The four columns at pixel k.
fn window_of(s: Sources, k: u32) -> vec4f {
  var v = vec4f();
  if (k < s.k_end && s.cols > 0u) {
    let anchor = anchor_of(k, dims.k, s.by);
    if (VEC) {
      v = channels_at(place_of(anchor, s.t0), s.t0.channel); // of all four: depth is a multiple of 4
    } else {
      v.x = channels_at(place_of(anchor, s.t0), s.t0.channel).x;
      if (s.cols > 1u) { v.y = channels_at(place_of(anchor, s.t1), s.t1.channel).x; }
      if (s.cols > 2u) { v.z = channels_at(place_of(anchor, s.t2), s.t2.channel).x; }
      if (s.cols > 3u) { v.w = channels_at(place_of(anchor, s.t3), s.t3.channel).x; }
    }
  }
  return v;
}

// The same in loops, whose bounds are no constants, as in conv2d_tiled.
fn fetch_rolled(s: Sources, k: u32) -> Fetched {
  let taps = array<Tap, 4>(s.t0, s.t1, s.t2, s.t3);
  var lines: array<vec4f, 4>;
  for (var i = 0u; i < min(4u, 4u * dims.k); i++) {
    let pixel = k + i * (BK / 4u);
    if (pixel < s.k_end) {
      let anchor = anchor_of(pixel, dims.k, s.by);
      for (var c = 0u; c < min(s.cols, select(4u, 1u, VEC)); c++) {
        let value = channels_at(place_of(anchor, taps[c]), taps[c].channel);
        if (VEC) { lines[i] = value; } else { lines[i][c] = value.x; }
      }
    }
  }
  return Fetched(lines[0], lines[1], lines[2], lines[3]);
}

// With WHOLE: the pixels of a step, from row and column on of the sample that begins at pixel `base` of x.
struct Cursor {
  k: u32,
  base: u32,
  row: u32,
  col: u32,
}

var<private> cursor: Cursor;

fn start_cursor(k: u32, by: Reciprocals) {
  let sample = quotient(k, dims.out_h * dims.out_w, by.area);
  let within = k - sample * (dims.out_h * dims.out_w);
  let row = quotient(within, dims.out_w, by.out_w);
  cursor = Cursor(k, sample * sample_pixels(), row, within - row * dims.out_w);
}

fn move_cursor(k: u32) {
  cursor.k = k;
  cursor.col += BK;
  if (cursor.col >= dims.out_w) {
    cursor.col = 0u;
    cursor.row++;
    if (cursor.row >= dims.out_h) {
      cursor.row = 0u;
      cursor.base += sample_pixels();
    }
  }
}

// The columns of a tap at pixel `within` of a step, in the row of x that the tap reads.
fn whole_window(s: Sources, row: i32, within: u32) -> vec4f {
  let col = i32((cursor.col + within) * dims.stride) - i32(dims.pad_w) + s.t0.col;
  let inside = row >= 0 && row < i32(dims.height) && col >= 0 && col < i32(dims.width);
  return channels_at(select(-1, stored_at(cursor.base, vec2i(row, col)), inside), s.t0.channel);
}

fn fetch_whole(e: u32, s: Sources, k0: u32) -> Fetched {
  if (k0 >= s.k_end || s.cols == 0u) {
    return Fetched();
  }
  if (k0 > cursor.k) {
    move_cursor(k0);
  }
  let row = i32(cursor.row * dims.stride) - i32(dims.pad_h) + s.t0.row;
  let within = e / (BN / 4u);
  return Fetched(
    whole_window(s, row, within),
    whole_window(s, row, within + BK / 4u),
    whole_window(s, row, within + 2u * (BK / 4u)),
    whole_window(s, row, within + 3u * (BK / 4u)),
  );
}

// The windows are B.
fn fetch_b(e: u32, s: Sources, k0: u32) -> Fetched {
  if (WHOLE) {
    return fetch_whole(e, s, k0);
  }
  let k = k0 + e / (BN / 4u);
  if (ROLLED) {
    return fetch_rolled(s, k);
  }
  return Fetched(
    window_of(s, k),
    window_of(s, k + BK / 4u),
    window_of(s, k + 2u * (BK / 4u)),
    window_of(s, k + 3u * (BK / 4u)),
  );
}

// The tap of a column, and its channel of all groups'.
fn tap_in(group: u32, col: u32, by: Reciprocals) -> Tap {
  let tap = tap_of(min(col, dims.n - 1u), by);
  return Tap(tap.row, tap.col, group * dims.depth + tap.channel);
}

fn finish_block(sums: Block, slice: u32, row: u32, col: u32) {
  finish(slice, row, col, sums.r0);
  finish(slice, row + 1u, col, sums.r1);
  finish(slice, row + 2u, col, sums.r2);
  finish(slice, row + 3u, col, sums.r3);
}

fn finish(slice: u32, row: u32, col: u32, sum: vec4f) {
  let at = (slice * dims.m + row) * dims.n + col;
  for (var j = 0u; j < 4u; j += WIDTH) {
    if (row < dims.m && col + j < dims.n) {
      var part: OElem;
      for (var c = 0u; c < WIDTH; c++) {
        part[c] = sum[j + c];
      }
      dweight[(at + j) / WIDTH] = part;
    }
  }
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
  let slice = index / (tiles_n * tiles_m); // split * groups + group
  let splits = (dims.k + dims.k_chunk - 1u) / dims.k_chunk;
  if (slice >= splits * dims.groups) {
    return;
  }
  let tile = index % (tiles_n * tiles_m);
  let group = slice % dims.groups;
  let k_begin = (slice / dims.groups) * dims.k_chunk;
  let k_end = min(dims.k, k_begin + dims.k_chunk);
  let row_base = (tile / tiles_n) * BM;
  let col_base = (tile % tiles_n) * BN;

  let by = reciprocals();
  let fetched = col_base + (local % (BN / 4u)) * 4u;
  let sources = Sources(
    tap_in(group, fetched, by),
    tap_in(group, fetched + 1u, by),
    tap_in(group, fetched + 2u, by),
    tap_in(group, fetched + 3u, by),
    select(0u, dims.n - fetched, fetched < dims.n),
    row_base,
    group,
    k_end,
    by,
  );
  if (WHOLE) { start_cursor(k_begin, by); }
  let at = place(local);
  var s = sums_of(local, at, sources, k_begin, k_end);
  finish_all(&s, slice, row_base + at.y * 4u, col_base + at.x * 4u);
}
