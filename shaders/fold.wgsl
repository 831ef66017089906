// fold: the backward of unfold: each pixel is the sum of its copies in all windows that cover it.
// Buffers f32: rows [batch out_h out_w, kernel_h kernel_w channels]; x [batch, height, width, channels].
// Grid: one invocation an element of x, which gathers, so that there are no atomics; neighbours read neighbouring channels.
// Precision: f32, summed in the order of the windows.
// Source: the transpose of shaders/unfold.wgsl.
// @use window

const WG: u32 = 256u;  // knob, halved to fit: invocations a workgroup

@group(0) @binding(0) var<storage, read> rows: array<f32>;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let at = (wid.x + wid.y * groups.x) * WG + local;
  if (at >= dims.batch * dims.height * dims.width * dims.channels) {
    return;
  }
  let channel = at % dims.channels;
  let pixel = at / dims.channels;
  let col = pixel % dims.width;
  let row = (pixel / dims.width) % dims.height;
  let sample = pixel / (dims.width * dims.height);
  let over_rows = covering(row, dims.pad_h, dims.kernel_h, dims.out_h);
  let over_cols = covering(col, dims.pad_w, dims.kernel_w, dims.out_w);
  var total = 0.0;
  for (var r = over_rows.x; r < over_rows.y; r++) {
    for (var c = over_cols.x; c < over_cols.y; c++) {
      let inside = (row + dims.pad_h - r * dims.stride) * dims.kernel_w + (col + dims.pad_w - c * dims.stride);
      let window = (sample * dims.out_h + r) * dims.out_w + c;
      total += rows[(window * dims.kernel_h * dims.kernel_w + inside) * dims.channels + channel];
    }
  }
  x[at] = total;
}
