// group_norm_bwd_sums: of each channel and part of an image's pixels, the sums of g and of g xhat, g = dy, carried back through SiLU where
//   there was one: of a batch the gradients by bias and weight.
// Buffers f32: x, dy [rows, cols]; stats [batch, groups, 2]; weight, bias [cols]; partial [rows / chunk_rows, 2, cols].
// Grid: as group_norm_sums.
// Precision: f32; sums of runs.
// Source: the derivative of shaders/group_norm_fwd.wgsl.
// @use activation
// @use group_norm_columns

const WG: u32 = 256u;         // knob, halved to fit: invocations a workgroup
const LANES: u32 = 8u;        // knob: invocations a column, a power of two
const LANES_FROM: u32 = 64u;  // knob: rows a part from which LANES share a column
const SILU: bool = false;     // knob: the forward had SiLU

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> stats: array<f32>;
@group(0) @binding(3) var<storage, read> weight: array<f32>; // optional: SILU
@group(0) @binding(4) var<storage, read> bias: array<f32>; // optional: SILU
@group(0) @binding(5) var<storage, read_write> partial: array<f32>;
@group(0) @binding(6) var<uniform> dims: Dims;

fn term(row: u32, col: u32) -> Summed {
  let at = row * dims.cols + col;
  let group = (row / dims.pixels) * dims.groups + col / (dims.cols / dims.groups);
  let xhat = (x[at] - stats[2u * group]) * stats[2u * group + 1u];
  var g = dy[at];
  if (SILU) {
    g *= silu_grad(xhat * weight[col] + bias[col]);
  }
  return vec2f(g, g * xhat);
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
    let at = 2u * p.part * dims.cols + p.col;
    partial[at] = sum.x;
    partial[at + dims.cols] = sum.y;
  }
}
