// column_lanes: sums down columns by a workgroup of WG. `lanes` invocations share a column: invocation i is lane i / width of
// the workgroup's column i % width, width = WG / lanes, so that neighbours read neighbouring columns.
// Needs in the kernel: const WG, its invocations; LANES and LANES_FROM (below), LANES at most WG, alias Summed, what is added up (f32 or a vector of them).

var<workgroup> column_partials: array<Summed, WG>;

// Short sums take one lane: the other lanes' time is better spent on more columns than on barriers.
fn column_lanes(rows: u32) -> u32 {
  return select(LANES, 1u, rows < LANES_FROM);
}

// The sum over the lanes of a column, valid in its lane 0. Every invocation of the workgroup must call, with the same lanes.
// One lane runs without barriers, which is what CPU adapters want.
fn column_sum(value: Summed, local: u32, lanes: u32) -> Summed {
  if (LANES == 1u || lanes == 1u) {
    return value;
  }
  column_partials[local] = value;
  workgroupBarrier();
  for (var stride = WG / 2u; stride >= WG / lanes; stride /= 2u) {
    if (local < stride) {
      column_partials[local] += column_partials[local + stride];
    }
    workgroupBarrier();
  }
  return column_partials[local];
}
