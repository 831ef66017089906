// muon_momentum: the momentum of one matrix, and what Muon makes orthogonal of it: Nesterov's average of momentum and gradient.
//   g = finite(grad) * clip scale;  m = b m + (1 - b) g;  x = (1 - b) g + b m
// Buffers f32: grad [count]; m [count] updated; clip [4] of shaders/clip_scale.wgsl; hyper [4] = (b, 1 - b, lr, lr wd);
//   x: written from x_offset on, without padding, so that matrices of one shape lie side by side; partial: sums of squares of x, from
//   partial_offset on, one a group. grad and m are padded to whole vec4s; elements past count keep their values.
// Grid: groups = min(MAX_GROUPS, ceil(count / PER_GROUP)) of LANES invocations, ROWS groups a workgroup; see shaders/grad_stats.wgsl.
// Precision: f32; sums of runs. A non-finite gradient counts as 0. In a step that is held m stays.
// Source: Jordan et al. 2024 (Muon), muon_update of muon.py.
// @use clean_gradient
// @use lanes
// @use runs

const LANES: u32 = 256u;        // knob, halved to fit: invocations a group, a power of two
const ROWS: u32 = 1u;           // knob, halved to fit: groups a workgroup
const PER_GROUP: u32 = 4096u;   // knob: elements a group takes while there are fewer than MAX_GROUPS
const MAX_GROUPS: u32 = 1024u;  // knob: enough groups to fill a large GPU

alias Summed = vec4f; // squares

struct Dims {
  count: u32,
  x_offset: u32, // optional, else 0
  partial_offset: u32, // optional, else 0
}

@group(0) @binding(0) var<storage, read> grad: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> m: array<vec4f>;
@group(0) @binding(2) var<storage, read> clip: array<f32>;
@group(0) @binding(3) var<storage, read> hyper: array<f32>;
@group(0) @binding(4) var<storage, read_write> x: array<f32>;
@group(0) @binding(5) var<storage, read_write> partial: array<f32>;
@group(0) @binding(6) var<uniform> dims: Dims;

@compute @workgroup_size(LANES, ROWS)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let group = (wid.x + wid.y * workgroups.x) * ROWS + lid.y;
  let groups = min(MAX_GROUPS, (dims.count + PER_GROUP - 1u) / PER_GROUP);
  let inside = group < groups; // groups past the end still take part in the barriers
  let end = select(0u, (dims.count + 3u) / 4u, inside);
  let step = groups * LANES;
  let held = clip[3] == 1.0;
  var sums = Runs();
  for (var first = group * LANES + lid.x; first < end; first += RUN * step) {
    var run = Summed();
    for (var i = first; i < min(end, first + RUN * step); i += step) {
      let g = clean_gradient(grad[i], clip[0]);
      let old = m[i];
      let new_m = hyper[0] * old + hyper[1] * g;
      let update = hyper[1] * g + hyper[0] * new_m;
      let live = live_elements(i, dims.count);
      if (!held) {
        m[i] = select(old, new_m, live);
      }
      let own = select(vec4f(), update, live);
      run += own * own;
      for (var k = 0u; k < min(4u, dims.count - 4u * i); k++) {
        x[dims.x_offset + 4u * i + k] = update[k];
      }
    }
    add_run(&sums, run);
  }
  let squares = sum_of(sums);
  let sum = lanes_sum((squares.x + squares.y) + (squares.z + squares.w), lid.x, lid.y);
  if (inside && lid.x == 0u) {
    partial[dims.partial_offset + group] = sum;
  }
}
