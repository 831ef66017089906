// conv2d_finish: the second pass of a convolution that conv2d_matrix took in parts of k:
//   out = residual_scale residual + out_scale act(sum of the parts + bias), times the slope of SiLU at out_scale before.
// Buffers, row-major f32: x [splits, m, n], n all groups' channels; bias [n]; before, residual, out, pre [m, n].
// Grid: an invocation takes four neighbouring channels of a pixel.
// Precision: f32, the parts in order.
// Source: as conv2d_plain.
// @use conv_finish_four

const WG: u32 = 256u;               // knob, halved to fit: invocations a workgroup
const ACT: u32 = 0u;                // knob: 0 none; see lib act
const HAS_BIAS: bool = false;       // knob: add bias
const HAS_PRE: bool = false;        // knob: also write the value before act
const SCALED: bool = false;         // knob: multiply by out_scale
const HAS_SLOPE: bool = false;      // knob: multiply by the slope of SiLU at out_scale before
const HAS_RESIDUAL: bool = false;   // knob: add residual_scale residual
const VEC_N: bool = false;          // knob: all but bias are accessed as vectors of 4; n is a multiple of 4
alias OElem = array<f32, 1>;        // knob: vec4f with VEC_N
alias RElem = f32;                  // knob: vec4f with VEC_N

alias OScalar = f32;

struct Dims {
  m: u32,
  n: u32,
  splits: u32,
  out_scale: f32, // optional: SCALED, else 1
  residual_scale: f32, // optional: HAS_RESIDUAL, else 1
}

@group(0) @binding(0) var<storage, read> x: array<RElem>;
@group(0) @binding(1) var<storage, read> bias: array<f32>; // optional: HAS_BIAS
@group(0) @binding(2) var<storage, read> before: array<RElem>; // optional: HAS_SLOPE
@group(0) @binding(3) var<storage, read> residual: array<RElem>; // optional: HAS_RESIDUAL
@group(0) @binding(4) var<storage, read_write> out: array<OElem>;
@group(0) @binding(5) var<storage, read_write> pre: array<OElem>; // optional: HAS_PRE
@group(0) @binding(6) var<uniform> dims: Dims;

fn x_at(i: u32) -> vec4f { return vec4f(x[i]); }

fn x_four(at: u32, count: u32) -> vec4f {
  if (VEC_N) {
    return x_at(at / 4u);
  }
  let i = four_from(at, count);
  return vec4f(x_at(i.x).x, x_at(i.y).x, x_at(i.z).x, x_at(i.w).x);
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let index = (wid.x + wid.y * groups.x) * WG + local;
  let fours = (dims.n + 3u) / 4u; // of a pixel
  let row = index / fours;
  if (row >= dims.m) {
    return;
  }
  let channel = index % fours * 4u;
  let count = min(4u, dims.n - channel);
  let at = row * dims.n + channel;
  var sum = x_four(at, count);
  for (var split = 1u; split < dims.splits; split++) {
    sum += x_four(split * (dims.m * dims.n) + at, count);
  }
  finish_four(at, channel, count, sum);
}
