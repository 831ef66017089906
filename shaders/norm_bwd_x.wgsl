// norm_bwd_x: the gradient of norm_fwd by x, plus a gradient that arrived before.
//   g = dy (1 + scale) weight;  dx = prior + rstd (g - mean(g) - xhat mean(g xhat)); RMSNorm leaves mean(g) out;
//   a pixel norm, too, and multiplies mean(g xhat) by stats.x.
// Buffers, row-major f32: dy, x, prior, dx [rows, cols]; stats [rows, 2] = (mean, rstd); weight [cols];
//   modulation [ceil(rows / mod_rows), mod_stride], scale of column c at scale_offset + c.
// Grid: ROWS rows a workgroup, LANES invocations a row, as norm_fwd; with HELD g and xhat are held in registers, without dy and x are read
//   twice, the second time from cache.
// Precision: f32.
// Source: the derivative of shaders/norm_fwd.wgsl.
// @use lanes_any
// @use runs
// @use norm_row
// @use norm_gradient

const LANES: u32 = 64u;           // knob, halved to fit: invocations a row, a power of two
const ROWS: u32 = 4u;             // knob, halved to fit: rows a workgroup
const RMS: bool = false;          // knob: RMSNorm instead of LayerNorm
const PIXEL: bool = false;        // knob: pixel norm, with RMS
const HAS_WEIGHT: bool = false;   // knob: the forward had weight
const HAS_SCALE: bool = false;    // knob: the forward had scale
const HAS_PRIOR: bool = false;    // knob: add prior
const HELD: u32 = 0u;             // knob: quads that an invocation holds, up to 8: 4 LANES HELD columns at least; 0 reads rows again
const VEC: bool = false;          // knob: dy, x, prior, dx and weight are accessed as vectors of 4; cols is a multiple of 4; with HELD
const VEC_MOD: bool = false;      // knob: so is modulation; mod_stride and the offset are multiples of 4; with VEC
alias Scalar = f32;               // knob: f16 stores dy, x, prior, dx in half precision
alias Elem = f32;                 // knob: as Scalar, a vector of 4 with VEC
alias OElem = array<f32, 1>;      // knob: array<Scalar, 1>, or a vector of 4 with VEC: both can be indexed, so one store serves both
alias Column = f32;               // knob: a vector of 4 with VEC
alias Mod = f32;                  // knob: a vector of 4 with VEC_MOD

alias Summed = vec2f; // of g, of g xhat

struct Dims {
  rows: u32,
  cols: u32,
  mod_rows: u32, // optional: HAS_SCALE, else 1
  mod_stride: u32, // optional: HAS_SCALE, else 0
  scale_offset: u32, // optional: HAS_SCALE, else 0
}

@group(0) @binding(0) var<storage, read> dy: array<Elem>;
@group(0) @binding(1) var<storage, read> x: array<Elem>;
@group(0) @binding(2) var<storage, read> stats: array<f32>;
@group(0) @binding(3) var<storage, read> weight: array<Column>; // optional: HAS_WEIGHT
@group(0) @binding(4) var<storage, read> modulation: array<Mod>; // optional: HAS_SCALE
@group(0) @binding(5) var<storage, read> prior: array<Elem>; // optional: HAS_PRIOR
@group(0) @binding(6) var<storage, read_write> dx: array<OElem>;
@group(0) @binding(7) var<uniform> dims: Dims;

fn put(i: u32, value: OElem) {
  dx[i] = value;
}

// dy carried back to xhat.
fn to_xhat(at: u32, mod_base: u32, col: u32) -> f32 {
  var g = dy_at(at).x;
  if (HAS_SCALE) {
    g *= 1.0 + mod_at(mod_base + col).x;
  }
  if (HAS_WEIGHT) {
    g *= weight_at(col).x;
  }
  return g;
}

// What an invocation holds of a quad: g and xhat, 0 past the row's end.
struct Held {
  g: vec4f,
  xhat: vec4f,
}

struct Place {
  base: u32,
  mod_base: u32,
  end: u32,
  lane: u32,
  mean: f32,
  rstd: f32,
}

