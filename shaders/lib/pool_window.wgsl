// pool_window: the part of a window inside the image, and its largest element.
// Needs in the kernel: x and dims, and window_start.
// @use finite

fn pixel_index(sample: u32, row: u32, col: u32, channel: u32) -> u32 {
  return ((sample * dims.height + row) * dims.width + col) * dims.channels + channel;
}

// First row, first column, end row, end column of the window of output pixel (row, col), cut to the image.
fn pool_window(row: u32, col: u32) -> vec4u {
  let start = window_start(row, col);
  let end = min(start + vec2i(i32(dims.kernel_h), i32(dims.kernel_w)), vec2i(i32(dims.height), i32(dims.width)));
  return vec4u(vec2u(max(start, vec2i(0))), vec2u(end));
}

// Where the largest element lies, the first of several; a NaN is larger than all.
fn largest(area: vec4u, sample: u32, channel: u32) -> u32 {
  var best = pixel_index(sample, area.x, area.y, channel);
  for (var row = area.x; row < area.z; row++) {
    for (var col = area.y; col < area.w; col++) {
      let at = pixel_index(sample, row, col, channel);
      if (is_nan(x[at])) {
        return at;
      }
      if (x[at] > x[best]) {
        best = at;
      }
    }
  }
  return best;
}
