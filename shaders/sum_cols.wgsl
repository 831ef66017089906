// sum_cols: out[chunk, c] = sum of x[r, c] over the rows r of a chunk of chunk_rows rows.
// Buffers, row-major f32: x [rows, cols], out [ceil(rows / chunk_rows), cols]; tail [tail_rows, tail_cols], tail_out [tail_cols]: columns of
//   another matrix, summed whole, as the parts of a bias gradient beside those of its weight. prior, as out: what the sums of x are added to.
// Grid: columns are single ones, or WIDTH neighbours. A workgroup sums WG columns of one chunk, or WG / LANES columns where chunks have
//   at least LANES_FROM rows, LANES invocations a column (lib column_lanes). Two passes (chunks, then their sums) keep a GPU busy where
//   rows are many and columns few. The workgroups of the tail come after the others.
// Precision: f32, in one fixed order: no atomics; either side may be stored as f16.
// @use column_lanes

const WG: u32 = 256u;         // knob, halved to fit: invocations a workgroup
const LANES: u32 = 8u;        // knob: invocations a column, a power of two
const LANES_FROM: u32 = 64u;  // knob: rows a chunk from which LANES share a column
const WIDTH: u32 = 1u;        // knob: numbers accessed at once, 1, 4 or 8; cols and tail_cols are multiples of it
const HAS_TAIL: bool = false; // knob: also sum the columns of tail
const HAS_PRIOR: bool = false; // knob: add prior
alias Elem = f32;             // knob: f16 stores x, tail in half precision; WIDTH of them, 8 as a matrix of two vectors
alias OutElem = f32;          // knob: likewise out, tail_out
alias Summed = f32;           // knob: likewise, of f32

struct Dims {
  rows: u32,
  cols: u32,
  chunk_rows: u32, // optional, else rows
  tail_cols: u32, // optional: HAS_TAIL, else 0
  tail_rows: u32, // optional, else rows
}

@group(0) @binding(0) var<storage, read> x: array<Elem>;
@group(0) @binding(1) var<storage, read_write> out: array<OutElem>;
@group(0) @binding(2) var<uniform> dims: Dims;
@group(0) @binding(3) var<storage, read> tail: array<Elem>; // optional: HAS_TAIL
@group(0) @binding(4) var<storage, read_write> tail_out: array<OutElem>; // optional: HAS_TAIL
@group(0) @binding(5) var<storage, read> prior: array<OutElem>; // optional: HAS_PRIOR

var<private> in_tail: bool;

fn term(row: u32, col: u32) -> Summed {
  if (HAS_TAIL && in_tail) {
    return Summed(tail[row * (dims.tail_cols / WIDTH) + col]);
  }
  return Summed(x[row * (dims.cols / WIDTH) + col]);
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let group = wid.x + wid.y * groups.x;
  let before = column_groups(dims.cols / WIDTH, dims.rows, dims.chunk_rows);
  let tails = HAS_TAIL && group >= before;
  in_tail = tails;
  let cols = select(dims.cols, dims.tail_cols, tails) / WIDTH;
  let rows = select(dims.chunk_rows, dims.tail_rows, tails);
  var p = column_part(select(group, group - before, tails), local, cols, rows);
  if (tails) {
    p.end = dims.tail_rows;
  }
  let sum = column_total(p, local, rows);
  if (!p.owner) {
    return;
  }
  if (tails) {
    tail_out[p.col] = OutElem(sum);
    return;
  }
  let at = p.part * cols + p.col;
  if (HAS_PRIOR) {
    out[at] = OutElem(Summed(prior[at]) + sum);
  } else {
    out[at] = OutElem(sum);
  }
}
