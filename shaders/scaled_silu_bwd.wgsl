// scaled_silu_bwd: the gradients of scaled_silu_fwd, g = dy silu'(x (1 + scale)): dx = g (1 + scale), and by scale g x of each pixel, whose
//   sums over a sample's pixels the caller takes.
// Buffers f32: x, dy, dx, dscale [rows, cols]; scale [rows / pixels, cols].
// Grid: as scaled_silu_fwd.
// Precision: f32.
// Source: the derivative of shaders/scaled_silu_fwd.wgsl.
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
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;
@group(0) @binding(4) var<storage, read_write> dscale: array<f32>;
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
      let factor = 1.0 + scale[(row / dims.pixels) * dims.cols + at - row * dims.cols];
      let value = x[at];
      let g = dy[at] * silu_grad(value * factor);
      dx[at] = g * factor;
      dscale[at] = g * value;
    }
  }
}
