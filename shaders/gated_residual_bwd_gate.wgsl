// gated_residual_bwd_gate: dgate += sum over the mod_rows rows of a modulation row of dy * h, and, with HAS_DH, dh = gate * dy in one reading.
// Buffers, row-major f32: dy, h, dh [rows, cols]; dmodulation [ceil(rows / mod_rows), mod_stride], ADDED to at gate_offset + c: the
//   caller zeroes it, and several kernels add into columns of their own; modulation [same], gate of column c at gate_offset + c.
// Grid: columns are single ones or, with VEC, fours of neighbours. A workgroup sums WG columns of one modulation row, or WG / LANES columns
//   where mod_rows is at least LANES_FROM, LANES invocations a column (lib column_lanes).
// Precision: f32, in one fixed order: no atomics; dy, h and dh may be stored as f16.
// Source: the derivatives of shaders/gated_residual_fwd.wgsl by the gate and by h.
// @use column_lanes
// @use elements
// @use gate

const WG: u32 = 256u;         // knob, halved to fit: invocations a workgroup
const LANES: u32 = 8u;        // knob: invocations a column, a power of two
const LANES_FROM: u32 = 32u;  // knob: mod_rows from which LANES share a column
const VEC: bool = false;      // knob: dy, h and dh are accessed as vectors of 4; cols is a multiple of 4
const HAS_DH: bool = false;   // knob: also write dh
alias Scalar = f32;           // knob: f16 stores dy, h, dh in half precision
alias Elem = f32;             // knob: as Scalar, a vector of 4 with VEC
alias OElem = array<f32, 1>;  // knob: array<Scalar, 1>, or a vector of 4 with VEC
alias Summed = f32;           // knob: vec4f with VEC

const VEC_MOD: bool = false; // modulation may start anywhere

struct Dims {
  rows: u32,
  cols: u32,
  mod_rows: u32,
  mod_stride: u32,
  gate_offset: u32,
}

@group(0) @binding(0) var<storage, read> dy: array<Elem>;
@group(0) @binding(1) var<storage, read> h: array<Elem>;
@group(0) @binding(2) var<storage, read_write> dmodulation: array<f32>;
@group(0) @binding(3) var<uniform> dims: Dims;
@group(0) @binding(4) var<storage, read> modulation: array<f32>; // optional: HAS_DH
@group(0) @binding(5) var<storage, read_write> dh: array<OElem>; // optional: HAS_DH

var<private> gate: vec4f; // of the column that the invocation sums

// Asked for each element once.
fn term(row: u32, col: u32) -> Summed {
  let at = row * (dims.cols / WIDTH) + col;
  let slope = Summed(dy[at]);
  if (HAS_DH) { dh[at] = element(gate * vec4f(slope)); }
  return slope * Summed(h[at]);
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let p = column_part(wid.x + wid.y * groups.x, local, dims.cols / WIDTH, dims.mod_rows);
  let at = p.part * dims.mod_stride + dims.gate_offset + WIDTH * p.col;
  if (HAS_DH && p.live) { gate = gate_of(at); }
  let sum = column_total(p, local, dims.mod_rows);
  if (p.owner) {
    let all = vec4f(sum);
    dmodulation[at] += all.x;
    if (VEC) {
      dmodulation[at + 1u] += all.y;
      dmodulation[at + 2u] += all.z;
      dmodulation[at + 3u] += all.w;
    }
  }
}
