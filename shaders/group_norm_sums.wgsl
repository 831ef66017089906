// group_norm_sums: of each channel and part of an image's pixels, mean and summed squared distance from it: group_norm_stats merges them.
// Buffers f32: x [rows, cols], channel-last images; partial [rows / chunk_rows, 2, cols].
// Grid: a workgroup sums WG columns of one part, or WG / LANES columns, LANES invocations each, of parts of LANES_FROM pixels (lib column_lanes).
// Precision: f32; distances are from the part's first pixel, so that a large mean does not cancel.
// @use group_norm_columns
// @use finite

const WG: u32 = 256u;         // knob, halved to fit: invocations a workgroup
const LANES: u32 = 8u;        // knob: invocations a column, a power of two
const LANES_FROM: u32 = 64u;  // knob: rows a part from which LANES share a column

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> partial: array<f32>;
@group(0) @binding(2) var<uniform> dims: Dims;

fn term(row: u32, col: u32) -> Summed {
  let d = x[row * dims.cols + col] - x[(row / dims.chunk_rows) * dims.chunk_rows * dims.cols + col];
  return vec2f(d, d * d);
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let p = column_part(wid.x + wid.y * groups.x, local, dims.cols, dims.chunk_rows);
  let sum = column_total(p, local, dims.chunk_rows);
  if (p.owner) {
    let mean = sum.x / f32(dims.chunk_rows);
    let at = 2u * p.part * dims.cols + p.col;
    partial[at] = x[p.begin * dims.cols + p.col] + mean;
    partial[at + dims.cols] = at_least(sum.y - sum.x * mean, 0.0);
  }
}
