// cross_entropy_bwd: dlogits[r, c] = (exp(logits[r, c] - stats[r, 0]) stats[r, 1] - w[r, c]) dloss[r], with the weights w and the stats of
//   cross_entropy_fwd; rows that it ignores get 0. Targets are constants: they get no gradient.
// Buffers, row-major f32: logits, dlogits [rows, cols], stats [rows, 2], dloss [rows]; labels u32 [rows], or with SOFT targets [rows, cols].
// Grid: WG invocations a workgroup, PER elements an invocation, a workgroup apart, so that neighbours touch neighbours.
// Precision: f32.
// Source: the derivative of shaders/cross_entropy_fwd.wgsl.

const WG: u32 = 256u;            // knob, halved to fit: invocations a workgroup
const LABELS: bool = true;       // knob: labels are bound; false with SOFT
const SOFT: bool = false;        // knob: targets are bound
const IGNORES: bool = false;     // knob: rows of the label ignore_index are left out
const PER: u32 = 4u;             // knob: elements an invocation

struct Dims {
  rows: u32,
  cols: u32,
  smoothing: f32, // optional, else 0
  ignore_index: u32, // optional: IGNORES, else 0
}

@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> labels: array<u32>; // optional: LABELS
@group(0) @binding(2) var<storage, read> targets: array<f32>; // optional: SOFT
@group(0) @binding(3) var<storage, read> stats: array<f32>;
@group(0) @binding(4) var<storage, read> dloss: array<f32>;
@group(0) @binding(5) var<storage, read_write> dlogits: array<f32>;
@group(0) @binding(6) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let first = (wid.x + wid.y * groups.x) * (WG * PER) + local;
  for (var i = 0u; i < PER; i++) {
    let at = first + i * WG;
    if (at < dims.rows * dims.cols) {
      let row = at / dims.cols;
      var weight = dims.smoothing / f32(dims.cols);
      var ignored = false;
      if (SOFT) {
        weight += (1.0 - dims.smoothing) * targets[at];
      }
      if (LABELS) {
        let label = labels[row];
        weight += select(0.0, 1.0 - dims.smoothing, label == at % dims.cols);
        ignored = IGNORES && label == dims.ignore_index;
      }
      let slope = (exp(logits[at] - stats[row * 2u]) * stats[row * 2u + 1u] - weight) * dloss[row];
      dlogits[at] = select(slope, 0.0, ignored);
    }
  }
}
