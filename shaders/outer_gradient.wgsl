// outer_gradient: grad = start - param: how far local steps have gone, as a gradient at where they began.
// Buffers f32: start, param and grad [count], padded to whole vec4s, so that four elements are one access, the padding with them.
// Grid: one vec4 an invocation, WG invocations a workgroup.
// Precision: f32, one rounding.
// Source: Douillard et al. 2023 (DiLoCo), algorithm 1.

const WG: u32 = 256u;  // knob, halved to fit: invocations a workgroup

struct Dims {
  count: u32,
}

@group(0) @binding(0) var<storage, read> start: array<vec4f>;
@group(0) @binding(1) var<storage, read> param: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> grad: array<vec4f>;
@group(0) @binding(3) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let i = (wid.x + wid.y * groups.x) * WG + local;
  if (i < (dims.count + 3u) / 4u) {
    grad[i] = start[i] - param[i];
  }
}
