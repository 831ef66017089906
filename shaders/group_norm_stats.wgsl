// group_norm_stats: mean and 1 / sqrt(variance + eps) of each sample's groups of channels, from the means and squared distances of parts.
// Buffers f32: partial [batch parts, 2, cols] of group_norm_sums, parts = pixels / chunk_rows; stats [batch, groups, 2].
// Grid: ROWS (sample, group) a workgroup, LANES invocations each. LANES = 1 runs without barriers.
// Precision: f32; the parts are of one size, so the mean is that of their means.
// Source: Chan et al. 1983 (merging of variances).
// @use lanes
// @use runs
// @use finite

const LANES: u32 = 64u;    // knob, halved to fit: invocations a group, a power of two
const ROWS: u32 = 4u;      // knob, halved to fit: groups a workgroup

alias Summed = f32;

struct Dims {
  batch: u32,
  cols: u32,
  pixels: u32,
  groups: u32,
  chunk_rows: u32,
  eps: f32,
}

@group(0) @binding(0) var<storage, read> partial: array<f32>;
@group(0) @binding(1) var<storage, read_write> stats: array<f32>;
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(LANES, ROWS)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let row = (wid.x + wid.y * groups.x) * ROWS + lid.y;
  let live = row < dims.batch * dims.groups; // those past the end still take part in the barriers
  let width = dims.cols / dims.groups;
  let parts = dims.pixels / dims.chunk_rows;
  let end = select(0u, parts * width, live);
  let base = select(0u, (row / dims.groups) * parts * 2u * dims.cols + (row % dims.groups) * width, live);
  var sums = Runs();
  for (var first = lid.x; first < end; first += RUN * LANES) {
    var run = 0.0;
    for (var i = first; i < min(end, first + RUN * LANES); i += LANES) {
      run += partial[base + i / width * 2u * dims.cols + i % width];
    }
    add_run(&sums, run);
  }
  let mean = lanes_sum(sum_of(sums), lid.x, lid.y) / f32(parts * width);
  var squares = Runs();
  for (var first = lid.x; first < end; first += RUN * LANES) {
    var run = 0.0;
    for (var i = first; i < min(end, first + RUN * LANES); i += LANES) {
      let at = base + i / width * 2u * dims.cols + i % width;
      let d = partial[at] - mean;
      run += partial[at + dims.cols] + f32(dims.chunk_rows) * d * d;
    }
    add_run(&squares, run);
  }
  let variance = lanes_sum(sum_of(squares), lid.x, lid.y) / (f32(dims.pixels) * f32(width));
  if (live && lid.x == 0u) {
    stats[2u * row] = mean;
    stats[2u * row + 1u] = inverse_root(variance + dims.eps);
  }
}
