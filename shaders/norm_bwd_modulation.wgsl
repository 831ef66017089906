// norm_bwd_modulation: the gradients of norm_fwd by scale and shift, summed over the rows that share them.
//   dshift += sum of dy;  dscale += sum of dy (xhat weight + bias) = weight * sum of dy xhat + bias * sum of dy.
// Buffers, row-major f32: dy, x [rows, cols]; stats [rows, 2] = (mean, rstd); weight, bias [cols];
//   dmodulation [ceil(rows / mod_rows), mod_stride], ADDED to at scale_offset + c and shift_offset + c: the caller zeroes it, and
//   several kernels add into columns of their own.
// Grid: columns are single ones or, with VEC, fours of neighbours. A workgroup sums WG columns of one modulation row, or WG / LANES columns
//   where mod_rows is at least LANES_FROM, LANES invocations a column (lib column_lanes).
// Precision: f32, in one fixed order: no atomics.
// Source: the derivative of shaders/norm_fwd.wgsl.
// @use column_lanes

const WG: u32 = 256u;             // knob, halved to fit: invocations a workgroup
const LANES: u32 = 8u;            // knob: invocations a column, a power of two
const LANES_FROM: u32 = 32u;      // knob: mod_rows from which LANES share a column
const HAS_WEIGHT: bool = false;   // knob: the forward had weight
const HAS_BIAS: bool = false;     // knob: the forward had bias
const HAS_SCALE: bool = false;    // knob: the forward had scale
const HAS_SHIFT: bool = false;    // knob: the forward had shift
const VEC: bool = false;          // knob: dy and x are read as vectors of 4; cols is a multiple of 4
alias Elem = f32;                 // knob: f16 stores dy, x in half precision; a vector of 4 with VEC
alias Column = f32;               // knob: vec4f with VEC
alias Summed = vec2f;             // knob: of dy, of dy xhat; mat2x4f with VEC

const WIDTH: u32 = select(1u, 4u, VEC); // numbers a column

struct Dims {
  rows: u32,
  cols: u32,
  mod_rows: u32,
  mod_stride: u32,
  scale_offset: u32, // optional: HAS_SCALE, else 0
  shift_offset: u32, // optional: HAS_SHIFT, else 0
}

@group(0) @binding(0) var<storage, read> dy: array<Elem>;
@group(0) @binding(1) var<storage, read> x: array<Elem>;
@group(0) @binding(2) var<storage, read> stats: array<f32>;
@group(0) @binding(3) var<storage, read> weight: array<f32>; // optional: HAS_WEIGHT
@group(0) @binding(4) var<storage, read> bias: array<f32>; // optional: HAS_BIAS
@group(0) @binding(5) var<storage, read_write> dmodulation: array<f32>;
@group(0) @binding(6) var<uniform> dims: Dims;

fn term(row: u32, col: u32) -> Summed {
  let at = row * (dims.cols / WIDTH) + col;
  let g = Column(dy[at]);
  if (HAS_SCALE) {
    return Summed(g, g * (Column(x[at]) - stats[row * 2u]) * stats[row * 2u + 1u]);
  }
  return Summed(g, Column());
}

// Adds the sums of one number's column.
fn add_sums(mod_base: u32, col: u32, dy_sum: f32, dy_xhat_sum: f32) {
  if (HAS_SCALE) {
    var dscale = dy_xhat_sum;
    if (HAS_WEIGHT) {
      dscale *= weight[col];
    }
    if (HAS_BIAS) {
      dscale += dy_sum * bias[col];
    }
    dmodulation[mod_base + dims.scale_offset + col] += dscale;
  }
  if (HAS_SHIFT) {
    dmodulation[mod_base + dims.shift_offset + col] += dy_sum;
  }
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let p = column_part(wid.x + wid.y * groups.x, local, dims.cols / WIDTH, dims.mod_rows);
  let sum = column_total(p, local, dims.mod_rows);
  if (!p.owner) {
    return;
  }
  let base = p.part * dims.mod_stride;
  let dys = vec4f(sum[0]);
  let xhats = vec4f(sum[1]);
  let col = WIDTH * p.col;
  add_sums(base, col, dys.x, xhats.x);
  if (VEC) {
    add_sums(base, col + 1u, dys.y, xhats.y);
    add_sums(base, col + 2u, dys.z, xhats.z);
    add_sums(base, col + 3u, dys.w, xhats.w);
  }
}
