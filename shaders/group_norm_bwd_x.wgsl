// group_norm_bwd_x: the gradient of group_norm_fwd by x, plus a gradient that arrived before:
//   dx = prior + rstd (weight g - means.x - xhat means.y), g = dy, carried back through SiLU where there was one.
// Buffers f32: x, dy, prior, dx [rows, cols]; stats, means [batch, groups, 2]; weight, bias [cols].
// Grid: as group_norm_fwd.
// Precision: f32.
// Source: the derivative of shaders/group_norm_fwd.wgsl.
// @use activation

const WG: u32 = 256u;           // knob, halved to fit: invocations a workgroup
const PER: u32 = 4u;            // knob: elements an invocation
const SILU: bool = false;       // knob: the forward had SiLU
const HAS_PRIOR: bool = false;  // knob: add prior

struct Dims {
  rows: u32,
  cols: u32,
  pixels: u32,
  groups: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> stats: array<f32>;
@group(0) @binding(3) var<storage, read> means: array<f32>;
@group(0) @binding(4) var<storage, read> weight: array<f32>;
@group(0) @binding(5) var<storage, read> bias: array<f32>; // optional: SILU
@group(0) @binding(6) var<storage, read> prior: array<f32>; // optional: HAS_PRIOR
@group(0) @binding(7) var<storage, read_write> dx: array<f32>;
@group(0) @binding(8) var<uniform> dims: Dims;

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
      let rstd = stats[2u * group + 1u];
      let xhat = (x[at] - stats[2u * group]) * rstd;
      var g = dy[at];
      if (SILU) {
        g *= silu_grad(xhat * weight[col] + bias[col]);
      }
      var value = rstd * (weight[col] * g - means[2u * group] - xhat * means[2u * group + 1u]);
      if (HAS_PRIOR) {
        value += prior[at];
      }
      dx[at] = value;
    }
  }
}
