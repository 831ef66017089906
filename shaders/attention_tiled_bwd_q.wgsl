// attention_tiled_bwd_q: dq_i = scale * sum over j of ds_ij k_j, ds = p (dout_i . v_j - delta_i), p = exp(score_ij - lse_i);
//   the GPU variant of attention_bwd_q_plain, with the same buffers and dims.
// Grid: a workgroup of 8 LANES has ROWS queries of one head and walks blocks of COLS keys, as attention_tiled_fwd.
// Precision: f32; q, k, v, dout and dq may be stored as f16.
// Source: Dao et al. 2022, the backward of attention.
// @use attention_tile_backward

@group(0) @binding(7) var<storage, read_write> dq: array<OElem>;

fn put(result: u32, at: u32, value: OElem) {
  dq[at] = value;
}

// Where a block is: the first query that the invocation has, the block's first key, and past the last key that is seen.
struct Block {
  query: u32,
  key: u32,
  end: u32,
}

// Makes gradients by scores of those by weights: column c.
fn slope_quad(score: ptr<function, Sums>, dscore: ptr<function, Sums>, c: u32, h: u32, key: u32, at: Block, seen: Seen, line: vec4f, delta: vec4f) {
  let capped = four_capped((*score)[c * ROW_QUADS + h] * dims.scale);
  let masked = hide_queries(capped, seen, at.query + 32u * h, key);
  let p = select(vec4f(), four_weights(masked, line), key < at.end);
  var four = four_by_score(p, (*dscore)[c * ROW_QUADS + h], delta);
  if (SOFTCAP) {
    four *= four_slopes(capped);
  }
  (*dscore)[c * ROW_QUADS + h] = four;
}

fn slope_column(score: ptr<function, Sums>, dscore: ptr<function, Sums>, c: u32, x: u32, at: Block, seen: Seen, lines: PerRow, deltas: PerRow) {
  let key = at.key + column(c, x);
  slope_quad(score, dscore, c, 0u, key, at, seen, lines[0], deltas[0]);
  if (ROW_QUADS > 1u) { slope_quad(score, dscore, c, 1u, key, at, seen, lines[1], deltas[1]); }
}

fn slope_four(score: ptr<function, Sums>, dscore: ptr<function, Sums>, c: u32, x: u32, at: Block, seen: Seen, lines: PerRow, deltas: PerRow) {
  if (ROLLED) {
    for (var i = 0u; i < four_lines(); i++) {
      slope_column(score, dscore, c + i, x, at, seen, lines, deltas);
    }
  } else {
    slope_column(score, dscore, c, x, at, seen, lines, deltas);
    slope_column(score, dscore, c + 1u, x, at, seen, lines, deltas);
    slope_column(score, dscore, c + 2u, x, at, seen, lines, deltas);
    slope_column(score, dscore, c + 3u, x, at, seen, lines, deltas);
  }
}

// (lse, delta) of a row; of one past n such that it gets no weight: exp(-3e38) is 0.
fn of_row(start: u32, row: u32) -> vec2f {
  return select(vec2f(3.0e38, 0.0), rows[start + min(row, dims.n - 1u)], row < dims.n);
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
  let start = head * dims.n;
  let seen = seen_by(head);
  let keys = Rows(head / group_size() * dims.keys, seen.keys, 1u);
  let scores_of = Pair(Rows(start, dims.n, 1u), keys, first);
  let weights_of = Pair(Rows(first_out(head), dims.n, dims.heads), keys, first);
  let end = keys_until(seen, first + ROWS - 1u);
  let lane = place(local);

  let row = first + 4u * lane.y;
  let r0 = mat4x2f(of_row(start, row), of_row(start, row + 1u), of_row(start, row + 2u), of_row(start, row + 3u));
  var r1 = r0;
  if (ROW_QUADS > 1u) {
    r1 = mat4x2f(of_row(start, row + 32u), of_row(start, row + 33u), of_row(start, row + 34u), of_row(start, row + 35u));
  }
  let lines = PerRow(transpose(r0)[0], transpose(r1)[0]);
  let deltas = PerRow(transpose(r0)[1], transpose(r1)[1]);

  var acc: Sums;
  var next: Fetched;
  fetch_chunk(&next, Q, K, scores_of, 0u, 0u, local);
  for (var begin = 0u; begin < end; begin += COLS) {
    var score = Sums();
    for (var d = 0u; d < HEAD_DIM; d += STEP) {
      stage_chunk(&next, local);
      workgroupBarrier();
      if (d + STEP < HEAD_DIM) {
        fetch_chunk(&next, Q, K, scores_of, begin, d + STEP, local);
      } else {
        fetch_chunk(&next, DOUT, V, weights_of, begin, 0u, local);
      }
      add_chunk(&score, lane, d, HEAD_DIM);
      workgroupBarrier();
    }
    var dscore = Sums();
    for (var d = 0u; d < VALUE_DIM; d += STEP) {
      stage_chunk(&next, local);
      workgroupBarrier();
      if (d + STEP < VALUE_DIM) {
        fetch_chunk(&next, DOUT, V, weights_of, begin, d + STEP, local);
      } else {
        fetch_values(&next, K, keys, begin, 0u, local);
      }
      add_chunk(&dscore, lane, d, VALUE_DIM);
      workgroupBarrier();
    }

    let at = Block(row, begin, end);
    slope_four(&score, &dscore, 0u, lane.x, at, seen, lines, deltas);
    if (COL_QUADS > 1u) { slope_four(&score, &dscore, 4u, lane.x, at, seen, lines, deltas); }
    for (var slice = 0u; slice < SLICES; slice++) {
      stage_weights(&dscore, slice, lane);
      stage_values(&next, local);
      workgroupBarrier();
      if (slice + 1u < SLICES) {
        fetch_values(&next, K, keys, begin, slice + 1u, local);
      } else {
        fetch_chunk(&next, Q, K, scores_of, begin + COLS, 0u, local);
      }
      add_values(&acc, lane);
      workgroupBarrier();
    }
  }
  store(0u, Target((start + first) * HEAD_DIM, HEAD_DIM, dims.n - first, HEAD_DIM, dims.scale), &acc, lane, local);
}
