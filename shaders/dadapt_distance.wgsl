// dadapt_distance: the new estimate d of the distance to the solution, from all partial sums of dadapt_moments.
//   n = r n + (1 - r) lr d sum(products);  d' = max(d, n / ((1 - r) sum(lengths)))  with r = sqrt(b2)
// Buffers f32: partial [groups, 2]; hyper [8] of dadapt_moments; distance [4] = (d, n, the d of this step's moments, 0), updated;
//   clip [4] of shaders/clip_scale.wgsl: a step that is held changes nothing.
// Grid: one workgroup of LANES invocations.
// Precision: f32, in one fixed order.
// Source: Defazio & Mishchenko 2023 (D-adaptation, Adam form), without a bound on d's growth.
// @use lanes
// @use finite

const LANES: u32 = 256u;  // knob, halved to fit: invocations, a power of two
const ROWS: u32 = 1u;

struct Dims {
  groups: u32,
}

@group(0) @binding(0) var<storage, read> partial: array<f32>;
@group(0) @binding(1) var<storage, read> hyper: array<f32>;
@group(0) @binding(2) var<storage, read_write> distance: array<f32>;
@group(0) @binding(3) var<storage, read> clip: array<f32>;
@group(0) @binding(4) var<uniform> dims: Dims;

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_id) lid: vec3u) {
  var products = 0.0;
  var lengths = 0.0;
  for (var i = lid.x; i < dims.groups; i += LANES) {
    products += partial[i * 2u];
    lengths += partial[i * 2u + 1u];
  }
  products = lanes_sum(products, lid.x, 0u);
  lengths = lanes_sum(lengths, lid.x, 0u);
  if (lid.x != 0u || clip[3] == 1.0) {
    return;
  }
  let d = distance[0];
  let numerator = hyper[6] * distance[1] + hyper[7] * hyper[0] * d * products;
  var next = d;
  if (lengths > 0.0 || is_nan(lengths)) { // 0: all gradients were 0 so far, nothing to learn from
    next = at_least(numerator / (hyper[7] * lengths), d);
  }
  distance[0] = next;
  distance[1] = numerator;
  distance[2] = d;
  distance[3] = 0.0;
}
