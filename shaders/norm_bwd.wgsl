// norm_bwd: all gradients of a modulated norm_fwd without weight's: norm_bwd_x and norm_bwd_modulation in one reading of dy and x.
//   g = dy (1 + scale) weight;  dx = prior + rstd (g - mean(g) - xhat mean(g xhat)); RMSNorm leaves mean(g) out;
//   dshift += sum of dy, dscale += weight * sum of dy xhat, over the rows that share them.
// Buffers, row-major f32: dy, x, prior, dx [rows, cols]; stats [rows, 2] = (mean, rstd); weight [cols];
//   modulation [ceil(rows / mod_rows), mod_stride], scale of column c at scale_offset + c; dmodulation [same], ADDED to at scale_offset + c and
//   shift_offset + c: the caller zeroes it, and several kernels add into columns of their own.
// Grid: a workgroup the mod_rows rows of a modulation row, ROWS at once, LANES invocations a row, which hold HELD quads of it and of the sums:
//   for few rows of few columns, where two dispatches would be over before they are under way.
// Precision: f32, in one fixed order: no atomics.
// Source: the derivatives of shaders/norm_fwd.wgsl.
// @use lanes_any
// @use norm_row
// @use norm_gradient

const LANES: u32 = 16u;           // knob, halved to fit: invocations a row, a power of two
const ROWS: u32 = 16u;            // knob, halved to fit: rows a workgroup has at once
const HELD: u32 = 1u;             // knob: quads that an invocation holds, 1 to 3: 4 LANES HELD columns at least
const RMS: bool = false;          // knob: RMSNorm instead of LayerNorm
const HAS_WEIGHT: bool = false;   // knob: the forward had weight
const HAS_SHIFT: bool = false;    // knob: the forward had shift
const HAS_PRIOR: bool = false;    // knob: add prior
const VEC: bool = false;          // knob: dy, x, prior, dx and weight are accessed as vectors of 4; cols is a multiple of 4
const VEC_MOD: bool = false;      // knob: so is modulation; mod_stride and the offsets are multiples of 4; with VEC
alias Scalar = f32;               // knob: f16 stores dy, x, prior, dx in half precision
alias Elem = f32;                 // knob: as Scalar, a vector of 4 with VEC
alias OElem = array<f32, 1>;      // knob: array<Scalar, 1>, or a vector of 4 with VEC: both can be indexed, so one store serves both
alias Column = f32;               // knob: a vector of 4 with VEC
alias Mod = f32;                  // knob: a vector of 4 with VEC_MOD

struct Dims {
  rows: u32,
  cols: u32,
  mod_rows: u32,
  mod_stride: u32,
  scale_offset: u32,
  shift_offset: u32, // optional: HAS_SHIFT, else 0
}

@group(0) @binding(0) var<storage, read> dy: array<Elem>;
@group(0) @binding(1) var<storage, read> x: array<Elem>;
@group(0) @binding(2) var<storage, read> stats: array<f32>;
@group(0) @binding(3) var<storage, read> weight: array<Column>; // optional: HAS_WEIGHT
@group(0) @binding(4) var<storage, read> modulation: array<Mod>;
@group(0) @binding(5) var<storage, read> prior: array<Elem>; // optional: HAS_PRIOR
@group(0) @binding(6) var<storage, read_write> dx: array<OElem>;
@group(0) @binding(7) var<storage, read_write> dmodulation: array<f32>;
@group(0) @binding(8) var<uniform> dims: Dims;

var<workgroup> partial_dy: array<vec4f, LANES * ROWS>;
var<workgroup> partial_dy_xhat: array<vec4f, LANES * ROWS>;

fn put(i: u32, value: OElem) {
  dx[i] = value;
}

// A row, of which an invocation holds quads.
struct Place {
  base: u32,
  end: u32, // columns; none past the last row
  mean: f32,
  rstd: f32,
}

// Of a quad's columns over the rows of a workgroup: what g is of dy, and the sums of dy and of dy xhat.
struct Columns {
  factor: vec4f,
  dy: vec4f,
  dy_xhat: vec4f,
}

// Of a quad of a row: 0 past its end.
struct Held {
  dy: vec4f,
  xhat: vec4f,
}

fn columns(part: u32, lane: u32, q: u32) -> Columns {
  let quad = columns_of(lane, q, dims.cols);
  var factor = 1.0 + mod_quad(part * dims.mod_stride + dims.scale_offset + quad.at);
  if (HAS_WEIGHT) {
    factor *= weight_quad(quad.at);
  }
  return Columns(factor, vec4f(), vec4f());
}

