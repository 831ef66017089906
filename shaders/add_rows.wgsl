// add_rows: out[r, c] = x[r, c] + row[r / group_rows, c]: one row for every group of consecutive rows (a sample's tokens).
// Buffers: x, out [rows, cols] f32; row [ceil(rows / group_rows), cols] f32. The gradient by row is sum_cols over chunks of group_rows.
// Grid: WG invocations a workgroup, PER elements an invocation, a workgroup apart, so that neighbours touch neighbours.
// Precision: f32; x and out may be stored as f16.

const WG: u32 = 256u;  // knob, halved to fit: invocations a workgroup
const PER: u32 = 4u;   // knob: elements an invocation
alias Scalar = f32;    // knob: f16 stores x, out in half precision

struct Dims {
  rows: u32,
  cols: u32,
  group_rows: u32,
}

@group(0) @binding(0) var<storage, read> x: array<Scalar>;
@group(0) @binding(1) var<storage, read> row: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<Scalar>;
@group(0) @binding(3) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let first = (wid.x + wid.y * groups.x) * (WG * PER) + local;
  for (var i = 0u; i < PER; i++) {
    let at = first + i * WG;
    if (at < dims.rows * dims.cols) {
      out[at] = Scalar(f32(x[at]) + row[(at / dims.cols / dims.group_rows) * dims.cols + at % dims.cols]);
    }
  }
}
