// unpatchify: puts patches back into images; a permutation, the inverse of patchify and its backward.
// Buffers, orders and grid: as patchify (one invocation an element of tokens; reads are contiguous).
// Precision: exact.
// Source: Peebles & Xie 2023 (DiT's last layer).
// @use patch_index

const WG: u32 = 256u;     // knob, halved to fit: invocations a workgroup
const HWC: bool = false;  // knob: channel last within a token

@group(0) @binding(0) var<storage, read> tokens: array<f32>;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let first = (wid.x + wid.y * groups.x) * (4u * WG) + local;
  for (var i = 0u; i < 4u; i++) {
    let at = first + i * WG;
    if (at < dims.batch * dims.channels * dims.height * dims.width) {
      x[image_index(at)] = tokens[at];
    }
  }
}
