// sum_cols: out[chunk, c] = sum of x[r, c] over the rows r of a chunk of chunk_rows rows.
// Buffers, row-major f32: x [rows, cols], out [ceil(rows / chunk_rows), cols].
// Grid: columns are single ones or, with VEC, fours of neighbours. A workgroup sums WG columns of one chunk, or WG / LANES columns
//   where chunks have at least LANES_FROM rows, LANES invocations a column (lib column_lanes). Two passes (chunks, then their sums)
//   keep a GPU busy where rows are many and columns few.
// Precision: f32, in one fixed order: no atomics.
// @use column_lanes

const WG: u32 = 256u;         // knob, halved to fit: invocations a workgroup
const LANES: u32 = 8u;        // knob: invocations a column, a power of two
const LANES_FROM: u32 = 64u;  // knob: rows a chunk from which LANES share a column
const VEC: bool = false;      // knob: x and out are accessed as vectors of 4; cols is a multiple of 4
alias Summed = f32;           // knob: vec4f with VEC

const WIDTH: u32 = select(1u, 4u, VEC); // numbers a column

struct Dims {
  rows: u32,
  cols: u32,
  chunk_rows: u32, // optional, else rows
}

@group(0) @binding(0) var<storage, read> x: array<Summed>;
@group(0) @binding(1) var<storage, read_write> out: array<Summed>;
@group(0) @binding(2) var<uniform> dims: Dims;

fn term(row: u32, col: u32) -> Summed {
  return x[row * (dims.cols / WIDTH) + col];
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let p = column_part(wid, groups, local, dims.cols / WIDTH, dims.chunk_rows);
  let sum = column_total(p, local, dims.chunk_rows);
  if (p.owner) {
    out[p.part * (dims.cols / WIDTH) + p.col] = sum;
  }
}
