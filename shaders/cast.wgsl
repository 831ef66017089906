// cast: out = x, or factor x, in another type.
// Buffers: x, out [count], each f32 or f16; factor [1] f32 where SCALED.
// Grid: WG invocations a workgroup, PER elements an invocation, a workgroup apart, so that neighbours touch neighbours.
// Precision: f32; a number past the range of f16 becomes infinite.
// @use elements

const WG: u32 = 256u;          // knob, halved to fit: invocations a workgroup
const PER: u32 = 4u;           // knob: elements an invocation
const SCALED: bool = false;    // knob: multiply by factor
const VEC: bool = false;       // knob: x and out are accessed as vectors of 4; count is a multiple of 4
alias XScalar = f32;           // knob: f16 reads x in half precision
alias XElem = f32;             // knob: as XScalar, a vector of 4 with VEC
alias Scalar = f32;            // knob: f16 stores out in half precision
alias OElem = array<f32, 1>;   // knob: array<Scalar, 1>, or a vector of 4 with VEC

struct Dims {
  count: u32,
}

@group(0) @binding(0) var<storage, read> x: array<XElem>;
@group(0) @binding(1) var<storage, read_write> out: array<OElem>;
@group(0) @binding(2) var<storage, read> factor: array<f32>; // optional: SCALED
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
    if (at < dims.count / WIDTH) {
      var value = vec4f(vec4<XScalar>(x[at]));
      if (SCALED) {
        value *= factor[0];
      }
      out[at] = element(value);
    }
  }
}
