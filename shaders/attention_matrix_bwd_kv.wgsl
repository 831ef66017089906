// attention_matrix_bwd_kv: dv_j = sum over i of p_ij dout_i; dk_j = scale * sum over i of ds_ij q_i, ds = p (dout_i . v_j - delta_i),
//   p = exp(scale q_i . k_j - lse_i), on subgroup matrices; and ds, for attention_matrix_bwd_q. Where every query sees every key.
// Buffers f16: q [batch, heads, n, head_dim]; k, v, dk, dv [batch, kv_heads, keys, head_dim]; dout [batch, n, heads, head_dim]; dscores
//   [batch, heads, keys, n up to a multiple of 8], 0 past n. f32: rows as attention_delta writes it.
// Grid: a workgroup of 128 has 64 keys of one head and walks blocks of 64 queries: lib attention_matrix.
// Precision: scores, exponentials and sums f32; p and ds are rounded to f16 for their products.
// Source: Dao et al. 2022, the backward of attention.
// @use attention_matrix

const STAGED: u32 = 8u;

@group(0) @binding(0) var<storage, read> q: array<vec4u>; // holds Stored
@group(0) @binding(1) var<storage, read> k: array<vec4u>; // holds Stored
@group(0) @binding(2) var<storage, read> v: array<vec4u>; // holds Stored
@group(0) @binding(3) var<storage, read> dout: array<vec4u>; // holds Stored
@group(0) @binding(4) var<storage, read> rows: array<vec2f>; // (lse, delta) of each query
@group(0) @binding(5) var<storage, read_write> dk: array<vec4u>; // holds Stored
@group(0) @binding(6) var<storage, read_write> dv: array<vec4u>; // holds Stored
@group(0) @binding(7) var<storage, read_write> dscores: array<vec4u>; // holds Stored
@group(0) @binding(8) var<uniform> dims: Dims;

var<workgroup> pairs: array<vec4f, 32>; // of the block's queries: lse of four, then delta of four

const Q: u32 = 0u;
const K: u32 = 1u;
const V: u32 = 2u;
const DOUT: u32 = 3u;

fn element(source: u32, at: u32) -> vec4u {
  switch (source) {
    case Q: { return q[at]; }
    case K: { return k[at]; }
    case V: { return v[at]; }
    default: { return dout[at]; }
  }
}

const DK: u32 = 0u;
const DV: u32 = 1u;

fn put_eight(result: u32, at: u32, value: vec4u) {
  if (result == DK) {
    dk[at] = value;
  } else {
    dv[at] = value;
  }
}

const FIRST: u32 = 0u;  // parts of `lines`: queries
const SECOND: u32 = 4u; // gradients of the result

// (lse, delta) of a query; of one past n such that it gets no weight.
fn pair_of(start: u32, query: u32) -> vec2f {
  return select(vec2f(3.0e38, 0.0), rows[start + min(query, dims.n - 1u)], query < dims.n);
}

fn stage_pairs(start: u32, query: u32, local: u32) {
  if (local < 16u) {
    let at = query + 4u * local;
    let four = transpose(mat4x2f(pair_of(start, at), pair_of(start, at + 1u), pair_of(start, at + 2u), pair_of(start, at + 3u)));
    pairs[2u * local] = four[0];
    pairs[2u * local + 1u] = four[1];
  }
}

fn weights(s: vec4f, quad: u32) -> vec4f {
  return exp(s * dims.scale - pairs[2u * quad]);
}

// The weights of a row of scores; its quads of the block begin with `quad`.
fn weights_of(s: Quads, quad: u32) -> Quads {
  return Quads(
    weights(s.q0, quad),
    weights(s.q1, quad + 1u),
    weights(s.q2, quad + 2u),
    weights(s.q3, quad + 3u),
    weights(s.q4, quad + 4u),
    weights(s.q5, quad + 5u),
    weights(s.q6, quad + 6u),
    weights(s.q7, quad + 7u),
  );
}

