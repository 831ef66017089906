// timestep_embedding: out[b] = [cos(t f_i) | sin(t f_i)], f_i = exp(-ln(max_period) i / half), half = dim / 2; t is not scaled.
// Buffers f32: t [count], out [count, dim]. An odd last column is 0.
// Grid: one invocation an element of out, WG a workgroup.
// Precision: f32.
// Source: Vaswani et al. 2017, as DiT uses it.
// @use sincos

const WG: u32 = 256u;  // knob, halved to fit: invocations a workgroup

struct Dims {
  count: u32,
  dim: u32,
  max_period: f32,
}

@group(0) @binding(0) var<storage, read> t: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let at = (wid.x + wid.y * groups.x) * WG + local;
  if (at >= dims.count * dims.dim) {
    return;
  }
  let half = dims.dim / 2u;
  let item = at / dims.dim;
  let col = at - item * dims.dim;
  var value = 0.0;
  if (col < 2u * half) {
    let i = col % half;
    let angle = t[item] * exp(-log(dims.max_period) * f32(i) / f32(half));
    let pair = sincos(angle);
    value = select(pair.x, pair.y, col < half);
  }
  out[at] = value;
}
