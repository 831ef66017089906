// quad_store: writes a quad of a row (lib quads).
// Needs in the kernel: const LANES, fn put(at: u32, value: f32).

fn store_quad(base: u32, c: u32, end: u32, values: vec4f) {
  if (c < end) { put(base + c, values.x); }
  if (c + LANES < end) { put(base + c + LANES, values.y); }
  if (c + 2u * LANES < end) { put(base + c + 2u * LANES, values.z); }
  if (c + 3u * LANES < end) { put(base + c + 3u * LANES, values.w); }
}
