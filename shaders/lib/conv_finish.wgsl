// conv_finish: the epilogue of conv2d, forward and by its input, of one output.
// Needs in the kernel: const HAS_BIAS, HAS_PRE, SCALED, HAS_SLOPE, HAS_RESIDUAL; bias, before, residual, pre, dims.
// @use act

// sum: of output `at`, of channel `channel` of all groups'.
fn finished(sum: f32, at: u32, channel: u32) -> f32 {
  var value = sum;
  if (HAS_BIAS) {
    value += bias[channel];
  }
  if (HAS_PRE) {
    pre[at] = value;
  }
  value = act(value);
  if (SCALED) {
    value *= dims.out_scale;
  }
  if (HAS_SLOPE) {
    value *= silu_grad(dims.out_scale * before[at]);
  }
  if (HAS_RESIDUAL) {
    value += dims.residual_scale * residual[at];
  }
  return value;
}
