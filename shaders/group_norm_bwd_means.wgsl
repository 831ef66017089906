// group_norm_bwd_means: of each sample's groups, the means of weight g and of weight g xhat, from their sums by channel.
// Buffers f32: sums [batch, 2, cols]; weight [cols]; means [batch, groups, 2].
// Grid: a (sample, group) an invocation: channels of a group are few.
// Precision: f32.
// Source: the derivative of shaders/group_norm_fwd.wgsl.

const WG: u32 = 64u;    // knob, halved to fit: invocations a workgroup

struct Dims {
  batch: u32,
  cols: u32,
  pixels: u32,
  groups: u32,
}

@group(0) @binding(0) var<storage, read> sums: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> means: array<f32>;
@group(0) @binding(3) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let row = (wid.x + wid.y * groups.x) * WG + local;
  if (row >= dims.batch * dims.groups) {
    return;
  }
  let width = dims.cols / dims.groups;
  let first = (row % dims.groups) * width;
  let base = (row / dims.groups) * 2u * dims.cols;
  var total = vec2f();
  for (var c = first; c < first + width; c++) {
    total += weight[c] * vec2f(sums[base + c], sums[base + dims.cols + c]);
  }
  total /= f32(dims.pixels) * f32(width);
  means[2u * row] = total.x;
  means[2u * row + 1u] = total.y;
}
