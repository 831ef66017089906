// linear_attention_state: state[i, j] = sum over tokens of (v_i, or 1 where i = dim) relu(k_j), of each head: all that ReLU linear attention
//   keeps of keys and values.
// Buffers f32: qkv [batch, n, 3 heads dim], each head's 3 dim channels together: q, k, v; state [parts, batch, heads, dim + 1, dim], parts =
//   ceil(n / chunk), to be added up.
// Grid: an element of state an invocation, which walks the tokens of its part; neighbours read neighbouring k.
// Precision: f32.
// Source: Katharopoulos et al. 2020; Cai et al. 2023 (EfficientViT), as DC-AE has it.
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
@group(0) @binding(1) var<storage, read_write> state: array<f32>;
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let at = (wid.x + wid.y * groups.x) * WG + local;
  let size = (dims.dim + 1u) * dims.dim;
  let head = at / size; // of all parts' and samples'
  let part = head / (dims.batch * dims.heads);
  let begin = part * dims.chunk;
  if (begin >= dims.n) {
    return;
  }
  let j = at % dims.dim;
  let i = at / dims.dim % (dims.dim + 1u);
  let sample = head / dims.heads % dims.batch;
  let width = 3u * dims.heads * dims.dim;
  let first = sample * dims.n * width + head % dims.heads * 3u * dims.dim;
  var total = 0.0;
  for (var m = begin; m < min(dims.n, begin + dims.chunk); m++) {
    let base = first + m * width;
    let key = at_least(qkv[base + dims.dim + j], 0.0);
    total += key * select(1.0, qkv[base + 2u * dims.dim + min(i, dims.dim - 1u)], i < dims.dim);
  }
  state[at] = total;
}
