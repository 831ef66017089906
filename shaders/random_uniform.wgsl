// random_uniform: out[i] = number first + i of (seed, stream, step), uniform in [0, 1); the same bits on every adapter and the host.
//   Block b of the stream gives numbers 4b..4b + 3, each the upper 24 bits of a word times 2^-24.
// Buffers: key [4] u32 = (seed, stream, step_lo, step_hi), data because it changes every step; out [count] f32.
// Grid: one block an invocation, WG invocations a workgroup. first + count <= 2^32.
// Precision: exact; 24 bits are what f32 holds.
// Source: Salmon et al. 2011 (Philox).
// @use philox

const WG: u32 = 256u;  // knob, halved to fit: invocations a workgroup

struct Dims {
  count: u32,
  first: u32, // optional, else 0
}

@group(0) @binding(0) var<storage, read> key: array<u32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let draw = dims.first / 4u + (wid.x + wid.y * groups.x) * WG + lid.x;
  let words = philox(vec4u(draw, PHILOX_USE_WORDS, key[2], key[3]), vec2u(key[0], key[1]));
  for (var i = 0u; i < 4u; i++) {
    let at = draw * 4u + i - dims.first; // wraps past the count for an element before first
    if (at < dims.count) {
      out[at] = f32(words[i] >> 8u) * 5.9604644775390625e-8; // 2^-24
    }
  }
}
