// attention_tile: blocks of ROWS x COLS scores of one head by a workgroup of 8 LANES invocations. Invocation (x, y) has rows 4 y .. 4 y + 3
// (and 32 further on), the lanes of a vec4f, and columns 4 x .. 4 x + 3 (and 4 LANES further on); of a head's elements it has columns of the
// results likewise. All products are sums of outer products of a line of A, of the rows, and a line of B, of the columns, and go through the
// same two tiles of workgroup memory, STEP lines at a time:
//   scores: lines are elements of a head, of both operands, turned in registers, 4 x 4 at a time;
//   results: lines are columns of the block, their weights and their values. Which 16 columns are a slice is free: 16 / LANES of each lane.
// The steps of a product are written out, and sums are only indexed by constants: see shaders/matmul_tiled.wgsl, whose loop this is.
// What the next step needs is on its way into registers while this one is multiplied.
// @use attention
// @use attention_product
// @use attention_fetch

// The functions of shaders/lib/attention.wgsl for four scores at a time: rows of the block, from `query` or from `key` on.
fn four_capped(s: vec4f) -> vec4f {
  return vec4f(cap(s.x), cap(s.y), cap(s.z), cap(s.w));
}

fn hide_queries(s: vec4f, seen: Seen, query: u32, key: u32) -> vec4f {
  let y = hide(s.y, seen, query + 1u, key);
  let z = hide(s.z, seen, query + 2u, key);
  return vec4f(hide(s.x, seen, query, key), y, z, hide(s.w, seen, query + 3u, key));
}

fn hide_keys(s: vec4f, seen: Seen, query: u32, key: u32) -> vec4f {
  let y = hide(s.y, seen, query, key + 1u);
  let z = hide(s.z, seen, query, key + 2u);
  return vec4f(hide(s.x, seen, query, key), y, z, hide(s.w, seen, query, key + 3u));
}

fn four_weights(s: vec4f, top: vec4f) -> vec4f {
  let z = s - top;
  if (GUARDED) {
    return select(select(exp(z), z, are_nan(z)), vec4f(), s == vec4f(HIDDEN));
  }
  return exp(z);
}

fn four_by_score(p: vec4f, dp: vec4f, delta: vec4f) -> vec4f {
  let ds = p * (dp - delta);
  if (GUARDED) {
    return select(ds, vec4f(), p == vec4f());
  }
  return ds;
}

// The derivatives of capped scores by scores.
fn four_slopes(capped: vec4f) -> vec4f {
  return vec4f(uncap(1.0, capped.x), uncap(1.0, capped.y), uncap(1.0, capped.z), uncap(1.0, capped.w));
}
