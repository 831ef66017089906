// bfloat: the upper half of an f32's bits, rounded to nearest, ties to even, by integer arithmetic: subnormal numbers, infinities and
// NaN stay what they are on every adapter.

/** The bits of bf16 in the lower half of each word, from those of f32. */
fn bfloat_bits(x: vec4u) -> vec4u {
  let rounded = (x + vec4u(0x7fffu) + ((x >> vec4u(16u)) & vec4u(1u))) >> vec4u(16u);
  let quiet = (x >> vec4u(16u)) | vec4u(0x40u); // rounded, a NaN might become infinite
  return select(rounded, quiet, (x & vec4u(0x7fffffffu)) > vec4u(0x7f800000u));
}

/** Four numbers in two words, the first in the lower half. */
fn bfloat_words(x: vec4u) -> vec2u {
  let bits = bfloat_bits(x);
  return bits.xz | (bits.yw << vec2u(16u));
}

/** The bits of f32 of the four numbers in two words: exact. */
fn bfloat_spread(words: vec2u) -> vec4u {
  let low = words << vec2u(16u);
  let high = words & vec2u(0xffff0000u);
  return vec4u(low.x, high.x, low.y, high.y);
}
