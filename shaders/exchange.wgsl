// exchange: out[group, n, tap, m] = x[group, m, tap, n]: weights of a convolution with rows and channels exchanged, as its gradient by what
//   it reads needs them.
// Buffers: x f32 [groups, m, taps, n], out f32 or f16 [groups, n, taps, m].
// Grid: a workgroup of WG turns squares of SIDE x SIDE through workgroup memory, so that reads and writes are contiguous; folded over
//   (group, tap, square).
// Precision: exact, or rounded to f16 once.

const WG: u32 = 256u;    // knob, halved to fit: invocations a workgroup, a multiple of SIDE
const SIDE: u32 = 16u;
alias OScalar = f32;     // knob: f16 stores out in half precision

struct Dims {
  m: u32,
  n: u32,
  taps: u32,
  groups: u32, // optional, else 1
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<OScalar>;
@group(0) @binding(2) var<uniform> dims: Dims;

var<workgroup> square: array<array<f32, SIDE + 1u>, SIDE>; // one more, so that columns meet no bank twice

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let across = (dims.n + SIDE - 1u) / SIDE;
  let down = (dims.m + SIDE - 1u) / SIDE;
  let index = wid.x + wid.y * groups.x;
  let slice = index / (across * down);
  let tap = slice % dims.taps;
  let base = slice / dims.taps * dims.m * dims.taps * dims.n;
  let live = slice < dims.taps * dims.groups;
  let m0 = (index / across % down) * SIDE;
  let n0 = (index % across) * SIDE;
  for (var row = local / SIDE; row < SIDE; row += WG / SIDE) {
    let at = vec2u(m0 + row, n0 + local % SIDE);
    if (live && at.x < dims.m && at.y < dims.n) {
      square[row][local % SIDE] = x[base + (at.x * dims.taps + tap) * dims.n + at.y];
    }
  }
  workgroupBarrier();
  for (var row = local / SIDE; row < SIDE; row += WG / SIDE) {
    let at = vec2u(m0 + local % SIDE, n0 + row);
    if (live && at.x < dims.m && at.y < dims.n) {
      out[base + (at.y * dims.taps + tap) * dims.m + at.x] = OScalar(square[local % SIDE][row]);
    }
  }
}
