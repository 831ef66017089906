// attention_tiled_bwd_kv: dv_j = sum over i of p_ij dout_i; dk_j = scale * sum over i of ds_ij q_i, p and ds as in attention_tiled_bwd_q;
//   the GPU variant of attention_bwd_kv_plain, with the same buffers and dims.
// Buffers f32: q, k, v, dk, dv [batch, heads, n, head_dim]; dout [batch, n, heads, head_dim]; lse, delta [batch, heads, n].
// Grid: a workgroup of 8 x ROWS / 4 has ROWS keys of one head and walks blocks of COLS queries: each sum has one owner, and an order.
// Precision: f32.
// Source: Dao et al. 2022, the backward of attention.
// @use attention_tile

const HEAD_DIM: u32 = 64u;  // knob: size of a head
const ROWS: u32 = 64u;      // knob: keys a workgroup: a multiple of 16; 2 ROWS invocations
const COLS: u32 = 64u;      // knob: queries a block: 32 or 64
const CHUNK: u32 = 16u;     // knob: elements of head_dim staged at once: a multiple of 8
const SLICE: u32 = 16u;     // knob: queries whose values are staged at once: 8, 16 or 32
const VEC: bool = false;    // knob: q, k, v and dout are read as vec4f; head_dim is a multiple of 4
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
@group(0) @binding(3) var<storage, read> dout: array<Elem>;
@group(0) @binding(4) var<storage, read> lse: array<f32>;
@group(0) @binding(5) var<storage, read> delta: array<f32>;
@group(0) @binding(6) var<storage, read_write> dk: array<f32>;
@group(0) @binding(7) var<storage, read_write> dv: array<f32>;
@group(0) @binding(8) var<uniform> dims: Dims;

const Q: u32 = 0u;
const K: u32 = 1u;
const V: u32 = 2u;
const DOUT: u32 = 3u;

fn element(source: u32, at: u32) -> vec4f {
  switch (source) {
    case Q: { return vec4f(q[at]); }
    case K: { return vec4f(k[at]); }
    case V: { return vec4f(v[at]); }
    default: { return vec4f(dout[at]); }
  }
}

// Four elements from d of row `row` of head `head`, zero past the edges. dout has its heads side by side, the others have them apart.
fn load(source: u32, head: u32, row: u32, d: u32) -> vec4f {
  if (row >= dims.n || d >= HEAD_DIM) {
    return vec4f();
  }
  let apart = head * dims.n + row;
  let beside = ((head / dims.heads) * dims.n + row) * dims.heads + head % dims.heads;
  let at = select(apart, beside, source == DOUT) * HEAD_DIM + d;
  if (VEC) {
    return element(source, at / 4u);
  }
  let step = within_line(d);
  let four = vec4f(element(source, at).x, element(source, at + step.y).x, element(source, at + step.z).x, element(source, at + step.w).x);
  return select(vec4f(), four, step == vec4u(0u, 1u, 2u, 3u));
}

// Stages a chunk of ROWS rows of one operand and COLS of the other; the barriers before and after keep the pool's uses apart.
fn stage_chunk(rows: u32, cols: u32, head: u32, first_row: u32, first_col: u32, d: u32, local: u32) {
  workgroupBarrier();
  for (var i = 0u; i < ROWS * CHUNK / 4u; i += THREADS) {
    let line = (i + local) / (CHUNK / 4u);
    let quad = (i + local) % (CHUNK / 4u);
    pool[line * LINE + quad] = load(rows, head, first_row + line, d + 4u * quad);
  }
  for (var i = 0u; i < COLS * CHUNK / 4u; i += THREADS) {
    let line = (i + local) / (CHUNK / 4u);
    let quad = (i + local) % (CHUNK / 4u);
    if (line < COLS) {
      pool[(ROWS + line) * LINE + quad] = load(cols, head, first_col + line, d + 4u * quad);
    }
  }
  workgroupBarrier();
}

// Adds all columns of a block, weighted: results += weights values, where values are rows from first_col on of an operand.
fn add_block(
  results: ptr<function, array<vec4f, OWN>>,
  weights: ptr<function, array<vec4f, 8>>,
  values: u32,
  head: u32,
  first_col: u32,
  lid: vec3u,
  local: u32,
) {
  for (var slice = 0u; slice < COLS; slice += SLICE) {
    workgroupBarrier();
    stage_weights(weights, lid.x, lid.y);
    for (var i = 0u; i < SLICE * VALUE_LINE; i += THREADS) {
      let line = (i + local) / VALUE_LINE;
      if (line < SLICE) {
        pool[VALUES + i + local] = load(values, head, first_col + slice + line, 4u * ((i + local) % VALUE_LINE));
      }
    }
    workgroupBarrier();
    add_values(results, lid.x, lid.y);
  }
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

  var acc_k: array<vec4f, OWN>;
  var acc_v: array<vec4f, OWN>;
  for (var begin = 0u; begin < dims.n; begin += COLS) {
    var score = array<vec4f, 8>();
    for (var d = 0u; d < HEAD_DIM; d += CHUNK) {
      stage_chunk(K, Q, head, first, begin, d, local);
      add_scores(&score, lid.x, lid.y);
    }
    for (var c = 0u; c < LANE; c++) {
      let query = begin + lid.x + 8u * c;
      score[c] = select(vec4f(), exp(score[c] * dims.scale - lse[start + min(query, dims.n - 1u)]), query < dims.n);
    }
    add_block(&acc_v, &score, DOUT, head, begin, lid, local);
    var dscore = array<vec4f, 8>();
    for (var d = 0u; d < HEAD_DIM; d += CHUNK) {
      stage_chunk(V, DOUT, head, first, begin, d, local);
      add_scores(&dscore, lid.x, lid.y);
    }
    for (var c = 0u; c < LANE; c++) {
      dscore[c] = score[c] * (dscore[c] - delta[start + min(begin + lid.x + 8u * c, dims.n - 1u)]);
    }
    add_block(&acc_k, &dscore, Q, head, begin, lid, local);
  }
  for (var take = 0u; take < TAKES; take++) {
    let four_k = take_four(&acc_k);
    let four_v = take_four(&acc_v);
    for (var r = 0u; r < 4u; r++) {
      let row = first + 4u * lid.y + r;
      for (var j = 0u; j < 4u; j++) {
        let col = own_column(take, j, lid.x);
        if (row < dims.n && col < HEAD_DIM) {
          dk[(start + row) * HEAD_DIM + col] = four_k[r][j] * dims.scale;
          dv[(start + row) * HEAD_DIM + col] = four_v[r][j];
        }
      }
    }
  }
}
