// conv_places: which stored pixel lies below each place of a window. Images are channel-last; with DOUBLED every stored pixel is four. With
// TRANSPOSED the windows are those of the convolution that the image is the result of, as its gradient needs: an image of 0s between pixels
// where STRIDED.
// Needs in the kernel: const TRANSPOSED, STRIDED, DOUBLED; dims.

const OFFSET: u32 = 0x4000u; // added to rows and columns that may be negative

// Where the window of a made pixel begins: the first pixel of its sample, and row and column, each OFFSET more, in one word.
struct Anchor {
  base: u32,
  corner: u32,
}

// A place of the window and a channel of a group.
struct Tap {
  row: i32,
  col: i32,
  channel: u32,
}

// Of what places are divided by, found once, outside the loops.
struct Reciprocals {
  depth: f32,
  kernel_w: f32,
  area: f32, // of a made image
  out_w: f32,
}

fn reciprocals() -> Reciprocals {
  return Reciprocals(
    1.0 / f32(dims.depth),
    1.0 / f32(dims.kernel_w),
    1.0 / f32(dims.out_h * dims.out_w),
    1.0 / f32(dims.out_w),
  );
}

// a / b by the reciprocal of b, which may be off by one: a < 2^31, and the quotient is below 2^21.
fn quotient(a: u32, b: u32, reciprocal: f32) -> u32 {
  let q = u32(f32(a) * reciprocal);
  let rest = bitcast<i32>(a - q * b);
  return select(select(q, q + 1u, rest >= i32(b)), q - 1u, rest < 0);
}

// Stored pixels of a sample.
fn sample_pixels() -> u32 {
  return select(dims.height * dims.width, (dims.height / 2u) * (dims.width / 2u), DOUBLED);
}

// Of made pixel `pixel`; of one past the end, an anchor that no tap brings inside.
fn anchor_of(pixel: u32, pixels: u32, by: Reciprocals) -> Anchor {
  let sample = quotient(pixel, dims.out_h * dims.out_w, by.area);
  let within = pixel - sample * (dims.out_h * dims.out_w);
  let row = quotient(within, dims.out_w, by.out_w);
  let at = vec2u(row, within - row * dims.out_w);
  var corner = at * dims.stride - vec2u(dims.pad_h, dims.pad_w);
  if (TRANSPOSED) {
    corner = at + vec2u(dims.pad_h, dims.pad_w);
  }
  let packed = ((corner.x + OFFSET) << 16u) | (corner.y + OFFSET);
  return Anchor(sample * sample_pixels(), select(0u, packed, pixel < pixels));
}

// Number k of a window: taps in order, channels innermost.
fn tap_of(k: u32, by: Reciprocals) -> Tap {
  let tap = quotient(k, dims.depth, by.depth);
  let row = quotient(tap, dims.kernel_w, by.kernel_w);
  return Tap(i32(row), i32(tap - row * dims.kernel_w), k - tap * dims.depth);
}

// The stored pixel below a tap, -1 outside.
fn place_of(anchor: Anchor, tap: Tap) -> i32 {
  let corner = vec2i(i32(anchor.corner >> 16u), i32(anchor.corner & 0xffffu)) - i32(OFFSET);
  var at = corner + vec2i(tap.row, tap.col);
  if (TRANSPOSED) {
    at = corner - vec2i(tap.row, tap.col);
  }
  var inside = at.x >= 0 && at.y >= 0;
  if (TRANSPOSED && STRIDED) {
    let stride = i32(dims.stride);
    let down = at / stride;
    inside = inside && all(down * stride == at);
    at = down;
  }
  return select(-1, stored_at(anchor.base, at), inside && at.x < i32(dims.height) && at.y < i32(dims.width));
}

// The stored pixel of row at.x and column at.y of the sample that begins at pixel `base`.
fn stored_at(base: u32, at: vec2i) -> i32 {
  if (DOUBLED) {
    return i32(base) + (at.x >> 1u) * i32(dims.width / 2u) + (at.y >> 1u);
  }
  return i32(base) + at.x * i32(dims.width) + at.y;
}
