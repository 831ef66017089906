// conv_loop: the loop of a tiled convolution over k, that of matmul_tiled: the steps of a product, each staged while the next is fetched.
// With ROLLED a step is fetched when it is staged, so that what it is found by stands in the shader once.
// Needs in the kernel: const BK, TWICE, ROLLED; fetch_a and fetch_b of lib product_stage, which give zeros past k; fn finish_block(sums: Block, slice: u32, row: u32, col: u32).
// @use product_stage
// @use product_blocks

// The sums of an invocation at `at`, over k from `begin` on.
fn sums_of(local: u32, at: vec2u, sources: Sources, begin: u32, end: u32) -> Sums {
  var s = Sums();
  var next = Fetched();
  var next2 = Fetched();
  if (!ROLLED) {
    next = fetch_first(local, sources, begin);
    if (TWICE) { next2 = fetch_second(local, sources, begin); }
  }
  for (var k0 = begin; k0 < end; k0 += BK) {
    if (ROLLED) {
      next = fetch_first(local, sources, k0);
      if (TWICE) { next2 = fetch_second(local, sources, k0); }
    }
    stage_first(local, next);
    if (TWICE) { stage_second(local, next2); }
    workgroupBarrier();
    let after = k0 + BK; // past the end the fetches give zeros that nothing reads
    if (!ROLLED) {
      next = fetch_first(local, sources, after);
      if (TWICE) { next2 = fetch_second(local, sources, after); }
    }
    four_steps(&s, 0u, at);
    four_steps(&s, 4u, at);
    four_steps(&s, 8u, at);
    four_steps(&s, 12u, at);
    workgroupBarrier();
  }
  return s;
}

// Writes the blocks of an invocation whose first output is (row, col).
fn finish_all(s: ptr<function, Sums>, slice: u32, row: u32, col: u32) {
  for (var i = 0u; i < block_count(); i++) {
    finish_block(block_of(s, i), slice, row + block_row(i), col + block_col(i));
  }
}
