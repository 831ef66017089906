// norm_fwd: y = (xhat * weight + bias) * (1 + scale) + shift, xhat = (x - mean) * rstd, over the last axis.
//   LayerNorm: mean = sum(x) / cols, rstd = 1 / sqrt(sum((x - mean)^2) / cols + eps). RMSNorm: mean = 0.
// Buffers, row-major f32:
//   x [rows, cols], y [rows, cols], stats [rows, 2] = (mean, rstd) for the backward
//   weight [cols], bias [cols]
//   modulation [ceil(rows / mod_rows), mod_stride]: scale of column c at scale_offset + c, shift at shift_offset + c. mod_rows is the
//   number of consecutive rows that share a modulation row: N tokens for adaLN per sample, 1 for adaLN per token.
// Grid: ROWS rows a workgroup, LANES invocations a row; neighbours read neighbouring columns. LANES = 1 runs without barriers.
// Precision: f32; the variance is summed around the mean in a second pass over the row, so that it cannot cancel, and that pass also finds
//   what the mean was rounded by, which of a large mean is as large as a small spread.
// Source: Ba et al. 2016 (LayerNorm), Zhang & Sennrich 2019 (RMSNorm), Peebles & Xie 2023 (adaLN).
// @use lanes_any
// @use runs
// @use finite

const LANES: u32 = 64u;           // knob, halved to fit: invocations a row, a power of two
const ROWS: u32 = 4u;             // knob, halved to fit: rows a workgroup
const RMS: bool = false;          // knob: RMSNorm instead of LayerNorm
const HAS_WEIGHT: bool = false;   // knob: multiply by weight
const HAS_BIAS: bool = false;     // knob: add bias
const HAS_SCALE: bool = false;    // knob: multiply by 1 + scale from modulation
const HAS_SHIFT: bool = false;    // knob: add shift from modulation
const HAS_MOD: bool = false;      // knob: modulation is bound; true when HAS_SCALE or HAS_SHIFT is
const HAS_STATS: bool = true;     // knob: write stats
alias Elem = f32;                 // knob: f16 stores x, y in half precision

alias Summed = vec2f; // of x - mean, of its square

struct Dims {
  rows: u32,
  cols: u32,
  mod_rows: u32, // optional: HAS_MOD, else 1
  mod_stride: u32, // optional: HAS_MOD, else 0
  scale_offset: u32, // optional: HAS_SCALE, else 0
  shift_offset: u32, // optional: HAS_SHIFT, else 0
  eps: f32,
}

@group(0) @binding(0) var<storage, read> x: array<Elem>;
@group(0) @binding(1) var<storage, read> weight: array<f32>; // optional: HAS_WEIGHT
@group(0) @binding(2) var<storage, read> bias: array<f32>; // optional: HAS_BIAS
@group(0) @binding(3) var<storage, read> modulation: array<f32>; // optional: HAS_MOD
@group(0) @binding(4) var<storage, read_write> y: array<Elem>;
@group(0) @binding(5) var<storage, read_write> stats: array<f32>; // optional: HAS_STATS
@group(0) @binding(6) var<uniform> dims: Dims;

@compute @workgroup_size(LANES, ROWS)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let row = (wid.x + wid.y * groups.x) * ROWS + lid.y;
  let live = row < dims.rows; // rows past the end still take part in the barriers
  let base = select(0u, row, live) * dims.cols;
  let end = select(0u, dims.cols, live);
  let inv_cols = 1.0 / f32(dims.cols);

  var mean = 0.0;
  if (!RMS) {
    var sums = Runs();
    for (var first = lid.x; first < end; first += RUN * LANES) {
      var run = Summed();
      for (var c = first; c < min(end, first + RUN * LANES); c += LANES) {
        run.x += f32(x[base + c]);
      }
      add_run(&sums, run);
    }
    mean = lanes_any_sum(sum_of(sums), lid.x, lid.y).x * inv_cols;
  }
  var sums = Runs();
  for (var first = lid.x; first < end; first += RUN * LANES) {
    var run = Summed();
    for (var c = first; c < min(end, first + RUN * LANES); c += LANES) {
      let d = f32(x[base + c]) - mean;
      run += vec2f(d, d * d);
    }
    add_run(&sums, run);
  }
  let moments = lanes_any_sum(sum_of(sums), lid.x, lid.y) * inv_cols;
  let off = select(moments.x, 0.0, RMS); // what the mean was rounded by
  let rstd = inverse_root(at_least(moments.y - off * off, 0.0) + dims.eps);

  if (HAS_STATS && live && lid.x == 0u) {
    stats[row * 2u] = mean + off;
    stats[row * 2u + 1u] = rstd;
  }
  let mod_base = select(0u, row / dims.mod_rows, live) * dims.mod_stride;
  for (var c = lid.x; c < end; c += LANES) {
    var value = (f32(x[base + c]) - mean - off) * rstd;
    if (HAS_WEIGHT) {
      value *= weight[c];
    }
    if (HAS_BIAS) {
      value += bias[c];
    }
    if (HAS_SCALE) {
      value *= 1.0 + modulation[mod_base + dims.scale_offset + c];
    }
    if (HAS_SHIFT) {
      value += modulation[mod_base + dims.shift_offset + c];
    }
    y[base + c] = Elem(value);
  }
}
