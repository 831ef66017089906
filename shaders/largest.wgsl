// largest: the bits of the largest magnitude of each of PARTS parts of x [count] into out [PARTS], as matmul_f32x3 reads them. Bits of
// magnitudes are ordered as the magnitudes are, with infinity and then NaN above all numbers.
// Grid: a workgroup of WG a part; the parts take turns, WG elements at a time. Precision: exact.

const WG: u32 = 256u;     // knob, halved to fit: invocations of a workgroup
const PARTS: u32 = 128u;  // knob: parts
const VEC: bool = false;  // knob: x is read as vectors of 4; count is a multiple of it
alias Elem = u32;         // knob: u32, vec4u with VEC: the bits of f32 numbers

struct Dims {
  count: u32,
}

@group(0) @binding(0) var<storage, read> x: array<Elem>;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;
@group(0) @binding(2) var<uniform> dims: Dims;

var<workgroup> found: array<u32, WG>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) local: u32) {
  let elements = select(dims.count, dims.count / 4u, VEC);
  var most = vec4u();
  for (var i = wid.x * WG + local; i < elements; i += PARTS * WG) {
    most = max(most, vec4<u32>(x[i]) & vec4u(0x7fffffffu));
  }
  found[local] = max(max(most.x, most.y), max(most.z, most.w));
  workgroupBarrier();
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    if (local < half) {
      found[local] = max(found[local], found[local + half]);
    }
    workgroupBarrier();
  }
  if (local == 0u && wid.x < PARTS) {
    out[wid.x] = found[0];
  }
}
