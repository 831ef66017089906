// dadapt_moments: the first half of a step of D-adapted Adam over a flat buffer: moments, and what the new distance is made from.
//   partial = (sum g s / (sqrt(v) + eps), sum |s'|) with the old s and v;
//   m = b1 m + (1 - b1) lr d g;  v = b2 v + (1 - b2) g^2;  s' = r s + (1 - r) lr d g  with r = sqrt(b2)
// Buffers f32: grad [count]; m, v, s [count] updated; clip [4] of shaders/clip_scale.wgsl; hyper [8] = (lr, b1, 1 - b1, b2, 1 - b2, eps, r, 1 - r);
//   distance [4], d first; partial [groups, 2] from group partial_offset on. Flat buffers are padded to whole vec4s.
// Grid: groups = min(MAX_GROUPS, ceil(count / PER_GROUP)) of LANES invocations, ROWS groups a workgroup; group g takes every
//   groups-th run of LANES vec4s from the g-th on.
// Precision: f32. A non-finite gradient counts as 0.
// Source: Defazio & Mishchenko 2023 (D-adaptation, Adam form, without bias correction).
// @use lanes
// @use clean_gradient
// @use runs

const LANES: u32 = 256u;        // knob, halved to fit: invocations a group, a power of two
const ROWS: u32 = 1u;           // knob, halved to fit: groups a workgroup
const PER_GROUP: u32 = 4096u;   // knob: elements a group takes while there are fewer than MAX_GROUPS
const MAX_GROUPS: u32 = 1024u;  // knob: enough groups to fill a large GPU

alias Summed = vec4f;

struct Dims {
  count: u32,
  partial_offset: u32, // optional, else 0
}

@group(0) @binding(0) var<storage, read> grad: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> m: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> v: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> s: array<vec4f>;
@group(0) @binding(4) var<storage, read> clip: array<f32>;
@group(0) @binding(5) var<storage, read> hyper: array<f32>;
@group(0) @binding(6) var<storage, read> distance: array<f32>;
@group(0) @binding(7) var<storage, read_write> partial: array<f32>;
@group(0) @binding(8) var<uniform> dims: Dims;

@compute @workgroup_size(LANES, ROWS)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let group = (wid.x + wid.y * workgroups.x) * ROWS + lid.y;
  let groups = min(MAX_GROUPS, (dims.count + PER_GROUP - 1u) / PER_GROUP);
  let live = group < groups; // groups past the end still take part in the barriers
  let end = select(0u, (dims.count + 3u) / 4u, live && clip[3] != 1.0); // a step that is held changes nothing
  let size = hyper[0] * distance[0];
  let step = groups * LANES;
  var product_sums = Runs();
  var length_sums = Runs();
  for (var first = group * LANES + lid.x; first < end; first += RUN * step) {
    var product_run = Summed();
    var length_run = Summed();
    for (var i = first; i < min(end, first + RUN * step); i += step) {
      let inside = live_elements(i, dims.count);
      let g = clean_gradient(grad[i], clip[0]);
      let old_m = m[i];
      let old_v = v[i];
      let old_s = s[i];
      let new_s = hyper[6] * old_s + hyper[7] * size * g;
      product_run += select(vec4f(0.0), g * old_s / (sqrt(old_v) + hyper[5]), inside);
      length_run += select(vec4f(0.0), abs(new_s), inside);
      m[i] = select(old_m, hyper[1] * old_m + hyper[2] * size * g, inside);
      v[i] = select(old_v, hyper[3] * old_v + hyper[4] * g * g, inside);
      s[i] = select(old_s, new_s, inside);
    }
    add_run(&product_sums, product_run);
    add_run(&length_sums, length_run);
  }
  let products = sum_of(product_sums);
  let lengths = sum_of(length_sums);
  let product = lanes_sum((products.x + products.y) + (products.z + products.w), lid.x, lid.y);
  let length = lanes_sum((lengths.x + lengths.y) + (lengths.z + lengths.w), lid.x, lid.y);
  if (live && lid.x == 0u) {
    partial[(dims.partial_offset + group) * 2u] = product;
    partial[(dims.partial_offset + group) * 2u + 1u] = length;
  }
}
