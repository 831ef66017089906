// activation_bwd: dx = dy * act'(x), elementwise.
// Buffers: x, dy, dx [count] f32, or f16.
// Grid: as activation_fwd.
// Precision: f32; x, dy and dx may be stored as f16.
// Source: the derivatives of shaders/activation_fwd.wgsl.
// @use act

const WG: u32 = 256u;  // knob, halved to fit: invocations a workgroup
const ACT: u32 = 1u;   // knob: which; see lib act
const PER: u32 = 4u;   // knob: elements an invocation
alias Scalar = f32;    // knob: f16 stores x, dy, dx in half precision

struct Dims {
  count: u32,
}

@group(0) @binding(0) var<storage, read> x: array<Scalar>;
@group(0) @binding(1) var<storage, read> dy: array<Scalar>;
@group(0) @binding(2) var<storage, read_write> dx: array<Scalar>;
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
      dx[at] = Scalar(f32(dy[at]) * act_grad(f32(x[at])));
    }
  }
}
