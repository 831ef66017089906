// matrix_tiles: the tiles of A and B of one step of a product on subgroup matrices, fetched from storage into registers eight neighbours at a
// time.
// Needs in the kernel: const TM, TN, TRANS_A, TRANS_B, VEC_A, VEC_B, WORDS_A, WORDS_B, GLU (with TRANS_B; the second part of B is that of the
// second half of the columns then); alias AScalar, BScalar; the buffers a, b; dims.m, n, k.
// @use matrix_places
// @use eights

// Eight neighbours as they are read: halves two a word, or numbers.
struct Read {
  words: vec4u,
  low: vec4f,
  high: vec4f,
}

// Elements as vectors: a vector of 4 is itself, one number is all four.
fn a_at(i: u32) -> vec4<AScalar> { return vec4<AScalar>(a[i]); }
fn b_at(i: u32) -> vec4<BScalar> { return vec4<BScalar>(b[i]); }

// Where an operand lies: lines of `length` numbers from `base` on; those from line `lines` on, and from `end` on in a line, count as zero.
struct Source {
  base: u32,
  length: u32,
  lines: u32,
  end: u32,
  line: u32, // where its tile begins, at k_begin
  along: u32,
}

fn source_a(base: u32, row: u32, k_begin: u32, k_end: u32) -> Source {
  if (TRANS_A) {
    return Source(base, dims.m, k_end, dims.m, k_begin, row);
  }
  return Source(base, dims.k, dims.m, k_end, row, k_begin);
}

fn source_b(base: u32, col: u32, k_begin: u32, k_end: u32) -> Source {
  if (TRANS_B) {
    return Source(base, dims.k, dims.n, k_end, col, k_begin);
  }
  return Source(base, dims.n, k_end, dims.n, k_begin, col);
}

// Item i of a tile, `step` of k on.
fn fetch_a(item: vec2u, i: u32, source: Source, step: u32) -> Read {
  let line = source.line + item.x + i * A_LINES + select(0u, step, TRANS_A);
  let along = source.along + item.y * 8u + select(step, 0u, TRANS_A);
  let at = source.base + line * source.length + along;
  var f = Read();
  if (line < source.lines && along < source.end) {
    if (WORDS_A) {
      f.words = vec4u(a_at(at / 8u));
    } else if (VEC_A) {
      f.low = vec4f(a_at(at / 4u));
      f.high = vec4f(a_at(at / 4u + 1u));
    } else {
      let last = source.end - along - 1u;
      f.low = vec4f(f32(a_at(at).x), f32(a_at(at + min(1u, last)).x), f32(a_at(at + min(2u, last)).x), f32(a_at(at + min(3u, last)).x));
      f.high = vec4f(f32(a_at(at + min(4u, last)).x), f32(a_at(at + min(5u, last)).x), f32(a_at(at + min(6u, last)).x), f32(a_at(at + min(7u, last)).x));
      f.low = select(vec4f(), f.low, vec4u(0u, 1u, 2u, 3u) <= vec4u(last));
      f.high = select(vec4f(), f.high, vec4u(4u, 5u, 6u, 7u) <= vec4u(last));
    }
  }
  return f;
}

// From line to line of B in storage, as far as the second part is not beside the first.
fn apart_b(i: u32) -> u32 {
  return select(0u, dims.n / 2u - 16u * TN, GLU && i * B_LINES >= 16u * TN);
}

fn fetch_b(item: vec2u, i: u32, source: Source, step: u32) -> Read {
  let line = source.line + item.x + i * B_LINES + apart_b(i) + select(step, 0u, TRANS_B);
  let along = source.along + item.y * 8u + select(0u, step, TRANS_B);
  let at = source.base + line * source.length + along;
  var f = Read();
  if (line < source.lines && along < source.end) {
    if (WORDS_B) {
      f.words = vec4u(b_at(at / 8u));
    } else if (VEC_B) {
      f.low = vec4f(b_at(at / 4u));
      f.high = vec4f(b_at(at / 4u + 1u));
    } else {
      let last = source.end - along - 1u;
      f.low = vec4f(f32(b_at(at).x), f32(b_at(at + min(1u, last)).x), f32(b_at(at + min(2u, last)).x), f32(b_at(at + min(3u, last)).x));
      f.high = vec4f(f32(b_at(at + min(4u, last)).x), f32(b_at(at + min(5u, last)).x), f32(b_at(at + min(6u, last)).x), f32(b_at(at + min(7u, last)).x));
      f.low = select(vec4f(), f.low, vec4u(0u, 1u, 2u, 3u) <= vec4u(last));
      f.high = select(vec4f(), f.high, vec4u(4u, 5u, 6u, 7u) <= vec4u(last));
    }
  }
  return f;
}
