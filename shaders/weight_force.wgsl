// weight_force: W <- W / (eps + r) in place, row by row, r = sqrt(mean(W^2)): forced weight normalisation, before the optimiser's step.
// Buffers f32: weight [rows, cols] updated; where GUARDED clip [4] of shaders/clip_scale.wgsl: a step that is held changes nothing.
// Grid: ROWS rows a workgroup, LANES invocations a row. LANES = 1 runs without barriers.
// Precision: f32; sums of runs.
// Source: Karras et al. 2024 (EDM2, forced weight normalization).
// @use lanes
// @use runs
// @use row_lanes
// @use finite

const LANES: u32 = 64u;         // knob, halved to fit: invocations a row, a power of two
const ROWS: u32 = 4u;           // knob, halved to fit: rows a workgroup
const GUARDED: bool = false;    // knob: leave the weights as they are in a step that is held

alias Summed = f32;

struct Dims {
  rows: u32,
  cols: u32,
  eps: f32,
}

@group(0) @binding(0) var<storage, read_write> weight: array<f32>;
@group(0) @binding(1) var<storage, read> clip: array<f32>; // optional: GUARDED
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(LANES, ROWS)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let row = row_of(wid, groups, lid);
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
  if (GUARDED && clip[3] == 1.0) {
    return;
  }
  let down = inverse(dims.eps + r);
  for (var c = lid.x; c < row.end; c += LANES) {
    weight[row.base + c] *= down;
  }
}
