// product_tiles: fetches the tiles of A and B of one step of a product of stored matrices, BK lines of k, into registers.
// Needs in the kernel: const BM, BN, BK, THREADS, ITEMS_A, ITEMS_B, TRANS_A, TRANS_B, VEC_A, VEC_B; dims.m, n, k; fn a_at, b_at(i) -> vec4f; fn b_column(col_base, within) -> u32.
// @use product_stage

// Four k from k0 of row `row` of A [m, k], zero past the edges.
fn a_along_k(base: u32, row: u32, k0: u32, k_end: u32) -> vec4f {
  var v = vec4f();
  let at = base + row * dims.k + k0;
  if (row < dims.m && k0 < k_end) {
    if (VEC_A) {
      v = a_at(at / 4u);
    } else {
      v.x = a_at(at).x;
      if (k0 + 1u < k_end) { v.y = a_at(at + 1u).x; }
      if (k0 + 2u < k_end) { v.z = a_at(at + 2u).x; }
      if (k0 + 3u < k_end) { v.w = a_at(at + 3u).x; }
    }
  }
  return v;
}

// Four rows from row0 of line k0 of A [k, m].
fn a_along_m(base: u32, row0: u32, k0: u32, k_end: u32) -> vec4f {
  var v = vec4f();
  let at = base + k0 * dims.m + row0;
  if (row0 < dims.m && k0 < k_end) {
    if (VEC_A) {
      v = a_at(at / 4u);
    } else {
      v.x = a_at(at).x;
      if (row0 + 1u < dims.m) { v.y = a_at(at + 1u).x; }
      if (row0 + 2u < dims.m) { v.z = a_at(at + 2u).x; }
      if (row0 + 3u < dims.m) { v.w = a_at(at + 3u).x; }
    }
  }
  return v;
}

// Four k from k0 of column `col` of B [n, k].
fn b_along_k(base: u32, col: u32, k0: u32, k_end: u32) -> vec4f {
  var v = vec4f();
  let at = base + col * dims.k + k0;
  if (col < dims.n && k0 < k_end) {
    if (VEC_B) {
      v = b_at(at / 4u);
    } else {
      v.x = b_at(at).x;
      if (k0 + 1u < k_end) { v.y = b_at(at + 1u).x; }
      if (k0 + 2u < k_end) { v.z = b_at(at + 2u).x; }
      if (k0 + 3u < k_end) { v.w = b_at(at + 3u).x; }
    }
  }
  return v;
}

// Four columns from col0 of line k0 of B [k, n].
fn b_along_n(base: u32, col0: u32, k0: u32, k_end: u32) -> vec4f {
  var v = vec4f();
  let at = base + k0 * dims.n + col0;
  if (col0 < dims.n && k0 < k_end) {
    if (VEC_B) {
      v = b_at(at / 4u);
    } else {
      v.x = b_at(at).x;
      if (col0 + 1u < dims.n) { v.y = b_at(at + 1u).x; }
      if (col0 + 2u < dims.n) { v.z = b_at(at + 2u).x; }
      if (col0 + 3u < dims.n) { v.w = b_at(at + 3u).x; }
    }
  }
  return v;
}

// Where the operands and their tiles begin, and where k ends.
struct Sources {
  a: u32,
  b: u32,
  row: u32,
  col: u32,
  k_end: u32,
}

// Fetches item e of the tile of A at k0. Blocks run along k first: 4 of them are 64 bytes of a line.
fn fetch_a(e: u32, s: Sources, k0: u32) -> Fetched {
  if (TRANS_A) {
    let row = s.row + (e % (BM / 4u)) * 4u;
    let k = k0 + e / (BM / 4u);
    return Fetched(
      a_along_m(s.a, row, k, s.k_end),
      a_along_m(s.a, row, k + BK / 4u, s.k_end),
      a_along_m(s.a, row, k + 2u * (BK / 4u), s.k_end),
      a_along_m(s.a, row, k + 3u * (BK / 4u), s.k_end),
    );
  }
  let row = s.row + (e / (BK / 4u)) * 4u;
  let k = k0 + (e % (BK / 4u)) * 4u;
  return Fetched(
    a_along_k(s.a, row, k, s.k_end),
    a_along_k(s.a, row + 1u, k, s.k_end),
    a_along_k(s.a, row + 2u, k, s.k_end),
    a_along_k(s.a, row + 3u, k, s.k_end),
  );
}

fn fetch_b(e: u32, s: Sources, k0: u32) -> Fetched {
  if (TRANS_B) {
    let col = b_column(s.col, (e / (BK / 4u)) * 4u);
    let k = k0 + (e % (BK / 4u)) * 4u;
    return Fetched(
      b_along_k(s.b, col, k, s.k_end),
      b_along_k(s.b, col + 1u, k, s.k_end),
      b_along_k(s.b, col + 2u, k, s.k_end),
      b_along_k(s.b, col + 3u, k, s.k_end),
    );
  }
  let col = s.col + (e % (BN / 4u)) * 4u;
  let k = k0 + e / (BN / 4u);
  return Fetched(
    b_along_n(s.b, col, k, s.k_end),
    b_along_n(s.b, col, k + BK / 4u, s.k_end),
    b_along_n(s.b, col, k + 2u * (BK / 4u), s.k_end),
    b_along_n(s.b, col, k + 3u * (BK / 4u), s.k_end),
  );
}
