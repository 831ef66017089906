// head_norm: mean and 1/deviation of one head's row of qkv, (0, 1) without a norm.
// Needs in the kernel: qkv, dims with head_dim and eps, const NORM (0 none, 1 RMSNorm, 2 LayerNorm).
// @use finite

fn head_stats(base: u32) -> vec2f {
  if (NORM == 0u) {
    return vec2f(0.0, 1.0);
  }
  var mean = 0.0;
  if (NORM == 2u) {
    for (var d = 0u; d < dims.head_dim; d++) {
      mean += f32(qkv[base + d]);
    }
    mean /= f32(dims.head_dim);
  }
  var moments = vec2f(0.0);
  for (var d = 0u; d < dims.head_dim; d++) {
    let x = f32(qkv[base + d]) - mean;
    moments += vec2f(x, x * x);
  }
  moments /= f32(dims.head_dim);
  let off = select(0.0, moments.x, NORM == 2u); // what the mean was rounded by
  return vec2f(mean + off, inverse_root(at_least(moments.y - off * off, 0.0) + dims.eps));
}
