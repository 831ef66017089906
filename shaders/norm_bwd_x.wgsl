// norm_bwd_x: the gradient of norm_fwd by x, plus a gradient that arrived before.
//   g = dy (1 + scale) weight;  dx = prior + rstd (g - mean(g) - xhat mean(g xhat)); RMSNorm leaves mean(g) out.
// Buffers, row-major f32: dy, x, prior, dx [rows, cols]; stats [rows, 2] = (mean, rstd); weight [cols];
//   modulation [ceil(rows / mod_rows), mod_stride], scale of column c at scale_offset + c.
// Grid: ROWS rows a workgroup, LANES invocations a row, as norm_fwd; dy and x are read twice, the second time from cache.
// Precision: f32.
// Source: the derivative of shaders/norm_fwd.wgsl.
// @use lanes_pair
// @use runs

const LANES: u32 = 64u;           // knob, halved to fit: invocations a row, a power of two
const ROWS: u32 = 4u;             // knob, halved to fit: rows a workgroup
const RMS: bool = false;          // knob: RMSNorm instead of LayerNorm
const HAS_WEIGHT: bool = false;   // knob: the forward had weight
const HAS_SCALE: bool = false;    // knob: the forward had scale
const HAS_PRIOR: bool = false;    // knob: add prior
alias Elem = f32;                 // knob: f16 stores dy, x, prior, dx in half precision

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
@group(0) @binding(3) var<storage, read> weight: array<f32>; // optional: HAS_WEIGHT
@group(0) @binding(4) var<storage, read> modulation: array<f32>; // optional: HAS_SCALE
@group(0) @binding(5) var<storage, read> prior: array<Elem>; // optional: HAS_PRIOR
@group(0) @binding(6) var<storage, read_write> dx: array<Elem>;
@group(0) @binding(7) var<uniform> dims: Dims;

// dy carried back to xhat.
fn to_xhat(at: u32, mod_base: u32, col: u32) -> f32 {
  var g = f32(dy[at]);
  if (HAS_SCALE) {
    g *= 1.0 + modulation[mod_base + col];
  }
  if (HAS_WEIGHT) {
    g *= weight[col];
  }
  return g;
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
  let mean = stats[safe_row * 2u];
  let rstd = stats[safe_row * 2u + 1u];
  let mod_base = (safe_row / dims.mod_rows) * dims.mod_stride + dims.scale_offset;
  let inv_cols = 1.0 / f32(dims.cols);

  var sums = Runs();
  for (var first = lid.x; first < end; first += RUN * LANES) {
    var run = Summed();
    for (var c = first; c < min(end, first + RUN * LANES); c += LANES) {
      let g = to_xhat(base + c, mod_base, c);
      run += vec2f(g, g * (f32(x[base + c]) - mean) * rstd);
    }
    add_run(&sums, run);
  }
  var means = lanes_sum_pair(sum_of(sums), lid.x, lid.y) * inv_cols;
  if (RMS) {
    means.x = 0.0;
  }
  for (var c = lid.x; c < end; c += LANES) {
    let xhat = (f32(x[base + c]) - mean) * rstd;
    var value = rstd * (to_xhat(base + c, mod_base, c) - means.x - xhat * means.y);
    if (HAS_PRIOR) {
      value += f32(prior[base + c]);
    }
    dx[base + c] = Elem(value);
  }
}
