// qk_norm_rope_lanes_fwd: qk_norm_rope_fwd with the row in registers: splits a fused projection into q, k, v for attention; q and k
//   optionally normalised over the head, then rotated: x cos + rotate(x) sin, rotate (x1, x2) -> (-x2, x1) on neighbouring pairs.
// Buffers f32: qkv [batch, n, 3, heads, head_dim]; affine [4, head_dim] = weight of q, of k, bias of q, of k;
//   rope [2, n, head_dim] = cosines, sines; q, k, v [batch, heads, n, head_dim]. head_dim is 4 LANES.
// Grid: LANES invocations a row of head_dim numbers, four numbers each, ROWS rows a workgroup: neighbours read neighbours, once.
// Precision: f32; qkv, and q, k and v, may be stored as f16; the variance is summed around the mean.
// Source: Henry et al. 2020 (q/k norm), Su et al. 2021 (rotary positions).
// @use lanes_any
// @use finite

const LANES: u32 = 16u;           // knob: invocations a row, head_dim / 4
const ROWS: u32 = 16u;            // knob: rows a workgroup
const NORM: u32 = 0u;             // knob: 0 none, 1 RMSNorm, 2 LayerNorm
const HAS_AFFINE: bool = false;   // knob: weight and bias after the norm
const HAS_ROPE: bool = false;     // knob: rotate
alias Elem = vec4f;               // knob: vec4h stores qkv in half precision
alias Head = vec4f;               // knob: likewise q, k, v

struct Dims {
  batch: u32,
  n: u32,
  heads: u32,
  head_dim: u32,
  eps: f32,
}

@group(0) @binding(0) var<storage, read> qkv: array<Elem>;
@group(0) @binding(1) var<storage, read> affine: array<vec4f>; // optional: HAS_AFFINE
@group(0) @binding(2) var<storage, read> rope: array<vec4f>; // optional: HAS_ROPE
@group(0) @binding(3) var<storage, read_write> q: array<Head>;
@group(0) @binding(4) var<storage, read_write> k: array<Head>;
@group(0) @binding(5) var<storage, read_write> v: array<Head>;
@group(0) @binding(6) var<uniform> dims: Dims;

@compute @workgroup_size(LANES, ROWS)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let row = (wid.x + wid.y * groups.x) * ROWS + lid.y; // (batch, token, which, head)
  let live = row < dims.batch * dims.n * 3u * dims.heads; // rows past the end still take part in the barriers
  let head = row % dims.heads;
  let which = (row / dims.heads) % 3u;
  let token = (row / dims.heads / 3u) % dims.n;
  let sample = row / dims.heads / 3u / dims.n;

  var x = vec4f(0.0);
  if (live) {
    x = vec4f(qkv[row * LANES + lid.x]);
  }
  if (NORM != 0u) {
    let inverse = 1.0 / f32(4u * LANES);
    var mean = 0.0;
    if (NORM == 2u) {
      mean = lanes_any_sum(vec2f(dot(x, vec4f(1.0)), 0.0), lid.x, lid.y).x * inverse;
    }
    var centred = select(vec4f(0.0), x - mean, live);
    var moments = lanes_any_sum(vec2f(dot(centred, vec4f(1.0)), dot(centred, centred)), lid.x, lid.y) * inverse;
    if (NORM == 2u) { // takes out what the mean was rounded by
      centred -= moments.x;
      moments.y = at_least(moments.y - moments.x * moments.x, 0.0);
    }
    let scale = inverse_root(moments.y + dims.eps);
    x = select(centred * scale, x, which == 2u);
  }
  if (!live) {
    return;
  }
  let to = ((sample * dims.heads + head) * dims.n + token) * LANES + lid.x;
  if (which == 2u) {
    v[to] = Head(x);
    return;
  }
  if (HAS_AFFINE) {
    x = x * affine[which * LANES + lid.x] + affine[(which + 2u) * LANES + lid.x];
  }
  if (HAS_ROPE) {
    let at = token * LANES + lid.x;
    x = x * rope[at] + vec4f(-x.y, x.x, -x.w, x.z) * rope[dims.n * LANES + at];
  }
  if (which == 0u) {
    q[to] = Head(x);
  } else {
    k[to] = Head(x);
  }
}
