// conv_finish_four: the epilogue of conv2d, forward and by its input, of four neighbouring channels at a time.
// Needs in the kernel: const HAS_BIAS, HAS_PRE, SCALED, HAS_SLOPE, HAS_RESIDUAL, ACT, VEC_N; bias, before, residual, out, pre; dims.out_scale,
// residual_scale; with VEC_N all but bias are vectors of 4, n a multiple of it; alias OScalar, OElem.
// @use act
// @use put_four

fn before_at(i: u32) -> vec4f { return vec4f(before[i]); }
fn residual_at(i: u32) -> vec4f { return vec4f(residual[i]); }

// Where the four of `count` from `at` on are, the last again where there are fewer.
fn four_from(at: u32, count: u32) -> vec4u {
  return at + min(vec4u(0u, 1u, 2u, 3u), vec4u(count - 1u));
}

fn before_four(at: u32, count: u32) -> vec4f {
  if (VEC_N) {
    return before_at(at / 4u);
  }
  let i = four_from(at, count);
  return vec4f(before_at(i.x).x, before_at(i.y).x, before_at(i.z).x, before_at(i.w).x);
}

fn residual_four(at: u32, count: u32) -> vec4f {
  if (VEC_N) {
    return residual_at(at / 4u);
  }
  let i = four_from(at, count);
  return vec4f(residual_at(i.x).x, residual_at(i.y).x, residual_at(i.z).x, residual_at(i.w).x);
}

// Outputs at `at`, `count` of them, of channels from `channel` on of all groups'.
fn finish_four(at: u32, channel: u32, count: u32, sum: vec4f) {
  var value = sum;
  if (HAS_BIAS) {
    let i = four_from(channel, count);
    value += vec4f(bias[i.x], bias[i.y], bias[i.z], bias[i.w]);
  }
  if (HAS_PRE) { put_pre(at, count, value); }
  if (ACT != 0u) {
    value = vec4f(act(value.x), act(value.y), act(value.z), act(value.w)); // named: an index puts the sums into memory
  }
  if (SCALED) {
    value *= dims.out_scale;
  }
  if (HAS_SLOPE) {
    let v = dims.out_scale * before_four(at, count);
    value *= vec4f(silu_grad(v.x), silu_grad(v.y), silu_grad(v.z), silu_grad(v.w));
  }
  if (HAS_RESIDUAL) {
    value += dims.residual_scale * residual_four(at, count);
  }
  put_out(at, count, value);
}
