// filter_down: images filtered and halved: out[i] = scale sum of tap[a] x[2 i + a - before], along rows and along columns, 0 outside.
// Buffers f32, channel-last: x [batch, large_h, large_w, channels] -> out [batch, height, width, channels].
// Dims: LENGTH taps, by which rows are filtered and by which columns.
// Grid: an element of out an invocation; neighbours read neighbouring channels.
// Precision: f32.
// Source: Karras et al. 2022 (EDM, resampling filters); depth-wise, with stride 2.
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
  if (at >= dims.batch * dims.height * dims.width * dims.channels) {
    return;
  }
  let channel = at % dims.channels;
  let pixel = at / dims.channels;
  let col = i32(2u * (pixel % dims.width)) - i32(dims.before);
  let row = i32(2u * ((pixel / dims.width) % dims.height)) - i32(dims.before);
  let base = (pixel / (dims.width * dims.height)) * (dims.large_h * dims.large_w);
  var total = 0.0;
  for (var a = 0u; a < LENGTH; a++) {
    let y = row + i32(a);
    for (var b = 0u; b < LENGTH; b++) {
      let z = col + i32(b);
      if (y >= 0 && z >= 0 && y < i32(dims.large_h) && z < i32(dims.large_w)) {
        total += tap(a) * tap(b) * x[(base + u32(y) * dims.large_w + u32(z)) * dims.channels + channel];
      }
    }
  }
  out[at] = dims.scale * total;
}
