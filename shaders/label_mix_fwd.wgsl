// label_mix_fwd: an embedding with that of a label: out[b] = own e[b] + scale W[:, y_b], and e[b] itself where y_b is the null label,
//   `classes`, or above.
// Buffers: e, out [count, cols] f32; weight [cols, classes] f32; y [count] u32.
// Grid: an element of out an invocation.
// Precision: f32.

const WG: u32 = 256u;    // knob, halved to fit: invocations a workgroup

struct Dims {
  count: u32,
  cols: u32,
  classes: u32,
  own: f32, // optional, else 1
  scale: f32, // optional, else 1
}

@group(0) @binding(0) var<storage, read> e: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read> y: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;
@group(0) @binding(4) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let at = (wid.x + wid.y * groups.x) * WG + local;
  if (at >= dims.count * dims.cols) {
    return;
  }
  let label = y[at / dims.cols];
  let mixed = dims.own * e[at] + dims.scale * weight[(at % dims.cols) * dims.classes + min(label, dims.classes - 1u)];
  out[at] = select(e[at], mixed, label < dims.classes);
}
