// product_blocks: the sums of an invocation of a tiled product, and one step of them from the tiles in workgroup memory. The inner loop of
// products and of convolutions: 8 x 8 invocations, each with QM x QN blocks of 4 x 4 outputs, 32 apart.
// Needs in the kernel: const QM, QN, TRANS_A, TRANS_B, SIDE; dims.m, n; tile_a, tile_b and swizzle of lib product_stage.

// A block of 4 x 4 sums.
struct Block {
  r0: vec4f,
  r1: vec4f,
  r2: vec4f,
  r3: vec4f,
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

// How many blocks an invocation has. No constant, so that what follows the products stands in a shader once and not for each block: written
// out, with all that it can be, it took NVIDIA's compiler longer than they do. More than one only where there are rows or columns for it.
fn block_count() -> u32 {
  return min(QM * QN, max(dims.m, dims.n));
}

// Block i, b00, b01, b10, b11 as far as an invocation has them: chosen, not indexed, so that sums stay in registers.
fn block_of(s: ptr<function, Sums>, i: u32) -> Block {
  var block = (*s).b00;
  if (QN > 1u && i == 1u) { block = (*s).b01; }
  if (QM > 1u && i == QN) { block = (*s).b10; }
  if (QM > 1u && QN > 1u && i == 3u) { block = (*s).b11; }
  return block;
}

// Where block i begins, from the first.
fn block_row(i: u32) -> u32 {
  return 4u * SIDE * (i / QN);
}

fn block_col(i: u32) -> u32 {
  return 4u * SIDE * (i % QN);
}

// Adds line kk of the staged tiles. In place and written out, block by block: sums that functions take and return cost NVIDIA's compiler
// half as much time again.
fn step(s: ptr<function, Sums>, kk: u32, at: vec2u) {
  let at_a = select(swizzle(at.y, kk), at.y, TRANS_A);
  let at_b = select(at.x, swizzle(at.x, kk), TRANS_B);
  let a0 = tile_a[kk][at_a];
  let b0 = tile_b[kk][at_b];
  (*s).b00.r0 += a0.x * b0;
  (*s).b00.r1 += a0.y * b0;
  (*s).b00.r2 += a0.z * b0;
  (*s).b00.r3 += a0.w * b0;
  if (QN > 1u) {
    let b1 = tile_b[kk][at_b + SIDE];
    (*s).b01.r0 += a0.x * b1;
    (*s).b01.r1 += a0.y * b1;
    (*s).b01.r2 += a0.z * b1;
    (*s).b01.r3 += a0.w * b1;
  }
  if (QM > 1u) {
    let a1 = tile_a[kk][at_a + SIDE];
    (*s).b10.r0 += a1.x * b0;
    (*s).b10.r1 += a1.y * b0;
    (*s).b10.r2 += a1.z * b0;
    (*s).b10.r3 += a1.w * b0;
    if (QN > 1u) {
      let b1 = tile_b[kk][at_b + SIDE];
      (*s).b11.r0 += a1.x * b1;
      (*s).b11.r1 += a1.y * b1;
      (*s).b11.r2 += a1.z * b1;
      (*s).b11.r3 += a1.w * b1;
    }
  }
}

fn four_steps(s: ptr<function, Sums>, kk: u32, at: vec2u) {
  step(s, kk, at);
  step(s, kk + 1u, at);
  step(s, kk + 2u, at);
  step(s, kk + 3u, at);
}

// Which (x, y) of the workgroup an invocation is: 32 neighbours are 8 x 4, and each 8 of them 4 x 2, since NVIDIA's multiprocessors serve
// reads of 16 bytes by 8 invocations at a time, and these read 6 vec4s.
fn place(local: u32) -> vec2u {
  let lane = local % 32u;
  let block = local / 32u;
  let within = vec2u((lane & 1u) + ((lane >> 1u) & 2u) + ((lane >> 2u) & 4u), ((lane >> 1u) & 1u) + ((lane >> 2u) & 2u));
  return vec2u(within.x, within.y + 4u * block);
}
