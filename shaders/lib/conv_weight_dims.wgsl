// conv_weight_dims: the dims of the gradient of conv2d by its weight; as conv_dims where they have its names. Needs in the kernel: const CAT.

struct Dims {
  m: u32, // channels that are made of a group
  n: u32, // kernel_h kernel_w depth
  k: u32, // pixels that were made: batch out_h out_w
  k_chunk: u32, // optional, else k
  groups: u32, // optional, else 1
  height: u32,
  width: u32,
  depth: u32,
  out_h: u32,
  out_w: u32,
  kernel_w: u32,
  stride: u32, // optional, else 1
  pad_h: u32, // optional, else 0
  pad_w: u32, // optional, else 0
  first: u32, // optional: CAT, else 0
  scale: f32, // optional: CAT, else 1
  scale2: f32, // optional: CAT, else 1
}
