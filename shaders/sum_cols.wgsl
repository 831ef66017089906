// sum_cols: out[chunk, c] = sum of x[r, c] over the rows r of a chunk of chunk_rows rows.
// Buffers, row-major f32: x [rows, cols], out [ceil(rows / chunk_rows), cols]; prior, as out: what the sums are added to.
// Grid: columns are single ones, or WIDTH neighbours. A workgroup sums WG columns of one chunk, or WG / LANES columns where chunks have
//   at least LANES_FROM rows, LANES invocations a column (lib column_lanes). Two passes (chunks, then their sums) keep a GPU busy where
//   rows are many and columns few.
// Precision: f32, in one fixed order: no atomics; either side may be stored as f16.
// @use column_lanes

const WG: u32 = 256u;         // knob, halved to fit: invocations a workgroup
const LANES: u32 = 8u;        // knob: invocations a column, a power of two
const LANES_FROM: u32 = 64u;  // knob: rows a chunk from which LANES share a column
const WIDTH: u32 = 1u;        // knob: numbers accessed at once, 1, 4 or 8; cols is a multiple of it
const HAS_PRIOR: bool = false; // knob: add prior
alias Elem = f32;             // knob: f16 stores x in half precision; WIDTH of them, 8 as a matrix of two vectors
alias OutElem = f32;          // knob: likewise out, prior
alias Summed = f32;           // knob: likewise, of f32

struct Dims {
  rows: u32,
  cols: u32,
  chunk_rows: u32, // optional, else rows
}

@group(0) @binding(0) var<storage, read> x: array<Elem>;
@group(0) @binding(1) var<storage, read_write> out: array<OutElem>;
@group(0) @binding(2) var<uniform> dims: Dims;
@group(0) @binding(3) var<storage, read> prior: array<OutElem>; // optional: HAS_PRIOR

fn term(row: u32, col: u32) -> Summed {
  return Summed(x[row * (dims.cols / WIDTH) + col]);
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let cols = dims.cols / WIDTH;
  let p = column_part(wid.x + wid.y * groups.x, local, cols, dims.chunk_rows);
  let sum = column_total(p, local, dims.chunk_rows);
  if (!p.owner) {
    return;
  }
  let at = p.part * cols + p.col;
  if (HAS_PRIOR) {
    out[at] = OutElem(Summed(prior[at]) + sum);
  } else {
    out[at] = OutElem(sum);
  }
}
