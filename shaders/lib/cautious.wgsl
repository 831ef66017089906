// cautious: the mask of cautious optimisers: an element moves only where its update agrees with the gradient in sign, and then
// farther, by the scale of its tensor. Needs in the kernel: scales, owners (a tensor's number for every 64 elements).

fn cautious(update: vec4f, g: vec4f, i: u32) -> vec4f {
  return select(update * scales[owners[i / 16u]], vec4f(0.0), update * g <= vec4f(0.0)); // a NaN stays one
}
