// gated_residual_bwd_h: dh = gate * dy.
// Buffers, row-major f32: dy, dh [rows, cols]; modulation [ceil(rows / mod_rows), mod_stride], gate of column c at gate_offset + c.
// Grid: as gated_residual_fwd.
// Precision: f32; dy and dh may be stored as f16.
// Source: the derivative of shaders/gated_residual_fwd.wgsl by h.
// @use elements
// @use gate

const ROWS: u32 = 4u;  // knob, halved to fit: invocations a column of a workgroup
const PER: u32 = 8u;   // knob: rows an invocation
const VEC: bool = false;       // knob: dy and dh are accessed as vectors of 4; cols is a multiple of 4
const VEC_MOD: bool = false;   // knob: so is modulation; mod_stride and gate_offset are multiples of 4; with VEC
alias Scalar = f32;            // knob: f16 stores dy, dh in half precision
alias Elem = f32;              // knob: as Scalar, a vector of 4 with VEC
alias OElem = array<f32, 1>;   // knob: array<Scalar, 1>, or a vector of 4 with VEC
alias Mod = f32;               // knob: vec4f with VEC_MOD

struct Dims {
  rows: u32,
  cols: u32,
  mod_rows: u32,
  mod_stride: u32,
  gate_offset: u32,
}

@group(0) @binding(0) var<storage, read> dy: array<Elem>;
@group(0) @binding(1) var<storage, read> modulation: array<Mod>;
@group(0) @binding(2) var<storage, read_write> dh: array<OElem>;
@group(0) @binding(3) var<uniform> dims: Dims;

@compute @workgroup_size(64, ROWS)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let cols = dims.cols / WIDTH; // elements a row
  let tiles = (cols + 63u) / 64u;
  let group = wid.x + wid.y * groups.x;
  let col = (group % tiles) * 64u + lid.x;
  let begin = ((group / tiles) * ROWS + lid.y) * PER;
  if (col >= cols || begin >= dims.rows) {
    return;
  }
  let end = min(begin + PER, dims.rows);
  var gate_at = (begin / dims.mod_rows) * dims.mod_stride + dims.gate_offset + WIDTH * col;
  var left = dims.mod_rows - begin % dims.mod_rows; // rows that still share this gate
  var gate = gate_of(gate_at);
  for (var row = begin; row < end; row++) {
    if (left == 0u) {
      left = dims.mod_rows;
      gate_at += dims.mod_stride;
      gate = gate_of(gate_at);
    }
    left--;
    let at = row * cols + col;
    dh[at] = element(gate * vec4f(vec4<Scalar>(dy[at])));
  }
}
