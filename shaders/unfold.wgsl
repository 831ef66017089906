// unfold: every window of an image as a row, so that a convolution is a matrix product.
// Buffers f32: x [batch, height, width, channels]; rows [batch out_h out_w, kernel_h kernel_w channels], 0 in the padding.
// Grid: one invocation an element of rows, 4 of them a workgroup apart, so that writes are contiguous, and reads by channel.
// Precision: exact.
// Source: Chellapilla et al. 2006 (im2col).
// @use window

const WG: u32 = 256u;  // knob, halved to fit: invocations a workgroup

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> rows: array<f32>;
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let first = (wid.x + wid.y * groups.x) * (4u * WG) + local;
  let features = dims.kernel_h * dims.kernel_w * dims.channels;
  for (var i = 0u; i < 4u; i++) {
    let at = first + i * WG;
    if (at < dims.batch * dims.out_h * dims.out_w * features) {
      let feature = at % features;
      let pixel = at / features;
      let inside = feature / dims.channels;
      let sample = pixel / (dims.out_h * dims.out_w);
      let start = window_start((pixel / dims.out_w) % dims.out_h, pixel % dims.out_w);
      let row = start.x + i32(inside / dims.kernel_w);
      let col = start.y + i32(inside % dims.kernel_w);
      var value = 0.0;
      if (row >= 0 && row < i32(dims.height) && col >= 0 && col < i32(dims.width)) {
        value = x[((sample * dims.height + u32(row)) * dims.width + u32(col)) * dims.channels + feature % dims.channels];
      }
      rows[at] = value;
    }
  }
}
