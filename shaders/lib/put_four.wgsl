// put_four: stores four neighbours of a row of out, or of pre, at once.
// Needs in the kernel: out, pre; const VEC_N: they are vectors of 4; alias OScalar, and OElem: array<OScalar, 1> or, with VEC_N, a vector of 4.

const STORE_WIDTH: u32 = select(1u, 4u, VEC_N); // numbers an element of out and pre

// Stores `count` numbers, 4 or what is left of a row, from element `index` on.
fn put_pre(index: u32, count: u32, value: vec4f) {
  for (var j = 0u; j < 4u; j += STORE_WIDTH) {
    if (j < count) {
      var part: OElem;
      for (var c = 0u; c < STORE_WIDTH; c++) {
        part[c] = OScalar(value[j + c]);
      }
      pre[(index + j) / STORE_WIDTH] = part;
    }
  }
}

fn put_out(index: u32, count: u32, value: vec4f) {
  for (var j = 0u; j < 4u; j += STORE_WIDTH) {
    if (j < count) {
      var part: OElem;
      for (var c = 0u; c < STORE_WIDTH; c++) {
        part[c] = OScalar(value[j + c]);
      }
      out[(index + j) / STORE_WIDTH] = part;
    }
  }
}
