// lanes: sums over the LANES invocations that share a row, for kernels whose workgroup is LANES x ROWS.
// Needs in the kernel: const LANES, const ROWS. Every invocation of the workgroup must call (uniform control flow).
// With LANES = 1 the loop is empty and no barrier runs, which is what CPU adapters want.

var<workgroup> lane_partials: array<f32, LANES * ROWS>;

fn lanes_sum(value: f32, lane: u32, row: u32) -> f32 {
  if (LANES == 1u) {
    return value;
  }
  let base = row * LANES;
  lane_partials[base + lane] = value;
  workgroupBarrier();
  for (var stride = LANES / 2u; stride > 0u; stride /= 2u) {
    if (lane < stride) {
      lane_partials[base + lane] += lane_partials[base + lane + stride];
    }
    workgroupBarrier();
  }
  let total = lane_partials[base];
  workgroupBarrier(); // the next sum may not overwrite before every lane has read this one
  return total;
}
