// activation_fwd: y = act(x), elementwise.
// Buffers: x, y [count] f32, or f16.
// Grid: WG invocations a workgroup, PER elements an invocation, a workgroup apart, so that neighbours touch neighbours.
// Precision: f32; x and y may be stored as f16.
// Source: Hendrycks & Gimpel 2016 (GELU, both forms), Elfwing et al. 2017 (SiLU); the others and their polynomials: lib activation.
// @use act

const WG: u32 = 256u;  // knob, halved to fit: invocations a workgroup
const ACT: u32 = 1u;   // knob: which; see lib act
const PER: u32 = 4u;   // knob: elements an invocation
alias Scalar = f32;    // knob: f16 stores x, y in half precision

struct Dims {
  count: u32,
}

@group(0) @binding(0) var<storage, read> x: array<Scalar>;
@group(0) @binding(1) var<storage, read_write> y: array<Scalar>;
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let first = (wid.x + wid.y * groups.x) * (WG * PER) + local;
  for (var i = 0u; i < PER; i++) {
    let at = first + i * WG;
    if (at < dims.count) {
      y[at] = Scalar(act(f32(x[at])));
    }
  }
}
