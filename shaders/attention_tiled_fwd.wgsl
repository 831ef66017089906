// attention_tiled_fwd: out = softmax(scores) v with an online softmax; the GPU variant of attention_fwd_plain, with the same buffers and dims.
// Grid: a workgroup of 8 LANES has ROWS queries of one head and walks blocks of COLS keys; folded over (batch, head, tile of queries).
// Q is staged again for each block, since all of it would fill the 16 KiB; the caches of the multiprocessor have it.
// Precision: f32; q, k, v and out may be stored as f16. An invocation's sum of exponentials is of its own columns until the end; only the maximum is exchanged each block.
// Source: Milakov & Gimelshein 2018 (online softmax), Dao et al. 2022 (attention without n x n).
// @use attention_tile
// @use attention_forward

@group(0) @binding(5) var<storage, read> v: array<Stored>;
@group(0) @binding(6) var<storage, read_write> out: array<OElem>;
@group(0) @binding(7) var<storage, read_write> lse: array<f32>;

const Q: u32 = 0u;
const K: u32 = 1u;
const V: u32 = 2u;

fn element(source: u32, at: u32) -> vec4f {
  switch (source) {
    case Q: { return vec4f(Elem(q[at])); }
    case K: { return vec4f(Elem(k[at])); }
    default: { return vec4f(Elem(v[at])); }
  }
}

fn put(result: u32, at: u32, value: OElem) {
  out[at] = value;
}

// Where a block is: the first query that the invocation has, the block's first key, and past the last key that is seen.
struct Block {
  query: u32,
  key: u32,
  end: u32,
}

// Masks the scores of column c, and raises the tops to them.
fn mask_quad(score: ptr<function, Sums>, top: ptr<function, PerRow>, c: u32, h: u32, key: u32, at: Block, seen: Seen) {
  let masked = hide_queries(four_capped((*score)[c * ROW_QUADS + h] * dims.scale), seen, at.query + 32u * h, key);
  let four = select(vec4f(HIDDEN), masked, key < at.end);
  (*score)[c * ROW_QUADS + h] = four;
  (*top)[h] = max((*top)[h], four);
}

fn mask_column(score: ptr<function, Sums>, top: ptr<function, PerRow>, c: u32, x: u32, at: Block, seen: Seen) {
  let key = at.key + column(c, x);
  mask_quad(score, top, c, 0u, key, at, seen);
  if (ROW_QUADS > 1u) { mask_quad(score, top, c, 1u, key, at, seen); }
}

fn mask_four(score: ptr<function, Sums>, top: ptr<function, PerRow>, c: u32, x: u32, at: Block, seen: Seen) {
  if (ROLLED) {
    for (var i = 0u; i < four_lines(); i++) {
      mask_column(score, top, c + i, x, at, seen);
    }
  } else {
    mask_column(score, top, c, x, at, seen);
    mask_column(score, top, c + 1u, x, at, seen);
    mask_column(score, top, c + 2u, x, at, seen);
    mask_column(score, top, c + 3u, x, at, seen);
  }
}

// Makes weights of the scores of column c, and adds them to the sums.
fn weigh_column(score: ptr<function, Sums>, sum: ptr<function, PerRow>, c: u32, top: PerRow) {
  let p0 = four_weights((*score)[c * ROW_QUADS], top[0]);
  (*score)[c * ROW_QUADS] = p0;
  (*sum)[0] += p0;
  if (ROW_QUADS > 1u) {
    let p1 = four_weights((*score)[c * ROW_QUADS + 1u], top[1]);
    (*score)[c * ROW_QUADS + 1u] = p1;
    (*sum)[1] += p1;
  }
}

fn weigh_four(score: ptr<function, Sums>, sum: ptr<function, PerRow>, c: u32, top: PerRow) {
  weigh_column(score, sum, c, top);
  weigh_column(score, sum, c + 1u, top);
  weigh_column(score, sum, c + 2u, top);
  weigh_column(score, sum, c + 3u, top);
}

// Multiplies column c of the results by a factor of each row.
fn scale_column(acc: ptr<function, Sums>, c: u32, factor: PerRow) {
  (*acc)[c * ROW_QUADS] *= factor[0];
  if (ROW_QUADS > 1u) { (*acc)[c * ROW_QUADS + 1u] *= factor[1]; }
}

fn scale_four(acc: ptr<function, Sums>, c: u32, factor: PerRow) {
  scale_column(acc, c, factor);
  scale_column(acc, c + 1u, factor);
  scale_column(acc, c + 2u, factor);
  scale_column(acc, c + 3u, factor);
}

fn scale_all(acc: ptr<function, Sums>, factor: PerRow) {
  if (WIDE > 0u) { scale_four(acc, 0u, factor); }
  if (WIDE > 1u) { scale_four(acc, 4u, factor); }
  if (WIDE > 2u) { scale_four(acc, 8u, factor); }
  if (WIDE > 3u) { scale_four(acc, 12u, factor); }
  if (REST > 0u) { scale_column(acc, 4u * WIDE, factor); }
  if (REST > 1u) { scale_column(acc, 4u * WIDE + 1u, factor); }
}

