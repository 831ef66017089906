// lion_step: one update of Lion, or of its cautious form, over a flat buffer, in place.
//   g = finite(grad) * clip scale;  p = (1 - lr wd) p - lr sign(b1 m + (1 - b1) g);  m = b2 m + (1 - b2) g
// Buffers f32: param, m [count] updated; grad [count]; clip [4] of shaders/clip_scale.wgsl;
//   hyper [6] = (lr, b1, 1 - b1, b2, 1 - b2, lr wd);
//   scales [tensors] and owners [ceil(count / 64)] u32 of shaders/cautious_scale.wgsl, where CAUTIOUS. Flat buffers are padded to whole vec4s; elements past count keep their values.
// Grid: one vec4 an invocation, WG invocations a workgroup.
// Precision: f32. A non-finite gradient counts as 0.
// Source: Chen et al. 2023 (Lion); Liang et al. 2024 (cautious optimisers).
// @use clean_gradient
// @use cautious

const WG: u32 = 256u;          // knob, halved to fit: invocations a workgroup
const CAUTIOUS: bool = false;  // knob: mask the update by its agreement with the gradient

struct Dims {
  count: u32,
  tensors: u32, // optional: CAUTIOUS, else 0
}

@group(0) @binding(0) var<storage, read_write> param: array<vec4f>;
@group(0) @binding(1) var<storage, read> grad: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> m: array<vec4f>;
@group(0) @binding(3) var<storage, read> hyper: array<f32>;
@group(0) @binding(4) var<storage, read> clip: array<f32>;
@group(0) @binding(5) var<storage, read> scales: array<f32>; // optional: CAUTIOUS
@group(0) @binding(6) var<storage, read> owners: array<u32>; // optional: CAUTIOUS
@group(0) @binding(7) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let i = (wid.x + wid.y * groups.x) * WG + local;
  if (i >= (dims.count + 3u) / 4u || clip[3] == 1.0) { // a step that is held changes nothing
    return;
  }
  let p = param[i];
  let old_m = m[i];
  let g = clean_gradient(grad[i], clip[0]);
  let mixed = hyper[1] * old_m + hyper[2] * g;
  let broken = (bitcast<vec4u>(mixed) & vec4u(0x7f800000u)) == vec4u(0x7f800000u);
  var update = select(sign(mixed), mixed, broken); // the sign of a NaN may be any number
  if (CAUTIOUS) {
    update = cautious(update, g, i);
  }
  let new_p = p - hyper[5] * p - hyper[0] * update;
  let new_m = hyper[3] * old_m + hyper[4] * g;
  let live = live_elements(i, dims.count);
  m[i] = select(old_m, new_m, live);
  param[i] = select(p, new_p, live);
}
