// largest: the bits of the largest magnitudes of PARTS parts of x [count], for ranges_of in matmul_f32x3: out[i] is over the quads and singles
// i WG + j, j < WG, taken round by round. Bits of magnitudes are ordered as the magnitudes are, with infinity and then NaN above all numbers.
// Grid: a workgroup of WG a part. Precision: exact.

const WG: u32 = 256u;         // knob, halved to fit: invocations of a workgroup
const PARTS: u32 = 128u;      // knob: parts, workgroups

struct Dims {
  count: u32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4u>;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;
@group(0) @binding(2) var<uniform> dims: Dims;

var<workgroup> found: array<u32, WG>;

fn magnitude(bits: vec4u, at: u32) -> u32 {
  let m = select(vec4u(), bits & vec4u(0x7fffffffu), vec4u(at, at + 1u, at + 2u, at + 3u) < vec4u(dims.count));
  return max(max(m.x, m.y), max(m.z, m.w));
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) local: u32) {
  var most = 0u;
  for (var quad = wid.x * WG + local; quad < (dims.count + 3u) / 4u; quad += PARTS * WG) {
    most = max(most, magnitude(x[quad], quad * 4u));
  }
  found[local] = most;
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
