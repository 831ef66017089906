// adam_step: one update of Adam, RAdam, the reference's AdamW or its cautious form over a flat buffer, in place.
//   g = finite(grad) * clip scale + l2 * p;  m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;  p -= step (decay p + m / (root sqrt(v) + eps))
// Buffers f32: param, m, v [count] updated; grad [count]; clip [4] of shaders/clip_scale.wgsl;
//   hyper [10] = (step, b1, 1 - b1, b2, 1 - b2, eps, l2, decay, root, decay of the average): the bias corrections are folded in on the
//   host, in doubles; root is 1, or 0 (with eps 1) for a step of plain momentum.
//   scales [tensors] and owners [ceil(count / 64)] u32 of shaders/cautious_scale.wgsl, where CAUTIOUS: m is then masked and scaled.
//   average [count] updated where HAS_AVERAGE: what shaders/ema.wgsl makes of the new param, in the same pass, to the bit.
//   half [count] f16 where HAS_HALF: the new param, rounded.
//   Flat buffers are padded to whole vec4s, so that four elements are one access; elements past count keep their values.
// Grid: one vec4 an invocation, WG invocations a workgroup. All reads are under way before the first of them is waited for: whether the
//   step is held is asked after them.
// Precision: f32. A non-finite gradient counts as 0.
// Source: Kingma & Ba 2014; Liu et al. 2019 (RAdam); UCGM's AdamW, which scales the decay by the corrected step and adds eps to sqrt(v);
//   Liang et al. 2024 (cautious optimisers).
// @use clean_gradient
// @use cautious

const WG: u32 = 256u;          // knob, halved to fit: invocations a workgroup
const CAUTIOUS: bool = false;  // knob: mask the update by its agreement with the gradient

const HAS_AVERAGE: bool = false;  // knob: update the average too; without CAUTIOUS, or there are more than 8 buffers
const HAS_HALF: bool = false;     // knob: write the copy in half precision too; likewise
alias Half = vec4f;               // knob: vec4h with HAS_HALF

struct Dims {
  count: u32,
  tensors: u32, // optional: CAUTIOUS, else 0
}

@group(0) @binding(0) var<storage, read_write> param: array<vec4f>;
@group(0) @binding(1) var<storage, read> grad: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> m: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> v: array<vec4f>;
@group(0) @binding(4) var<storage, read> hyper: array<f32>;
@group(0) @binding(5) var<storage, read> clip: array<f32>;
@group(0) @binding(6) var<storage, read> scales: array<f32>; // optional: CAUTIOUS
@group(0) @binding(7) var<storage, read> owners: array<u32>; // optional: CAUTIOUS
@group(0) @binding(8) var<storage, read_write> average: array<vec4f>; // optional: HAS_AVERAGE
@group(0) @binding(9) var<storage, read_write> half: array<Half>; // optional: HAS_HALF
@group(0) @binding(10) var<uniform> dims: Dims;

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
  let old_m = m[i];
  let old_v = v[i];
  let raw = grad[i];
  var old_average = vec4f();
  if (HAS_AVERAGE) {
    old_average = average[i];
  }
  if (clip[3] == 1.0) { // a step that is held changes nothing
    return;
  }
  let g = clean_gradient(raw, clip[0]) + hyper[6] * p;
  let new_m = hyper[1] * old_m + hyper[2] * g;
  let new_v = hyper[3] * old_v + hyper[4] * g * g;
  var moved = new_m;
  if (CAUTIOUS) {
    moved = cautious(new_m, g, i);
  }
  let new_p = p - hyper[0] * (hyper[7] * p + moved / (hyper[8] * sqrt(new_v) + hyper[5]));
  let live = live_elements(i, dims.count);
  m[i] = select(old_m, new_m, live);
  v[i] = select(old_v, new_v, live);
  param[i] = select(p, new_p, live);
  if (HAS_AVERAGE) {
    let mixed = select(old_average + (1.0 - hyper[9]) * (new_p - old_average), new_p, vec4<bool>(hyper[9] == 0.0));
    average[i] = select(old_average, mixed, live);
  }
  if (HAS_HALF) {
    half[i] = Half(select(p, new_p, live));
  }
}
