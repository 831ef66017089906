// lanes_pair: two sums at once over the LANES invocations that share a row, for kernels whose workgroup is LANES x ROWS.
// Needs in the kernel: const LANES, const ROWS. Every invocation of the workgroup must call (uniform control flow), once.
// With LANES = 1 the loop is empty and no barrier runs, which is what CPU adapters want.

var<workgroup> lane_pairs: array<vec2f, LANES * ROWS>;

fn lanes_sum_pair(value: vec2f, lane: u32, row: u32) -> vec2f {
  if (LANES == 1u) {
    return value;
  }
  let base = row * LANES;
  lane_pairs[base + lane] = value;
  workgroupBarrier();
  for (var stride = LANES / 2u; stride > 0u; stride /= 2u) {
    if (lane < stride) {
      lane_pairs[base + lane] += lane_pairs[base + lane + stride];
    }
    workgroupBarrier();
  }
  return lane_pairs[base];
}
