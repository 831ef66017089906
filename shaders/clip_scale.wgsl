// clip_scale: the factor that clips gradients to a global norm, from the partial sums of grad_stats.
//   norm = sqrt(sum of squares); scale = min(1, max_norm / (norm + 1e-6)), 0 where the norm is not finite; 1 without a limit.
// Buffers f32: partial [groups, 2]; limits [2] = (max_norm or 0 for none, the loss or 0); clip [4] = (scale, norm, non-finite
//   count, held). held is 1 from the first step on whose norm or loss is not finite, until the host writes 0: optimisers and averages
//   then change nothing.
//   loss_scale [4] where HAS_LOSS_SCALE = (what the gradients were multiplied by, skipped, steps skipped, sound steps since it was changed):
//   the gradients are divided by it. Where they are not finite and the loss is, the step alone is held (skipped is 1) and it is halved;
//   after GROWTH sound steps it is doubled. At LEAST it is not halved: the step is held as any other.
// Grid: one workgroup of LANES invocations.
// Precision: f32, in one fixed order.
// Source: torch.nn.utils.clip_grad_norm_ followed by nan_to_num, as UCGM's training step has them: a NaN norm makes every
//   gradient NaN and then 0. Micikevicius et al. 2018 (loss scaling), with the numbers of torch.amp.GradScaler.
// @use lanes

const LANES: u32 = 256u;  // knob, halved to fit: invocations, a power of two
const ROWS: u32 = 1u;
const HAS_LOSS_SCALE: bool = false; // knob: the gradients are those of a loss times loss_scale

const GROWTH: f32 = 2000.0;
const LEAST: f32 = 1.0;
const MOST: f32 = 16777216.0;

struct Dims {
  groups: u32,
}

@group(0) @binding(0) var<storage, read> partial: array<f32>;
@group(0) @binding(1) var<storage, read> limits: array<f32>;
@group(0) @binding(2) var<storage, read_write> clip: array<f32>;
@group(0) @binding(3) var<uniform> dims: Dims;
@group(0) @binding(4) var<storage, read_write> loss_scale: array<f32>; // optional: HAS_LOSS_SCALE

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
  var norm = sqrt(squares);
  if (HAS_LOSS_SCALE) {
    norm /= loss_scale[0];
  }
  // By the count and by the bits: a compiler may assume that arithmetic is finite, and squares may overflow.
  let finite = bad == 0.0 && (bitcast<u32>(norm) & 0x7f800000u) != 0x7f800000u;
  var scale = 1.0;
  if (limits[0] > 0.0) {
    scale = select(0.0, min(1.0, limits[0] / (norm + 1e-6)), finite);
  }
  clip[0] = scale;
  clip[1] = norm;
  clip[2] = bad;
  let loss_sound = (bitcast<u32>(limits[1]) & 0x7f800000u) != 0x7f800000u;
  let sound = finite && loss_sound;
  var stuck = bitcast<u32>(clip[3]) == 0x3f800000u; // a word that holds anything but 1 is fresh memory
  if (HAS_LOSS_SCALE) {
    let by = loss_scale[0];
    clip[0] = scale / by;
    stuck = stuck && loss_scale[1] != 1.0;
    let skipped = !stuck && !finite && loss_sound && by > LEAST;
    loss_scale[1] = select(0.0, 1.0, skipped);
    if (skipped) {
      loss_scale[0] = max(LEAST, 0.5 * by);
      loss_scale[2] += 1.0;
      loss_scale[3] = 0.0;
    } else if (sound && !stuck) {
      let grown = loss_scale[3] + 1.0 >= GROWTH;
      loss_scale[0] = select(by, min(MOST, 2.0 * by), grown && by < MOST);
      loss_scale[3] = select(loss_scale[3] + 1.0, 0.0, grown);
    }
  }
  clip[3] = select(1.0, 0.0, sound && !stuck);
}
