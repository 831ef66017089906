// lion_step: one update of Lion over a flat buffer, in place.
//   g = finite(grad) * clip scale;  p = (1 - lr wd) p - lr sign(b1 m + (1 - b1) g);  m = b2 m + (1 - b2) g
// Buffers f32: param, m [count] updated; grad [count]; clip [4] = (scale, norm, non-finite count, 0);
//   hyper [6] = (lr, b1, 1 - b1, b2, 1 - b2, lr wd). Flat buffers are padded to whole vec4s; elements past count keep their values.
// Grid: one vec4 an invocation, 256 invocations a workgroup.
// Precision: f32. A non-finite gradient counts as 0; finiteness is read from the bits, which no compiler may assume away.
// Source: Chen et al. 2023 (Lion).

struct Dims {
  count: u32,
}

@group(0) @binding(0) var<storage, read_write> param: array<vec4f>;
@group(0) @binding(1) var<storage, read> grad: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> m: array<vec4f>;
@group(0) @binding(3) var<storage, read> hyper: array<f32>;
@group(0) @binding(4) var<storage, read> clip: array<f32>;
@group(0) @binding(5) var<uniform> dims: Dims;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let i = (wid.x + wid.y * groups.x) * 256u + local;
  if (i >= (dims.count + 3u) / 4u) {
    return;
  }
  let p = param[i];
  let raw = grad[i];
  let old_m = m[i];
  let broken = (bitcast<vec4u>(raw) & vec4u(0x7f800000u)) == vec4u(0x7f800000u);
  let g = select(raw * clip[0], vec4f(0.0), broken);
  let new_p = p - hyper[5] * p - hyper[0] * sign(hyper[1] * old_m + hyper[2] * g);
  let new_m = hyper[3] * old_m + hyper[4] * g;
  let live = vec4u(i * 4u) + vec4u(0u, 1u, 2u, 3u) < vec4u(dims.count);
  m[i] = select(old_m, new_m, live);
  param[i] = select(p, new_p, live);
}
