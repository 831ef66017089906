// add: out = a + b, elementwise.
// Buffers: a, b, out [count] f32, or f16; a and b may be the same.
// Grid: WG invocations a workgroup, PER elements an invocation, a workgroup apart, so that neighbours touch neighbours.
// Precision: f32; a, b and out may be stored as f16.

const WG: u32 = 256u;  // knob, halved to fit: invocations a workgroup
const PER: u32 = 4u;   // knob: elements an invocation
alias Scalar = f32;    // knob: f16 stores a, b, out in half precision

struct Dims {
  count: u32,
}

@group(0) @binding(0) var<storage, read> a: array<Scalar>;
@group(0) @binding(1) var<storage, read> b: array<Scalar>;
@group(0) @binding(2) var<storage, read_write> out: array<Scalar>;
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
    if (at < dims.count) {
      out[at] = Scalar(f32(a[at]) + f32(b[at]));
    }
  }
}
