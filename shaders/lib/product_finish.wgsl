// product_finish: the epilogue of a product, residual + gate * act(sum + bias), of four neighbours of a row at a time.
// Needs in the kernel: the buffers bias, gate, residual, out, pre and the dims of a product; const HAS_BIAS, HAS_PRE, HAS_GATE, HAS_RESIDUAL,
// ACT; with VEC_N residual, out and pre are vectors of 4, n a multiple of it; alias OScalar, OElem.
// @use act
// @use put_four

fn residual_at(i: u32) -> vec4f { return vec4f(vec4<OScalar>(residual[i])); }

// Of columns [col, col + 4) of n; what is past the end reads the last.
fn bias_from(col: u32) -> vec4f {
  let last = dims.n - 1u;
  return vec4f(bias[col], bias[min(col + 1u, last)], bias[min(col + 2u, last)], bias[min(col + 3u, last)]);
}

// The epilogue of four outputs from (row, col) on.
fn finish(slice: u32, batch: u32, row: u32, col: u32, sum: vec4f) {
  if (row >= dims.m || col >= dims.n) {
    return;
  }
  let index = (slice * dims.m + row) * dims.n + col;
  var value = sum;
  let count = min(4u, dims.n - col);
  if (HAS_BIAS) {
    value += bias_from(col);
  }
  if (HAS_PRE) { put_pre(index, count, value); }
  if (ACT != 0u) {
    value = vec4f(act(value.x), act(value.y), act(value.z), act(value.w)); // named: an index puts value, and the sums, into memory
  }
  if (HAS_GATE) {
    let at = (row / dims.gate_rows) * dims.gate_stride + dims.gate_offset + col;
    value *= vec4f(gate[at], gate[at + min(1u, count - 1u)], gate[at + min(2u, count - 1u)], gate[at + min(3u, count - 1u)]);
  }
  if (HAS_RESIDUAL) {
    let at = (batch * dims.residual_rows + row % dims.residual_rows) * dims.n + col;
    if (VEC_N) {
      value += residual_at(at / 4u);
    } else {
      value.x += residual_at(at).x;
      if (count > 1u) { value.y += residual_at(at + 1u).x; }
      if (count > 2u) { value.z += residual_at(at + 2u).x; }
      if (count > 3u) { value.w += residual_at(at + 3u).x; }
    }
  }
  put_out(index, count, value);
}
