// norm_bwd_weight: the gradients of norm_fwd by weight and bias, as sums over chunks of rows.
//   dweight = sum of dy (1 + scale) xhat;  dbias = sum of dy (1 + scale). sum_cols adds the chunks.
// Buffers, row-major f32: dy, x [rows, cols]; stats [rows, 2] = (mean, rstd);
//   modulation [ceil(rows / mod_rows), mod_stride], scale of column c at scale_offset + c;
//   dweight_partial, dbias_partial [ceil(rows / chunk_rows), cols].
// Grid: a workgroup sums WG columns of one chunk, or WG / LANES columns where chunks have at least LANES_FROM rows, LANES
//   invocations a column (lib column_lanes).
// Precision: f32, in one fixed order: no atomics.
// Source: the derivative of shaders/norm_fwd.wgsl.
// @use column_lanes

const WG: u32 = 256u;            // knob, halved to fit: invocations a workgroup
const LANES: u32 = 8u;           // knob: invocations a column, a power of two
const LANES_FROM: u32 = 32u;     // knob: rows a chunk from which LANES share a column
const HAS_SCALE: bool = false;   // knob: the forward had scale
const HAS_BIAS: bool = false;    // knob: the forward had bias
alias Elem = f32;                // knob: f16 stores dy, x in half precision

alias Summed = vec2f; // dbias, dweight

struct Dims {
  rows: u32,
  cols: u32,
  mod_rows: u32, // optional: HAS_SCALE, else 1
  mod_stride: u32, // optional: HAS_SCALE, else 0
  scale_offset: u32, // optional: HAS_SCALE, else 0
  chunk_rows: u32, // optional, else rows
}

@group(0) @binding(0) var<storage, read> dy: array<Elem>;
@group(0) @binding(1) var<storage, read> x: array<Elem>;
@group(0) @binding(2) var<storage, read> stats: array<f32>;
@group(0) @binding(3) var<storage, read> modulation: array<f32>; // optional: HAS_SCALE
@group(0) @binding(4) var<storage, read_write> dweight_partial: array<f32>;
@group(0) @binding(5) var<storage, read_write> dbias_partial: array<f32>; // optional: HAS_BIAS
@group(0) @binding(6) var<uniform> dims: Dims;

fn term(row: u32, col: u32) -> vec2f {
  let at = row * dims.cols + col;
  var g = f32(dy[at]);
  if (HAS_SCALE) {
    g *= 1.0 + modulation[(row / dims.mod_rows) * dims.mod_stride + dims.scale_offset + col];
  }
  return vec2f(g, g * (f32(x[at]) - stats[row * 2u]) * stats[row * 2u + 1u]);
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
    let at = p.part * dims.cols + p.col;
    if (HAS_BIAS) {
      dbias_partial[at] = sum.x;
    }
    dweight_partial[at] = sum.y;
  }
}
