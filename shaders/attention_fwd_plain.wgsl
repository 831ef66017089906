// attention_fwd_plain: out = softmax(scores) v with an online softmax: no n x keys matrix is stored. Scores: shaders/lib/attention.wgsl.
// Buffers f32: q [batch, heads, n, head_dim]; k [batch, kv_heads, keys, head_dim]; v [batch, kv_heads, keys, value_dim];
//   out [batch, n, heads, value_dim]; lse [batch, heads, n] = log of the sum of exponentials, for the backward. Optional: mask
//   [mask_batch, mask_heads, mask_n, keys], f32 to add or u32 of which 0 hides; lengths u32 [batch], the valid keys.
// Grid: QUERIES queries an invocation, WG invocations of one head a workgroup, folded over (batch, head, tile of queries). Keys and
//   values are read at addresses that the whole workgroup shares.
// Precision: f32; q, k, v and out may be stored as f16. KEYS scores are taken at a time, so that the running sums are rescaled once for all of them.
// The oracle of the tiled variant and the fast path on CPU adapters, where a read costs as much as many multiplications: there one
// read of a key or value serves several queries, four numbers at a time, and llvmpipe compiles quickly what it cannot unroll.
// Source: Milakov & Gimelshein 2018 (online softmax), Dao et al. 2022 (attention without n x n).
// @use attention_plain
// @use attention_forward

@group(0) @binding(5) var<storage, read> v: array<Stored>;
@group(0) @binding(6) var<storage, read_write> out: array<Stored>;
@group(0) @binding(7) var<storage, read_write> lse: array<f32>;

alias Shrink = array<f32, max(4u, QUERIES)>; // a factor for each query that an invocation has

// As add_steps, to the sums times a factor.
fn add_shrunk(held: ptr<function, Held>, d: u32, by: ptr<function, Shrink>, weights: ptr<function, Products>, elements: ptr<function, Step>) {
  (*held)[d] = add_step((*held)[d] * (*by)[0], weights, 0u, elements);
  if (QUERIES > 1u) { (*held)[LONG + d] = add_step((*held)[LONG + d] * (*by)[1], weights, 1u, elements); }
  if (QUERIES > 2u) { (*held)[2u * LONG + d] = add_step((*held)[2u * LONG + d] * (*by)[2], weights, 2u, elements); }
  if (QUERIES > 3u) { (*held)[3u * LONG + d] = add_step((*held)[3u * LONG + d] * (*by)[3], weights, 3u, elements); }
  for (var r = 4u; r < QUERIES; r++) {
    (*held)[r * LONG + d] = add_step((*held)[r * LONG + d] * (*by)[r], weights, r, elements);
  }
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let place = place_of(wid, groups, dims.n, WG * QUERIES);
  let head = place.head; // batch * heads + head
  let query = place.first + local * QUERIES;
  if (head >= dims.batch * dims.heads || query >= dims.n) {
    return;
  }
  let rows = head * dims.n;
  let last = dims.n - 1u;
  let seen = seen_by(head);
  let first_key = head / group_size() * dims.keys;
  let end = keys_until(seen, query + QUERIES - 1u);
  let line = rolled(LINE);
  let value_line = rolled(VALUE_LINE);
  let each = rolled(QUERIES);

  var qr: Held;
  var acc: Held;
  var top: array<f32, QUERIES>;
  var sum: array<f32, QUERIES>;
  for (var r = 0u; r < each; r++) {
    for (var d = 0u; d < line; d++) {
      qr[r * LONG + d] = Elem(q[(rows + min(query + r, last)) * LINE + d]) * dims.scale;
    }
  }
  for (var r = 0u; r < QUERIES; r++) {
    top[r] = HIDDEN;
  }
  for (var first = 0u; first < end; first += KEYS) {
    var key: Starts;
    var value: Starts;
    for (var j = 0u; j < KEYS; j++) {
      let row = first_key + min(first + j, end - 1u);
      key[j] = row * LINE;
      value[j] = row * VALUE_LINE;
    }
    var score = Products();
    for (var d = 0u; d < line; d++) {
      var kd = step_of_k(&key, d);
      add_scores(&score, &qr, d, &kd);
    }
    var shrink: Shrink;
    for (var r = 0u; r < QUERIES; r++) {
      var new_top = top[r];
      for (var j = 0u; j < KEYS; j++) {
        let s = hide(cap(score[r * KEYS + j]), seen, query + r, first + j);
        score[r * KEYS + j] = select(HIDDEN, s, first + j < end);
        new_top = max(new_top, score[r * KEYS + j]);
      }
      shrink[r] = exp(top[r] - new_top);
      top[r] = new_top;
      sum[r] *= shrink[r];
      for (var j = 0u; j < KEYS; j++) {
        let p = weight(score[r * KEYS + j], new_top);
        score[r * KEYS + j] = p;
        sum[r] += p;
      }
    }
    for (var d = 0u; d < value_line; d++) {
      var vd = step_of_v(&value, d);
      add_shrunk(&acc, d, &shrink, &score, &vd);
    }
  }
  let sample = head / dims.heads;
  for (var r = 0u; r < QUERIES; r++) {
    if (query + r < dims.n) {
      var line_sum = select(top[r] + log(sum[r]), sum[r], is_nan(sum[r])); // the log of a NaN is not one everywhere
      if (GUARDED && sum[r] == 0.0) { // no key is seen
        line_sum = HIDDEN;
        sum[r] = 1.0;
      }
      lse[rows + query + r] = line_sum;
    }
  }
  for (var r = 0u; r < each; r++) {
    if (query + r < dims.n) {
      let to = ((sample * dims.n + query + r) * dims.heads + head % dims.heads) * VALUE_LINE;
      for (var d = 0u; d < value_line; d++) {
        out[to + d] = Stored(acc[r * LONG + d] / sum[r]);
      }
    }
  }
}
