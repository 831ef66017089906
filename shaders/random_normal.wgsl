// random_normal: out[i] = standard normal number first + i of (seed, stream, step); the same bits on every adapter and the host.
//   Block b of the stream gives numbers 2b, from its words 0 and 1, and 2b + 1, from its words 2 and 3.
// Buffers: key [4] u32 = (seed, stream, step_lo, step_hi), data because it changes every step; out [count] f32.
// Grid: one block an invocation, WG invocations a workgroup. first + count <= 2^32.
// Precision: exact integers; each number within 5.1e-6 of the exact inverse distribution, |z| <= 6.34 (lib/normal.wgsl).
// Source: Salmon et al. 2011 (Philox); the inverse of the normal distribution by piecewise polynomials.
// @use normal

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
  let draw = dims.first / 2u + (wid.x + wid.y * groups.x) * WG + lid.x;
  let at = draw * 2u - dims.first; // wraps past the count for an element before first
  if (at >= dims.count && at + 1u >= dims.count) {
    return;
  }
  let words = philox(vec4u(draw, PHILOX_USE_NORMAL, key[2], key[3]), vec2u(key[0], key[1]));
  if (at < dims.count) {
    out[at] = normal_from(words.x, words.y);
  }
  if (at + 1u < dims.count) {
    out[at + 1u] = normal_from(words.z, words.w);
  }
}
