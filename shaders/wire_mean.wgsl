// wire_mean: own = weights[0] of the first of two ranks' numbers + weights[1] of the second's, of which `own` are this rank's and `other` what the
// other one sent: both make the same bits.
// Buffers: own [count] f32 by its bits, read and written; other [count] likewise, or, where BF16, [count / 2], two numbers a word (wire_pack),
//   of an even count; weights [2] f32.
// Grid: a word of other an invocation.
// Precision: as wire_sum, in f32. With BF16 this rank's numbers are rounded as they were sent, and the sums once more.
// @use bfloat

const WG: u32 = 256u;      // knob, halved to fit: invocations a workgroup
const BF16: bool = false;  // knob: a word of other holds two numbers of bf16

struct Dims {
  count: u32,
  rank: u32, // this rank's, 0 or 1
}

@group(0) @binding(0) var<storage, read_write> own: array<u32>;
@group(0) @binding(1) var<storage, read> other: array<u32>;
@group(0) @binding(2) var<storage, read> weights: array<f32>;
@group(0) @binding(3) var<uniform> dims: Dims;

fn mean(mine: vec2u, theirs: vec2u) -> vec2f {
  let first = bitcast<vec2f>(select(theirs, mine, dims.rank == 0u));
  let second = bitcast<vec2f>(select(mine, theirs, dims.rank == 0u));
  return weights[0] * first + weights[1] * second;
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let i = (wid.x + wid.y * groups.x) * WG + local;
  if (BF16) {
    if (i >= dims.count / 2u) {
      return;
    }
    let sent = bfloat_bits(vec4u(own[2u * i], own[2u * i + 1u], 0u, 0u)).xy << vec2u(16u);
    let sum = mean(sent, bfloat_spread(vec2u(other[i], 0u)).xy);
    let rounded = bfloat_bits(vec4u(bitcast<vec2u>(sum), 0u, 0u)).xy << vec2u(16u);
    own[2u * i] = rounded.x;
    own[2u * i + 1u] = rounded.y;
  } else if (i < dims.count) {
    own[i] = bitcast<u32>(mean(vec2u(own[i], 0u), vec2u(other[i], 0u)).x);
  }
}
