// matrix_finish: how the sums of a convolution on subgroup matrices leave: by workgroup memory, 16 rows of a subgroup at a time, for the epilogue.
// Needs in the kernel: fn finish(slice: u32, row: u32, col: u32, sum: vec4f): four neighbours of a row, past the end too.
// @use matrix_step

// Of a tile from (row, col) on.
fn finish_tile(s: Sums, slice: u32, subgroup: u32, lane: u32, row: u32, col: u32) {
  let row_out = row + (subgroup / 2u) * 16u * TM;
  let col_out = col + (subgroup % 2u) * 16u * TN + lane % (4u * TN) * 4u; // that of an invocation stays the same
  for (var i = 0u; i < TM; i++) {
    put_sums(subgroup, s, i);
    workgroupBarrier();
    for (var x = 0u; x < 2u * TN; x++) {
      let e = x * 32u + lane;
      finish(slice, row_out + i * 16u + e / (4u * TN), col_out, quad_at(subgroup, e));
    }
    workgroupBarrier();
  }
}