// Gives the other lanes what this one has of its rows, through the tile of A, which is free between products: line x is lane x's.
fn share(own: PerRow, lane: vec2u) {
  tile_a[lane.x][lane.y] = own[0];
  if (ROW_QUADS > 1u) { tile_a[lane.x][lane.y + 8u] = own[1]; }
  workgroupBarrier();
}

// lse of four rows from the sum of their weights; HIDDEN where no key is seen.
fn line_of(top: vec4f, sum: vec4f) -> vec4f {
  let line = select(top + log(sum), sum, are_nan(sum)); // the log of a NaN is not one everywhere
  if (GUARDED) {
    return select(line, vec4f(HIDDEN), sum == vec4f());
  }
  return line;
}

fn store_lines(head: u32, row: u32, line: vec4f) {
  for (var r = 0u; r < 4u; r++) {
    if (row + r < dims.n) {
      lse[head * dims.n + row + r] = line[r];
    }
  }
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let place_of_rows = place_of(wid, groups, dims.n, ROWS);
  let head = place_of_rows.head; // batch * heads + head
  if (head >= dims.batch * dims.heads) {
    return;
  }
  let first = place_of_rows.first;
  let seen = seen_by(head);
  let keys = Rows(head / group_size() * dims.keys, seen.keys, 1u);
  let operands = Pair(Rows(head * dims.n, dims.n, 1u), keys, first);
  let end = keys_until(seen, first + ROWS - 1u);
  let lane = place(local);

  var acc: Sums;
  var top = PerRow(vec4f(HIDDEN), vec4f(HIDDEN));
  var sum: PerRow;
  var next: Fetched;
  fetch_chunk(&next, Q, K, operands, 0u, 0u, local);
  for (var begin = 0u; begin < end; begin += COLS) {
    var score = Sums();
    for (var d = 0u; d < HEAD_DIM; d += STEP) {
      stage_chunk(&next, local);
      workgroupBarrier();
      if (d + STEP < HEAD_DIM) {
        fetch_chunk(&next, Q, K, operands, begin, d + STEP, local);
      } else {
        fetch_values(&next, V, keys, begin, 0u, local);
      }
      add_chunk(&score, lane, d, HEAD_DIM);
      workgroupBarrier();
    }

    let at = Block(first + 4u * lane.y, begin, end);
    var new_top = top;
    mask_four(&score, &new_top, 0u, lane.x, at, seen);
    if (COL_QUADS > 1u) { mask_four(&score, &new_top, 4u, lane.x, at, seen); }
    share(new_top, lane);
    for (var i = 0u; i < LANES; i++) {
      new_top[0] = max(new_top[0], tile_a[i][lane.y]);
      if (ROW_QUADS > 1u) { new_top[1] = max(new_top[1], tile_a[i][lane.y + 8u]); }
    }
    workgroupBarrier();
    let shrink = PerRow(exp(top[0] - new_top[0]), exp(top[1] - new_top[1]));
    top = new_top;
    sum[0] *= shrink[0];
    sum[1] *= shrink[1];
    weigh_four(&score, &sum, 0u, top);
    if (COL_QUADS > 1u) { weigh_four(&score, &sum, 4u, top); }
    scale_all(&acc, shrink);

    for (var slice = 0u; slice < SLICES; slice++) {
      stage_weights(&score, slice, lane);
      stage_values(&next, local);
      workgroupBarrier();
      if (slice + 1u < SLICES) {
        fetch_values(&next, V, keys, begin, slice + 1u, local);
      } else {
        fetch_chunk(&next, Q, K, operands, begin + COLS, 0u, local);
      }
      add_values(&acc, lane);
      workgroupBarrier();
    }
  }

  share(sum, lane);
  var all = PerRow();
  for (var i = 0u; i < LANES; i++) {
    all[0] += tile_a[i][lane.y];
    if (ROW_QUADS > 1u) { all[1] += tile_a[i][lane.y + 8u]; }
  }
  let row = first + 4u * lane.y;
  if (lane.x == 0u) {
    store_lines(head, row, line_of(top[0], all[0]));
    if (ROW_QUADS > 1u) { store_lines(head, row + 32u, line_of(top[1], all[1])); }
  }
  var inverse = PerRow(1.0 / all[0], 1.0 / all[1]);
  if (GUARDED) { // 0 where no key is seen
    inverse[0] = select(inverse[0], vec4f(), all[0] == vec4f());
    inverse[1] = select(inverse[1], vec4f(), all[1] == vec4f());
  }
  scale_all(&acc, inverse);
  let to = (head / dims.heads * dims.n + first) * dims.heads + head % dims.heads;
  store(0u, Target(to * VALUE_DIM, dims.heads * VALUE_DIM, dims.n - first, VALUE_DIM, 1.0), &acc, lane, local);
}
