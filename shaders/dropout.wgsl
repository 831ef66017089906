// dropout: out[i] = x[i] / (1 - rate) where number first + i of (seed, stream, step, layer) is at least rate, else 0; so too of a gradient:
//   the mask is not stored but drawn again, from a key that is data.
// Buffers: key [4] u32 = (seed, stream, step_lo, step_hi); x, out [count] f32.
// Grid: four elements of one block of numbers an invocation. first + count <= 2^32.
// Precision: f32. The layer is the second word of the counter (lib philox): the stream is dropout's alone.
// Source: Srivastava et al. 2014; Salmon et al. 2011 (Philox).
// @use philox

const WG: u32 = 256u;    // knob, halved to fit: invocations a workgroup

struct Dims {
  count: u32,
  first: u32, // optional, else 0
  layer: u32, // optional, else 0
  rate: f32,
}

@group(0) @binding(0) var<storage, read> key: array<u32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let draw = dims.first / 4u + (wid.x + wid.y * groups.x) * WG + lid.x;
  let words = philox(vec4u(draw, dims.layer, key[2], key[3]), vec2u(key[0], key[1]));
  let scale = 1.0 / (1.0 - dims.rate);
  for (var i = 0u; i < 4u; i++) {
    let at = draw * 4u + i - dims.first; // wraps past the count for an element before first
    if (at < dims.count) {
      let number = f32(words[i] >> 8u) * 5.9604644775390625e-8; // 2^-24
      out[at] = select(0.0, x[at] * scale, number >= dims.rate);
    }
  }
}
