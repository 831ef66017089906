// swiglu_bwd: dx1 = dy * x2 * silu'(x1), dx2 = dy * silu(x1).
// Buffers, row-major f32: x12, dx12 [rows, 2 hidden], dy [rows, hidden].
// Grid: as swiglu_fwd, over the elements of dy.
// Precision: f32.
// Source: the derivative of shaders/swiglu_fwd.wgsl.
// @use activation

const ROWS: u32 = 4u;  // knob, halved to fit: invocations a column of a workgroup
const PER: u32 = 4u;   // knob: rows an invocation

struct Dims {
  rows: u32,
  hidden: u32,
}

@group(0) @binding(0) var<storage, read> x12: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx12: array<f32>;
@group(0) @binding(3) var<uniform> dims: Dims;

@compute @workgroup_size(64, ROWS)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let tiles = (dims.hidden + 63u) / 64u;
  let group = wid.x + wid.y * groups.x;
  let col = (group % tiles) * 64u + lid.x;
  let first = (group / tiles) * (ROWS * PER) + lid.y;
  if (col >= dims.hidden) {
    return;
  }
  for (var i = 0u; i < PER; i++) {
    let row = first + i * ROWS;
    if (row < dims.rows) {
      let at = row * dims.hidden + col;
      let at1 = at + row * dims.hidden;
      let x1 = x12[at1];
      let g = dy[at];
      let s = sigmoid(x1); // shared by silu(x1) = x1 s and its derivative
      dx12[at1] = g * x12[at1 + dims.hidden] * s * (1.0 + x1 * (1.0 - s));
      dx12[at1 + dims.hidden] = g * x1 * s;
    }
  }
}
