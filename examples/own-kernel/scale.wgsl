// scale: y = factor x, elementwise.
// Buffers: x, y [count]. Grid: an invocation an element.

const WG: u32 = 64u; // knob: invocations a workgroup

struct Dims {
  count: u32,
  factor: f32, // optional, else 2
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < dims.count) {
    y[id.x] = dims.factor * x[id.x];
  }
}