fn hold(row: Place, lane: u32, q: u32) -> Held {
  let quad = columns_of(lane, q, row.end);
  let slope = dy_quad(row.base + quad.at);
  let xhat = (x_quad(row.base + quad.at) - row.mean) * row.rstd;
  return Held(select(vec4f(), slope, quad.live), select(vec4f(), xhat, quad.live));
}

fn with_row(c: Columns, held: Held) -> Columns {
  return Columns(c.factor, c.dy + held.dy, c.dy_xhat + held.dy * held.xhat);
}

fn pair_of(held: Held, c: Columns) -> vec2f {
  let g = held.dy * c.factor;
  return vec2f(sum_of_four(g), sum_of_four(g * held.xhat));
}

fn write_quad(row: Place, lane: u32, q: u32, held: Held, c: Columns, means: vec2f) {
  let quad = columns_of(lane, q, row.end);
  var value = row.rstd * (held.dy * c.factor - means.x - held.xhat * means.y);
  if (HAS_PRIOR) {
    value += prior_quad(row.base + quad.at);
  }
  put_quad(row.base, quad, value);
}

fn add_to(at: u32, live: vec4<bool>, col: vec4u, value: vec4f) {
  if (live.x) { dmodulation[at + col.x] += value.x; }
  if (live.y) { dmodulation[at + col.y] += value.y; }
  if (live.z) { dmodulation[at + col.z] += value.z; }
  if (live.w) { dmodulation[at + col.w] += value.w; }
}

// Adds the sums of a quad's columns, of which each of the ROWS invocations has some rows'.
fn add_sums(part: u32, lane: u32, row: u32, q: u32, c: Columns) {
  partial_dy[row * LANES + lane] = c.dy;
  partial_dy_xhat[row * LANES + lane] = c.dy_xhat;
  workgroupBarrier();
  if (row == 0u) {
    var by_shift = vec4f();
    var by_scale = vec4f();
    for (var i = 0u; i < min(ROWS, dims.mod_rows); i++) {
      by_shift += partial_dy[i * LANES + lane];
      by_scale += partial_dy_xhat[i * LANES + lane];
    }
    let quad = columns_of(lane, q, dims.cols);
    if (HAS_WEIGHT) {
      by_scale *= weight_quad(quad.at);
    }
    let at = part * dims.mod_stride;
    add_to(at + dims.scale_offset, quad.live, quad.at, by_scale);
    if (HAS_SHIFT) {
      add_to(at + dims.shift_offset, quad.live, quad.at, by_shift);
    }
  }
  workgroupBarrier();
}

@compute @workgroup_size(LANES, ROWS)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let part = wid.x + wid.y * groups.x;
  let begin = part * dims.mod_rows;
  if (begin >= dims.rows) {
    return;
  }
  let last = min(dims.rows, begin + dims.mod_rows);
  let lane = lid.x;
  var c0 = columns(part, lane, 0u);
  var c1 = Columns();
  var c2 = Columns();
  if (HELD > 1u) { c1 = columns(part, lane, 1u); }
  if (HELD > 2u) { c2 = columns(part, lane, 2u); }
  for (var first = begin; first < last; first += ROWS) {
    let index = first + lid.y;
    let live = index < last; // rows past the end still take part in the barriers
    let safe = select(begin, index, live);
    let row = Place(safe * dims.cols, select(0u, dims.cols, live), stats[safe * 2u], stats[safe * 2u + 1u]);
    var h1 = Held();
    var h2 = Held();
    let h0 = hold(row, lane, 0u);
    if (HELD > 1u) { h1 = hold(row, lane, 1u); }
    if (HELD > 2u) { h2 = hold(row, lane, 2u); }
    let sum = (pair_of(h0, c0) + pair_of(h1, c1)) + pair_of(h2, c2);
    var means = lanes_any_sum(sum, lane, lid.y) / f32(dims.cols);
    if (RMS) {
      means.x = 0.0;
    }
    write_quad(row, lane, 0u, h0, c0, means);
    c0 = with_row(c0, h0);
    if (HELD > 1u) {
      write_quad(row, lane, 1u, h1, c1, means);
      c1 = with_row(c1, h1);
    }
    if (HELD > 2u) {
      write_quad(row, lane, 2u, h2, c2, means);
      c2 = with_row(c2, h2);
    }
  }
  for (var q = 0u; q < min(HELD, dims.cols); q++) { // a bound that is no constant: one text for all
    var c = c0;
    if (HELD > 1u && q == 1u) { c = c1; }
    if (HELD > 2u && q == 2u) { c = c2; }
    add_sums(part, lane, lid.y, q, c);
  }
}
