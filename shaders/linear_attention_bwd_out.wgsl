// linear_attention_bwd_out: what a gradient of out is to numerator and denominator: with d = sum_j state[dim, j] relu(q_j) + eps,
//   dabove_i = dy_i / d, and dabove_dim = -sum_i dy_i out_i / d, of each token and head.
// Buffers f32: qkv [batch, n, 3 heads dim] as in linear_attention_state; state [batch, heads, dim + 1, dim]; out, dy [batch, n, heads dim];
//   dabove [batch, n, heads, dim + 1].
// Grid: a head of a token an invocation.
// Precision: f32.
// Source: the derivative of shaders/linear_attention_apply.wgsl.
// @use finite

const WG: u32 = 64u;    // knob, halved to fit: invocations a workgroup

struct Dims {
  batch: u32,
  n: u32,
  heads: u32,
  dim: u32,
  eps: f32,
}

@group(0) @binding(0) var<storage, read> qkv: array<f32>;
@group(0) @binding(1) var<storage, read> state: array<f32>;
@group(0) @binding(2) var<storage, read> out: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read_write> dabove: array<f32>;
@group(0) @binding(5) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let head = (wid.x + wid.y * groups.x) * WG + local; // of all tokens'
  if (head >= dims.batch * dims.n * dims.heads) {
    return;
  }
  let token = head / dims.heads;
  let from_q = token * 3u * dims.heads * dims.dim + head % dims.heads * 3u * dims.dim;
  let from_state = ((token / dims.n * dims.heads + head % dims.heads) * (dims.dim + 1u) + dims.dim) * dims.dim;
  var below = dims.eps;
  var along = 0.0;
  for (var j = 0u; j < dims.dim; j++) {
    below += state[from_state + j] * at_least(qkv[from_q + j], 0.0);
    along += dy[head * dims.dim + j] * out[head * dims.dim + j];
  }
  let factor = inverse(below);
  for (var i = 0u; i < dims.dim; i++) {
    dabove[head * (dims.dim + 1u) + i] = dy[head * dims.dim + i] * factor;
  }
  dabove[head * (dims.dim + 1u) + dims.dim] = -along * factor;
}
