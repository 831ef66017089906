// init_parameters: starting values of a flat buffer of parameters, each a function of (seed, stream, parameter, place in it).
//   x = scale u, with u = 1 (constant), uniform in [-1, 1) or standard normal, as the parameter's rule says; 0 in the gaps.
// Buffers: rules [parameters, 5] u32 = (first element of the buffer, elements, kind, the bits of scale f32, step of the stream);
//   in rising order, each first one a multiple of 4; out f32 [count], padded to whole vec4s.
// Grid: four elements an invocation, WG invocations a workgroup.
// Precision: u is exact, the product rounded once: the same bits on every adapter and the host (src/nn/init.ts).
// Source: Salmon et al. 2011 (Philox); lib/normal.wgsl.
// @use normal

const WG: u32 = 256u;  // knob, halved to fit: invocations a workgroup

const UNIFORM: u32 = 1u;
const NORMAL: u32 = 2u;
const RULE: u32 = 5u;

struct Dims {
  count: u32,
  parameters: u32,
  seed: u32,
  stream: u32,
}

@group(0) @binding(0) var<storage, read> rules: array<u32>;
@group(0) @binding(1) var<storage, read_write> out: array<vec4f>;
@group(0) @binding(2) var<uniform> dims: Dims;

// The last parameter that starts at or before an element.
fn parameter_of(element: u32) -> u32 {
  var low = 0u;
  var high = dims.parameters;
  while (high - low > 1u) {
    let middle = (low + high) / 2u;
    if (rules[middle * RULE] <= element) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let quad = (wid.x + wid.y * groups.x) * WG + local;
  if (quad >= (dims.count + 3u) / 4u) {
    return;
  }
  let rule = parameter_of(quad * 4u) * RULE;
  let at = quad * 4u - rules[rule]; // a multiple of 4
  let kind = rules[rule + 2u];
  let step = rules[rule + 4u];
  let key = vec2u(dims.seed, dims.stream);
  var u = vec4f(1.0);
  if (kind == UNIFORM) {
    let words = philox(vec4u(at / 4u, PHILOX_USE_WORDS, step, 0u), key) >> vec4u(8u);
    u = vec4f(vec4i(words) - vec4i(8388608)) * 1.1920928955078125e-7; // (words 2^-24) 2 - 1, exact
  } else if (kind == NORMAL) {
    let low = philox(vec4u(at / 2u, PHILOX_USE_NORMAL, step, 0u), key);
    let high = philox(vec4u(at / 2u + 1u, PHILOX_USE_NORMAL, step, 0u), key);
    u = vec4f(normal_from(low.x, low.y), normal_from(low.z, low.w), normal_from(high.x, high.y), normal_from(high.z, high.w));
  }
  let live = vec4u(at) + vec4u(0u, 1u, 2u, 3u) < vec4u(rules[rule + 1u]);
  out[quad] = select(vec4f(0.0), u * bitcast<f32>(rules[rule + 3u]), live);
}
