// lanes_any: two sums at once over the LANES invocations that share a row, for kernels whose workgroup is LANES x ROWS, where LANES need
// not be a power of two. Up to MOST_READ lanes each adds up all partial sums of its row, which takes one barrier where a tree takes one a
// level: a kernel that waits for memory waits at each. More are a tree. Sums take turns in two halves of the array, so that the next
// overwrites nothing that a lane may still read.
// Needs in the kernel: const LANES, const ROWS. Every invocation of the workgroup must call (uniform control flow).
// With LANES = 1 no barrier runs, which is what CPU adapters want.

const MOST_READ: u32 = 32u;

var<workgroup> lane_pairs: array<vec2f, 2u * LANES * ROWS>;
var<private> lanes_turn: u32;

fn lanes_any_sum(value: vec2f, lane: u32, row: u32) -> vec2f {
  if (LANES == 1u) {
    return value;
  }
  let base = lanes_turn * (LANES * ROWS) + row * LANES;
  lanes_turn = 1u - lanes_turn;
  lane_pairs[base + lane] = value;
  workgroupBarrier();
  if (LANES > MOST_READ && (LANES & (LANES - 1u)) == 0u) {
    for (var stride = LANES / 2u; stride > 0u; stride /= 2u) {
      if (lane < stride) {
        lane_pairs[base + lane] += lane_pairs[base + lane + stride];
      }
      workgroupBarrier();
    }
    return lane_pairs[base];
  }
  var total = vec2f(0.0);
  for (var i = 0u; i < LANES; i++) {
    total += lane_pairs[base + i];
  }
  return total;
}