fn slopes(p: vec4f, dp: vec4f, quad: u32) -> vec4f {
  return p * (dp - pairs[2u * quad + 1u]);
}

// Gradients by scores from weights and the gradients by them.
fn slopes_of(p: Quads, dp: Quads, quad: u32) -> Quads {
  return Quads(
    slopes(p.q0, dp.q0, quad),
    slopes(p.q1, dp.q1, quad + 1u),
    slopes(p.q2, dp.q2, quad + 2u),
    slopes(p.q3, dp.q3, quad + 3u),
    slopes(p.q4, dp.q4, quad + 4u),
    slopes(p.q5, dp.q5, quad + 5u),
    slopes(p.q6, dp.q6, quad + 6u),
    slopes(p.q7, dp.q7, quad + 7u),
  );
}

// Writes the gradients by scores of 32 queries by one key.
fn keep_slopes(ds: Quads, line: u32, first: u32, live: bool) {
  let eights = (dims.n + 7u) / 8u;
  let eight = first / 8u;
  let to = line * eights + eight;
  if (live && eight < eights) { dscores[to] = halves(ds.q0, ds.q1); }
  if (live && eight + 1u < eights) { dscores[to + 1u] = halves(ds.q2, ds.q3); }
  if (live && eight + 2u < eights) { dscores[to + 2u] = halves(ds.q4, ds.q5); }
  if (live && eight + 3u < eights) { dscores[to + 3u] = halves(ds.q6, ds.q7); }
}

@compute @workgroup_size(128)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
  @builtin(subgroup_id) subgroup: u32,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let place = place_of(wid, groups, dims.keys, ROWS);
  if (place.head >= dims.batch * dims.kv_heads) {
    return;
  }
  let own = own_of(subgroup, lane);
  let keys = Rows(place.head * dims.keys, dims.keys, 1u);
  let key = place.first + own.row;
  stage(FIRST, fetch(K, keys, place.first, local), local);
  stage(SECOND, fetch(V, keys, place.first, local), local);
  workgroupBarrier();
  let key_rows = head_of(FIRST + subgroup);
  let value_rows = head_of(SECOND + subgroup);
  workgroupBarrier();

  var by_key = Result();
  var by_value = Result();
  for (var member = 0u; member < group_size(); member++) {
    let head = place.head * group_size() + member; // batch * heads + head
    let queries = Rows(head * dims.n, dims.n, 1u);
    let outs = Rows(head / dims.heads * dims.n * dims.heads + head % dims.heads, dims.n, dims.heads);
    for (var begin = 0u; begin < dims.n; begin += COLS) {
      stage(FIRST, fetch(Q, queries, begin, local), local);
      stage(SECOND, fetch(DOUT, outs, begin, local), local);
      stage_pairs(head * dims.n, begin, local);
      workgroupBarrier();
      put(scores_of(key_rows, FIRST), subgroup);
      workgroupBarrier();
      let p = weights_of(quads_at(own.part, own.at), own.col / 4u);
      keep_halves(own.part, own.at, p);
      workgroupBarrier();
      by_value = add_values(by_value, subgroup, SECOND);
      let dp = scores_of(value_rows, SECOND);
      workgroupBarrier();
      put(dp, subgroup);
      workgroupBarrier();
      let ds = slopes_of(p, quads_at(own.part, own.at), own.col / 4u);
      keep_halves(own.part, own.at, ds);
      keep_slopes(ds, head * dims.keys + key, begin + own.col, key < dims.keys);
      workgroupBarrier();
      by_key = add_values(by_key, subgroup, FIRST);
      workgroupBarrier();
    }
  }
  let to = (place.head * dims.keys + key) * EIGHTS;
  let live = key < dims.keys;
  store(DK, by_key, dims.scale, own, subgroup, to, live);
  store(DV, by_value, 1.0, own, subgroup, to, live);
}
