// muon_scale: what takes each matrix to a Frobenius norm of 1: scale = 1 / (sqrt(sum of squares) + 1e-7), so that no singular value is
//   above 1 and a matrix of zeros stays one.
// Buffers f32: partial [matrices, groups] of shaders/muon_momentum.wgsl; scales [matrices].
// Grid: a workgroup of LANES invocations a matrix.
// Precision: f32, in one fixed order.
// Source: Jordan et al. 2024 (Muon), zeropower_via_newtonschulz5 of muon.py.
// @use lanes
// @use finite

const LANES: u32 = 64u;  // knob, halved to fit: invocations a matrix, a power of two
const ROWS: u32 = 1u;

struct Dims {
  matrices: u32,
  groups: u32,
}

@group(0) @binding(0) var<storage, read> partial: array<f32>;
@group(0) @binding(1) var<storage, read_write> scales: array<f32>;
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let matrix = wid.x + wid.y * workgroups.x;
  let live = matrix < dims.matrices;
  let base = select(0u, matrix, live) * dims.groups;
  var squares = 0.0;
  for (var i = lid.x; i < dims.groups; i += LANES) {
    squares += partial[base + i];
  }
  squares = lanes_sum(squares, lid.x, 0u);
  if (live && lid.x == 0u) {
    scales[matrix] = inverse(sqrt(squares) + 1e-7);
  }
}
