// attention_tiled_fwd: out = softmax(scale q k^T) v with an online softmax; the GPU variant of attention_fwd_plain, with the same buffers and dims.
// Buffers f32: q, k, v [batch, heads, n, head_dim]; out [batch, n, heads, head_dim]; lse [batch, heads, n] = log of the sum of
//   exponentials, for the backward.
// Grid: a workgroup of 8 x ROWS / 4 has ROWS queries of one head and walks blocks of COLS keys; folded over (batch, head, tile of queries).
// Each block: scores over chunks of head_dim through workgroup memory, then weights and values over slices of the keys (lib/attention_tile).
// Q is staged again for each block, since all of it would fill the 16 KiB; that costs 1 read in 1000 multiply-adds or so.
// Precision: f32. An invocation's sum of exponentials is of its own columns until the end; only the maximum is exchanged each block.
// Source: Milakov & Gimelshein 2018 (online softmax), Dao et al. 2022 (attention without n x n).
// @use attention_tile

const HEAD_DIM: u32 = 64u;  // knob: size of a head
const ROWS: u32 = 64u;      // knob: queries a workgroup: a multiple of 16; 2 ROWS invocations
const COLS: u32 = 64u;      // knob: keys a block: 32 or 64
const CHUNK: u32 = 16u;     // knob: elements of head_dim staged at once: a multiple of 8
const SLICE: u32 = 16u;     // knob: keys whose values are staged at once: 8, 16 or 32
const VEC: bool = false;    // knob: q, k and v are read as vec4f; head_dim is a multiple of 4
alias Elem = f32;           // knob: vec4f with VEC

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
@group(0) @binding(3) var<storage, read_write> out: array<f32>;
@group(0) @binding(4) var<storage, read_write> lse: array<f32>;
@group(0) @binding(5) var<uniform> dims: Dims;

var<workgroup> exchange: array<vec4f, THREADS>;

const Q: u32 = 0u;
const K: u32 = 1u;
const V: u32 = 2u;

fn element(source: u32, at: u32) -> vec4f {
  switch (source) {
    case Q: { return vec4f(q[at]); }
    case K: { return vec4f(k[at]); }
    default: { return vec4f(v[at]); }
  }
}

// Four elements from d of row `row` of a head whose first row is `start`, zero past the edges.
fn load(source: u32, start: u32, row: u32, d: u32) -> vec4f {
  if (row >= dims.n || d >= HEAD_DIM) {
    return vec4f();
  }
  let at = (start + row) * HEAD_DIM + d;
  if (VEC) {
    return element(source, at / 4u);
  }
  let step = within_line(d);
  let four = vec4f(element(source, at).x, element(source, at + step.y).x, element(source, at + step.z).x, element(source, at + step.w).x);
  return select(vec4f(), four, step == vec4u(0u, 1u, 2u, 3u));
}

@compute @workgroup_size(8, BANDS)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let tiles = (dims.n + ROWS - 1u) / ROWS;
  let group = wid.x + wid.y * groups.x;
  let head = group / tiles; // batch * heads + head
  if (head >= dims.batch * dims.heads) {
    return;
  }
  let first = (group % tiles) * ROWS;
  let start = head * dims.n;

  var acc: array<vec4f, OWN>;
  var top = vec4f(-3.0e38);
  var sum = vec4f();
  for (var begin = 0u; begin < dims.n; begin += COLS) {
    var score = array<vec4f, 8>();
    for (var d = 0u; d < HEAD_DIM; d += CHUNK) {
      workgroupBarrier();
      for (var i = 0u; i < ROWS * CHUNK / 4u; i += THREADS) {
        let line = (i + local) / (CHUNK / 4u);
        let quad = (i + local) % (CHUNK / 4u);
        pool[line * LINE + quad] = load(Q, start, first + line, d + 4u * quad) * dims.scale;
      }
      for (var i = 0u; i < COLS * CHUNK / 4u; i += THREADS) {
        let line = (i + local) / (CHUNK / 4u);
        let quad = (i + local) % (CHUNK / 4u);
        if (line < COLS) {
          pool[(ROWS + line) * LINE + quad] = load(K, start, begin + line, d + 4u * quad);
        }
      }
      workgroupBarrier();
      add_scores(&score, lid.x, lid.y);
    }

    var new_top = top;
    for (var c = 0u; c < LANE; c++) {
      score[c] = select(vec4f(-3.0e38), score[c], begin + lid.x + 8u * c < dims.n);
      new_top = max(new_top, score[c]);
    }
    exchange[local] = new_top;
    workgroupBarrier();
    for (var i = 0u; i < 8u; i++) {
      new_top = max(new_top, exchange[lid.y * 8u + i]);
    }
    let shrink = exp(top - new_top);
    top = new_top;
    sum *= shrink;
    for (var c = 0u; c < LANE; c++) {
      score[c] = exp(score[c] - top);
      sum += score[c];
    }
    for (var i = 0u; i < OWN; i++) {
      acc[i] *= shrink;
    }

    for (var slice = 0u; slice < COLS; slice += SLICE) {
      if (slice > 0u) { // before the first slice the exchange has been the barrier
        workgroupBarrier();
      }
      stage_weights(&score, lid.x, lid.y);
      for (var i = 0u; i < SLICE * VALUE_LINE; i += THREADS) {
        let line = (i + local) / VALUE_LINE;
        if (line < SLICE) {
          pool[VALUES + i + local] = load(V, start, begin + slice + line, 4u * ((i + local) % VALUE_LINE));
        }
      }
      workgroupBarrier();
      add_values(&acc, lid.x, lid.y);
    }
  }

  exchange[local] = sum;
  workgroupBarrier();
  var total = vec4f();
  for (var i = 0u; i < 8u; i++) {
    total += exchange[lid.y * 8u + i];
  }
  let to = (head / dims.heads) * dims.n * dims.heads + head % dims.heads;
  for (var i = 0u; i < OWN; i++) {
    acc[i] /= total;
  }
  for (var take = 0u; take < TAKES; take++) {
    let four = take_four(&acc);
    for (var r = 0u; r < 4u; r++) {
      let row = first + 4u * lid.y + r;
      for (var j = 0u; j < 4u; j++) {
        let col = own_column(take, j, lid.x);
        if (row < dims.n && col < HEAD_DIM) {
          out[(to + row * dims.heads) * HEAD_DIM + col] = four[r][j];
        }
      }
    }
  }
  let line = top + log(total);
  for (var r = 0u; r < 4u; r++) {
    let row = first + 4u * lid.y + r;
    if (row < dims.n && lid.x == 0u) {
      lse[start + row] = line[r];
    }
  }
}
