// attention_tiled_bwd_q: dq_i = scale * sum over j of ds_ij k_j, ds = p (dout_i . v_j - delta_i), p = exp(score_ij - lse_i);
//   the GPU variant of attention_bwd_q_plain, with the same buffers and dims.
// Grid: a workgroup of 8 x ROWS / 4 has ROWS queries of one head and walks blocks of COLS keys, as attention_tiled_fwd.
// Precision: f32.
// Source: Dao et al. 2022, the backward of attention.
// @use attention_tile_backward

@group(0) @binding(7) var<storage, read_write> dq: array<f32>;

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
  let start = head * dims.n;
  let seen = seen_by(head);
  let queries = Rows(start, dims.n, 1u);
  let outs = Rows(first_out(head), dims.n, dims.heads);
  let keys = Rows(head / group_size() * dims.keys, seen.keys, 1u);
  let end = keys_until(seen, first + ROWS - 1u);

  // A query past n gets no weight: exp(-3e38) is 0.
  var lse_row = vec4f(3.0e38);
  var delta_row = vec4f();
  for (var r = 0u; r < 4u; r++) {
    let row = first + 4u * lid.y + r;
    if (row < dims.n) {
      let of_row = rows[start + row];
      lse_row[r] = of_row.x;
      delta_row[r] = of_row.y;
    }
  }
  var acc: array<vec4f, OWN>;
  for (var begin = 0u; begin < end; begin += COLS) {
    var score = array<vec4f, 8>();
    for (var d = 0u; d < HEAD_DIM; d += CHUNK) {
      stage_chunk(Q, queries, first, K, keys, begin, d, local);
      add_scores(&score, lid.x, lid.y);
    }
    var dscore = array<vec4f, 8>();
    for (var d = 0u; d < VALUE_DIM; d += CHUNK) {
      stage_chunk(DOUT, outs, first, V, keys, begin, d, local);
      add_scores(&dscore, lid.x, lid.y);
    }
    for (var c = 0u; c < LANE; c++) {
      let key = begin + lid.x + 8u * c;
      let capped = four_capped(score[c] * dims.scale);
      let masked = hide_queries(capped, seen, first + 4u * lid.y, key);
      let p = select(vec4f(), four_weights(masked, lse_row), key < end);
      dscore[c] = four_by_score(p, dscore[c], delta_row);
      if (SOFTCAP) {
        dscore[c] *= four_slopes(capped);
      }
    }
    add_block(&acc, &dscore, K, keys, begin, lid, local, false);
  }
  for (var take = 0u; take < TAKES; take++) {
    let four = take_four(&acc);
    for (var r = 0u; r < 4u; r++) {
      let row = first + 4u * lid.y + r;
      for (var j = 0u; j < 4u; j++) {
        let col = own_column(take, j, lid.x);
        if (row < dims.n && col < HEAD_DIM) {
          dq[(start + row) * HEAD_DIM + col] = four[r][j] * dims.scale;
        }
      }
    }
  }
}
