// gated_residual_bwd_h: dh = gate * dy.
// Buffers, row-major f32: dy, dh [rows, cols]; modulation [ceil(rows / mod_rows), mod_stride], gate of column c at gate_offset + c.
// Grid: as gated_residual_fwd.
// Precision: f32.
// Source: the derivative of shaders/gated_residual_fwd.wgsl by h.

const ROWS: u32 = 4u;  // knob, halved to fit: invocations a column of a workgroup
const PER: u32 = 8u;   // knob: rows an invocation

struct Dims {
  rows: u32,
  cols: u32,
  mod_rows: u32,
  mod_stride: u32,
  gate_offset: u32,
}

@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read> modulation: array<f32>;
@group(0) @binding(2) var<storage, read_write> dh: array<f32>;
@group(0) @binding(3) var<uniform> dims: Dims;

@compute @workgroup_size(64, ROWS)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let tiles = (dims.cols + 63u) / 64u;
  let group = wid.x + wid.y * groups.x;
  let col = (group % tiles) * 64u + lid.x;
  let begin = ((group / tiles) * ROWS + lid.y) * PER;
  if (col >= dims.cols || begin >= dims.rows) {
    return;
  }
  let end = min(begin + PER, dims.rows);
  var gate_at = (begin / dims.mod_rows) * dims.mod_stride + dims.gate_offset + col;
  var left = dims.mod_rows - begin % dims.mod_rows; // rows that still share this gate
  var gate = modulation[gate_at];
  for (var row = begin; row < end; row++) {
    if (left == 0u) {
      left = dims.mod_rows;
      gate_at += dims.mod_stride;
      gate = modulation[gate_at];
    }
    left--;
    let at = row * dims.cols + col;
    dh[at] = gate * dy[at];
  }
}
