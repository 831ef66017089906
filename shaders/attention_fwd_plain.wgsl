// attention_fwd_plain: out = softmax(scale q k^T) v with an online softmax: no n x n matrix is stored.
// Buffers f32: q, k, v [batch, heads, n, head_dim]; out [batch, n, heads, head_dim]; lse [batch, heads, n] = log of the sum of
//   exponentials, for the backward.
// Grid: one invocation a query, WG queries of one head a workgroup, folded over (batch, head, tile of queries). Keys and values
//   are read at addresses that the whole workgroup shares.
// Precision: f32. KEYS scores are taken at a time, so that the running sums are rescaled once for all of them.
// The oracle of the tiled variant and the fast path on CPU adapters.
// Source: Milakov & Gimelshein 2018 (online softmax), Dao et al. 2022 (attention without n x n).

const HEAD_DIM: u32 = 64u;  // knob: size of a head
const WG: u32 = 32u;        // knob: queries a workgroup
const KEYS: u32 = 4u;       // knob: keys a step

struct Dims {
  batch: u32,
  heads: u32,
  n: u32,
  head_dim: u32,
  scale: f32,
}

@group(0) @binding(0) var<storage, read> q: array<f32>;
@group(0) @binding(1) var<storage, read> k: array<f32>;
@group(0) @binding(2) var<storage, read> v: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;
@group(0) @binding(4) var<storage, read_write> lse: array<f32>;
@group(0) @binding(5) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let tiles = (dims.n + WG - 1u) / WG;
  let group = wid.x + wid.y * groups.x;
  let head = group / tiles; // batch * heads + head
  if (head >= dims.batch * dims.heads) {
    return;
  }
  let query = (group % tiles) * WG + local;
  let row = min(query, dims.n - 1u);
  let rows = head * dims.n;

  var qr: array<f32, HEAD_DIM>;
  var acc: array<f32, HEAD_DIM>;
  for (var d = 0u; d < HEAD_DIM; d++) {
    qr[d] = q[(rows + row) * HEAD_DIM + d] * dims.scale;
  }
  var top = -3.0e38;
  var sum = 0.0;
  for (var first = 0u; first < dims.n; first += KEYS) {
    var score: array<f32, KEYS>;
    var new_top = top;
    for (var j = 0u; j < KEYS; j++) {
      let key = (rows + min(first + j, dims.n - 1u)) * HEAD_DIM;
      var s = 0.0;
      for (var d = 0u; d < HEAD_DIM; d++) {
        s += qr[d] * k[key + d];
      }
      score[j] = select(-3.0e38, s, first + j < dims.n);
      new_top = max(new_top, score[j]);
    }
    let shrink = exp(top - new_top);
    top = new_top;
    sum *= shrink;
    for (var j = 0u; j < KEYS; j++) {
      score[j] = exp(score[j] - top);
      sum += score[j];
    }
    for (var d = 0u; d < HEAD_DIM; d++) {
      var a = acc[d] * shrink;
      for (var j = 0u; j < KEYS; j++) {
        a += score[j] * v[(rows + min(first + j, dims.n - 1u)) * HEAD_DIM + d];
      }
      acc[d] = a;
    }
  }
  if (query >= dims.n) {
    return;
  }
  let sample = head / dims.heads;
  let to = ((sample * dims.n + query) * dims.heads + head % dims.heads) * HEAD_DIM;
  for (var d = 0u; d < HEAD_DIM; d++) {
    out[to + d] = acc[d] / sum;
  }
  lse[rows + query] = top + log(sum);
}
