// linear_attention_apply: out_i = sum_j state[i, j] relu(q_j) / (sum_j state[dim, j] relu(q_j) + eps) of each token and head.
// Buffers f32: qkv [batch, n, 3 heads dim] as in linear_attention_state; state [batch, heads, dim + 1, dim]; out [batch, n, heads dim].
// Grid: an element of out an invocation.
// Precision: f32.
// Source: as shaders/linear_attention_state.wgsl.
// @use finite

const WG: u32 = 256u;    // knob, halved to fit: invocations a workgroup

struct Dims {
  batch: u32,
  n: u32,
  heads: u32,
  dim: u32,
  eps: f32,
}

@group(0) @binding(0) var<storage, read> qkv: array<f32>;
@group(0) @binding(1) var<storage, read> state: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let at = (wid.x + wid.y * groups.x) * WG + local;
  if (at >= dims.batch * dims.n * dims.heads * dims.dim) {
    return;
  }
  let i = at % dims.dim;
  let head = at / dims.dim; // of all tokens'
  let token = head / dims.heads;
  let from_q = token * 3u * dims.heads * dims.dim + head % dims.heads * 3u * dims.dim;
  let from_state = (token / dims.n * dims.heads + head % dims.heads) * (dims.dim + 1u) * dims.dim;
  var above = 0.0;
  var below = 0.0;
  for (var j = 0u; j < dims.dim; j++) {
    let query = at_least(qkv[from_q + j], 0.0);
    above += state[from_state + i * dims.dim + j] * query;
    below += state[from_state + dims.dim * dims.dim + j] * query;
  }
  out[at] = above / (below + dims.eps);
}
