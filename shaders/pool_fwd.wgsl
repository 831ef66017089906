// pool_fwd: the largest, or the mean, of each window of an image, channel by channel. Padding never wins and is not counted.
// Buffers f32: x [batch, height, width, channels], y [batch, out_h, out_w, channels].
// Grid: one invocation an element of y; neighbours read neighbouring channels.
// Precision: f32, the mean from a sum of runs; max is exact.
// Source: Boureau et al. 2010 (pooling); the mean without padding as Inception-v3's FID features take it.
// @use window
// @use runs
// @use pool_window

const WG: u32 = 256u;    // knob, halved to fit: invocations a workgroup
const MAX: bool = true;  // knob: largest instead of mean

alias Summed = f32;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let at = (wid.x + wid.y * groups.x) * WG + local;
  if (at >= dims.batch * dims.out_h * dims.out_w * dims.channels) {
    return;
  }
  let channel = at % dims.channels;
  let pixel = at / dims.channels;
  let sample = pixel / (dims.out_h * dims.out_w);
  let area = pool_window((pixel / dims.out_w) % dims.out_h, pixel % dims.out_w);
  if (MAX) {
    y[at] = x[largest(area, sample, channel)];
    return;
  }
  var sums = Runs();
  for (var row = area.x; row < area.z; row++) {
    for (var first = area.y; first < area.w; first += RUN) {
      var run = 0.0;
      for (var col = first; col < min(area.w, first + RUN); col++) {
        run += x[pixel_index(sample, row, col, channel)];
      }
      add_run(&sums, run);
    }
  }
  y[at] = sum_of(sums) / f32((area.z - area.x) * (area.w - area.y));
}
