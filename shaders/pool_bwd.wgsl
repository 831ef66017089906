// pool_bwd: dx of pool_fwd: a window's dy goes to its (first) largest element, or in equal parts to all.
// Buffers f32: x, dx [batch, height, width, channels], dy [batch, out_h, out_w, channels].
// Grid: one invocation an element of dx, which gathers from the windows that cover it, so that there are no atomics.
// Precision: f32, summed in the order of the windows.
// Source: the gradient of shaders/pool_fwd.wgsl.
// @use window
// @use pool_window

const WG: u32 = 256u;    // knob, halved to fit: invocations a workgroup
const MAX: bool = true;  // knob: largest instead of mean

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;
@group(0) @binding(3) var<uniform> dims: Dims;

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
  let sample = pixel / (dims.width * dims.height);
  let over_rows = covering((pixel / dims.width) % dims.height, dims.pad_h, dims.kernel_h, dims.out_h);
  let over_cols = covering(pixel % dims.width, dims.pad_w, dims.kernel_w, dims.out_w);
  var total = 0.0;
  for (var r = over_rows.x; r < over_rows.y; r++) {
    for (var c = over_cols.x; c < over_cols.y; c++) {
      let area = pool_window(r, c);
      let up = dy[((sample * dims.out_h + r) * dims.out_w + c) * dims.channels + channel];
      if (!MAX) {
        total += up / f32((area.z - area.x) * (area.w - area.y));
      } else if (largest(area, sample, channel) == at) {
        total += up;
      }
    }
  }
  dx[at] = total;
}
