// clip_scale: the factor that clips gradients to a global norm, from the partial sums of grad_stats.
//   norm = sqrt(sum of squares); scale = min(1, max_norm / (norm + 1e-6)), 0 where the norm is not finite; 1 without a limit.
// Buffers f32: partial [groups, 2]; limits [2] = (max_norm or 0 for none, the loss or 0); clip [4] = (scale, norm, non-finite
//   count, held). held is 1 from the first step on whose norm or loss is not finite, until the host writes 0: optimisers and averages
//   then change nothing.
// Grid: one workgroup of LANES invocations.
// Precision: f32, in one fixed order.
// Source: torch.nn.utils.clip_grad_norm_ followed by nan_to_num, as UCGM's training step has them: a NaN norm makes every
//   gradient NaN and then 0.
// @use lanes

const LANES: u32 = 256u;  // knob, halved to fit: invocations, a power of two
const ROWS: u32 = 1u;

struct Dims {
  groups: u32,
}

@group(0) @binding(0) var<storage, read> partial: array<f32>;
@group(0) @binding(1) var<storage, read> limits: array<f32>;
@group(0) @binding(2) var<storage, read_write> clip: array<f32>;
@group(0) @binding(3) var<uniform> dims: Dims;

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_id) lid: vec3u) {
  var squares = 0.0;
  var bad = 0.0;
  for (var i = lid.x; i < dims.groups; i += LANES) {
    squares += partial[i * 2u];
    bad += partial[i * 2u + 1u];
  }
  squares = lanes_sum(squares, lid.x, 0u);
  bad = lanes_sum(bad, lid.x, 0u);
  if (lid.x != 0u) {
    return;
  }
  let norm = sqrt(squares);
  // By the count and by the bits: a compiler may assume that arithmetic is finite, and squares may overflow.
  let finite = bad == 0.0 && (bitcast<u32>(norm) & 0x7f800000u) != 0x7f800000u;
  var scale = 1.0;
  if (limits[0] > 0.0) {
    scale = select(0.0, min(1.0, limits[0] / (norm + 1e-6)), finite);
  }
  clip[0] = scale;
  clip[1] = norm;
  clip[2] = bad;
  // A word that holds anything but 1 is fresh memory.
  let sound = finite && (bitcast<u32>(limits[1]) & 0x7f800000u) != 0x7f800000u;
  clip[3] = select(1.0, 0.0, sound && bitcast<u32>(clip[3]) != 0x3f800000u);
}
