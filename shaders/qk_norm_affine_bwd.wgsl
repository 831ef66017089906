// qk_norm_affine_bwd: the gradients of qk_norm_rope_fwd by weight and bias, as sums over chunks of rows (batch, token, head).
//   dweight = sum of g xhat, dbias = sum of g, g the gradient after the affine map, rotated back. sum_cols adds the chunks.
// Buffers f32: qkv [batch, n, 3, heads, head_dim]; rope [2, n, head_dim]; dq, dk [batch, heads, n, head_dim];
//   partial [chunks, 4, head_dim] = weight of q, of k, bias of q, of k.
// Grid: one invocation an element of partial's first two rows of a chunk (q or k, and a column), 64 a workgroup; it walks the
//   chunk's rows. Statistics are computed again for each: head_dim is small.
// Precision: f32, in one fixed order; qkv, and dq and dk, may be stored as f16.
// Source: the derivative of shaders/qk_norm_rope_fwd.wgsl.
// @use head_norm
// @use runs

const NORM: u32 = 2u;             // knob: 0 none, 1 RMSNorm, 2 LayerNorm
const HAS_ROPE: bool = false;     // knob: rotate
alias Scalar = f32;               // knob: f16 stores qkv in half precision
alias Head = f32;                 // knob: likewise dq, dk

alias Summed = vec2f; // of dweight, of dbias

struct Dims {
  batch: u32,
  n: u32,
  heads: u32,
  head_dim: u32,
  chunk_rows: u32,
  eps: f32,
}

@group(0) @binding(0) var<storage, read> qkv: array<Scalar>;
@group(0) @binding(1) var<storage, read> rope: array<f32>; // optional: HAS_ROPE
@group(0) @binding(2) var<storage, read> dq: array<Head>;
@group(0) @binding(3) var<storage, read> dk: array<Head>;
@group(0) @binding(4) var<storage, read_write> partial: array<f32>;
@group(0) @binding(5) var<uniform> dims: Dims;

fn arrived(which: u32, at: u32) -> f32 {
  if (which == 0u) {
    return f32(dq[at]);
  }
  return f32(dk[at]);
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let rows = dims.batch * dims.n * dims.heads;
  let chunks = (rows + dims.chunk_rows - 1u) / dims.chunk_rows;
  let at = (wid.x + wid.y * groups.x) * 64u + local;
  if (at >= chunks * 2u * dims.head_dim) {
    return;
  }
  let d = at % dims.head_dim;
  let which = (at / dims.head_dim) % 2u;
  let chunk = at / dims.head_dim / 2u;
  let begin = chunk * dims.chunk_rows;
  let end = min(rows, begin + dims.chunk_rows);
  var sums = Runs();
  for (var first = begin; first < end; first += RUN) {
    var run = Summed();
    for (var row = first; row < min(end, first + RUN); row++) { // (batch, token, head)
      let head = row % dims.heads;
      let token = (row / dims.heads) % dims.n;
      let sample = row / dims.heads / dims.n;
      let base = (((sample * dims.n + token) * 3u + which) * dims.heads + head) * dims.head_dim;
      let from_row = ((sample * dims.heads + head) * dims.n + token) * dims.head_dim;
      var g = arrived(which, from_row + d);
      if (HAS_ROPE) {
        let other = d ^ 1u; // the pair's other half
        let cosines = token * dims.head_dim;
        let sines = (dims.n + token) * dims.head_dim;
        let crossed = arrived(which, from_row + other) * rope[sines + other];
        g = g * rope[cosines + d] + select(-crossed, crossed, d < other);
      }
      let stats = head_stats(base);
      run += vec2f(g * (f32(qkv[base + d]) - stats.x) * stats.y, g);
    }
    add_run(&sums, run);
  }
  let sum = sum_of(sums);
  partial[(chunk * 4u + which) * dims.head_dim + d] = sum.x;
  partial[(chunk * 4u + which + 2u) * dims.head_dim + d] = sum.y;
}
