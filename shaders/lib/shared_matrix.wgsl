// shared_matrix: which matrix of an operand of a batched product the i-th of the batch reads: `each` neighbours share one, and `count`
// of them come again and again, 0: as many as are needed. A batch of axes [B, H] meets an operand of [B, 1] with each = H, of [1, H]
// with count = H, and one matrix with count = 1.

fn shared_matrix(i: u32, each: u32, count: u32) -> u32 {
  return select(i / each, i / each % max(count, 1u), count > 0u);
}
