// loss_bwd: the gradient of sum over b of weights[b] per_sample[b] / mean_of by the prediction.
//   RMSE part: (p - t) / (root numel), 0 where root is 0. Cosine part, a pixel: -(t/|t| - cos p/|p|) / (|p| pixels); a clamped
//   norm is a constant.
// Buffers f32: prediction, target_value, dprediction [batch, channels, pixels]; root, weights [batch].
// Grid: one invocation a pixel of a sample (all its channels), WG a workgroup.
// Precision: f32.
// Source: the derivative of shaders/loss_fwd.wgsl.
// @use finite

const WG: u32 = 256u;          // knob, halved to fit: invocations a workgroup
const COSINE: bool = false;    // knob: the loss has the channel-cosine term

struct Dims {
  batch: u32,
  channels: u32,
  pixels: u32,
  mean_of: u32, // optional, else batch
}

@group(0) @binding(0) var<storage, read> prediction: array<f32>;
@group(0) @binding(1) var<storage, read> target_value: array<f32>;
@group(0) @binding(2) var<storage, read> root: array<f32>;
@group(0) @binding(3) var<storage, read> weights: array<f32>;
@group(0) @binding(4) var<storage, read_write> dprediction: array<f32>;
@group(0) @binding(5) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let at = (wid.x + wid.y * groups.x) * WG + local;
  if (at >= dims.batch * dims.pixels) {
    return;
  }
  let sample = at / dims.pixels;
  let base = sample * dims.channels * dims.pixels + at % dims.pixels;
  let weight = weights[sample] / f32(dims.mean_of);
  let r = root[sample];
  var by_root = 0.0;
  if (r > 0.0 || is_nan(r)) { // of a NaN, every comparison is false
    by_root = weight / (r * f32(dims.channels * dims.pixels));
  }
  var to_t = 0.0;
  var to_p = 0.0;
  if (COSINE) {
    var dot_pt = 0.0;
    var squares_p = 0.0;
    var squares_t = 0.0;
    for (var channel = 0u; channel < dims.channels; channel++) {
      let p = prediction[base + channel * dims.pixels];
      let t = target_value[base + channel * dims.pixels];
      dot_pt += p * t;
      squares_p += p * p;
      squares_t += t * t;
    }
    let norm_p = at_least(sqrt(squares_p), 1e-8);
    let norm_t = at_least(sqrt(squares_t), 1e-8);
    let scale = weight / f32(dims.pixels);
    to_t = scale / (norm_p * norm_t);
    if (norm_p > 1e-8 || is_nan(norm_p)) {
      to_p = scale * dot_pt / (norm_t * norm_p * squares_p);
    }
  }
  for (var channel = 0u; channel < dims.channels; channel++) {
    let i = base + channel * dims.pixels;
    let p = prediction[i];
    let t = target_value[i];
    dprediction[i] = by_root * (p - t) - to_t * t + to_p * p;
  }
}
