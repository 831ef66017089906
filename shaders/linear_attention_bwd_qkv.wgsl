// linear_attention_bwd_qkv: the gradient of ReLU linear attention by queries, keys and values of each head, from those by numerators and
//   denominators, dabove, and by the state: dq_j = [q_j > 0] sum_i dabove_i state[i, j]; dk_j = [k_j > 0] sum_i (v_i, or 1) dstate[i, j];
//   dv_i = sum_j dstate[i, j] relu(k_j).
// Buffers f32: qkv, dqkv [batch, n, 3 heads dim] as in linear_attention_state; state, dstate [batch, heads, dim + 1, dim]; dabove [batch, n,
//   heads, dim + 1].
// Grid: an element of dqkv an invocation.
// Precision: f32.
// Source: the derivative of shaders/linear_attention_state.wgsl and shaders/linear_attention_apply.wgsl.
// @use activation

const WG: u32 = 256u;    // knob, halved to fit: invocations a workgroup

struct Dims {
  batch: u32,
  n: u32,
  heads: u32,
  dim: u32,
}

@group(0) @binding(0) var<storage, read> qkv: array<f32>;
@group(0) @binding(1) var<storage, read> state: array<f32>;
@group(0) @binding(2) var<storage, read> dabove: array<f32>;
@group(0) @binding(3) var<storage, read> dstate: array<f32>;
@group(0) @binding(4) var<storage, read_write> dqkv: array<f32>;
@group(0) @binding(5) var<uniform> dims: Dims;

// The slope of ReLU; an infinity's is itself, so that a network that diverged looks it.
fn slope(x: f32) -> f32 {
  return select(x, relu_grad(x), is_finite(x));
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let at = (wid.x + wid.y * groups.x) * WG + local;
  let dim = dims.dim;
  if (at >= dims.batch * dims.n * dims.heads * 3u * dim) {
    return;
  }
  let c = at % dim;
  let part = at / dim % 3u;
  let head = at / (3u * dim); // of all tokens'
  let base = head * 3u * dim;
  let from_state = (head / dims.heads / dims.n * dims.heads + head % dims.heads) * (dim + 1u) * dim;
  var total = 0.0;
  if (part == 0u) {
    for (var i = 0u; i <= dim; i++) {
      total += dabove[head * (dim + 1u) + i] * state[from_state + i * dim + c];
    }
    total *= slope(qkv[at]);
  } else if (part == 1u) {
    total = dstate[from_state + dim * dim + c];
    for (var i = 0u; i < dim; i++) {
      total += qkv[base + 2u * dim + i] * dstate[from_state + i * dim + c];
    }
    total *= slope(qkv[at]);
  } else {
    for (var j = 0u; j < dim; j++) {
      total += dstate[from_state + c * dim + j] * relu(qkv[base + dim + j]);
    }
  }
  dqkv[at] = total;
}
