// conv_source: what a convolution reads: the pixel below one place of a window, 0 in the padding (lib conv_places).
// With CAT the images are x and x2 side by side, each times a factor, with DOUBLED every stored pixel is four, with SILU numbers go
// through SiLU: none of it is stored.
// Needs in the kernel: const TRANSPOSED, STRIDED, CAT, DOUBLED, SILU, VEC; x, x2; dims.
// @use activation
// @use conv_places

const WIDTH: u32 = select(1u, 4u, VEC); // numbers an element of x, x2

// Elements as vectors: a vector of 4 is itself, one number is all four.
fn x_at(i: u32) -> vec4f { return vec4f(x[i]); }
fn x2_at(i: u32) -> vec4f { return vec4f(x2[i]); }

// Channels from `channel` on of a stored pixel: four of them with VEC, else one.
fn channels_at(place: i32, channel: u32) -> vec4f {
  if (place < 0) {
    return vec4f();
  }
  let channels = dims.depth * dims.groups;
  var value: vec4f;
  if (CAT) {
    if (channel < dims.first) {
      value = dims.scale * x_at((u32(place) * dims.first + channel) / WIDTH);
    } else {
      value = dims.scale2 * x2_at((u32(place) * (channels - dims.first) + channel - dims.first) / WIDTH);
    }
  } else {
    value = x_at((u32(place) * channels + channel) / WIDTH);
  }
  if (SILU) {
    if (VEC) {
      value = vec4f(silu(value.x), silu(value.y), silu(value.z), silu(value.w));
    } else {
      value = vec4f(silu(value.x));
    }
  }
  return value;
}
