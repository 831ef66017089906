// attention_fwd_plain: out = softmax(scale q k^T) v with an online softmax: no n x n matrix is stored.
// Buffers f32: q, k, v [batch, heads, n, head_dim]; out [batch, n, heads, head_dim]; lse [batch, heads, n] = log of the sum of
//   exponentials, for the backward.
// Grid: QUERIES queries an invocation, WG invocations of one head a workgroup, folded over (batch, head, tile of queries). Keys and
//   values are read at addresses that the whole workgroup shares.
// Precision: f32. KEYS scores are taken at a time, so that the running sums are rescaled once for all of them.
// The oracle of the tiled variant and the fast path on CPU adapters, where a read costs as much as many multiplications: there one
// read of a key or value serves several queries, four numbers at a time, and llvmpipe compiles quickly what it cannot unroll.
// Source: Milakov & Gimelshein 2018 (online softmax), Dao et al. 2022 (attention without n x n).

const HEAD_DIM: u32 = 64u;  // knob: size of a head
const WG: u32 = 32u;        // knob: invocations a workgroup
const QUERIES: u32 = 1u;    // knob: queries an invocation
const KEYS: u32 = 1u;       // knob: keys a step
const ROLLED: bool = false; // knob: loops over head_dim stay loops, though they index registers
const VEC: bool = false;    // knob: read vec4f; head_dim is a multiple of 4
alias Elem = f32;           // knob: vec4f with VEC

const LINE: u32 = HEAD_DIM / select(1u, 4u, VEC); // elements of a row

struct Dims {
  batch: u32,
  heads: u32,
  n: u32,
  head_dim: u32,
  scale: f32,
}

@group(0) @binding(0) var<storage, read> q: array<Elem>;
@group(0) @binding(1) var<storage, read> k: array<Elem>;
@group(0) @binding(2) var<storage, read> v: array<Elem>;
@group(0) @binding(3) var<storage, read_write> out: array<Elem>;
@group(0) @binding(4) var<storage, read_write> lse: array<f32>;
@group(0) @binding(5) var<uniform> dims: Dims;

fn total(x: Elem) -> f32 {
  let parts = vec4f(x);
  return select(parts.x, (parts.x + parts.y) + (parts.z + parts.w), VEC);
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let tiles = (dims.n + WG * QUERIES - 1u) / (WG * QUERIES);
  let group = wid.x + wid.y * groups.x;
  let head = group / tiles; // batch * heads + head
  if (head >= dims.batch * dims.heads) {
    return;
  }
  let query = ((group % tiles) * WG + local) * QUERIES;
  if (query >= dims.n) {
    return;
  }
  let rows = head * dims.n;
  let last = dims.n - 1u;
  // Bounds that are not constant keep a compiler from unrolling.
  let line = select(LINE, dims.head_dim / select(1u, 4u, VEC), ROLLED);
  let each = select(QUERIES, QUERIES * line / LINE, ROLLED);

  var qr: array<Elem, QUERIES * LINE>;
  var acc: array<Elem, QUERIES * LINE>;
  var top: array<f32, QUERIES>;
  var sum: array<f32, QUERIES>;
  for (var r = 0u; r < each; r++) {
    for (var d = 0u; d < line; d++) {
      qr[r * LINE + d] = q[(rows + min(query + r, last)) * LINE + d] * dims.scale;
    }
  }
  for (var r = 0u; r < QUERIES; r++) {
    top[r] = -3.0e38;
  }
  for (var first = 0u; first < dims.n; first += KEYS) {
    var key: array<u32, KEYS>;
    for (var j = 0u; j < KEYS; j++) {
      key[j] = (rows + min(first + j, last)) * LINE;
    }
    var score = array<f32, QUERIES * KEYS>();
    for (var d = 0u; d < line; d++) {
      var kd: array<Elem, KEYS>;
      for (var j = 0u; j < KEYS; j++) {
        kd[j] = k[key[j] + d];
      }
      for (var r = 0u; r < QUERIES; r++) {
        let qd = qr[r * LINE + d];
        for (var j = 0u; j < KEYS; j++) {
          score[r * KEYS + j] += total(qd * kd[j]);
        }
      }
    }
    var shrink: array<f32, QUERIES>;
    for (var r = 0u; r < QUERIES; r++) {
      var new_top = top[r];
      for (var j = 0u; j < KEYS; j++) {
        if (first + j > last) {
          score[r * KEYS + j] = -3.0e38;
        }
        new_top = max(new_top, score[r * KEYS + j]);
      }
      shrink[r] = exp(top[r] - new_top);
      top[r] = new_top;
      sum[r] *= shrink[r];
      for (var j = 0u; j < KEYS; j++) {
        let p = exp(score[r * KEYS + j] - new_top);
        score[r * KEYS + j] = p;
        sum[r] += p;
      }
    }
    for (var d = 0u; d < line; d++) {
      var vd: array<Elem, KEYS>;
      for (var j = 0u; j < KEYS; j++) {
        vd[j] = v[key[j] + d];
      }
      for (var r = 0u; r < QUERIES; r++) {
        var to = acc[r * LINE + d] * shrink[r];
        for (var j = 0u; j < KEYS; j++) {
          to += score[r * KEYS + j] * vd[j];
        }
        acc[r * LINE + d] = to;
      }
    }
  }
  let sample = head / dims.heads;
  for (var r = 0u; r < QUERIES; r++) {
    if (query + r < dims.n) {
      lse[rows + query + r] = top[r] + log(sum[r]);
    }
  }
  for (var r = 0u; r < each; r++) {
    if (query + r < dims.n) {
      let to = ((sample * dims.n + query + r) * dims.heads + head % dims.heads) * LINE;
      for (var d = 0u; d < line; d++) {
        out[to + d] = acc[r * LINE + d] / sum[r];
      }
    }
  }
}
