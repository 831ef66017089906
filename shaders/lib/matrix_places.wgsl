// matrix_places: where the tiles of A and B of one step of a product on subgroup matrices, BK lines of k, lie in workgroup memory: eight
// neighbours a vec4u, lines as in storage, with one vec4u after each, so that matrices meet no bank twice; and who stages which.
// Needs in the kernel: const TM, TN, TRANS_A, TRANS_B.

const BK: u32 = 32u;      // k a step
const THREADS: u32 = 128u; // four subgroups, 2 x 2
const BM: u32 = 32u * TM;
const BN: u32 = 32u * TN;
const K_LINE: u32 = BK / 8u + 1u;                         // vec4u a line along k
const A_LINE: u32 = select(K_LINE, 2u * TM + 1u, TRANS_A); // of a subgroup's part of A
const B_LINE: u32 = select(2u * TN + 1u, K_LINE, TRANS_B);
const PART: u32 = 16u * max(TM, TN) * K_LINE + 4u; // vec4u of a subgroup's part of either, half of the banks past a whole round of them

// Line and eight of an invocation's first item of a tile; each item after it is as many lines on as all invocations take at once. Along k eight
// neighbours take lines four apart, which they stage without meeting a bank twice.
fn item_of(local: u32, along_k: bool, side: u32) -> vec2u {
  if (along_k) {
    return vec2u((local / 32u) * 8u + (local / 8u) % 4u + (local / 4u) % 2u * 4u, local % 4u);
  }
  return vec2u(local / (side / 8u), local % (side / 8u));
}

const A_LINES: u32 = select(32u, 32u / TM, TRANS_A); // that all invocations take at once
const B_LINES: u32 = select(32u / TN, 32u, TRANS_B);

// Part and place of item i of a tile in workgroup memory.
fn place_a(item: vec2u, i: u32) -> vec2u {
  if (TRANS_A) {
    return vec2u(item.y / (2u * TM), (item.x + i * A_LINES) * A_LINE + item.y % (2u * TM));
  }
  return vec2u(i * A_LINES / (16u * TM), (item.x + i * A_LINES % (16u * TM)) * A_LINE + item.y);
}

fn place_b(item: vec2u, i: u32) -> vec2u {
  if (TRANS_B) {
    return vec2u(i * B_LINES / (16u * TN), (item.x + i * B_LINES % (16u * TN)) * B_LINE + item.y);
  }
  return vec2u(item.y / (2u * TN), (item.x + i * B_LINES) * B_LINE + item.y % (2u * TN));
}

// Where matrix i of a subgroup's part begins at step kk of 16 k.
fn left_place(i: u32, kk: u32) -> u32 {
  return select(i * 16u * A_LINE + kk * 2u, kk * 16u * A_LINE + i * 2u, TRANS_A);
}

fn right_place(i: u32, kk: u32) -> u32 {
  return select(kk * 16u * B_LINE + i * 2u, i * 16u * B_LINE + kk * 2u, TRANS_B);
}
