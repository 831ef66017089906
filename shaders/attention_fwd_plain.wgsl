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

  var qr: array<Elem, QUERIES * LINE>;
  var acc: array<Elem, QUERIES * VALUE_LINE>;
  var top: array<f32, QUERIES>;
  var sum: array<f32, QUERIES>;
  for (var r = 0u; r < each; r++) {
    for (var d = 0u; d < line; d++) {
      qr[r * LINE + d] = Elem(q[(rows + min(query + r, last)) * LINE + d]) * dims.scale;
    }
  }
  for (var r = 0u; r < QUERIES; r++) {
    top[r] = HIDDEN;
  }
  for (var first = 0u; first < end; first += KEYS) {
    var key: array<u32, KEYS>;
    for (var j = 0u; j < KEYS; j++) {
      key[j] = first_key + min(first + j, end - 1u);
    }
    var score = Products();
    for (var d = 0u; d < line; d++) {
      var kd: Step;
      for (var j = 0u; j < KEYS; j++) {
        kd[j] = Elem(k[key[j] * LINE + d]);
      }
      for (var r = 0u; r < QUERIES; r++) {
        let qd = qr[r * LINE + d];
        for (var j = 0u; j < KEYS; j++) {
          score[r * KEYS + j] += total(qd * kd[j]);
        }
      }
    }
    var shrink: array<f32, QUERIES>;
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
      var vd: Step;
      for (var j = 0u; j < KEYS; j++) {
        vd[j] = Elem(v[key[j] * VALUE_LINE + d]);
      }
      for (var r = 0u; r < QUERIES; r++) {
        acc[r * VALUE_LINE + d] = add_step(acc[r * VALUE_LINE + d] * shrink[r], &score, r, &vd);
      }
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
        out[to + d] = Stored(acc[r * VALUE_LINE + d] / sum[r]);
      }
    }
  }
}
