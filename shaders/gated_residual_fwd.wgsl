// gated_residual_fwd: y = x + gate * h, the gate per sample or per token.
// Buffers, row-major f32: x, h, y [rows, cols]; modulation [ceil(rows / mod_rows), mod_stride], gate of column c at gate_offset + c.
// Grid: a workgroup covers 64 columns of ROWS * PER rows, an invocation PER neighbouring rows of one column: neighbours touch
//   neighbouring columns, no element costs a division, and the gate stays in a register until its rows end.
// Precision: f32.
// Source: Peebles & Xie 2023 (adaLN-Zero).

const ROWS: u32 = 4u;  // knob, halved to fit: invocations a column of a workgroup
const PER: u32 = 8u;   // knob: rows an invocation

struct Dims {
  rows: u32,
  cols: u32,
  mod_rows: u32,
  mod_stride: u32,
  gate_offset: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> h: array<f32>;
@group(0) @binding(2) var<storage, read> modulation: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<uniform> dims: Dims;

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
    y[at] = x[at] + gate * h[at];
  }
}
