// grad_stats: partial sums of the squares of the gradients, and the number of non-finite ones.
// Buffers f32: grad [count], padded to whole vec4s; partial [groups, 2] = (sum of squares, non-finite count), from group
//   partial_offset on.
// Grid: groups = min(MAX_GROUPS, ceil(count / PER_GROUP)) of LANES invocations, ROWS groups a workgroup. Group g takes every
//   groups-th run of LANES vec4s from the g-th on, so that neighbours read neighbours and the sums stay few whatever the count.
// Precision: f32. A non-finite gradient makes its sum non-finite, as it must make the norm; the count says so by integer bits.
// @use lanes
// @use runs

const LANES: u32 = 256u;        // knob, halved to fit: invocations a group, a power of two
const ROWS: u32 = 1u;           // knob, halved to fit: groups a workgroup
const PER_GROUP: u32 = 4096u;   // knob: elements a group takes while there are fewer than MAX_GROUPS
const MAX_GROUPS: u32 = 1024u;  // knob: enough groups to fill a large GPU

alias Summed = vec4f; // squares

struct Dims {
  count: u32,
  partial_offset: u32, // optional, else 0
}

@group(0) @binding(0) var<storage, read> grad: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> partial: array<f32>;
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(LANES, ROWS)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let group = (wid.x + wid.y * workgroups.x) * ROWS + lid.y;
  let groups = min(MAX_GROUPS, (dims.count + PER_GROUP - 1u) / PER_GROUP);
  let live = group < groups; // groups past the end still take part in the barriers
  let end = select(0u, (dims.count + 3u) / 4u, live);
  let step = groups * LANES;
  var sums = Runs();
  var bad = vec4f(0.0);
  for (var first = group * LANES + lid.x; first < end; first += RUN * step) {
    var run = Summed();
    for (var i = first; i < min(end, first + RUN * step); i += step) {
      let inside = vec4u(i * 4u) + vec4u(0u, 1u, 2u, 3u) < vec4u(dims.count);
      let g = select(vec4f(0.0), grad[i], inside);
      run += g * g;
      bad += select(vec4f(0.0), vec4f(1.0), (bitcast<vec4u>(g) & vec4u(0x7f800000u)) == vec4u(0x7f800000u));
    }
    add_run(&sums, run);
  }
  let squares = sum_of(sums);
  let sum = lanes_sum((squares.x + squares.y) + (squares.z + squares.w), lid.x, lid.y);
  let count = lanes_sum((bad.x + bad.y) + (bad.z + bad.w), lid.x, lid.y);
  if (live && lid.x == 0u) {
    partial[(dims.partial_offset + group) * 2u] = sum;
    partial[(dims.partial_offset + group) * 2u + 1u] = count;
  }
}
