// attention_bwd_kv_plain: dv_j = sum over i of p_ij dout_i; dk_j = scale * sum over i of ds_ij q_i, p and ds as in attention_bwd_q_plain,
//   over the queries of all heads that share the head of k and v.
// Buffers as attention_bwd_q_plain, with dk as k and dv as v for dq.
// Grid: QUERIES keys an invocation (the knob's name is that of the other plain kernels), WG invocations of one head a workgroup;
//   queries are read at addresses that the workgroup shares.
// Precision: f32; q, k, v, dout, dk and dv may be stored as f16.
// Source: Dao et al. 2022, the backward of attention.
// @use attention_plain
// @use attention_backward

@group(0) @binding(7) var<storage, read_write> dk: array<Stored>;
@group(0) @binding(8) var<storage, read_write> dv: array<Stored>;

// Element d of each row of a step.
fn step_of_q(starts: ptr<function, Starts>, d: u32) -> Step {
  var step: Step;
  step[0] = Elem(q[(*starts)[0] + d]);
  if (KEYS > 1u) { step[1] = Elem(q[(*starts)[1] + d]); }
  for (var j = 2u; j < KEYS; j++) {
    step[j] = Elem(q[(*starts)[j] + d]);
  }
  return step;
}

fn step_of_dout(starts: ptr<function, Starts>, d: u32) -> Step {
  var step: Step;
  step[0] = Elem(dout[(*starts)[0] + d]);
  if (KEYS > 1u) { step[1] = Elem(dout[(*starts)[1] + d]); }
  for (var j = 2u; j < KEYS; j++) {
    step[j] = Elem(dout[(*starts)[j] + d]);
  }
  return step;
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let place = place_of(wid, groups, dims.keys, WG * QUERIES);
  let key = place.first + local * QUERIES;
  if (place.head >= dims.batch * dims.kv_heads || key >= dims.keys) {
    return;
  }
  let first_key = place.head * dims.keys;
  let last = dims.n - 1u;
  let line = rolled(LINE);
  let value_line = rolled(VALUE_LINE);
  let long = rolled(LONG);
  let each = rolled(QUERIES);

  var kr: Held;
  var vr: Held;
  var dkr: Held;
  var dvr: Held;
  for (var r = 0u; r < each; r++) {
    let row = first_key + min(key + r, dims.keys - 1u);
    for (var d = 0u; d < line; d++) {
      kr[r * LONG + d] = Elem(k[row * LINE + d]) * dims.scale;
    }
    for (var d = 0u; d < value_line; d++) {
      vr[r * LONG + d] = Elem(v[row * VALUE_LINE + d]);
    }
  }
  for (var member = 0u; member < group_size(); member++) {
    let head = place.head * group_size() + member;
    let first_row = head * dims.n;
    let out_rows = first_out(head);
    let seen = seen_by(head);
    for (var first = queries_from(seen, key); first < dims.n; first += KEYS) {
      var query: Starts;
      var from_out: Starts;
      for (var i = 0u; i < KEYS; i++) {
        let row = min(first + i, last);
        query[i] = (first_row + row) * LINE;
        from_out[i] = (out_rows + row * dims.heads) * VALUE_LINE;
      }
      var s = Products();
      var dp = Products();
      for (var d = 0u; d < long; d++) {
        var qd = Step();
        var gd = Step();
        if (SAME || d < line) { qd = step_of_q(&query, d); }
        if (SAME || d < value_line) { gd = step_of_dout(&from_out, d); }
        add_scores(&s, &kr, d, &qd);
        add_scores(&dp, &vr, d, &gd);
      }
      for (var i = 0u; i < KEYS; i++) {
        let of_row = rows[first_row + min(first + i, last)];
        for (var r = 0u; r < QUERIES; r++) {
          let capped = cap(s[r * KEYS + i]);
          let seen_weight = weight(hide(capped, seen, first + i, key + r), of_row.x);
          let p = select(0.0, seen_weight, first + i < dims.n);
          s[r * KEYS + i] = p;
          dp[r * KEYS + i] = uncap(by_score(p, dp[r * KEYS + i], of_row.y), capped);
        }
      }
      for (var d = 0u; d < long; d++) {
        var qd = Step();
        var gd = Step();
        if (SAME || d < line) { qd = step_of_q(&query, d); }
        if (SAME || d < value_line) { gd = step_of_dout(&from_out, d); }
        add_steps(&dkr, d, &dp, &qd);
        add_steps(&dvr, d, &s, &gd);
      }
    }
  }
  for (var r = 0u; r < each; r++) {
    if (key + r < dims.keys) {
      for (var d = 0u; d < line; d++) {
        dk[(first_key + key + r) * LINE + d] = Stored(dkr[r * LONG + d] * dims.scale);
      }
      for (var d = 0u; d < value_line; d++) {
        dv[(first_key + key + r) * VALUE_LINE + d] = Stored(dvr[r * LONG + d]);
      }
    }
  }
}
