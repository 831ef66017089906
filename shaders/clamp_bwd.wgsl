// clamp_bwd: the gradient of a clamp to +-limit from its result: dx = dy where |y| is below limit, else 0.
// Buffers f32: y, dy, dx [count].
// Grid: PER elements an invocation, a workgroup apart, so that neighbours touch neighbours.
// Precision: exact. What is just at the limit counts as beyond it.
// @use finite

const WG: u32 = 256u;   // knob, halved to fit: invocations a workgroup
const PER: u32 = 4u;    // knob: elements an invocation

struct Dims {
  count: u32,
  limit: f32,
}

@group(0) @binding(0) var<storage, read> y: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;
@group(0) @binding(3) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let first = (wid.x + wid.y * groups.x) * (WG * PER) + local;
  for (var i = 0u; i < PER; i++) {
    let at = first + i * WG;
    if (at < dims.count) {
      let value = y[at];
      dx[at] = select(select(0.0, dy[at], abs(value) < dims.limit), value, is_nan(value));
    }
  }
}
