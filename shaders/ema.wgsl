// ema: average = decay average + (1 - decay) param, in place, written as average + (1 - decay) (param - average): exact where
//   they are equal; decay 0 copies exactly.
// Buffers f32: average [count] updated, param [count], decay [1]; where GUARDED clip [4] of
//   shaders/clip_scale.wgsl: a step that is held changes nothing. Flat buffers are padded to whole vec4s, so that four elements
//   are one access; elements past count keep their values.
// Grid: one vec4 an invocation, WG invocations a workgroup.
// Precision: f32. 1 - decay is exact for the decay given, but a decay near 1 is itself rounded: .9999 to a rate of 1.0002e-4.

const WG: u32 = 256u;         // knob, halved to fit: invocations a workgroup
const GUARDED: bool = false;  // knob: leave the average as it is in a step that is held

struct Dims {
  count: u32,
}

@group(0) @binding(0) var<storage, read_write> average: array<vec4f>;
@group(0) @binding(1) var<storage, read> param: array<vec4f>;
@group(0) @binding(2) var<storage, read> decay: array<f32>;
@group(0) @binding(3) var<storage, read> clip: array<f32>; // optional: GUARDED
@group(0) @binding(4) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let i = (wid.x + wid.y * groups.x) * WG + local;
  if (i >= (dims.count + 3u) / 4u) {
    return;
  }
  let p = param[i];
  let old = average[i];
  if (GUARDED && clip[3] == 1.0) { // after the reads, which need not wait for it
    return;
  }
  let mixed = select(old + (1.0 - decay[0]) * (p - old), p, vec4<bool>(decay[0] == 0.0));
  let live = vec4u(i * 4u) + vec4u(0u, 1u, 2u, 3u) < vec4u(dims.count);
  average[i] = select(old, mixed, live);
}
