// swiglu_bwd_sums: as swiglu_bwd, dx1 = dy * x2 * silu'(x1), dx2 = dy * silu(x1), and the sums down the columns of dx12 over each chunk of
//   chunk_rows rows: the parts of a bias gradient, without another reading of dx12.
// Buffers, row-major f32, or f16: x12, dx12 [rows, 2 hidden], dy [rows, hidden]; f32 sums [ceil(rows / chunk_rows), 2 hidden].
// Grid: columns of dy are single ones or, with VEC, fours of neighbours. A workgroup sums WG columns of one chunk, or WG / LANES columns
//   where chunks have at least LANES_FROM rows, LANES invocations a column (lib column_lanes).
// Precision: f32, in one fixed order: no atomics; x12, dy and dx12 may be stored as f16.
// Source: the derivative of shaders/swiglu_fwd.wgsl.
// @use column_lanes
// @use swiglu_gradient

const WG: u32 = 256u;         // knob, halved to fit: invocations a workgroup
const LANES: u32 = 8u;        // knob: invocations a column, a power of two
const LANES_FROM: u32 = 64u;  // knob: rows a chunk from which LANES share a column
const VEC: bool = false;      // knob: x12, dy and dx12 are accessed as vectors of 4; hidden is a multiple of 4
alias Scalar = f32;           // knob: f16 stores x12, dy, dx12 in half precision
alias Elem = f32;             // knob: as Scalar, a vector of 4 with VEC
alias OElem = array<f32, 1>;  // knob: array<Scalar, 1>, or a vector of 4 with VEC

alias Summed = mat2x4f; // of dx1, of dx2; without VEC each is one number four times

struct Dims {
  rows: u32,
  hidden: u32,
  chunk_rows: u32, // optional, else rows
}

@group(0) @binding(0) var<storage, read> x12: array<Elem>;
@group(0) @binding(1) var<storage, read> dy: array<Elem>;
@group(0) @binding(2) var<storage, read_write> dx12: array<OElem>;
@group(0) @binding(3) var<storage, read_write> sums: array<f32>;
@group(0) @binding(4) var<uniform> dims: Dims;

// Asked for each element once.
fn term(row: u32, col: u32) -> Summed {
  return write_gradient(row, col);
}

fn put(at: u32, sum: vec4f) {
  sums[at] = sum.x;
  if (VEC) {
    sums[at + 1u] = sum.y;
    sums[at + 2u] = sum.z;
    sums[at + 3u] = sum.w;
  }
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let p = column_part(wid.x + wid.y * groups.x, local, dims.hidden / WIDTH, dims.chunk_rows);
  let sum = column_total(p, local, dims.chunk_rows);
  if (p.owner) {
    let at = p.part * 2u * dims.hidden + WIDTH * p.col;
    put(at, sum[0]);
    put(at + dims.hidden, sum[1]);
  }
}
