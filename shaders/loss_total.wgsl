// loss_total: total[slot] = sum over b of weights[b] per_sample[b] / batch.
// Buffers f32: per_sample, weights [batch]; total [slots].
// Grid: one workgroup of LANES invocations.
// Precision: f32, in one fixed order.
// @use lanes
// @use runs

const LANES: u32 = 256u;  // knob, halved to fit: invocations, a power of two
const ROWS: u32 = 1u;

alias Summed = f32;

struct Dims {
  batch: u32,
  slot: u32,
  slots: u32,
}

@group(0) @binding(0) var<storage, read> per_sample: array<f32>;
@group(0) @binding(1) var<storage, read> weights: array<f32>;
@group(0) @binding(2) var<storage, read_write> total: array<f32>;
@group(0) @binding(3) var<uniform> dims: Dims;

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_id) lid: vec3u) {
  var sums = Runs();
  for (var first = lid.x; first < dims.batch; first += RUN * LANES) {
    var run = 0.0;
    for (var b = first; b < min(dims.batch, first + RUN * LANES); b += LANES) {
      run += weights[b] * per_sample[b];
    }
    add_run(&sums, run);
  }
  let sum = lanes_sum(sum_of(sums), lid.x, 0u);
  if (lid.x == 0u) {
    total[dims.slot] = sum / f32(dims.batch);
  }
}
