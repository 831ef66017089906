// weight_norm_fwd: the weights of a convolution as conv2d reads them: out[row', tap, c] = factor W[row, c, tap]; rows of each third together
//   where they lie interleaved.
//   With NORMED factor = scale gain / (eps + r) of W's own row, r = sqrt(mean(W^2)); with FORCED W is normalised twice, as a network is that
//   overwrites W by W / (eps + r) first: factor = scale gain / ((eps + r) (eps + r')), r' = r / (eps + r).
// Buffers f32: weight [rows, depth, taps]; gain [1]; out [rows, taps, depth]; rms [rows] = r, for the backward.
// Dims: interleave n: row i n + j of weight is row j rows / n + i of out.
// Grid: ROWS rows a workgroup, LANES invocations a row. LANES = 1 runs without barriers.
// Precision: f32; sums of runs.
// Source: Karras et al. 2024 (EDM2, magnitude-preserving layers).
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

@group(0) @binding(0) var<storage, read> weight: array<f32>;
@group(0) @binding(1) var<storage, read> gain: array<f32>; // optional: HAS_GAIN
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<storage, read_write> rms: array<f32>; // optional: NORMED
@group(0) @binding(4) var<uniform> dims: Dims;

@compute @workgroup_size(LANES, ROWS)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let row = row_of(wid, groups, lid);
  var factor = 1.0;
  if (NORMED) {
    var sums = Runs();
    for (var first = lid.x; first < row.end; first += RUN * LANES) {
      var run = 0.0;
      for (var c = first; c < min(row.end, first + RUN * LANES); c += LANES) {
        let w = weight[row.base + c];
        run += w * w;
      }
      add_run(&sums, run);
    }
    let r = sqrt(lanes_sum(sum_of(sums), lid.x, lid.y) / f32(dims.cols));
    let down = inverse(dims.eps + r);
    factor = dims.scale * down;
    if (FORCED) {
      factor *= inverse(dims.eps + r * down);
    }
    if (row.live && lid.x == 0u) {
      rms[row.index] = r;
    }
  }
  if (HAS_GAIN) {
    factor *= gain[0];
  }
  let to = ((row.index % dims.interleave) * (dims.rows / dims.interleave) + row.index / dims.interleave) * dims.cols;
  let depth = dims.cols / dims.taps;
  for (var c = lid.x; c < row.end; c += LANES) {
    let tap = c / depth;
    out[to + c] = factor * weight[row.base + (c - tap * depth) * dims.taps + tap];
  }
}
