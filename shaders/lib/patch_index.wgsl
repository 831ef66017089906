// patch_index: the dims of images in patches, and where an element of tokens [batch, patches, features] lies in the image
// [batch, channels, height, width].
// Needs in the kernel: dims, and const HWC.

struct Dims {
  batch: u32,
  channels: u32,
  height: u32,
  width: u32,
  patch_size: u32,
}

fn image_index(at: u32) -> u32 {
  let p = dims.patch_size;
  let features = dims.channels * p * p;
  let grid_w = dims.width / p;
  let patches = (dims.height / p) * grid_w;
  let feature = at % features;
  let token = at / features;
  let cell = token % patches;
  let sample = token / patches;
  var channel = feature / (p * p);
  var inside = feature % (p * p); // row of the patch * p + column
  if (HWC) {
    channel = feature % dims.channels;
    inside = feature / dims.channels;
  }
  let row = (cell / grid_w) * p + inside / p;
  let col = (cell % grid_w) * p + inside % p;
  return ((sample * dims.channels + channel) * dims.height + row) * dims.width + col;
}
