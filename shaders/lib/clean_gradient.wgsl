// clean_gradient: what an optimiser sees of raw gradients: scaled, and 0 where they are not finite numbers. Finiteness is read from
// the bits, which no compiler may assume away.

fn clean_gradient(raw: vec4f, scale: f32) -> vec4f {
  let broken = (bitcast<vec4u>(raw) & vec4u(0x7f800000u)) == vec4u(0x7f800000u);
  return select(raw * scale, vec4f(0.0), broken);
}

// Which elements of the i-th vec4 lie below count.
fn live_elements(i: u32, count: u32) -> vec4<bool> {
  return vec4u(i * 4u) + vec4u(0u, 1u, 2u, 3u) < vec4u(count);
}
