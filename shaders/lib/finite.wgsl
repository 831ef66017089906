// finite: NaN and infinity told by their bits, and what compares with them in mind. max, min and clamp may turn a NaN into a number, and
// a compiler may assume that arithmetic is finite: a diverged network would look sound.

fn is_nan(x: f32) -> bool {
  return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

fn are_nan(x: vec4f) -> vec4<bool> {
  return (bitcast<vec4u>(x) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u);
}

fn is_finite(x: f32) -> bool {
  return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u;
}

// max(x, least) that keeps a NaN.
fn at_least(x: f32, least: f32) -> f32 {
  return select(max(x, least), x, is_nan(x));
}

// clamp(x, low, high) that keeps a NaN.
fn between(x: f32, low: f32, high: f32) -> f32 {
  return select(clamp(x, low, high), x, is_nan(x));
}

// 1 / x, NaN where x is not finite: 1 / infinity would be 0.
fn inverse(x: f32) -> f32 {
  var nan_bits = 0x7fc00000u; // a constant expression may not be NaN; a variable's bits may
  return select(bitcast<f32>(nan_bits), 1.0 / x, is_finite(x));
}

// 1 / sqrt(x), NaN where x is not finite: 1 / infinity would be 0, and make numbers of a row that overflowed.
fn inverse_root(x: f32) -> f32 {
  var nan_bits = 0x7fc00000u; // a constant expression may not be NaN; a variable's bits may
  return select(bitcast<f32>(nan_bits), 1.0 / sqrt(x), is_finite(x));
}
