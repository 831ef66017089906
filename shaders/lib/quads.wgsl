// quads: the numbers c, c + LANES, c + 2 LANES and c + 3 LANES of a row, which one invocation takes at once.
// Needs in the kernel: const LANES.

struct Quad {
  at: vec4u, // where they lie; for those past the row's end, its last number
  live: vec4<bool>, // which there are
}

// Of the row that starts at base and has `end` numbers.
fn quad_of(base: u32, c: u32, end: u32) -> Quad {
  let at = vec4u(c, c + LANES, c + 2u * LANES, c + 3u * LANES);
  return Quad(base + min(at, vec4u(max(end, 1u) - 1u)), at < vec4u(end));
}
