// row_quads: the columns of a row that an invocation holds, as its quads 0, 1, ...: with VEC four neighbours each, which are one access,
// LANES quads apart; without it four numbers LANES apart (lib quads). Neighbours read neighbours either way.
// Needs in the kernel: const LANES, const VEC.
// @use quads

// Of a row of `end` numbers; those past its end are in its last ones' place, and not live.
fn columns_of(lane: u32, q: u32, end: u32) -> Quad {
  if (VEC) {
    let c = 4u * (lane + q * LANES);
    return Quad(min(c, max(end, 4u) - 4u) + vec4u(0u, 1u, 2u, 3u), vec4<bool>(c < end));
  }
  return quad_of(0u, lane + 4u * q * LANES, end);
}

fn sum_of_four(v: vec4f) -> f32 {
  return (v.x + v.y) + (v.z + v.w);
}
