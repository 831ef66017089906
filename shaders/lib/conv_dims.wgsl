// conv_dims: the dims of conv2d, forward and by its input. Needs in the kernel: const CAT, SCALED, HAS_RESIDUAL.

struct Dims {
  m: u32, // pixels that are made: batch out_h out_w
  n: u32, // channels that are made of a group
  k: u32, // kernel_h kernel_w depth
  groups: u32, // optional, else 1
  height: u32, // of x as the window sees it: with DOUBLED twice what is stored
  width: u32,
  depth: u32, // channels of x that a group reads
  out_h: u32,
  out_w: u32,
  kernel_w: u32,
  stride: u32, // optional, else 1
  pad_h: u32, // optional, else 0
  pad_w: u32, // optional, else 0
  first: u32, // optional: CAT, else 0
  scale: f32, // optional: CAT, else 1
  scale2: f32, // optional: CAT, else 1
  first_row: u32, // optional, else 0
  out_scale: f32, // optional: SCALED, else 1
  residual_scale: f32, // optional: HAS_RESIDUAL, else 1
}
