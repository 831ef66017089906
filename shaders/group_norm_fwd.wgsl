// group_norm_fwd: y = xhat weight + bias, or SiLU of that, xhat = (x - mean) rstd with mean and rstd of the sample's group of channels.
// Buffers f32: x, y [rows, cols], channel-last images of `pixels` rows each; stats [batch, groups, 2]; weight, bias [cols].
// Grid: PER elements an invocation, a workgroup apart, so that neighbours touch neighbours.
// Precision: f32.
// Source: Wu & He 2018.
// @use activation

const WG: u32 = 256u;         // knob, halved to fit: invocations a workgroup
const PER: u32 = 4u;          // knob: elements an invocation
const SILU: bool = false;     // knob: through SiLU

struct Dims {
  rows: u32,
  cols: u32,
  pixels: u32,
  groups: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> stats: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@group(0) @binding(5) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let first = (wid.x + wid.y * groups.x) * (WG * PER) + local;
  for (var i = 0u; i < PER; i++) {
    let at = first + i * WG;
    if (at < dims.rows * dims.cols) {
      let row = at / dims.cols;
      let col = at - row * dims.cols;
      let group = (row / dims.pixels) * dims.groups + col / (dims.cols / dims.groups);
      var value = (x[at] - stats[2u * group]) * stats[2u * group + 1u] * weight[col] + bias[col];
      if (SILU) {
        value = silu(value);
      }
      y[at] = value;
    }
  }
}
