// swiglu_bwd: dx1 = dy * x2 * silu'(x1), dx2 = dy * silu(x1).
// Buffers, row-major f32, or f16: x12, dx12 [rows, 2 hidden], dy [rows, hidden].
// Grid: as swiglu_fwd, over the elements of dy.
// Precision: f32; the buffers may be stored as f16.
// Source: the derivative of shaders/swiglu_fwd.wgsl.
// @use swiglu_gradient

const ROWS: u32 = 4u;  // knob, halved to fit: invocations a column of a workgroup
const PER: u32 = 4u;   // knob: rows an invocation
const VEC: bool = false;       // knob: x12, dy and dx12 are accessed as vectors of 4; hidden is a multiple of 4
alias Scalar = f32;            // knob: f16 stores x12, dy, dx12 in half precision
alias Elem = f32;              // knob: as Scalar, a vector of 4 with VEC
alias OElem = array<f32, 1>;   // knob: array<Scalar, 1>, or a vector of 4 with VEC

struct Dims {
  rows: u32,
  hidden: u32,
}

@group(0) @binding(0) var<storage, read> x12: array<Elem>;
@group(0) @binding(1) var<storage, read> dy: array<Elem>;
@group(0) @binding(2) var<storage, read_write> dx12: array<OElem>;
@group(0) @binding(3) var<uniform> dims: Dims;

@compute @workgroup_size(64, ROWS)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let hidden = dims.hidden / WIDTH; // elements a row
  let tiles = (hidden + 63u) / 64u;
  let group = wid.x + wid.y * groups.x;
  let col = (group % tiles) * 64u + lid.x;
  let first = (group / tiles) * (ROWS * PER) + lid.y;
  if (col >= hidden) {
    return;
  }
  for (var i = 0u; i < PER; i++) {
    let row = first + i * ROWS;
    if (row < dims.rows) {
      _ = write_gradient(row, col);
    }
  }
}
