// philox: Philox 4x32-10, a counter-based generator: four random words are a function of a counter and a key, with no state.
// Key = (seed, stream). Counter = (block, use, step_lo, step_hi); `use` keeps apart what different kinds of numbers draw at
// the same key and step: 0 plain words, 1 normals, 2 and above on the host (src/rng/philox.ts, the twin of this file).
// Integer arithmetic alone: the same bits on every adapter.
// Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".

const PHILOX_USE_WORDS: u32 = 0u;
const PHILOX_USE_NORMAL: u32 = 1u;

// The upper 32 bits of the 64-bit product, from 16-bit halves; no partial sum passes 32 bits.
fn mul_hi(a: u32, b: u32) -> u32 {
  let a_lo = a & 0xffffu;
  let a_hi = a >> 16u;
  let b_lo = b & 0xffffu;
  let b_hi = b >> 16u;
  let middle = a_hi * b_lo + ((a_lo * b_lo) >> 16u);
  let other = a_lo * b_hi + (middle & 0xffffu);
  return a_hi * b_hi + (middle >> 16u) + (other >> 16u);
}

fn philox(counter: vec4u, key: vec2u) -> vec4u {
  var c = counter;
  var k = key;
  for (var round = 0u; round < 10u; round++) {
    c = vec4u(
      mul_hi(0xcd9e8d57u, c.z) ^ c.y ^ k.x,
      0xcd9e8d57u * c.z,
      mul_hi(0xd2511f53u, c.x) ^ c.w ^ k.y,
      0xd2511f53u * c.x,
    );
    k += vec2u(0x9e3779b9u, 0xbb67ae85u);
  }
  return c;
}
