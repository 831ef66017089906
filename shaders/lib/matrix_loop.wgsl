// matrix_loop: the loop of a product on subgroup matrices over k: while a step is multiplied the tiles of the two after it are on their way into
// registers; with the fetch one step ahead a driver moved it behind the products.
// Needs in the kernel: what lib matrix_step does.
// @use matrix_step

// The sums of a subgroup over `length` of k.
fn sums_of(local: u32, subgroup: u32, from_a: FromA, from_b: FromB, length: u32) -> Sums {
  let part_a = subgroup / 2u;
  let part_b = 2u + subgroup % 2u;
  let item_a = item_of(local, !TRANS_A, BM);
  let item_b = item_of(local, TRANS_B, BN);
  var s = Sums();
  var next = fetch(item_a, item_b, from_a, from_b, 0u);
  var after = fetch(item_a, item_b, from_a, from_b, BK);
  for (var k0 = 0u; k0 < length; k0 += 2u * BK) {
    // Past the end the fetches give zeros, so that a last odd step adds nothing.
    stage(item_a, item_b, next);
    workgroupBarrier();
    next = fetch(item_a, item_b, from_a, from_b, k0 + 2u * BK);
    s = multiply(multiply(s, part_a, part_b, 0u), part_a, part_b, 1u);
    workgroupBarrier();
    stage(item_a, item_b, after);
    workgroupBarrier();
    after = fetch(item_a, item_b, from_a, from_b, k0 + 3u * BK);
    s = multiply(multiply(s, part_a, part_b, 0u), part_a, part_b, 1u);
    workgroupBarrier();
  }
  return s;
}
