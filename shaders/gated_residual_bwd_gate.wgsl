// gated_residual_bwd_gate: dgate += sum over the mod_rows rows of a modulation row of dy * h.
// Buffers, row-major f32: dy, h [rows, cols]; dmodulation [ceil(rows / mod_rows), mod_stride], ADDED to at gate_offset + c: the
//   caller zeroes it, and several kernels add into columns of their own.
// Grid: columns are single ones or, with VEC, fours of neighbours. A workgroup sums WG columns of one modulation row, or WG / LANES columns where mod_rows is at least LANES_FROM, LANES
//   invocations a column (lib column_lanes).
// Precision: f32, in one fixed order: no atomics.
// Source: the derivative of shaders/gated_residual_fwd.wgsl by the gate.
// @use column_lanes
// @use runs

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

fn term(at: u32) -> Summed {
  return dy[at] * h[at];
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let lanes = column_lanes(dims.mod_rows);
  let width = WG / lanes;
  let cols = dims.cols / WIDTH;
  let tiles = (cols + width - 1u) / width;
  let group = wid.x + wid.y * groups.x;
  let mod_row = group / tiles;
  let col = (group % tiles) * width + local % width;
  let begin = min(mod_row * dims.mod_rows, dims.rows);
  let end = begin + min(dims.mod_rows, dims.rows - begin);
  let live = col < cols && begin < end; // the others still take part in the barriers

  var sums = Runs();
  if (live) {
    let length = 4u * RUN * lanes; // a run adds up RUN fours
    for (var first = begin + local / width; first < end; first += length) {
      let stop = min(end, first + length);
      var row = first;
      var run = Summed();
      for (; row + 3u * lanes < stop; row += 4u * lanes) { // four rows in flight
        let at = row * cols + col;
        let step = lanes * cols;
        run += (term(at) + term(at + step)) + (term(at + 2u * step) + term(at + 3u * step));
      }
      for (; row < stop; row += lanes) {
        run += term(row * cols + col);
      }
      add_run(&sums, run);
    }
  }
  let sum = column_sum(sum_of(sums), local, lanes);
  if (live && local < width) {
    let at = mod_row * dims.mod_stride + dims.gate_offset + WIDTH * col;
    let all = vec4f(sum);
    dmodulation[at] += all.x;
    if (VEC) {
      dmodulation[at + 1u] += all.y;
      dmodulation[at + 2u] += all.z;
      dmodulation[at + 3u] += all.w;
    }
  }
}
