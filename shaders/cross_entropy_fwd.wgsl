// cross_entropy_fwd: loss = sum over c of w[c] (largest - z[c] + log(sum of exp(z - largest))) along rows of logits z. The weights w are
//   those of a label, 1 - smoothing on it and smoothing / cols on every class, or with SOFT those of targets,
//   (1 - smoothing) target + smoothing / cols.
// Buffers, row-major f32: logits [rows, cols], loss [rows]; stats [rows, 2] = (largest, sum of w / sum of exponentials) for the backward;
//   labels u32 [rows], or with SOFT targets [rows, cols].
// A label that is no class makes loss and gradient of its row NaN; with IGNORES the label ignore_index makes them 0, whatever the logits.
//   A row of logits that holds a NaN or +infinity, or nothing but -infinity, is NaN.
// Grid: ROWS rows a workgroup, LANES invocations a row; neighbours read neighbouring columns. LANES = 1 runs without barriers. Logits are
//   read once, twice with smoothing or targets.
// Precision: f32; sums of runs.
// Source: Szegedy et al. 2016 (smoothing); as torch.nn.functional.cross_entropy with reduction none.
// @use exponentials
// @use lanes
// @use row_lanes

const LANES: u32 = 64u;          // knob, halved to fit: invocations a row, a power of two
const ROWS: u32 = 4u;            // knob, halved to fit: rows a workgroup
const LABELS: bool = true;       // knob: labels are bound; false with SOFT
const SOFT: bool = false;        // knob: targets are bound
const IGNORES: bool = false;     // knob: rows of the label ignore_index are left out
const HAS_STATS: bool = true;    // knob: write stats

alias Summed = f32;

struct Dims {
  rows: u32,
  cols: u32,
  smoothing: f32, // optional, else 0
  ignore_index: u32, // optional: IGNORES, else 0
}

@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> labels: array<u32>; // optional: LABELS
@group(0) @binding(2) var<storage, read> targets: array<f32>; // optional: SOFT
@group(0) @binding(3) var<storage, read_write> loss: array<f32>;
@group(0) @binding(4) var<storage, read_write> stats: array<f32>; // optional: HAS_STATS
@group(0) @binding(5) var<uniform> dims: Dims;

fn number(at: u32) -> f32 {
  return logits[at];
}

@compute @workgroup_size(LANES, ROWS)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let row = row_of(wid, groups, lid);
  let base = row.base;
  let end = row.end;
  let all = lanes_exponentials(row_exponentials(base, end, lid.x), lid.x, lid.y);
  let largest = if_summed(all.y, all.x);
  let log_sum = if_summed(all.y, log(all.y));

  var value = 0.0;
  var weight = 1.0;
  if (SOFT || dims.smoothing > 0.0) {
    let each = dims.smoothing / f32(dims.cols);
    var sums = Runs();
    var weights = Runs();
    for (var first = lid.x; first < end; first += RUN * LANES) {
      var run = 0.0;
      var run_weights = 0.0;
      for (var c = first; c < min(end, first + RUN * LANES); c += LANES) {
        var w = each;
        if (SOFT) {
          w += (1.0 - dims.smoothing) * targets[base + c];
          run_weights += w;
        }
        run += w * (largest - logits[base + c] + log_sum);
      }
      add_run(&sums, run);
      add_run(&weights, run_weights);
    }
    value = lanes_sum(sum_of(sums), lid.x, lid.y);
    if (SOFT) {
      weight = lanes_sum(sum_of(weights), lid.x, lid.y);
    }
  }
  if (!row.live || lid.x != 0u) {
    return;
  }
  var out = vec3f(value, largest, if_summed(all.y, weight / all.y));
  if (LABELS) {
    let label = labels[row.index];
    let known = label < dims.cols;
    out.x += (1.0 - dims.smoothing) * (largest - logits[base + select(0u, label, known)] + log_sum);
    if (!known) {
      out = vec3f(if_summed(0.0, 0.0));
    }
    if (IGNORES && label == dims.ignore_index) {
      out = vec3f(0.0);
    }
  }
  loss[row.index] = out.x;
  if (HAS_STATS) {
    stats[row.index * 2u] = out.y;
    stats[row.index * 2u + 1u] = out.z;
  }
}
