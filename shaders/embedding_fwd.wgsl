// embedding_fwd: out[b, c] = table[index[b], c]; NaN where the index is past the table, so that a wrong label shows.
// Buffers: table [rows, cols] f32, index [count] u32, out [count, cols] f32.
// Grid: one invocation an element of out, WG a workgroup.
// Precision: exact.

const WG: u32 = 256u;  // knob, halved to fit: invocations a workgroup

struct Dims {
  rows: u32,
  cols: u32,
  count: u32,
}

@group(0) @binding(0) var<storage, read> table: array<f32>;
@group(0) @binding(1) var<storage, read> index: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let at = (wid.x + wid.y * groups.x) * WG + local;
  if (at >= dims.count * dims.cols) {
    return;
  }
  let item = at / dims.cols;
  let row = index[item];
  if (row < dims.rows) {
    out[at] = table[row * dims.cols + at - item * dims.cols];
  } else {
    var nan_bits = 0x7fc00000u; // a constant expression may not be NaN; a variable's bits may
    out[at] = bitcast<f32>(nan_bits);
  }
}
