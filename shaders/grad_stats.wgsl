// grad_stats: per workgroup, the sum of squares of the gradients and the number of non-finite ones.
// Buffers f32: grad [count]; partial [groups, 2] = (sum of squares, non-finite count), from group partial_offset on.
// Grid: LANES invocations a workgroup, which takes PER_GROUP consecutive elements; neighbours read neighbours.
// Precision: f32. A non-finite gradient makes its sum non-finite, as it must make the norm.
// @use lanes

const LANES: u32 = 256u;        // knob: invocations a workgroup, a power of two
const ROWS: u32 = 1u;
const PER_GROUP: u32 = 4096u;

struct Dims {
  count: u32,
  partial_offset: u32,
}

@group(0) @binding(0) var<storage, read> grad: array<f32>;
@group(0) @binding(1) var<storage, read_write> partial: array<f32>;
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let group = wid.x + wid.y * groups.x;
  let begin = group * PER_GROUP;
  let live = begin < dims.count;
  let end = select(0u, min(dims.count, begin + PER_GROUP), live);
  var squares = 0.0;
  var bad = 0.0;
  for (var at = begin + lid.x; at < end; at += LANES) {
    let g = grad[at];
    squares += g * g;
    bad += select(0.0, 1.0, (bitcast<u32>(g) & 0x7f800000u) == 0x7f800000u);
  }
  squares = lanes_sum(squares, lid.x, 0u);
  bad = lanes_sum(bad, lid.x, 0u);
  if (live && lid.x == 0u) {
    partial[(dims.partial_offset + group) * 2u] = squares;
    partial[(dims.partial_offset + group) * 2u + 1u] = bad;
  }
}
