// attention_tiled_bwd_q_stored: dq_i = scale * sum over j of ds_ij k_j, of ds that attention_tiled_bwd_kv has stored: one product where
//   attention_tiled_bwd_q has three. Where every query sees every key; else what a block skips would not be written.
// Buffers f32: k, dq as attention_bwd_q_plain; dscores [batch, heads, keys, n up to a multiple of 4].
// Grid: a workgroup of 8 LANES has ROWS queries of one head and walks the keys, STEP at a time.
// Precision: f32; k and dq may be stored as f16.
// Source: Dao et al. 2022, the backward of attention.
// @use attention_place
// @use attention_product
// @use attention_fetch

const HEAD_DIM: u32 = 64u;   // knob: size of a head of q and k
const VEC: bool = false;     // knob: read vec4f; the size is a multiple of 4
alias Elem = f32;            // knob: vec4f with VEC
alias Stored = f32;          // knob: how k and dq are stored: as Elem, or halves
const GROUPED: bool = false; // knob: neighbouring heads of q share a head of k

const VALUE_DIM: u32 = HEAD_DIM; // what is summed up is k
const GUARDED: bool = false;

struct Dims {
  batch: u32,
  heads: u32,
  kv_heads: u32, // optional, else heads
  n: u32,
  keys: u32, // optional, else n
  head_dim: u32,
  scale: f32,
}

@group(0) @binding(0) var<storage, read> k: array<Stored>;
@group(0) @binding(1) var<storage, read> dscores: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> dq: array<OElem>;
@group(0) @binding(3) var<uniform> dims: Dims;

const Q: u32 = 0u;
const K: u32 = 1u;
const V: u32 = 2u;

fn element(source: u32, at: u32) -> vec4f {
  return vec4f(Elem(k[at]));
}

fn put(result: u32, at: u32, value: OElem) {
  dq[at] = value;
}

// The gradients of ROWS queries by one key, of which 8 neighbours have a line.
struct Line {
  low: vec4f,
  high: vec4f,
}

fn fetch_slopes(head: u32, key: u32, first: u32, local: u32) -> Line {
  let last = query_quads() - 1u; // a query past n is no part of the result, a key past the end has the value 0
  let line = (head * dims.keys + min(key, dims.keys - 1u)) * query_quads();
  let quad = first / 4u + local % 8u;
  if (ROW_QUADS > 1u) {
    return Line(dscores[line + min(quad, last)], dscores[line + min(quad + 8u, last)]);
  }
  return Line(dscores[line + min(quad, last)], vec4f());
}

fn stage_slopes(slopes: Line, line: u32, local: u32) {
  let quad = swizzle(local % 8u, line);
  tile_a[line][quad] = slopes.low;
  if (ROW_QUADS > 1u) { tile_a[line][quad + 8u] = slopes.high; }
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
  let keys = Rows(head / select(1u, dims.heads / dims.kv_heads, GROUPED) * dims.keys, dims.keys, 1u);
  let lane = place(local);
  let line = local / 8u;

  var acc: Sums;
  var next: Fetched;
  var slopes = fetch_slopes(head, line, first, local);
  var slopes2 = slopes;
  fetch_line(&next, 0u, K, keys, line, local);
  if (LANES == 8u) {
    slopes2 = fetch_slopes(head, line + 8u, first, local);
    fetch_line(&next, 4u, K, keys, line + 8u, local);
  }
  for (var begin = 0u; begin < dims.keys; begin += STEP) {
    stage_slopes(slopes, line, local);
    if (LANES == 8u) { stage_slopes(slopes2, line + 8u, local); }
    stage_values(&next, local);
    workgroupBarrier();
    let after = begin + STEP + line; // past the end nothing reads them
    slopes = fetch_slopes(head, after, first, local);
    fetch_line(&next, 0u, K, keys, after, local);
    if (LANES == 8u) {
      slopes2 = fetch_slopes(head, after + 8u, first, local);
      fetch_line(&next, 4u, K, keys, after + 8u, local);
    }
    add_values(&acc, lane);
    workgroupBarrier();
  }
  store(0u, Target((head * dims.n + first) * HEAD_DIM, HEAD_DIM, dims.n - first, HEAD_DIM, dims.scale), &acc, lane, local);
}
