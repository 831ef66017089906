// attention_tiled_bwd_kv: dv_j = sum over i of p_ij dout_i; dk_j = scale * sum over i of ds_ij q_i, p and ds as in attention_tiled_bwd_q;
//   the GPU variant of attention_bwd_kv_plain, with the same buffers and dims.
// Grid: a workgroup of 8 LANES has ROWS keys of one head and walks blocks of COLS queries: each sum has one owner, and an order.
// Precision: f32; q, k, v, dout, dk and dv may be stored as f16.
// Source: Dao et al. 2022, the backward of attention.
// @use attention_tile_backward

@group(0) @binding(7) var<storage, read_write> dk: array<OElem>;
@group(0) @binding(8) var<storage, read_write> dv: array<OElem>;
@group(0) @binding(9) var<storage, read_write> dscores: array<vec4f>; // optional: STORES

const STORES: bool = false; // knob: also write the gradients by scores, for attention_tiled_bwd_q_stored

const DK: u32 = 0u;
const DV: u32 = 1u;

fn put(result: u32, at: u32, value: OElem) {
  if (result == DK) {
    dk[at] = value;
  } else {
    dv[at] = value;
  }
}

// Where a block is: the first key that the invocation has, the block's first query, and the first row of its head.
struct Block {
  key: u32,
  query: u32,
  start: u32,
}

// The derivatives of capped scores, of as many columns as an invocation has.
alias Slopes = array<vec4f, select(1u, 4u * COL_QUADS * ROW_QUADS, SOFTCAP)>;

// Makes weights of scores: column c.
fn weigh_quad(score: ptr<function, Sums>, slopes: ptr<function, Slopes>, c: u32, h: u32, query: u32, line: f32, at: Block, seen: Seen) {
  let i = c * ROW_QUADS + h;
  let capped = four_capped((*score)[i] * dims.scale);
  if (SOFTCAP) {
    (*slopes)[i] = four_slopes(capped);
  }
  let p = four_weights(hide_keys(capped, seen, query, at.key + 32u * h), vec4f(line));
  (*score)[i] = select(vec4f(), p, query < dims.n);
}

fn weigh_column(score: ptr<function, Sums>, slopes: ptr<function, Slopes>, c: u32, x: u32, at: Block, seen: Seen) {
  let query = at.query + column(c, x);
  let line = rows[at.start + min(query, dims.n - 1u)].x;
  weigh_quad(score, slopes, c, 0u, query, line, at, seen);
  if (ROW_QUADS > 1u) { weigh_quad(score, slopes, c, 1u, query, line, at, seen); }
}

fn weigh_four(score: ptr<function, Sums>, slopes: ptr<function, Slopes>, c: u32, x: u32, at: Block, seen: Seen) {
  if (ROLLED) {
    for (var i = 0u; i < four_lines(); i++) {
      weigh_column(score, slopes, c + i, x, at, seen);
    }
  } else {
    weigh_column(score, slopes, c, x, at, seen);
    weigh_column(score, slopes, c + 1u, x, at, seen);
    weigh_column(score, slopes, c + 2u, x, at, seen);
    weigh_column(score, slopes, c + 3u, x, at, seen);
  }
}

// Makes gradients by scores of those by weights: column c.
fn slope_quad(score: ptr<function, Sums>, dscore: ptr<function, Sums>, slopes: ptr<function, Slopes>, i: u32, delta: f32) {
  (*dscore)[i] = four_by_score((*score)[i], (*dscore)[i], vec4f(delta));
  if (SOFTCAP) {
    (*dscore)[i] *= (*slopes)[i];
  }
}

fn slope_column(score: ptr<function, Sums>, dscore: ptr<function, Sums>, slopes: ptr<function, Slopes>, c: u32, x: u32, at: Block) {
  let delta = rows[at.start + min(at.query + column(c, x), dims.n - 1u)].y;
  slope_quad(score, dscore, slopes, c * ROW_QUADS, delta);
  if (ROW_QUADS > 1u) { slope_quad(score, dscore, slopes, c * ROW_QUADS + 1u, delta); }
}

fn slope_four(score: ptr<function, Sums>, dscore: ptr<function, Sums>, slopes: ptr<function, Slopes>, c: u32, x: u32, at: Block) {
  if (ROLLED) {
    for (var i = 0u; i < four_lines(); i++) {
      slope_column(score, dscore, slopes, c + i, x, at);
    }
  } else {
    slope_column(score, dscore, slopes, c, x, at);
    slope_column(score, dscore, slopes, c + 1u, x, at);
    slope_column(score, dscore, slopes, c + 2u, x, at);
    slope_column(score, dscore, slopes, c + 3u, x, at);
  }
}

