// patchify: cuts images into square patches, row-major; a permutation, and the backward of unpatchify.
// Buffers f32: x [batch, channels, height, width]; tokens [batch, (height / patch_size) (width / patch_size), channels patch_size patch_size].
//   A token's numbers are ordered (channel, row, column) as a convolution's weight, or (row, column, channel) with HWC.
// Grid: one invocation an element of tokens, 4 of them a workgroup apart, so that writes are contiguous.
// Precision: exact.
// Source: Dosovitskiy et al. 2020 (patch embedding).
// @use patch_index

const WG: u32 = 256u;     // knob, halved to fit: invocations a workgroup
const HWC: bool = false;  // knob: channel last within a token

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> tokens: array<f32>;
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
      tokens[at] = x[image_index(at)];
    }
  }
}
