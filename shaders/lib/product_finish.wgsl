// product_finish: the epilogue of a product, residual + gate * act(sum + bias), of four neighbours of a row at a time.
// Needs in the kernel: the buffers bias, gate, residual, out, pre and the dims of a product; const HAS_BIAS, HAS_PRE, HAS_GATE, HAS_RESIDUAL,
// ACT; with VEC_N residual, out and pre are vectors of 4, n a multiple of it; alias OScalar, OElem.
// @use act
// @use put_four

fn residual_at(i: u32) -> vec4f { return vec4f(vec4<OScalar>(residual[i])); }

// Of columns [col, col + 4) of n; what is past the end reads the last.
fn bias_from(col: u32) -> vec4f {
  let c = columns_from(col);
  return vec4f(bias[c.x], bias[c.y], bias[c.z], bias[c.w]);
}

// Likewise, at a row; one past the end is the last.
fn gate_from(row: u32, col: u32) -> vec4f {
  let at = (min(row, dims.m - 1u) / dims.gate_rows) * dims.gate_stride + dims.gate_offset;
  let c = at + columns_from(col);
  return vec4f(gate[c.x], gate[c.y], gate[c.z], gate[c.w]);
}

// Read before it is known whether any of them is in the matrix.
fn columns_from(col: u32) -> vec4u {
  return min(col + vec4u(0u, 1u, 2u, 3u), vec4u(dims.n - 1u));
}

// What columns [col, col + 4) have in common, read once for all rows of an invocation: the bias, and the gate of a block of rows.
struct Column {
  bias: vec4f,
  gate: vec4f,
}

// `row` is the first of a block of rows.
fn column_from(row: u32, col: u32) -> Column {
  var column = Column(vec4f(), vec4f(1.0));
  if (HAS_BIAS) { column.bias = bias_from(col); }
  if (HAS_GATE) { column.gate = gate_from(row, col); }
  return column;
}

// For a later row of a block of `rows`, which begins at a multiple of it: its gate is that of the first but where gates change within.
fn column_at(first: Column, row: u32, col: u32, rows: u32) -> Column {
  var column = first;
  if (HAS_GATE && dims.gate_rows % rows != 0u) { column.gate = gate_from(row, col); }
  return column;
}

// The epilogue of four outputs from (row, col) on.
fn finish(slice: u32, batch: u32, row: u32, col: u32, sum: vec4f, column: Column) {
  if (row < dims.m && col < dims.n) {
    let index = (slice * dims.m + row) * dims.n + col;
    var value = sum;
    let count = min(4u, dims.n - col);
    if (HAS_BIAS) { value += column.bias; }
    if (HAS_PRE) { put_pre(index, count, value); }
    if (ACT != 0u) {
      value = vec4f(act(value.x), act(value.y), act(value.z), act(value.w)); // named: an index puts value, and the sums, into memory
    }
    if (HAS_GATE) { value *= column.gate; }
    if (HAS_RESIDUAL) {
      var own = row;
      if (dims.residual_rows < dims.m) { own %= dims.residual_rows; } // a division takes as long as a dozen products
      let at = (batch * dims.residual_rows + own) * dims.n + col;
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
}
