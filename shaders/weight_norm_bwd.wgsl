// weight_norm_bwd: the gradient of weight_norm_fwd by weight, and by gain of each row. With NORMED, g the gradient of out where W lies,
//   s = scale gain, W the weights as they are or, with FORCED, as overwritten, r their root mean square:
//   dweight = s (g / (eps + r) - W mean(g W) / (r (eps + r)^2)), r = 0 giving s g / (eps + r); dgain[row] = scale sum(g W) / (eps + r).
//   With FORCED it is the gradient by the overwritten weights, which the optimiser's step is taken from.
// Buffers f32: weight [rows, depth, taps]; gain [1]; rms [rows] of the forward; dout [rows, taps, depth]; dweight as weight; dgain [rows].
// Grid: as weight_norm_fwd.
// Precision: f32; sums of runs.
// Source: the derivative of shaders/weight_norm_fwd.wgsl.
// @use lanes
// @use runs
// @use row_lanes
// @use finite

const LANES: u32 = 64u;         // knob, halved to fit: invocations a row, a power of two
const ROWS: u32 = 4u;           // knob, halved to fit: rows a workgroup
const NORMED: bool = false;     // knob: normalise rows
const FORCED: bool = false;     // knob: twice
const HAS_GAIN: bool = false;   // knob: multiply by gain

alias Summed = f32;

struct Dims {
  rows: u32,
  cols: u32, // depth taps
  taps: u32,
  interleave: u32, // optional, else 1
  eps: f32, // optional: NORMED, else 0
  scale: f32, // optional: NORMED, else 1
}

@group(0) @binding(0) var<storage, read> weight: array<f32>; // optional: NORMED
@group(0) @binding(1) var<storage, read> gain: array<f32>; // optional: HAS_GAIN
@group(0) @binding(2) var<storage, read> rms: array<f32>; // optional: NORMED
@group(0) @binding(3) var<storage, read> dout: array<f32>;
@group(0) @binding(4) var<storage, read_write> dweight: array<f32>;
@group(0) @binding(5) var<storage, read_write> dgain: array<f32>; // optional: HAS_GAIN
@group(0) @binding(6) var<uniform> dims: Dims;

@compute @workgroup_size(LANES, ROWS)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let row = row_of(wid, groups, lid);
  let at = ((row.index % dims.interleave) * (dims.rows / dims.interleave) + row.index / dims.interleave) * dims.cols;
  let depth = dims.cols / dims.taps;
  var gained = dims.scale;
  if (HAS_GAIN) {
    gained *= gain[0];
  }
  var g_part = 1.0; // dweight = g_part g - w_part W
  var w_part = 0.0;
  if (NORMED) {
    var sums = Runs();
    for (var first = lid.x; first < row.end; first += RUN * LANES) {
      var run = 0.0;
      for (var c = first; c < min(row.end, first + RUN * LANES); c += LANES) {
        let channel = c / dims.taps;
        run += dout[at + (c - channel * dims.taps) * depth + channel] * weight[row.base + c];
      }
      add_run(&sums, run);
    }
    let stored = lanes_sum(sum_of(sums), lid.x, lid.y); // sum(g W) of the weights as they are
    let r0 = rms[select(0u, row.index, row.live)];
    let shrunk = select(1.0, inverse(dims.eps + r0), FORCED); // of W as they are, the W of the formula
    let r = r0 * shrunk;
    let total = stored * shrunk;
    let down = inverse(dims.eps + r);
    g_part = gained * down;
    w_part = select(gained * total / f32(dims.cols) * down * down / r * shrunk, 0.0, r == 0.0);
    if (HAS_GAIN && row.live && lid.x == 0u) {
      dgain[row.index] = dims.scale * total * down;
    }
  }
  for (var c = lid.x; c < row.end; c += LANES) {
    let channel = c / dims.taps;
    var value = g_part * dout[at + (c - channel * dims.taps) * depth + channel];
    if (NORMED) {
      value -= w_part * weight[row.base + c];
    }
    dweight[row.base + c] = value;
  }
}
