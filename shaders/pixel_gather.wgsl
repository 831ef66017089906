// pixel_gather: each out number is scale times the sum of EACH numbers of x that lie together: pixels of a square of `side`, as channels, and
//   the channels in groups of neighbours. UP: the transpose: squares of pixels out of channels, each channel of x being EACH of them.
//   Channel c of the large image and place (dy, dx) of the square are channel (c side + dy) side + dx of the small one, before the sums.
// Buffers f32, channel-last: x [batch, side height, side width, channels] -> out [batch, height, width, side^2 channels / each]; UP the other
//   way. side 1: sums of neighbouring channels alone, and channels repeated in place.
// Grid: an element of out an invocation.
// Precision: f32.
// Source: Shi et al. 2016 (pixel shuffle); Chen et al. 2025 (DC-AE, its shortcuts by means and repetition).

const WG: u32 = 256u;       // knob, halved to fit: invocations a workgroup
const UP: bool = false;     // knob: from channels to pixels

struct Dims {
  batch: u32,
  height: u32, // of the small image
  width: u32,
  channels: u32, // of the large image
  side: u32,
  each: u32, // optional, else 1
  scale: f32, // optional, else 1
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
  let square = dims.side * dims.side;
  let narrow = dims.channels * square / dims.each; // channels of the small image
  let pixels = dims.batch * dims.height * dims.width;
  if (UP) {
    if (at < pixels * square * dims.channels) {
      let channel = at % dims.channels;
      let pixel = at / dims.channels;
      let col = pixel % (dims.width * dims.side);
      let row = pixel / (dims.width * dims.side); // of all images
      let place = (channel * dims.side + row % dims.side) * dims.side + col % dims.side;
      out[at] = dims.scale * x[(row / dims.side * dims.width + col / dims.side) * narrow + place / dims.each];
    }
    return;
  }
  if (at < pixels * narrow) {
    let first = (at % narrow) * dims.each;
    let pixel = at / narrow;
    let col = (pixel % dims.width) * dims.side;
    let row = (pixel / dims.width) * dims.side;
    var total = 0.0;
    for (var i = first; i < first + dims.each; i++) {
      let inside = i % square;
      let line = (row + inside / dims.side) * (dims.width * dims.side);
      total += x[(line + col + inside % dims.side) * dims.channels + i / square];
    }
    out[at] = dims.scale * total;
  }
}
