// scaled_silu_fwd: y = silu(x (1 + scale)), scale of the sample and channel.
// Buffers f32: x, y [rows, cols], images of `pixels` rows each; scale [rows / pixels, cols].
// Grid: PER elements an invocation, a workgroup apart, so that neighbours touch neighbours.
// Precision: f32.
// Source: Karras et al. 2024 (EDM2, the block's embedding).
// @use activation

const WG: u32 = 256u;   // knob, halved to fit: invocations a workgroup
const PER: u32 = 4u;    // knob: elements an invocation

struct Dims {
  rows: u32,
  cols: u32,
  pixels: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> scale: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<uniform> dims: Dims;

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
      y[at] = silu(x[at] * (1.0 + scale[(row / dims.pixels) * dims.cols + at - row * dims.cols]));
    }
  }
}
