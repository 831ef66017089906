// combine: out = alpha a + beta b, elementwise, clamped to +-limit where CLAMPED; without HAS_B alpha a alone.
// Buffers f32: a, b, out [count].
// Grid: PER elements an invocation, a workgroup apart, so that neighbours touch neighbours.
// Precision: f32.
// @use finite

const WG: u32 = 256u;          // knob, halved to fit: invocations a workgroup
const PER: u32 = 4u;           // knob: elements an invocation
const HAS_B: bool = false;     // knob: add beta b
const CLAMPED: bool = false;   // knob: clamp to +-limit

struct Dims {
  count: u32,
  alpha: f32, // optional, else 1
  beta: f32, // optional: HAS_B, else 0
  limit: f32, // optional: CLAMPED, else 0
}

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>; // optional: HAS_B
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let first = (wid.x + wid.y * groups.x) * (WG * PER) + local;
  for (var i = 0u; i < PER; i++) {
    let at = first + i * WG;
    if (at < dims.count) {
      var value = dims.alpha * a[at];
      if (HAS_B) {
        value += dims.beta * b[at];
      }
      if (CLAMPED) {
        value = between(value, -dims.limit, dims.limit);
      }
      out[at] = value;
    }
  }
}
