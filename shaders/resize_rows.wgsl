// resize_rows: out[r, c] = x[r, c] for c < cols_in, else 0: cuts rows short, or pads them with zeros. Each is the other's backward.
// Buffers f32: x [rows, cols_in], out [rows, cols_out].
// Grid: WG invocations a workgroup, 4 elements of out an invocation, a workgroup apart.
// Precision: exact.

const WG: u32 = 256u;  // knob, halved to fit: invocations a workgroup

struct Dims {
  rows: u32,
  cols_in: u32,
  cols_out: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
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
    if (at < dims.rows * dims.cols_out) {
      let row = at / dims.cols_out;
      let col = at - row * dims.cols_out;
      var value = 0.0;
      if (col < dims.cols_in) {
        value = x[row * dims.cols_in + col];
      }
      out[at] = value;
    }
  }
}
