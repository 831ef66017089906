// linear_attention_bwd_state: dstate[i, j] = sum over tokens of dabove_i relu(q_j), of each head.
// Buffers f32: qkv [batch, n, 3 heads dim] as in linear_attention_state; dabove [batch, n, heads, dim + 1]; dstate [parts, batch, heads,
//   dim + 1, dim], parts = ceil(n / chunk), to be added up.
// Grid: an element of dstate an invocation, which walks the tokens of its part; neighbours read neighbouring q.
// Precision: f32.
// Source: the derivative of shaders/linear_attention_apply.wgsl.
// @use finite

const WG: u32 = 256u;    // knob, halved to fit: invocations a workgroup

struct Dims {
  batch: u32,
  n: u32,
  heads: u32,
  dim: u32,
  chunk: u32, // optional, else n
}

@group(0) @binding(0) var<storage, read> qkv: array<f32>;
@group(0) @binding(1) var<storage, read> dabove: array<f32>;
@group(0) @binding(2) var<storage, read_write> dstate: array<f32>;
@group(0) @binding(3) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let at = (wid.x + wid.y * groups.x) * WG + local;
  let size = (dims.dim + 1u) * dims.dim;
  let head = at / size; // of all parts' and samples'
  let begin = head / (dims.batch * dims.heads) * dims.chunk;
  if (begin >= dims.n) {
    return;
  }
  let j = at % dims.dim;
  let i = at / dims.dim % (dims.dim + 1u);
  let first = head / dims.heads % dims.batch * dims.n;
  let own = head % dims.heads;
  var total = 0.0;
  for (var m = first + begin; m < first + min(dims.n, begin + dims.chunk); m++) {
    let query = at_least(qkv[m * 3u * dims.heads * dims.dim + own * 3u * dims.dim + j], 0.0);
    total += query * dabove[(m * dims.heads + own) * (dims.dim + 1u) + i];
  }
  dstate[at] = total;
}
