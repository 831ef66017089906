// activation_fwd: y = act(x), elementwise.
// Buffers: x, y [count] f32.
// Grid: 256 invocations a workgroup, PER elements an invocation, a workgroup apart, so that neighbours touch neighbours.
// Precision: f32.
// Source: Hendrycks & Gimpel 2016 (GELU, tanh form), Elfwing et al. 2017 (SiLU).
// @use activation

const ACT: u32 = 1u;  // knob: 1 GELU-tanh, 2 SiLU, 3 ReLU
const PER: u32 = 4u;  // knob: elements an invocation

struct Dims {
  count: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let first = (wid.x + wid.y * groups.x) * (256u * PER) + local;
  for (var i = 0u; i < PER; i++) {
    let at = first + i * 256u;
    if (at < dims.count) {
      let v = x[at];
      if (ACT == 1u) {
        y[at] = gelu(v);
      } else if (ACT == 2u) {
        y[at] = silu(v);
      } else {
        y[at] = relu(v);
      }
    }
  }
}
