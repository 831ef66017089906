// attention_matrix_bwd_q: dq_i = scale * sum over j of ds_ij k_j, of ds that attention_matrix_bwd_kv has written, on subgroup matrices.
// Buffers f16: k [batch, kv_heads, keys, head_dim]; dq [batch, heads, n, head_dim]; dscores [batch, heads, keys, n up to a multiple of 8].
// Grid: a workgroup of 128 has 64 queries of one head and walks blocks of 64 keys: lib attention_matrix.
// Precision: products of halves, sums f32.
// Source: Dao et al. 2022, the backward of attention.
// @use attention_matrix

const STAGED: u32 = 4u;

@group(0) @binding(0) var<storage, read> k: array<vec4u>; // holds Stored
@group(0) @binding(1) var<storage, read> dscores: array<vec4u>; // holds Stored
@group(0) @binding(2) var<storage, read_write> dq: array<vec4u>; // holds Stored
@group(0) @binding(3) var<uniform> dims: Dims;

const K: u32 = 1u;

fn element(source: u32, at: u32) -> vec4u {
  return k[at];
}

fn put_eight(result: u32, at: u32, value: vec4u) {
  dq[at] = value;
}

// Four eights of a block of gradients by scores, 64 keys x 64 queries: neighbours' side by side.
struct Slopes {
  e0: vec4u,
  e1: vec4u,
  e2: vec4u,
  e3: vec4u,
}

fn fetch_slope(head: u32, key: u32, query: u32, item: u32) -> vec4u {
  let eights = (dims.n + 7u) / 8u;
  let row = key + item / 8u;
  let eight = query / 8u + item % 8u;
  if (row < dims.keys && eight < eights) {
    return dscores[(head * dims.keys + row) * eights + eight];
  }
  return vec4u();
}

fn fetch_slopes(head: u32, key: u32, query: u32, local: u32) -> Slopes {
  return Slopes(
    fetch_slope(head, key, query, local),
    fetch_slope(head, key, query, local + 128u),
    fetch_slope(head, key, query, local + 256u),
    fetch_slope(head, key, query, local + 384u),
  );
}

// Sixteen keys a part, their lines of queries as lines: left operands are turned.
fn stage_slopes(s: Slopes, local: u32) {
  let at = local / 8u * SCORE_LINE + local % 8u;
  parts[0][at] = s.e0;
  parts[1][at] = s.e1;
  parts[2][at] = s.e2;
  parts[3][at] = s.e3;
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
  var result = Result();
  var next = fetch(K, keys, 0u, local);
  var slopes = fetch_slopes(head, 0u, place.first, local);
  for (var begin = 0u; begin < dims.keys; begin += COLS) {
    stage(0u, next, local);
    stage_slopes(slopes, local);
    workgroupBarrier();
    next = fetch(K, keys, begin + COLS, local);
    slopes = fetch_slopes(head, begin + COLS, place.first, local);
    result = add_line(result, left_at(0u, 2u * subgroup, SCORE_LINE, true), 0u);
    result = add_line(result, left_at(1u, 2u * subgroup, SCORE_LINE, true), 1u);
    result = add_line(result, left_at(2u, 2u * subgroup, SCORE_LINE, true), 2u);
    result = add_line(result, left_at(3u, 2u * subgroup, SCORE_LINE, true), 3u);
    workgroupBarrier();
  }
  let query = place.first + own.row;
  store(0u, result, dims.scale, own, subgroup, (head * dims.n + query) * EIGHTS, query < dims.n);
}
