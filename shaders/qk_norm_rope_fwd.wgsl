// qk_norm_rope_fwd: splits a fused projection into q, k, v for attention; q and k optionally normalised over the head, then
//   rotated: x cos + rotate(x) sin, rotate (x1, x2) -> (-x2, x1) on neighbouring pairs.
// Buffers f32: qkv [batch, n, 3, heads, head_dim]; affine [4, head_dim] = weight of q, of k, bias of q, of k;
//   rope [2, n, head_dim] = cosines, sines; q, k, v [batch, heads, n, head_dim].
// Grid: one invocation a row of head_dim numbers, 64 rows a workgroup: q, k and v of one head of one token are three rows.
// Precision: f32; qkv, and q, k and v, may be stored as f16.
// Source: Henry et al. 2020 (q/k norm), Su et al. 2021 (rotary positions).
// @use head_norm

const NORM: u32 = 0u;             // knob: 0 none, 1 RMSNorm, 2 LayerNorm
const HAS_AFFINE: bool = false;   // knob: weight and bias after the norm
const HAS_ROPE: bool = false;     // knob: rotate
alias Scalar = f32;               // knob: f16 stores qkv in half precision
alias Head = f32;                 // knob: likewise q, k, v

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
@group(0) @binding(3) var<storage, read_write> q: array<Head>;
@group(0) @binding(4) var<storage, read_write> k: array<Head>;
@group(0) @binding(5) var<storage, read_write> v: array<Head>;
@group(0) @binding(6) var<uniform> dims: Dims;

fn put(which: u32, at: u32, value: f32) {
  if (which == 0u) {
    q[at] = Head(value);
  } else if (which == 1u) {
    k[at] = Head(value);
  } else {
    v[at] = Head(value);
  }
}

// Element d of the normalised row.
fn normed(base: u32, which: u32, d: u32, stats: vec2f) -> f32 {
  var value = (f32(qkv[base + d]) - stats.x) * stats.y;
  if (HAS_AFFINE) {
    value = value * affine[which * dims.head_dim + d] + affine[(which + 2u) * dims.head_dim + d];
  }
  return value;
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
  let to = ((sample * dims.heads + head) * dims.n + token) * dims.head_dim;
  if (which == 2u) {
    for (var d = 0u; d < dims.head_dim; d++) {
      v[to + d] = Head(qkv[base + d]);
    }
    return;
  }
  let stats = head_stats(base);
  if (!HAS_ROPE) {
    for (var d = 0u; d < dims.head_dim; d++) {
      put(which, to + d, normed(base, which, d, stats));
    }
    return;
  }
  let cosines = token * dims.head_dim;
  let sines = (dims.n + token) * dims.head_dim;
  for (var d = 0u; d < dims.head_dim; d += 2u) {
    let x1 = normed(base, which, d, stats);
    let x2 = normed(base, which, d + 1u, stats);
    put(which, to + d, x1 * rope[cosines + d] - x2 * rope[sines + d]);
    put(which, to + d + 1u, x2 * rope[cosines + d + 1u] + x1 * rope[sines + d + 1u]);
  }
}
