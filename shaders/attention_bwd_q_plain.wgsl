// attention_bwd_q_plain: dq_i = scale * sum over j of ds_ij k_j, ds = p (dout_i . v_j - delta_i), p = exp(score_ij - lse_i).
//   Scores, and ds with a soft cap: shaders/lib/attention.wgsl.
// Buffers f32: q, dq [batch, heads, n, head_dim]; k [batch, kv_heads, keys, head_dim]; v [batch, kv_heads, keys, value_dim];
//   dout [batch, n, heads, value_dim]; rows as attention_delta writes it. Optional: mask, as in attention_fwd_plain.
// Grid: QUERIES queries an invocation, WG invocations of one head a workgroup, as attention_fwd_plain.
// Precision: f32; q, k, v, dout and dq may be stored as f16.
// Source: Dao et al. 2022, the backward of attention.
// @use attention_plain
// @use attention_backward

@group(0) @binding(7) var<storage, read_write> dq: array<Stored>;

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
  let first_row = head * dims.n;
  let last = dims.n - 1u;
  let out_rows = first_out(head);
  let seen = seen_by(head);
  let first_key = head / group_size() * dims.keys;
  let end = keys_until(seen, query + QUERIES - 1u);
  let line = rolled(LINE);
  let value_line = rolled(VALUE_LINE);
  let long = rolled(LONG);
  let each = rolled(QUERIES);

  var qr: Held;
  var gr: Held;
  var acc: Held;
  var of_row: array<vec2f, QUERIES>;
  for (var r = 0u; r < each; r++) {
    let row = min(query + r, last);
    for (var d = 0u; d < line; d++) {
      qr[r * LONG + d] = Elem(q[(first_row + row) * LINE + d]) * dims.scale;
    }
    for (var d = 0u; d < value_line; d++) {
      gr[r * LONG + d] = Elem(dout[(out_rows + row * dims.heads) * VALUE_LINE + d]);
    }
  }
  for (var r = 0u; r < QUERIES; r++) {
    of_row[r] = rows[first_row + min(query + r, last)];
  }
  for (var first = 0u; first < end; first += KEYS) {
    var key: Starts;
    var value: Starts;
    for (var j = 0u; j < KEYS; j++) {
      let row = first_key + min(first + j, end - 1u);
      key[j] = row * LINE;
      value[j] = row * VALUE_LINE;
    }
    var s = Products();
    var dp = Products();
    for (var d = 0u; d < long; d++) {
      var kd = Step();
      var vd = Step();
      if (SAME || d < line) { kd = step_of_k(&key, d); }
      if (SAME || d < value_line) { vd = step_of_v(&value, d); }
      add_scores(&s, &qr, d, &kd);
      add_scores(&dp, &gr, d, &vd);
    }
    for (var r = 0u; r < QUERIES; r++) {
      for (var j = 0u; j < KEYS; j++) {
        let capped = cap(s[r * KEYS + j]);
        let p = weight(hide(capped, seen, query + r, first + j), of_row[r].x);
        let ds = uncap(by_score(p, dp[r * KEYS + j], of_row[r].y), capped);
        s[r * KEYS + j] = select(0.0, ds, first + j < end);
      }
    }
    for (var d = 0u; d < line; d++) {
      var kd = step_of_k(&key, d);
      add_steps(&acc, d, &s, &kd);
    }
  }
  for (var r = 0u; r < each; r++) {
    if (query + r < dims.n) {
      for (var d = 0u; d < line; d++) {
        dq[(first_row + query + r) * LINE + d] = Stored(acc[r * LONG + d] * dims.scale);
      }
    }
  }
}
