// lanes_any: two sums at once over the LANES invocations that share a row, for kernels whose workgroup is LANES x ROWS, where LANES need
// not be a power of two: each invocation then adds up all partial sums of its row, and by a tree otherwise.
// Needs in the kernel: const LANES, const ROWS. Every invocation of the workgroup must call (uniform control flow).
// With LANES = 1 no barrier runs, which is what CPU adapters want.

var<workgroup> lane_pairs: array<vec2f, LANES * ROWS>;

fn lanes_any_sum(value: vec2f, lane: u32, row: u32) -> vec2f {
  if (LANES == 1u) {
    return value;
  }
  let base = row * LANES;
  lane_pairs[base + lane] = value;
  workgroupBarrier();
  var total = vec2f(0.0);
  if ((LANES & (LANES - 1u)) == 0u) {
    for (var stride = LANES / 2u; stride > 0u; stride /= 2u) {
      if (lane < stride) {
        lane_pairs[base + lane] += lane_pairs[base + lane + stride];
      }
      workgroupBarrier();
    }
    total = lane_pairs[base];
  } else {
    for (var i = 0u; i < LANES; i++) {
      total += lane_pairs[base + i];
    }
  }
  workgroupBarrier(); // the next sum may not overwrite before every lane has read this one
  return total;
}
