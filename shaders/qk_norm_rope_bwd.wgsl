// qk_norm_rope_bwd: the gradient of qk_norm_rope_fwd by qkv, all of it: dq and dk rotated back, carried through the affine map
//   and the norm (whose statistics are computed again from qkv); dv as it is.
// Buffers f32: qkv, dqkv [batch, n, 3, heads, head_dim]; affine [4, head_dim]; rope [2, n, head_dim]; dq, dk, dv [batch, heads, n, head_dim].
// Grid: one invocation a row of head_dim numbers, 64 rows a workgroup, as the forward.
// Precision: f32; qkv and dqkv, and dq, dk and dv, may be stored as f16.
// Source: the derivative of shaders/qk_norm_rope_fwd.wgsl.
// @use head_norm

const NORM: u32 = 0u;             // knob: 0 none, 1 RMSNorm, 2 LayerNorm
const HAS_AFFINE: bool = false;   // knob: weight and bias after the norm
const HAS_ROPE: bool = false;     // knob: rotate
alias Scalar = f32;               // knob: f16 stores qkv, dqkv in half precision
alias Head = f32;                 // knob: likewise dq, dk, dv

struct Dims {
  batch: u32,
  n: u32,
  heads: u32,
  head_dim: u32,
  eps: f32,
}

@group(0) @binding(0) var<storage, read> qkv: array<Scalar>;
@group(0) @binding(1) var<storage, read> affine: array<f32>; // optional: HAS_AFFINE
@group(0) @binding(2) var<storage, read> rope: array<f32>; // optional: HAS_ROPE
@group(0) @binding(3) var<storage, read> dq: array<Head>;
@group(0) @binding(4) var<storage, read> dk: array<Head>;
@group(0) @binding(5) var<storage, read> dv: array<Head>;
@group(0) @binding(6) var<storage, read_write> dqkv: array<Scalar>;
@group(0) @binding(7) var<uniform> dims: Dims;

fn arrived(which: u32, at: u32) -> f32 {
  if (which == 0u) {
    return f32(dq[at]);
  }
  return f32(dk[at]);
}

// The gradient by element d of the normalised row, before the affine map.
fn to_normed(from_row: u32, token: u32, which: u32, d: u32) -> f32 {
  var g = arrived(which, from_row + d);
  if (HAS_ROPE) {
    let other = d ^ 1u; // the pair's other half
    let cosines = token * dims.head_dim;
    let sines = (dims.n + token) * dims.head_dim;
    let crossed = arrived(which, from_row + other) * rope[sines + other];
    g = g * rope[cosines + d] + select(-crossed, crossed, d < other);
  }
  if (HAS_AFFINE) {
    g *= affine[which * dims.head_dim + d];
  }
  return g;
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let row = (wid.x + wid.y * groups.x) * 64u + local; // (batch, token, which, head)
  if (row >= dims.batch * dims.n * 3u * dims.heads) {
    return;
  }
  let head = row % dims.heads;
  let which = (row / dims.heads) % 3u;
  let token = (row / dims.heads / 3u) % dims.n;
  let sample = row / dims.heads / 3u / dims.n;
  let base = row * dims.head_dim;
  let from_row = ((sample * dims.heads + head) * dims.n + token) * dims.head_dim;
  if (which == 2u) {
    for (var d = 0u; d < dims.head_dim; d++) {
      dqkv[base + d] = Scalar(dv[from_row + d]);
    }
    return;
  }
  let stats = head_stats(base);
  var mean_g = 0.0;
  var along = 0.0;
  if (NORM != 0u) {
    for (var d = 0u; d < dims.head_dim; d++) {
      let g = to_normed(from_row, token, which, d);
      mean_g += g;
      along += g * (f32(qkv[base + d]) - stats.x) * stats.y;
    }
    along /= f32(dims.head_dim);
    mean_g = select(0.0, mean_g / f32(dims.head_dim), NORM == 2u);
  }
  for (var d = 0u; d < dims.head_dim; d++) {
    let xhat = (f32(qkv[base + d]) - stats.x) * stats.y;
    let g = to_normed(from_row, token, which, d);
    dqkv[base + d] = Scalar(stats.y * (g - mean_g - xhat * along));
  }
}