fn hold(row: Place, q: u32) -> Held {
  let quad = columns_of(row.lane, q, row.end);
  var g = dy_quad(row.base + quad.at);
  let xhat = (x_quad(row.base + quad.at) - row.mean) * row.rstd;
  if (HAS_SCALE) {
    g *= 1.0 + mod_quad(row.mod_base + quad.at);
  }
  if (HAS_WEIGHT) {
    g *= weight_quad(quad.at);
  }
  return Held(select(vec4f(0.0), g, quad.live), select(vec4f(0.0), xhat, quad.live));
}

fn pair_of(held: Held) -> Summed {
  return vec2f(sum_of_four(held.g), sum_of_four(held.g * held.xhat));
}

fn write_quad(row: Place, q: u32, held: Held, means: vec2f) {
  let quad = columns_of(row.lane, q, row.end);
  var value = row.rstd * (held.g - means.x - held.xhat * means.y);
  if (HAS_PRIOR) {
    value += prior_quad(row.base + quad.at);
  }
  put_quad(row.base, quad, value);
}

@compute @workgroup_size(LANES, ROWS)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let row = (wid.x + wid.y * groups.x) * ROWS + lid.y;
  let live = row < dims.rows; // rows past the end still take part in the barriers
  let safe_row = select(0u, row, live);
  let base = safe_row * dims.cols;
  let end = select(0u, dims.cols, live);
  let mean = select(stats[safe_row * 2u], 0.0, PIXEL);
  let rstd = stats[safe_row * 2u + 1u];
  let mod_base = (safe_row / dims.mod_rows) * dims.mod_stride + dims.scale_offset;
  let inv_cols = 1.0 / f32(dims.cols);

  let place = Place(base, mod_base, end, lid.x, mean, rstd);
  var h0 = Held();
  var h1 = Held();
  var h2 = Held();
  var h3 = Held();
  var h4 = Held();
  var h5 = Held();
  var h6 = Held();
  var h7 = Held();
  var sum = Summed();
  if (HELD > 0u) {
    h0 = hold(place, 0u);
    if (HELD > 1u) { h1 = hold(place, 1u); }
    if (HELD > 2u) { h2 = hold(place, 2u); }
    if (HELD > 3u) { h3 = hold(place, 3u); }
    if (HELD > 4u) { h4 = hold(place, 4u); }
    if (HELD > 5u) { h5 = hold(place, 5u); }
    if (HELD > 6u) { h6 = hold(place, 6u); }
    if (HELD > 7u) { h7 = hold(place, 7u); }
    sum = (pair_of(h0) + pair_of(h1)) + (pair_of(h2) + pair_of(h3));
    if (HELD > 4u) { sum += (pair_of(h4) + pair_of(h5)) + (pair_of(h6) + pair_of(h7)); }
  } else {
    var sums = Runs();
    for (var first = lid.x; first < end; first += RUN * LANES) {
      var run = Summed();
      for (var c = first; c < min(end, first + RUN * LANES); c += LANES) {
        let g = to_xhat(base + c, mod_base, c);
        run += vec2f(g, g * (x_at(base + c).x - mean) * rstd);
      }
      add_run(&sums, run);
    }
    sum = sum_of(sums);
  }
  var means = lanes_any_sum(sum, lid.x, lid.y) * inv_cols;
  if (RMS) {
    means.x = 0.0;
  }
  if (PIXEL) {
    means.y *= stats[safe_row * 2u];
  }
  if (HELD > 0u) {
    write_quad(place, 0u, h0, means);
    if (HELD > 1u) { write_quad(place, 1u, h1, means); }
    if (HELD > 2u) { write_quad(place, 2u, h2, means); }
    if (HELD > 3u) { write_quad(place, 3u, h3, means); }
    if (HELD > 4u) { write_quad(place, 4u, h4, means); }
    if (HELD > 5u) { write_quad(place, 5u, h5, means); }
    if (HELD > 6u) { write_quad(place, 6u, h6, means); }
    if (HELD > 7u) { write_quad(place, 7u, h7, means); }
    return;
  }
  for (var c = lid.x; c < end; c += LANES) {
    let xhat = (x_at(base + c).x - mean) * rstd;
    var value = rstd * (to_xhat(base + c, mod_base, c) - means.x - xhat * means.y);
    if (HAS_PRIOR) {
      value += prior_at(base + c).x;
    }
    put(base + c, element(vec4f(value)));
  }
}
