// loss_fwd: per sample, root - c with root = sqrt(mean((p - t)^2) + c^2); c = 0 is the RMSE. With SQUARED the mean square
//   itself, and a root of 1/2, with which loss_bwd's slope (p - t) / (root numel) is that of the square. With POWERED the integral of
//   (mse + c)^-power from 0 to mse, and root = (mse + c)^power / 2: the slope is that of the square, weighted by (mse + c)^-power. With
//   COSINE, plus the mean over pixels of 1 - cos(p, t) over channels, each norm clamped at 1e-8.
// Buffers f32: prediction, target_value [batch, channels, pixels]; per_sample, root [batch].
// Grid: LANES invocations a sample, one sample a workgroup; neighbours read neighbouring pixels.
// Precision: f32; root - c is taken as mse / (root + c), which does not cancel.
// Source: UCGM (arXiv 2505.07447), the training loss; pseudo-Huber: Song & Dhariwal 2023; the power: Geng et al. 2025 (MeanFlow).
// @use lanes
// @use runs
// @use finite

const LANES: u32 = 256u;       // knob, halved to fit: invocations a sample, a power of two
const ROWS: u32 = 1u;
const COSINE: bool = false;    // knob: add the channel-cosine term
const SQUARED: bool = false;   // knob: the mean square instead of its root
const POWERED: bool = false;   // knob: the integral of (mse + c)^-power instead

alias Summed = vec2f; // squares, 1 - cosine

struct Dims {
  batch: u32,
  channels: u32,
  pixels: u32,
  c: f32,
  power: f32, // optional, else 0
}

@group(0) @binding(0) var<storage, read> prediction: array<f32>;
@group(0) @binding(1) var<storage, read> target_value: array<f32>;
@group(0) @binding(2) var<storage, read_write> per_sample: array<f32>;
@group(0) @binding(3) var<storage, read_write> root: array<f32>;
@group(0) @binding(4) var<uniform> dims: Dims;

// Of (x + c)^-power from 0 to mse.
fn integral(mse: f32) -> f32 {
  let rest = 1.0 - dims.power;
  if (rest == 0.0) {
    return log(1.0 + mse / dims.c);
  }
  return (pow(mse + dims.c, rest) - pow(dims.c, rest)) / rest;
}

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let sample = wid.x + wid.y * groups.x;
  let live = sample < dims.batch;
  let base = select(0u, sample, live) * dims.channels * dims.pixels;
  let end = select(0u, dims.pixels, live);
  var sums = Runs();
  for (var first = lid.x; first < end; first += RUN * LANES) {
    var run = Summed();
    for (var pixel = first; pixel < min(end, first + RUN * LANES); pixel += LANES) {
      var squares = 0.0;
      var dot_pt = 0.0;
      var norm_p = 0.0;
      var norm_t = 0.0;
      for (var channel = 0u; channel < dims.channels; channel++) {
        let p = prediction[base + channel * dims.pixels + pixel];
        let t = target_value[base + channel * dims.pixels + pixel];
        squares += (p - t) * (p - t);
        dot_pt += p * t;
        norm_p += p * p;
        norm_t += t * t;
      }
      run.x += squares;
      if (COSINE) {
        run.y += 1.0 - dot_pt / (at_least(sqrt(norm_p), 1e-8) * at_least(sqrt(norm_t), 1e-8));
      }
    }
    add_run(&sums, run);
  }
  let sum = sum_of(sums);
  let mse = lanes_sum(sum.x, lid.x, 0u) / f32(dims.channels * dims.pixels);
  var value = 0.0;
  if (COSINE) {
    value = lanes_sum(sum.y, lid.x, 0u) / f32(dims.pixels);
  }
  if (live && lid.x == 0u) {
    if (SQUARED) {
      root[sample] = 0.5;
      per_sample[sample] = value + mse;
      return;
    }
    if (POWERED) {
      root[sample] = mse; // infinite or NaN
      per_sample[sample] = value + mse;
      if (is_finite(mse)) {
        root[sample] = 0.5 * pow(mse + dims.c, dims.power);
        per_sample[sample] = value + integral(mse);
      }
      return;
    }
    let r = sqrt(mse + dims.c * dims.c);
    root[sample] = r;
    var distance = r; // 0, infinite or NaN
    if (r > 0.0 && is_finite(r)) {
      distance = mse / (r + dims.c);
    }
    per_sample[sample] = value + distance;
  }
}
