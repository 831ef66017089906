// window: the dims of a window that slides over an image, and where it begins and ends. Needs in the kernel: dims.

struct Dims {
  batch: u32,
  height: u32,
  width: u32,
  channels: u32,
  kernel_h: u32,
  kernel_w: u32,
  stride: u32,
  pad_h: u32,
  pad_w: u32,
  out_h: u32,
  out_w: u32,
}

// First row and column of the window of output pixel (row, col); negative where it begins in the padding.
fn window_start(row: u32, col: u32) -> vec2i {
  return vec2i(i32(row * dims.stride) - i32(dims.pad_h), i32(col * dims.stride) - i32(dims.pad_w));
}

// The outputs along one axis whose windows of `size` cover position `at`: from x up to, and without, y.
fn covering(at: u32, padding: u32, size: u32, outputs: u32) -> vec2u {
  let reach = at + padding;
  let first = select(0u, (reach - size) / dims.stride + 1u, reach >= size);
  return vec2u(first, min(outputs, reach / dims.stride + 1u));
}
