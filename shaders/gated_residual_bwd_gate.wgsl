// gated_residual_bwd_gate: dgate += sum over the mod_rows rows of a modulation row of dy * h.
// Buffers, row-major f32: dy, h [rows, cols]; dmodulation [ceil(rows / mod_rows), mod_stride], ADDED to at gate_offset + c: the
//   caller zeroes it, and several kernels add into columns of their own.
// Grid: columns are single ones or, with VEC, fours of neighbours. A workgroup sums WG columns of one modulation row, or WG / LANES columns
//   where mod_rows is at least LANES_FROM, LANES invocations a column (lib column_lanes).
// Precision: f32, in one fixed order: no atomics.
// Source: the derivative of shaders/gated_residual_fwd.wgsl by the gate.
// @use column_lanes

const WG: u32 = 256u;         // knob, halved to fit: invocations a workgroup
const LANES: u32 = 8u;        // knob: invocations a column, a power of two
const LANES_FROM: u32 = 32u;  // knob: mod_rows from which LANES share a column
const VEC: bool = false;      // knob: dy and h are read as vectors of 4; cols is a multiple of 4
alias Summed = f32;           // knob: vec4f with VEC

const WIDTH: u32 = select(1u, 4u, VEC); // numbers a column

struct Dims {
  rows: u32,
  cols: u32,
  mod_rows: u32,
  mod_stride: u32,
  gate_offset: u32,
}

@group(0) @binding(0) var<storage, read> dy: array<Summed>;
@group(0) @binding(1) var<storage, read> h: array<Summed>;
@group(0) @binding(2) var<storage, read_write> dmodulation: array<f32>;
@group(0) @binding(3) var<uniform> dims: Dims;

fn term(row: u32, col: u32) -> Summed {
  let at = row * (dims.cols / WIDTH) + col;
  return dy[at] * h[at];
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let p = column_part(wid, groups, local, dims.cols / WIDTH, dims.mod_rows);
  let sum = column_total(p, local, dims.mod_rows);
  if (p.owner) {
    let at = p.part * dims.mod_stride + dims.gate_offset + WIDTH * p.col;
    let all = vec4f(sum);
    dmodulation[at] += all.x;
    if (VEC) {
      dmodulation[at + 1u] += all.y;
      dmodulation[at + 2u] += all.z;
      dmodulation[at + 3u] += all.w;
    }
  }
}
