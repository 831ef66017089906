// attention_matrix_fwd: out = softmax(scale q k^T) v on subgroup matrices; a variant of attention_fwd_plain with the same dims, where every
//   query sees every key.
// Buffers f16: q [batch, heads, n, head_dim]; k, v [batch, kv_heads, keys, head_dim]; out [batch, n, heads, head_dim]; f32: lse [batch,
//   heads, n] = log of the sum of exponentials, for the backward.
// Grid: a workgroup of 128 has 64 queries of one head and walks blocks of 64 keys: lib attention_matrix.
// Precision: scores, exponentials and sums f32, weights rounded to f16 for their product. A row of sums cannot be scaled where it is, in
// matrices, so the top that exponentials are taken by stays until a score is SLACK above it: weights are up to e^8, and a half holds
// e^11. Then, and in the first block, it is raised, and the sums go through workgroup memory.
// Source: Milakov & Gimelshein 2018 (online softmax), Dao et al. 2022 (attention without n x n); a top raised late as in FlashAttention 4.
// @use attention_matrix

const STAGED: u32 = 4u;
const SLACK: f32 = 8.0;
const NONE: f32 = -3.0e38; // the score of a key past the end

@group(0) @binding(0) var<storage, read> q: array<vec4u>; // holds Stored
@group(0) @binding(1) var<storage, read> k: array<vec4u>; // holds Stored
@group(0) @binding(2) var<storage, read> v: array<vec4u>; // holds Stored
@group(0) @binding(3) var<storage, read_write> out: array<vec4u>; // holds Stored
@group(0) @binding(4) var<storage, read_write> lse: array<f32>;
@group(0) @binding(5) var<uniform> dims: Dims;

var<workgroup> shared_rows: array<f32, 128>; // a number of each invocation, for the other one of its row
var<workgroup> rises: atomic<u32>;           // a score is above what its row's exponentials are taken by

const Q: u32 = 0u;
const K: u32 = 1u;
const V: u32 = 2u;

fn element(source: u32, at: u32) -> vec4u {
  switch (source) {
    case Q: { return q[at]; }
    case K: { return k[at]; }
    default: { return v[at]; }
  }
}

fn put_eight(result: u32, at: u32, value: vec4u) {
  out[at] = value;
}

fn scaled(s: vec4f, first: u32, live: u32) -> vec4f {
  return select(vec4f(NONE), s * dims.scale, vec4u(first, first + 1u, first + 2u, first + 3u) < vec4u(live));
}

// The scores of a row, of which `live` are of keys.
fn scale_all(s: Quads, live: u32) -> Quads {
  return Quads(
    scaled(s.q0, 0u, live),
    scaled(s.q1, 4u, live),
    scaled(s.q2, 8u, live),
    scaled(s.q3, 12u, live),
    scaled(s.q4, 16u, live),
    scaled(s.q5, 20u, live),
    scaled(s.q6, 24u, live),
    scaled(s.q7, 28u, live),
  );
}

fn top_of(s: Quads) -> f32 {
  let four = max(max(max(s.q0, s.q1), max(s.q2, s.q3)), max(max(s.q4, s.q5), max(s.q6, s.q7)));
  return max(max(four.x, four.y), max(four.z, four.w));
}

fn weights_of(s: Quads, top: f32) -> Quads {
  let t = vec4f(top);
  return Quads(exp(s.q0 - t), exp(s.q1 - t), exp(s.q2 - t), exp(s.q3 - t), exp(s.q4 - t), exp(s.q5 - t), exp(s.q6 - t), exp(s.q7 - t));
}

fn total(p: Quads) -> f32 {
  let four = ((p.q0 + p.q1) + (p.q2 + p.q3)) + ((p.q4 + p.q5) + (p.q6 + p.q7));
  return (four.x + four.y) + (four.z + four.w);
}

// Multiplies 64 columns of the rows of a result, each by its invocations' factor.
fn by_rows(s: Sums, factor: f32, own: Own, subgroup: u32) -> Sums {
  put(s, subgroup);
  workgroupBarrier();
  for (var i = 0u; i < 8u; i++) {
    parts[own.part][own.at + i] = bitcast<vec4u>(bitcast<vec4f>(parts[own.part][own.at + i]) * factor);
  }
  workgroupBarrier();
  let low = 2u * subgroup;
  let r = Sums(sum_at(low, 0u, SCORE_LINE), sum_at(low, 4u, SCORE_LINE), sum_at(low + 1u, 0u, SCORE_LINE), sum_at(low + 1u, 4u, SCORE_LINE));
  workgroupBarrier();
  return r;
}

@compute @workgroup_size(128)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
  @builtin(subgroup_id) subgroup: u32,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let place = place_of(wid, groups, dims.n, ROWS);
  let head = place.head; // batch * heads + head
  if (head >= dims.batch * dims.heads) {
    return;
  }
  let own = own_of(subgroup, lane);
  let keys = Rows(head / group_size() * dims.keys, dims.keys, 1u);
  stage(0u, fetch(Q, Rows(head * dims.n, dims.n, 1u), place.first, local), local);
  var next = fetch(K, keys, 0u, local);
  workgroupBarrier();
  let rows = head_of(subgroup);
  workgroupBarrier();

  var result = Result();
  var top = NONE;
  var sum = 0.0;
  for (var begin = 0u; begin < dims.keys; begin += COLS) {
    stage(0u, next, local);
    workgroupBarrier();
    next = fetch(V, keys, begin, local);
    put(scores_of(rows, 0u), subgroup);
    workgroupBarrier();
    stage(0u, next, local); // values where the keys were
    next = fetch(K, keys, begin + COLS, local);
    let first_key = begin + own.col;
    let s = scale_all(quads_at(own.part, own.at), max(dims.keys, first_key) - first_key);
    let highest = top_of(s);
    shared_rows[local] = highest;
    if (highest > top + SLACK) {
      atomicStore(&rises, 1u);
    }
    if (workgroupUniformLoad(&rises) > 0u) {
      let new_top = max(top, max(highest, shared_rows[local ^ 16u]));
      let shrink = exp(top - new_top);
      top = new_top;
      sum *= shrink;
      if (begin > 0u) {
        result.low = by_rows(result.low, shrink, own, subgroup);
        if (TILES > 4u) { result.high = by_rows(result.high, shrink, own, subgroup); }
      }
    }
    let p = weights_of(s, top);
    sum += total(p);
    keep_halves(own.part, own.at, p);
    workgroupBarrier();
    if (local == 0u) {
      atomicStore(&rises, 0u);
    }
    result = add_values(result, subgroup, 0u);
    workgroupBarrier();
  }

  shared_rows[local] = sum;
  workgroupBarrier();
  let all = sum + shared_rows[local ^ 16u];
  let query = place.first + own.row;
  let live = query < dims.n;
  if (live && own.col == 0u) {
    lse[head * dims.n + query] = top + log(all);
  }
  let to = ((head / dims.heads * dims.n + query) * dims.heads + head % dims.heads) * EIGHTS;
  store(0u, result, 1.0 / all, own, subgroup, to, live);
}
