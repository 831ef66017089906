// conv_eights: eight neighbouring channels of a stored pixel, as halves, as a convolution on subgroup matrices reads them. With CAT channels are
// those of x and x2 side by side, each times a factor, with SILU numbers go through SiLU: none of it is stored.
// Needs in the kernel: const CAT, SILU, HALVES_X; x and x2, arrays of vec4f or, with HALVES_X, of vec4u, eight halves each; dims.scale, scale2.
// @use activation
// @use eights

fn x_at(i: u32) -> vec4u { return bitcast<vec4u>(x[i]); }
fn x2_at(i: u32) -> vec4u { return bitcast<vec4u>(x2[i]); }

fn eight_of_x(at: u32) -> Eight {
  if (HALVES_X) {
    return eight_of(x_at(at / 8u));
  }
  return Eight(bitcast<vec4f>(x_at(at / 4u)), bitcast<vec4f>(x_at(at / 4u + 1u)));
}

fn eight_of_x2(at: u32) -> Eight {
  if (HALVES_X) {
    return eight_of(x2_at(at / 8u));
  }
  return Eight(bitcast<vec4f>(x2_at(at / 4u)), bitcast<vec4f>(x2_at(at / 4u + 1u)));
}

fn silu_of(v: vec4f) -> vec4f {
  return vec4f(silu(v.x), silu(v.y), silu(v.z), silu(v.w));
}

// Channels from `channel` on, a multiple of 8, of `channels`; zeros where there is no pixel. `first` of them are x's.
fn halves_at(place: i32, channel: u32, channels: u32, first: u32) -> vec4u {
  if (place < 0) {
    return vec4u();
  }
  if (HALVES_X && !CAT && !SILU) {
    return x_at((u32(place) * channels + channel) / 8u);
  }
  var v: Eight;
  if (CAT) {
    if (channel < first) {
      v = eight_of_x(u32(place) * first + channel);
      v = Eight(dims.scale * v.low, dims.scale * v.high);
    } else {
      v = eight_of_x2(u32(place) * (channels - first) + channel - first);
      v = Eight(dims.scale2 * v.low, dims.scale2 * v.high);
    }
  } else {
    v = eight_of_x(u32(place) * channels + channel);
  }
  if (SILU) {
    v = Eight(silu_of(v.low), silu_of(v.high));
  }
  return halves(v.low, v.high);
}
