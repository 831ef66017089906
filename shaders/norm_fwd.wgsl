// norm_fwd: y = (xhat * weight + bias) * (1 + scale) + shift, xhat = (x - mean) * rstd, over the last axis.
//   LayerNorm: mean = sum(x) / cols, rstd = 1 / sqrt(sum((x - mean)^2) / cols + eps). RMSNorm: mean = 0.
//   Pixel norm: mean = 0, rstd = 1 / (eps + r), r = sqrt(sum(x^2) / cols).
// Buffers, row-major f32:
//   x [rows, cols], y [rows, cols], stats [rows, 2] = (mean, rstd) for the backward, of a pixel norm (1 / (rstd r), rstd), or 0 where r is
//   weight [cols], bias [cols]
//   modulation [ceil(rows / mod_rows), mod_stride]: scale of column c at scale_offset + c, shift at shift_offset + c. mod_rows is the
//   number of consecutive rows that share a modulation row: N tokens for adaLN per sample, 1 for adaLN per token.
// Grid: ROWS rows a workgroup, LANES invocations a row; neighbours read neighbouring columns. LANES = 1 runs without barriers. With HELD a
//   row is read once and held in registers, named ones: an array that a loop indexes goes to memory. Without, it is read three times.
// Precision: f32; the variance is summed around the mean in a second pass over the row, so that it cannot cancel, and that pass also finds
//   what the mean was rounded by, which of a large mean is as large as a small spread.
// Source: Ba et al. 2016 (LayerNorm), Zhang & Sennrich 2019 (RMSNorm), Karras et al. 2024 (pixel norm), Peebles & Xie 2023 (adaLN).
// @use lanes_any
// @use runs
// @use finite
// @use norm_row

const LANES: u32 = 64u;           // knob, halved to fit: invocations a row, a power of two
const ROWS: u32 = 4u;             // knob, halved to fit: rows a workgroup
const RMS: bool = false;          // knob: RMSNorm instead of LayerNorm
const PIXEL: bool = false;        // knob: pixel norm, with RMS
const HAS_WEIGHT: bool = false;   // knob: multiply by weight
const HAS_BIAS: bool = false;     // knob: add bias
const HAS_SCALE: bool = false;    // knob: multiply by 1 + scale from modulation
const HAS_SHIFT: bool = false;    // knob: add shift from modulation
const HAS_MOD: bool = false;      // knob: modulation is bound; true when HAS_SCALE or HAS_SHIFT is
const HAS_STATS: bool = true;     // knob: write stats
const HELD: u32 = 0u;             // knob: quads that an invocation holds, up to 8: 4 LANES HELD columns at least; 0 reads rows again
const VEC: bool = false;          // knob: x, y, weight and bias are accessed as vectors of 4; cols is a multiple of 4; with HELD
const VEC_MOD: bool = false;      // knob: so is modulation; mod_stride and the offsets are multiples of 4; with VEC
alias Scalar = f32;               // knob: f16 stores x, y in half precision
alias Elem = f32;                 // knob: as Scalar, a vector of 4 with VEC
alias OElem = array<f32, 1>;      // knob: array<Scalar, 1>, or a vector of 4 with VEC: both can be indexed, so one store serves both
alias Column = f32;               // knob: a vector of 4 with VEC
alias Mod = f32;                  // knob: a vector of 4 with VEC_MOD

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
@group(0) @binding(1) var<storage, read> weight: array<Column>; // optional: HAS_WEIGHT
@group(0) @binding(2) var<storage, read> bias: array<Column>; // optional: HAS_BIAS
@group(0) @binding(3) var<storage, read> modulation: array<Mod>; // optional: HAS_MOD
@group(0) @binding(4) var<storage, read_write> y: array<OElem>;
@group(0) @binding(5) var<storage, read_write> stats: array<f32>; // optional: HAS_STATS
@group(0) @binding(6) var<uniform> dims: Dims;

fn put(i: u32, value: OElem) {
  y[i] = value;
}

fn bias_at(i: u32) -> vec4f { return vec4f(bias[i]); }

fn bias_quad(at: vec4u) -> vec4f {
  if (VEC) {
    return bias_at(at.x / 4u);
  }
  return vec4f(bias_at(at.x).x, bias_at(at.y).x, bias_at(at.z).x, bias_at(at.w).x);
}

// The numbers of a row that an invocation holds in a quad, 0 where there is none.
fn hold(base: u32, lane: u32, q: u32, end: u32) -> vec4f {
  let quad = columns_of(lane, q, end);
  return select(vec4f(0.0), x_quad(base + quad.at), quad.live);
}

// What a quad less the mean adds to the sum and to the sum of squares.
fn spread(v: vec4f, mean: f32, quad: Quad) -> Summed {
  let d = select(vec4f(0.0), v - mean, quad.live);
  return vec2f(sum_of_four(d), sum_of_four(d * d));
}