// Writes the gradients of four queries, 0 past n, by those of four keys.
fn keep_quad(dscore: ptr<function, Sums>, c: u32, h: u32, x: u32, head: u32, at: Block) {
  let four = four_rows(dscore, c, h);
  let key = at.key + 32u * h;
  let quad = (at.query + column(c, x)) / 4u;
  let line = query_quads();
  let to = (head * dims.keys + key) * line + quad;
  if (STORES && quad < line) {
    if (key < dims.keys) { dscores[to] = four[0]; }
    if (key + 1u < dims.keys) { dscores[to + line] = four[1]; }
    if (key + 2u < dims.keys) { dscores[to + 2u * line] = four[2]; }
    if (key + 3u < dims.keys) { dscores[to + 3u * line] = four[3]; }
  }
}

fn keep(dscore: ptr<function, Sums>, x: u32, head: u32, at: Block) {
  keep_quad(dscore, 0u, 0u, x, head, at);
  if (ROW_QUADS > 1u) { keep_quad(dscore, 0u, 1u, x, head, at); }
  if (COL_QUADS > 1u) { keep_quad(dscore, 4u, 0u, x, head, at); }
  if (COL_QUADS > 1u && ROW_QUADS > 1u) { keep_quad(dscore, 4u, 1u, x, head, at); }
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let place_of_rows = place_of(wid, groups, dims.keys, ROWS);
  if (place_of_rows.head >= dims.batch * dims.kv_heads) {
    return;
  }
  let first = place_of_rows.first;
  let start = place_of_rows.head * dims.keys;
  let lane = place(local);

  var acc_k: Sums;
  var acc_v: Sums;
  var next: Fetched;
  for (var member = 0u; member < group_size(); member++) {
    let head = place_of_rows.head * group_size() + member; // batch * heads + head
    let first_row = head * dims.n;
    let seen = seen_by(head);
    let queries = Rows(first_row, dims.n, 1u);
    let outs = Rows(first_out(head), dims.n, dims.heads);
    let keys = Rows(start, seen.keys, 1u);
    let scores_of = Pair(keys, queries, first);
    let weights_of = Pair(keys, outs, first);
    let first_query = queries_from(seen, first);
    fetch_chunk(&next, K, Q, scores_of, first_query, 0u, local);
    for (var begin = first_query; begin < dims.n; begin += COLS) {
      var score = Sums();
      for (var d = 0u; d < HEAD_DIM; d += STEP) {
        stage_chunk(&next, local);
        workgroupBarrier();
        if (d + STEP < HEAD_DIM) {
          fetch_chunk(&next, K, Q, scores_of, begin, d + STEP, local);
        } else {
          fetch_values(&next, DOUT, outs, begin, 0u, local);
        }
        add_chunk(&score, lane, d, HEAD_DIM);
        workgroupBarrier();
      }
      let at = Block(first + 4u * lane.y, begin, first_row);
      var slopes: Slopes;
      weigh_four(&score, &slopes, 0u, lane.x, at, seen);
      if (COL_QUADS > 1u) { weigh_four(&score, &slopes, 4u, lane.x, at, seen); }
      for (var slice = 0u; slice < SLICES; slice++) {
        stage_weights(&score, slice, lane);
        stage_values(&next, local);
        workgroupBarrier();
        if (slice + 1u < SLICES) {
          fetch_values(&next, DOUT, outs, begin, slice + 1u, local);
        } else {
          fetch_chunk(&next, V, DOUT, weights_of, begin, 0u, local);
        }
        add_values(&acc_v, lane);
        workgroupBarrier();
      }
      var dscore = Sums();
      for (var d = 0u; d < VALUE_DIM; d += STEP) {
        stage_chunk(&next, local);
        workgroupBarrier();
        if (d + STEP < VALUE_DIM) {
          fetch_chunk(&next, V, DOUT, weights_of, begin, d + STEP, local);
        } else {
          fetch_values(&next, Q, queries, begin, 0u, local);
        }
        add_chunk(&dscore, lane, d, VALUE_DIM);
        workgroupBarrier();
      }
      slope_four(&score, &dscore, &slopes, 0u, lane.x, at);
      if (COL_QUADS > 1u) { slope_four(&score, &dscore, &slopes, 4u, lane.x, at); }
      if (STORES) {
        keep(&dscore, lane.x, head, at);
      }
      for (var slice = 0u; slice < SLICES; slice++) {
        stage_weights(&dscore, slice, lane);
        stage_values(&next, local);
        workgroupBarrier();
        if (slice + 1u < SLICES) {
          fetch_values(&next, Q, queries, begin, slice + 1u, local);
        } else {
          fetch_chunk(&next, K, Q, scores_of, begin + COLS, 0u, local);
        }
        add_values(&acc_k, lane);
        workgroupBarrier();
      }
    }
  }
  let live = dims.keys - first;
  store(DK, Target((start + first) * HEAD_DIM, HEAD_DIM, live, HEAD_DIM, dims.scale), &acc_k, lane, local);
  store(DV, Target((start + first) * VALUE_DIM, VALUE_DIM, live, VALUE_DIM, 1.0), &acc_v, lane, local);
}
