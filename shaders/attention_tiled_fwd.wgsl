// attention_tiled_fwd: out = softmax(scores) v with an online softmax; the GPU variant of attention_fwd_plain, with the same buffers and dims.
// Grid: a workgroup of 8 x ROWS / 4 has ROWS queries of one head and walks blocks of COLS keys; folded over (batch, head, tile of queries).
// Each block: scores over chunks of a head through workgroup memory, then weights and values over slices of the keys (lib/attention_tile).
// Q is staged again for each block, since all of it would fill the 16 KiB; that costs 1 read in 1000 multiply-adds or so.
// Precision: f32. An invocation's sum of exponentials is of its own columns until the end; only the maximum is exchanged each block.
// Source: Milakov & Gimelshein 2018 (online softmax), Dao et al. 2022 (attention without n x n).
// @use attention_tile
// @use attention_forward

@group(0) @binding(5) var<storage, read> v: array<Elem>;
@group(0) @binding(6) var<storage, read_write> out: array<f32>;
@group(0) @binding(7) var<storage, read_write> lse: array<f32>;

var<workgroup> exchange: array<vec4f, THREADS>;

const Q: u32 = 0u;
const K: u32 = 1u;
const V: u32 = 2u;

fn element(source: u32, at: u32) -> vec4f {
  switch (source) {
    case Q: { return vec4f(q[at]); }
    case K: { return vec4f(k[at]); }
    default: { return vec4f(v[at]); }
  }
}

@compute @workgroup_size(8, BANDS)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let place = place_of(wid, groups, dims.n, ROWS);
  let head = place.head; // batch * heads + head
  if (head >= dims.batch * dims.heads) {
    return;
  }
  let first = place.first;
  let seen = seen_by(head);
  let queries = Rows(head * dims.n, dims.n, 1u);
  let keys = Rows(head / group_size() * dims.keys, seen.keys, 1u);
  let end = keys_until(seen, first + ROWS - 1u);

  var acc: array<vec4f, OWN>;
  var top = vec4f(HIDDEN);
  var sum = vec4f();
  for (var begin = 0u; begin < end; begin += COLS) {
    var score = array<vec4f, 8>();
    for (var d = 0u; d < HEAD_DIM; d += CHUNK) {
      stage_chunk(Q, queries, first, K, keys, begin, d, local);
      add_scores(&score, lid.x, lid.y);
    }

    var new_top = top;
    for (var c = 0u; c < LANE; c++) {
      let key = begin + lid.x + 8u * c;
      let masked = hide_queries(four_capped(score[c] * dims.scale), seen, first + 4u * lid.y, key);
      score[c] = select(vec4f(HIDDEN), masked, key < end);
      new_top = max(new_top, score[c]);
    }
    exchange[local] = new_top;
    workgroupBarrier();
    for (var i = 0u; i < 8u; i++) {
      new_top = max(new_top, exchange[lid.y * 8u + i]);
    }
    let shrink = exp(top - new_top);
    top = new_top;
    sum *= shrink;
    for (var c = 0u; c < LANE; c++) {
      score[c] = four_weights(score[c], top);
      sum += score[c];
    }
    for (var i = 0u; i < OWN; i++) {
      acc[i] *= shrink;
    }
    add_block(&acc, &score, V, keys, begin, lid, local, true); // the exchange has been a barrier
  }

  exchange[local] = sum;
  workgroupBarrier();
  var all_keys = vec4f();
  for (var i = 0u; i < 8u; i++) {
    all_keys += exchange[lid.y * 8u + i];
  }
  var line = select(top + log(all_keys), all_keys, are_nan(all_keys)); // the log of a NaN is not one everywhere
  if (GUARDED) { // where no key is seen
    let none = all_keys == vec4f();
    line = select(line, vec4f(HIDDEN), none);
    all_keys = select(all_keys, vec4f(1.0), none);
  }
  for (var i = 0u; i < OWN; i++) {
    acc[i] /= all_keys;
  }
  let to = (head / dims.heads) * dims.n * dims.heads + head % dims.heads;
  for (var take = 0u; take < TAKES; take++) {
    let four = take_four(&acc);
    for (var r = 0u; r < 4u; r++) {
      let row = first + 4u * lid.y + r;
      for (var j = 0u; j < 4u; j++) {
        let col = own_column(take, j, lid.x);
        if (row < dims.n && col < VALUE_DIM) {
          out[(to + row * dims.heads) * VALUE_DIM + col] = four[r][j];
        }
      }
    }
  }
  for (var r = 0u; r < 4u; r++) {
    let row = first + 4u * lid.y + r;
    if (row < dims.n && lid.x == 0u) {
      lse[head * dims.n + row] = line[r];
    }
  }
}
