// copy_columns: some columns of a matrix into some columns of another: rows side by side, or one part of them.
//   out[r, to_offset + c] = source[r, from_offset + c] for c < cols
// Buffers f32: source [rows, from_stride], out [rows, to_stride]; other columns of out are left as they are.
// Grid: one invocation an element, 4 of them a workgroup apart, so that neighbours copy neighbours.
// Precision: exact.
// Source: concatenation along the last axis, and with the roles of the two changed its backward.

const WG: u32 = 256u;  // knob, halved to fit: invocations a workgroup

struct Dims {
  rows: u32,
  cols: u32,
  from_stride: u32,
  from_offset: u32,
  to_stride: u32,
  to_offset: u32,
}

@group(0) @binding(0) var<storage, read> source: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let first = (wid.x + wid.y * groups.x) * (4u * WG) + local;
  for (var i = 0u; i < 4u; i++) {
    let at = first + i * WG;
    if (at < dims.rows * dims.cols) {
      let row = at / dims.cols;
      let col = at % dims.cols;
      out[row * dims.to_stride + dims.to_offset + col] = source[row * dims.from_stride + dims.from_offset + col];
    }
  }
}
