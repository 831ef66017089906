// dadapt_step: the second half of a step of D-adapted Adam: p = (1 - decay d) p - m / (sqrt(v) + eps), d that of the moments.
// Buffers f32: param [count] updated; m, v [count]; hyper [2] = (eps, lr wd); distance [4] of dadapt_distance; clip [4] of
//   clip_scale: a step that is held changes nothing. Flat buffers are padded to whole vec4s; elements past count keep their values.
// Grid: one vec4 an invocation, WG invocations a workgroup.
// Precision: f32.
// Source: Defazio & Mishchenko 2023 (D-adaptation, Adam form, decoupled decay).
// @use clean_gradient

const WG: u32 = 256u;  // knob, halved to fit: invocations a workgroup

struct Dims {
  count: u32,
}

@group(0) @binding(0) var<storage, read_write> param: array<vec4f>;
@group(0) @binding(1) var<storage, read> m: array<vec4f>;
@group(0) @binding(2) var<storage, read> v: array<vec4f>;
@group(0) @binding(3) var<storage, read> hyper: array<f32>;
@group(0) @binding(4) var<storage, read> distance: array<f32>;
@group(0) @binding(5) var<storage, read> clip: array<f32>;
@group(0) @binding(6) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let i = (wid.x + wid.y * groups.x) * WG + local;
  if (i >= (dims.count + 3u) / 4u || clip[3] == 1.0) {
    return;
  }
  let p = param[i];
  let decayed = p - hyper[1] * distance[2] * p;
  param[i] = select(p, decayed - m[i] / (sqrt(v[i]) + hyper[0]), live_elements(i, dims.count));
}
