// filter_taps: the dims of the kernels that filter images to half and twice their size, and their taps by number.
// Needs in the kernel: const LENGTH.

struct Dims {
  batch: u32,
  height: u32, // of the small image
  width: u32,
  large_h: u32, // of the large one
  large_w: u32,
  channels: u32,
  before: u32, // optional, else 0
  scale: f32, // optional, else 1
  tap0: f32,
  tap1: f32,
  tap2: f32, // optional, else 0
  tap3: f32, // optional, else 0
  tap4: f32, // optional, else 0
  tap5: f32, // optional, else 0
  tap6: f32, // optional, else 0
  tap7: f32, // optional, else 0
}

fn tap(i: u32) -> f32 {
  switch i {
    case 0u: { return dims.tap0; }
    case 1u: { return dims.tap1; }
    case 2u: { return dims.tap2; }
    case 3u: { return dims.tap3; }
    case 4u: { return dims.tap4; }
    case 5u: { return dims.tap5; }
    case 6u: { return dims.tap6; }
    default: { return dims.tap7; }
  }
}
