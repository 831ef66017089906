// attention_tiled_bwd_kv: dv_j = sum over i of p_ij dout_i; dk_j = scale * sum over i of ds_ij q_i, p and ds as in attention_tiled_bwd_q;
//   the GPU variant of attention_bwd_kv_plain, with the same buffers and dims.
// Grid: a workgroup of 8 x ROWS / 4 has ROWS keys of one head and walks blocks of COLS queries: each sum has one owner, and an order.
// Precision: f32.
// Source: Dao et al. 2022, the backward of attention.
// @use attention_tile_backward

@group(0) @binding(7) var<storage, read_write> dk: array<f32>;
@group(0) @binding(8) var<storage, read_write> dv: array<f32>;

const SLOPES: u32 = select(1u, 8u, SOFTCAP);

@compute @workgroup_size(8, BANDS)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let place = place_of(wid, groups, dims.keys, ROWS);
  if (place.head >= dims.batch * dims.kv_heads) {
    return;
  }
  let first = place.first;
  let start = place.head * dims.keys;
  let first_key = first + 4u * lid.y;

  var acc_k: array<vec4f, OWN>;
  var acc_v: array<vec4f, OWN>;
  for (var member = 0u; member < group_size(); member++) {
    let head = place.head * group_size() + member; // batch * heads + head
    let first_row = head * dims.n;
    let seen = seen_by(head);
    let queries = Rows(first_row, dims.n, 1u);
    let outs = Rows(first_out(head), dims.n, dims.heads);
    let keys = Rows(start, seen.keys, 1u);
    for (var begin = queries_from(seen, first); begin < dims.n; begin += COLS) {
      var score = array<vec4f, 8>();
      for (var d = 0u; d < HEAD_DIM; d += CHUNK) {
        stage_chunk(K, keys, first, Q, queries, begin, d, local);
        add_scores(&score, lid.x, lid.y);
      }
      var slope: array<vec4f, SLOPES>;
      for (var c = 0u; c < LANE; c++) {
        let query = begin + lid.x + 8u * c;
        let capped = four_capped(score[c] * dims.scale);
        if (SOFTCAP) {
          slope[c] = four_slopes(capped);
        }
        let p = four_weights(hide_keys(capped, seen, query, first_key), vec4f(rows[first_row + min(query, dims.n - 1u)].x));
        score[c] = select(vec4f(), p, query < dims.n);
      }
      add_block(&acc_v, &score, DOUT, outs, begin, lid, local, false);
      var dscore = array<vec4f, 8>();
      for (var d = 0u; d < VALUE_DIM; d += CHUNK) {
        stage_chunk(V, keys, first, DOUT, outs, begin, d, local);
        add_scores(&dscore, lid.x, lid.y);
      }
      for (var c = 0u; c < LANE; c++) {
        let query = begin + lid.x + 8u * c;
        dscore[c] = four_by_score(score[c], dscore[c], vec4f(rows[first_row + min(query, dims.n - 1u)].y));
        if (SOFTCAP) {
          dscore[c] *= slope[c];
        }
      }
      add_block(&acc_k, &dscore, Q, queries, begin, lid, local, false);
    }
  }
  for (var take = 0u; take < TAKES; take++) {
    let four_k = take_four(&acc_k);
    let four_v = take_four(&acc_v);
    for (var r = 0u; r < 4u; r++) {
      let row = first_key + r;
      for (var j = 0u; j < 4u; j++) {
        let col = own_column(take, j, lid.x);
        if (row < dims.keys && col < HEAD_DIM) {
          dk[(start + row) * HEAD_DIM + col] = four_k[r][j] * dims.scale;
        }
        if (row < dims.keys && col < VALUE_DIM) {
          dv[(start + row) * VALUE_DIM + col] = four_v[r][j];
        }
      }
    }
  }
}