fn write_quad(base: u32, mod_base: u32, xhat: vec4f, quad: Quad) {
  var value = xhat;
  if (HAS_WEIGHT) {
    value *= weight_quad(quad.at);
  }
  if (HAS_BIAS) {
    value += bias_quad(quad.at);
  }
  if (HAS_SCALE) {
    value *= 1.0 + mod_quad(mod_base + dims.scale_offset + quad.at);
  }
  if (HAS_SHIFT) {
    value += mod_quad(mod_base + dims.shift_offset + quad.at);
  }
  put_quad(base, quad, value);
}

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

  var v0 = vec4f();
  var v1 = vec4f();
  var v2 = vec4f();
  var v3 = vec4f();
  var v4 = vec4f();
  var v5 = vec4f();
  var v6 = vec4f();
  var v7 = vec4f();
  if (HELD > 0u) { v0 = hold(base, lid.x, 0u, end); }
  if (HELD > 1u) { v1 = hold(base, lid.x, 1u, end); }
  if (HELD > 2u) { v2 = hold(base, lid.x, 2u, end); }
  if (HELD > 3u) { v3 = hold(base, lid.x, 3u, end); }
  if (HELD > 4u) { v4 = hold(base, lid.x, 4u, end); }
  if (HELD > 5u) { v5 = hold(base, lid.x, 5u, end); }
  if (HELD > 6u) { v6 = hold(base, lid.x, 6u, end); }
  if (HELD > 7u) { v7 = hold(base, lid.x, 7u, end); }

  var mean = 0.0;
  if (!RMS) {
    var sum = Summed();
    if (HELD > 0u) {
      sum.x = sum_of_four(((v0 + v1) + (v2 + v3)) + ((v4 + v5) + (v6 + v7)));
    } else {
      var sums = Runs();
      for (var first = lid.x; first < end; first += RUN * LANES) {
        var run = Summed();
        for (var c = first; c < min(end, first + RUN * LANES); c += LANES) {
          run.x += x_at(base + c).x;
        }
        add_run(&sums, run);
      }
      sum = sum_of(sums);
    }
    mean = lanes_any_sum(sum, lid.x, lid.y).x * inv_cols;
  }
  var spreads = Summed();
  if (HELD > 0u) {
    spreads = spread(v0, mean, columns_of(lid.x, 0u, end));
    if (HELD > 1u) { spreads += spread(v1, mean, columns_of(lid.x, 1u, end)); }
    if (HELD > 2u) { spreads += spread(v2, mean, columns_of(lid.x, 2u, end)); }
    if (HELD > 3u) { spreads += spread(v3, mean, columns_of(lid.x, 3u, end)); }
    if (HELD > 4u) { spreads += spread(v4, mean, columns_of(lid.x, 4u, end)); }
    if (HELD > 5u) { spreads += spread(v5, mean, columns_of(lid.x, 5u, end)); }
    if (HELD > 6u) { spreads += spread(v6, mean, columns_of(lid.x, 6u, end)); }
    if (HELD > 7u) { spreads += spread(v7, mean, columns_of(lid.x, 7u, end)); }
  } else {
    var sums = Runs();
    for (var first = lid.x; first < end; first += RUN * LANES) {
      var run = Summed();
      for (var c = first; c < min(end, first + RUN * LANES); c += LANES) {
        let d = x_at(base + c).x - mean;
        run += vec2f(d, d * d);
      }
      add_run(&sums, run);
    }
    spreads = sum_of(sums);
  }
  let moments = lanes_any_sum(spreads, lid.x, lid.y) * inv_cols;
  let off = select(moments.x, 0.0, RMS); // what the mean was rounded by
  let variance = at_least(moments.y - off * off, 0.0);
  var rstd = inverse_root(variance + dims.eps);
  if (PIXEL && is_finite(variance)) {
    rstd = 1.0 / (dims.eps + sqrt(variance));
  }

  if (HAS_STATS && live && lid.x == 0u) {
    stats[row * 2u] = mean + off;
    if (PIXEL) {
      stats[row * 2u] = select(inverse(rstd * sqrt(variance)), 0.0, variance == 0.0);
    }
    stats[row * 2u + 1u] = rstd;
  }
  let mod_base = select(0u, row / dims.mod_rows, live) * dims.mod_stride;
  if (HELD > 0u) {
    write_quad(base, mod_base, (v0 - mean - off) * rstd, columns_of(lid.x, 0u, end));
    if (HELD > 1u) { write_quad(base, mod_base, (v1 - mean - off) * rstd, columns_of(lid.x, 1u, end)); }
    if (HELD > 2u) { write_quad(base, mod_base, (v2 - mean - off) * rstd, columns_of(lid.x, 2u, end)); }
    if (HELD > 3u) { write_quad(base, mod_base, (v3 - mean - off) * rstd, columns_of(lid.x, 3u, end)); }
    if (HELD > 4u) { write_quad(base, mod_base, (v4 - mean - off) * rstd, columns_of(lid.x, 4u, end)); }
    if (HELD > 5u) { write_quad(base, mod_base, (v5 - mean - off) * rstd, columns_of(lid.x, 5u, end)); }
    if (HELD > 6u) { write_quad(base, mod_base, (v6 - mean - off) * rstd, columns_of(lid.x, 6u, end)); }
    if (HELD > 7u) { write_quad(base, mod_base, (v7 - mean - off) * rstd, columns_of(lid.x, 7u, end)); }
    return;
  }
  for (var c = lid.x; c < end; c += LANES) {
    var value = (x_at(base + c).x - mean - off) * rstd;
    if (HAS_WEIGHT) {
      value *= weight_at(c).x;
    }
    if (HAS_BIAS) {
      value += bias_at(c).x;
    }
    if (HAS_SCALE) {
      value *= 1.0 + mod_at(mod_base + dims.scale_offset + c).x;
    }
    if (HAS_SHIFT) {
      value += mod_at(mod_base + dims.shift_offset + c).x;
    }
    put(base + c, element(vec4f(value)));
  }
}
