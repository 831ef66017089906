// qk_norm_rope_lanes_bwd: qk_norm_rope_bwd with the row in registers: the gradient by qkv, all of it: dq and dk rotated back, carried
//   through the affine map and the norm (whose statistics are computed again from qkv); dv as it is.
// Buffers f32: qkv, dqkv [batch, n, 3, heads, head_dim]; affine [4, head_dim]; rope [2, n, head_dim]; dq, dk, dv [batch, heads, n,
//   head_dim]. head_dim is 4 LANES.
// Grid: LANES invocations a row of head_dim numbers, four numbers each, ROWS rows a workgroup, as the forward.
// Precision: f32; qkv and dqkv, and dq, dk and dv, may be stored as f16.
// Source: the derivative of shaders/qk_norm_rope_lanes_fwd.wgsl.
// @use lanes_any
// @use finite

const LANES: u32 = 16u;           // knob: invocations a row, head_dim / 4
const ROWS: u32 = 16u;            // knob: rows a workgroup
const NORM: u32 = 0u;             // knob: 0 none, 1 RMSNorm, 2 LayerNorm
const HAS_AFFINE: bool = false;   // knob: weight and bias after the norm
const HAS_ROPE: bool = false;     // knob: rotate
alias Elem = vec4f;               // knob: vec4h stores qkv, dqkv in half precision
alias Head = vec4f;               // knob: likewise dq, dk, dv

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
@group(0) @binding(3) var<storage, read> dq: array<Head>;
@group(0) @binding(4) var<storage, read> dk: array<Head>;
@group(0) @binding(5) var<storage, read> dv: array<Head>;
@group(0) @binding(6) var<storage, read_write> dqkv: array<Elem>;
@group(0) @binding(7) var<uniform> dims: Dims;

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
  let at = row * LANES + lid.x;

  var x = vec4f(0.0);
  if (NORM != 0u && live && which != 2u) {
    x = vec4f(qkv[at]);
  }
  var g = vec4f(0.0);
  if (live) {
    let from_row = ((sample * dims.heads + head) * dims.n + token) * LANES + lid.x;
    if (which == 0u) {
      g = vec4f(dq[from_row]);
    } else if (which == 1u) {
      g = vec4f(dk[from_row]);
    } else {
      g = vec4f(dv[from_row]);
    }
    if (HAS_ROPE && which != 2u) {
      let turn = token * LANES + lid.x;
      let crossed = g * rope[dims.n * LANES + turn];
      g = g * rope[turn] + vec4f(crossed.y, -crossed.x, crossed.w, -crossed.z);
    }
    if (HAS_AFFINE && which != 2u) {
      g *= affine[which * LANES + lid.x];
    }
  }
  if (NORM != 0u) {
    let inverse = 1.0 / f32(4u * LANES);
    var mean = 0.0;
    if (NORM == 2u) {
      mean = lanes_any_sum(vec2f(dot(x, vec4f(1.0)), 0.0), lid.x, lid.y).x * inverse;
    }
    x = select(vec4f(0.0), x - mean, live);
    var moments = lanes_any_sum(vec2f(dot(x, vec4f(1.0)), dot(x, x)), lid.x, lid.y) * inverse;
    if (NORM == 2u) { // takes out what the mean was rounded by
      x = select(vec4f(0.0), x - moments.x, live);
      moments.y = at_least(moments.y - moments.x * moments.x, 0.0);
    }
    let scale = inverse_root(moments.y + dims.eps);
    x *= scale;
    let means = lanes_any_sum(vec2f(dot(g, vec4f(1.0)), dot(g, x)), lid.x, lid.y) * inverse;
    let mean_g = select(0.0, means.x, NORM == 2u);
    g = select(scale * (g - mean_g - x * means.y), g, which == 2u);
  }
  if (live) {
    dqkv[at] = Elem(g);
  }
}
