// filter_up: the transpose of filter_down: out[2 i + a - before] += scale tap[a] x[i], along rows and along columns.
// Buffers f32, channel-last: x [batch, height, width, channels] -> out [batch, large_h, large_w, channels].
// Dims: LENGTH taps, by which rows are filtered and by which columns.
// Grid: an element of out an invocation; neighbours read neighbouring channels.
// Precision: f32.
// Source: Karras et al. 2022 (EDM, resampling filters); the transpose of shaders/filter_down.wgsl.
// @use filter_taps

const WG: u32 = 256u;      // knob, halved to fit: invocations a workgroup
const LENGTH: u32 = 2u;    // knob: taps, even, up to 8

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let at = (wid.x + wid.y * groups.x) * WG + local;
  if (at >= dims.batch * dims.large_h * dims.large_w * dims.channels) {
    return;
  }
  let channel = at % dims.channels;
  let pixel = at / dims.channels;
  let col = i32(pixel % dims.large_w + dims.before);
  let row = i32((pixel / dims.large_w) % dims.large_h + dims.before);
  let base = (pixel / (dims.large_w * dims.large_h)) * (dims.height * dims.width);
  var total = 0.0;
  for (var a = u32(row) & 1u; a < LENGTH; a += 2u) {
    let y = (row - i32(a)) >> 1u;
    for (var b = u32(col) & 1u; b < LENGTH; b += 2u) {
      let z = (col - i32(b)) >> 1u;
      if (y >= 0 && z >= 0 && y < i32(dims.height) && z < i32(dims.width)) {
        total += tap(a) * tap(b) * x[(base + u32(y) * dims.width + u32(z)) * dims.channels + channel];
      }
    }
  }
  out[at] = dims.scale * total;
}
