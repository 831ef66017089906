// largest: the bits of the largest magnitude of each of PARTS parts of x [count] into out [PARTS], as matmul_f32x3 reads them. Bits of
// magnitudes are ordered as the magnitudes are, with infinity and then NaN above all numbers.
// HAS_PLACES: of several tensors in x, whose first element and count are a row of places [tensors, 2] each; out [tensors, PARTS].
// Grid: a workgroup of WG a part, tensor by tensor; the parts take turns, WG elements at a time. Precision: exact.

const WG: u32 = 256u;           // knob, halved to fit: invocations of a workgroup
const PARTS: u32 = 128u;        // knob: parts
const VEC: bool = false;        // knob: x is read as vectors of 4; counts are multiples of it, or zeros follow, and each tensor begins at one
const HAS_PLACES: bool = false; // knob: several tensors
alias Elem = u32;               // knob: u32, vec4u with VEC: the bits of f32 numbers

const WIDTH: u32 = select(1u, 4u, VEC);

struct Dims {
  count: u32,
  tensors: u32, // optional: HAS_PLACES, else 1
}

@group(0) @binding(0) var<storage, read> x: array<Elem>;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;
@group(0) @binding(2) var<uniform> dims: Dims;
@group(0) @binding(3) var<storage, read> places: array<vec2u>; // optional: HAS_PLACES

var<workgroup> found: array<u32, WG>;

fn bits(i: u32) -> vec4u {
  return vec4<u32>(x[i]) & vec4u(0x7fffffffu);
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let group = wid.x + wid.y * groups.x;
  let tensor = group / PARTS;
  if (tensor >= dims.tensors) {
    return;
  }
  var place = vec2u(0u, dims.count);
  if (HAS_PLACES) {
    place = places[tensor];
  }
  let end = (place.x + place.y + WIDTH - 1u) / WIDTH;
  let turn = PARTS * WG;
  var i = place.x / WIDTH + group % PARTS * WG + local;
  var most = vec4u();
  for (; i + 3u * turn < end; i += 4u * turn) { // four in flight
    most = max(most, max(max(bits(i), bits(i + turn)), max(bits(i + 2u * turn), bits(i + 3u * turn))));
  }
  for (; i < end; i += turn) {
    most = max(most, bits(i));
  }
  found[local] = max(max(most.x, most.y), max(most.z, most.w));
  workgroupBarrier();
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    if (local < half) {
      found[local] = max(found[local], found[local + half]);
    }
    workgroupBarrier();
  }
  if (local == 0u) {
    out[group] = found[0];
  }
}
