// product_glu: the epilogue of a product that gates one half of its columns by the other, out = silu(x1 + bias) * (x2 + bias), of four
// neighbours of a row at a time. Needs in the kernel what lib product_finish needs.
// Source: Shazeer 2020, "GLU Variants Improve Transformer".
// @use activation
// @use product_finish

// The bias of columns [col, col + 4) of each half, read once for all rows of an invocation.
struct Halves {
  x1: vec4f,
  x2: vec4f,
}

fn glu_bias(col: u32) -> Halves {
  if (HAS_BIAS) { return Halves(bias_from(col), bias_from(dims.n / 2u + col)); }
  return Halves();
}

fn finish_glu(batch: u32, row: u32, col: u32, sum1: vec4f, sum2: vec4f, biases: Halves) {
  let hidden = dims.n / 2u;
  if (row < dims.m && col < hidden) {
    let x1 = sum1 + biases.x1;
    let x2 = sum2 + biases.x2;
    let count = min(4u, hidden - col);
    let line = batch * dims.m + row;
    if (HAS_PRE) {
      put_pre(line * dims.n + col, count, x1);
      put_pre(line * dims.n + hidden + col, count, x2);
    }
    put_out(line * hidden + col, count, vec4f(silu(x1.x), silu(x1.y), silu(x1.z), silu(x1.w)) * x2);
  }
}
