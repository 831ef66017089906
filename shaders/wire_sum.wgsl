// wire_sum: out = sum over the ranks r, from the first to the last, of weights[r] x[r]: what several devices sent, averaged.
// Buffers: x [ranks, words] and out [words], f32 by their bits or, where BF16, bf16, two numbers a word (wire_pack); weights [ranks] f32.
//   words is a multiple of 4.
// Grid: four words an invocation.
// Precision: f32 sums in the order of the ranks, so that the bits depend on their number alone; one rounding to bf16 at the end.
// @use bfloat

const WG: u32 = 256u;      // knob, halved to fit: invocations a workgroup
const BF16: bool = false;  // knob: the words hold two numbers of bf16 each

struct Dims {
  words: u32,
  ranks: u32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4u>;
@group(0) @binding(1) var<storage, read> weights: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4u>;
@group(0) @binding(3) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let i = (wid.x + wid.y * groups.x) * WG + local;
  let quads = dims.words / 4u;
  if (i >= quads) {
    return;
  }
  var low = vec4f(0.0);
  var high = vec4f(0.0);
  for (var r = 0u; r < dims.ranks; r++) {
    let v = x[r * quads + i];
    if (BF16) {
      low += weights[r] * bitcast<vec4f>(bfloat_spread(v.xy));
      high += weights[r] * bitcast<vec4f>(bfloat_spread(v.zw));
    } else {
      low += weights[r] * bitcast<vec4f>(v);
    }
  }
  if (BF16) {
    out[i] = vec4u(bfloat_words(bitcast<vec4u>(low)), bfloat_words(bitcast<vec4u>(high)));
  } else {
    out[i] = bitcast<vec4u>(low);
  }
}
