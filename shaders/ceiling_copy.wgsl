// ceiling_copy: y = x, the least work that moves 32 bytes an element: the bandwidth that bench results are held against.
// Buffers: x, y [count] vec4f.
// Grid: WG invocations a workgroup, PER elements an invocation, a workgroup apart.
// Precision: exact.

const WG: u32 = 256u; // knob: invocations a workgroup
const PER: u32 = 4u;  // knob: elements an invocation

struct Dims {
  count: u32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let first = (wid.x + wid.y * groups.x) * WG * PER + local;
  for (var i = 0u; i < PER; i++) {
    let at = first + i * WG;
    if (at < dims.count) {
      y[at] = x[at];
    }
  }
}
