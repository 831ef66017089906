// product_blocks: the sums of an invocation of a tiled product, and one step of them from the tiles in workgroup memory. The inner loop of
// products and of convolutions: 8 x 8 invocations, each with QM x QN blocks of 4 x 4 outputs, 32 apart.
// Needs in the kernel: const QM, QN, TRANS_A, TRANS_B, SIDE; tile_a, tile_b and swizzle of lib product_stage.

// A block of 4 x 4 sums.
struct Block {
  r0: vec4f,
  r1: vec4f,
  r2: vec4f,
  r3: vec4f,
}

fn multiply(before: Block, av: vec4f, bv: vec4f) -> Block {
  var sums = before;
  sums.r0 += av.x * bv;
  sums.r1 += av.y * bv;
  sums.r2 += av.z * bv;
  sums.r3 += av.w * bv;
  return sums;
}

fn sum_of(x: Block, y: Block) -> Block {
  return Block(x.r0 + y.r0, x.r1 + y.r1, x.r2 + y.r2, x.r3 + y.r3);
}

// The blocks of an invocation, by rows and columns.
struct Sums {
  b00: Block,
  b01: Block,
  b10: Block,
  b11: Block,
}

// Adds line kk of the staged tiles.
fn step(before: Sums, kk: u32, at: vec2u) -> Sums {
  var s = before;
  let at_a = select(swizzle(at.y, kk), at.y, TRANS_A);
  let at_b = select(at.x, swizzle(at.x, kk), TRANS_B);
  let a0 = tile_a[kk][at_a];
  let b0 = tile_b[kk][at_b];
  s.b00 = multiply(s.b00, a0, b0);
  if (QN > 1u) { s.b01 = multiply(s.b01, a0, tile_b[kk][at_b + SIDE]); }
  if (QM > 1u) {
    let a1 = tile_a[kk][at_a + SIDE];
    s.b10 = multiply(s.b10, a1, b0);
    if (QN > 1u) { s.b11 = multiply(s.b11, a1, tile_b[kk][at_b + SIDE]); }
  }
  return s;
}

fn four_steps(before: Sums, kk: u32, at: vec2u) -> Sums {
  return step(step(step(step(before, kk, at), kk + 1u, at), kk + 2u, at), kk + 3u, at);
}

// Which (x, y) of the workgroup an invocation is: 32 neighbours are 8 x 4, and each 8 of them 4 x 2, since NVIDIA's multiprocessors serve
// reads of 16 bytes by 8 invocations at a time, and these read 6 vec4s.
fn place(local: u32) -> vec2u {
  let lane = local % 32u;
  let block = local / 32u;
  let within = vec2u((lane & 1u) + ((lane >> 1u) & 2u) + ((lane >> 2u) & 4u), ((lane >> 1u) & 1u) + ((lane >> 2u) & 2u));
  return vec2u(within.x, within.y + 4u * block);
}
