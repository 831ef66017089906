// attention_delta: delta[b, h, i] = sum over d of out[b, i, h, d] dout[b, i, h, d], which both backward kernels need.
// Buffers f32: out, dout [batch, n, heads, head_dim]; delta [batch, heads, n].
// Grid: one invocation an element of delta, 64 a workgroup.
// Precision: f32.
// Source: Dao et al. 2022, the backward of attention.

struct Dims {
  batch: u32,
  heads: u32,
  n: u32,
  head_dim: u32,
}

@group(0) @binding(0) var<storage, read> out: array<f32>;
@group(0) @binding(1) var<storage, read> dout: array<f32>;
@group(0) @binding(2) var<storage, read_write> delta: array<f32>;
@group(0) @binding(3) var<uniform> dims: Dims;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let at = (wid.x + wid.y * groups.x) * 64u + local; // (batch, token, head)
  if (at >= dims.batch * dims.n * dims.heads) {
    return;
  }
  let head = at % dims.heads;
  let token = (at / dims.heads) % dims.n;
  let sample = at / dims.heads / dims.n;
  var sum = 0.0;
  for (var d = 0u; d < dims.head_dim; d++) {
    sum += out[at * dims.head_dim + d] * dout[at * dims.head_dim + d];
  }
  delta[(sample * dims.heads + head) * dims.n + token] = sum;
}
