// matrix_tiles: the tiles of A and B of one step of a product on subgroup matrices, BK lines of k, fetched from storage into registers eight
// neighbours at a time, and where they lie in workgroup memory: lines as in storage, with one vec4u after each, so that matrices meet no bank twice.
// Needs in the kernel: const TM, TN, TRANS_A, TRANS_B, VEC_A, VEC_B, WORDS_A, WORDS_B, GLU (with TRANS_B; the second part of B is that of the
// second half of the columns then); alias AScalar, BScalar; the buffers a, b; dims.m, n, k.

const BK: u32 = 32u;      // k a step
const THREADS: u32 = 128u; // four subgroups, 2 x 2
const BM: u32 = 32u * TM;
const BN: u32 = 32u * TN;
const K_LINE: u32 = BK / 8u + 1u;                         // vec4u a line along k
const A_LINE: u32 = select(K_LINE, 2u * TM + 1u, TRANS_A); // of a subgroup's part of A
const B_LINE: u32 = select(2u * TN + 1u, K_LINE, TRANS_B);
const PART: u32 = 16u * max(TM, TN) * K_LINE + 4u; // vec4u of a subgroup's part of either, half of the banks past a whole round of them

// Eight neighbours: halves two a word, or numbers.
struct Eight {
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

// Line and eight of an invocation's first item of a tile; each item after it is as many lines on as all invocations take at once. Along k eight
// neighbours take lines four apart, which they stage without meeting a bank twice.
fn item_of(local: u32, along_k: bool, side: u32) -> vec2u {
  if (along_k) {
    return vec2u((local / 32u) * 8u + (local / 8u) % 4u + (local / 4u) % 2u * 4u, local % 4u);
  }
  return vec2u(local / (side / 8u), local % (side / 8u));
}

const A_LINES: u32 = select(32u, 32u / TM, TRANS_A); // that all invocations take at once
const B_LINES: u32 = select(32u / TN, 32u, TRANS_B);

// Item i of a tile, `step` of k on.
fn fetch_a(item: vec2u, i: u32, source: Source, step: u32) -> Eight {
  let line = source.line + item.x + i * A_LINES + select(0u, step, TRANS_A);
  let along = source.along + item.y * 8u + select(step, 0u, TRANS_A);
  let at = source.base + line * source.length + along;
  var f = Eight();
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

fn fetch_b(item: vec2u, i: u32, source: Source, step: u32) -> Eight {
  let line = source.line + item.x + i * B_LINES + apart_b(i) + select(step, 0u, TRANS_B);
  let along = source.along + item.y * 8u + select(0u, step, TRANS_B);
  let at = source.base + line * source.length + along;
  var f = Eight();
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

// Part and place of item i of a tile in workgroup memory.
fn place_a(item: vec2u, i: u32) -> vec2u {
  if (TRANS_A) {
    return vec2u(item.y / (2u * TM), (item.x + i * A_LINES) * A_LINE + item.y % (2u * TM));
  }
  return vec2u(i * A_LINES / (16u * TM), (item.x + i * A_LINES % (16u * TM)) * A_LINE + item.y);
}

fn place_b(item: vec2u, i: u32) -> vec2u {
  if (TRANS_B) {
    return vec2u(i * B_LINES / (16u * TN), (item.x + i * B_LINES % (16u * TN)) * B_LINE + item.y);
  }
  return vec2u(item.y / (2u * TN), (item.x + i * B_LINES) * B_LINE + item.y % (2u * TN));
}

// Where matrix i of a subgroup's part begins at step kk of 16 k.
fn left_place(i: u32, kk: u32) -> u32 {
  return select(i * 16u * A_LINE + kk * 2u, kk * 16u * A_LINE + i * 2u, TRANS_A);
}

fn right_place(i: u32, kk: u32) -> u32 {
  return select(kk * 16u * B_LINE + i * 2u, i * 16u * B_LINE + kk * 2u, TRANS_B);
}

// Eight halves, two a word; numbers past the greatest half are infinite.
fn halves(low: vec4f, high: vec4f) -> vec4u {
  return vec4u(pack2x16float(low.xy), pack2x16float(low.zw), pack2x16float(high.xy), pack2x16float(high.zw));
}
