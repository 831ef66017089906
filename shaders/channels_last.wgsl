// channels_last: images from channels first to channels last, with `ones` more channels of 1; BACK the other way, without them.
// Buffers f32: x [batch, channels, pixels] -> out [batch, pixels, channels + ones]; BACK x and out exchanged.
// Grid: an element of out an invocation.
// Precision: exact.

const WG: u32 = 256u;        // knob, halved to fit: invocations a workgroup
const BACK: bool = false;    // knob: to channels first

struct Dims {
  batch: u32,
  channels: u32,
  pixels: u32,
  ones: u32, // optional, else 0
}

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
  let wide = dims.channels + dims.ones;
  if (BACK) {
    if (at < dims.batch * dims.channels * dims.pixels) {
      let pixel = at % dims.pixels;
      let plane = at / dims.pixels;
      out[at] = x[(plane / dims.channels * dims.pixels + pixel) * wide + plane % dims.channels];
    }
    return;
  }
  if (at < dims.batch * dims.pixels * wide) {
    let channel = at % wide;
    let pixel = at / wide;
    let plane = pixel / dims.pixels * dims.channels + min(channel, dims.channels - 1u);
    out[at] = select(1.0, x[plane * dims.pixels + pixel % dims.pixels], channel < dims.channels);
  }
}
