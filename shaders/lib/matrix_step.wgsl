// matrix_step: a step of a product on subgroup matrices, of four subgroups of 32: BK of k of both operands, fetched into registers, staged in
// workgroup memory and multiplied; and how the sums leave. The sums are named, and the steps of 16 k written out (a loop of two: 84 TFLOP/s
// instead of 246 on an H100).
// Needs in the kernel: const TM, TN, TRANS_A, TRANS_B; alias FromA, FromB: what fetches need that stays the same; fn halves_of_a(item: vec2u,
// i: u32, from: FromA, step: u32) -> vec4u: item i of an invocation at `step` of k, zeros past its end; halves_of_b likewise.
// @use subgroup_matrix
// @use matrix_places

var<workgroup> parts: array<array<vec4u, PART>, 4>; // two subgroups' lines of A, then two's of B; at the end a subgroup's sums each

// What an invocation fetches of a step: TM eights of A, TN of B, as halves.
struct Fetched {
  a0: vec4u,
  a1: vec4u,
  a2: vec4u,
  a3: vec4u,
  b0: vec4u,
  b1: vec4u,
  b2: vec4u,
  b3: vec4u,
}

fn fetch(item_a: vec2u, item_b: vec2u, from_a: FromA, from_b: FromB, step: u32) -> Fetched {
  var f = Fetched();
  f.a0 = halves_of_a(item_a, 0u, from_a, step);
  f.a1 = halves_of_a(item_a, 1u, from_a, step);
  if (TM > 2u) {
    f.a2 = halves_of_a(item_a, 2u, from_a, step);
    f.a3 = halves_of_a(item_a, 3u, from_a, step);
  }
  f.b0 = halves_of_b(item_b, 0u, from_b, step);
  f.b1 = halves_of_b(item_b, 1u, from_b, step);
  if (TN > 2u) {
    f.b2 = halves_of_b(item_b, 2u, from_b, step);
    f.b3 = halves_of_b(item_b, 3u, from_b, step);
  }
  return f;
}

fn stage_a(item: vec2u, i: u32, value: vec4u) {
  let place = place_a(item, i);
  parts[place.x][place.y] = value;
}

fn stage_b(item: vec2u, i: u32, value: vec4u) {
  let place = place_b(item, i);
  parts[2u + place.x][place.y] = value;
}

fn stage(item_a: vec2u, item_b: vec2u, f: Fetched) {
  stage_a(item_a, 0u, f.a0);
  stage_a(item_a, 1u, f.a1);
  if (TM > 2u) {
    stage_a(item_a, 2u, f.a2);
    stage_a(item_a, 3u, f.a3);
  }
  stage_b(item_b, 0u, f.b0);
  stage_b(item_b, 1u, f.b1);
  if (TN > 2u) {
    stage_b(item_b, 2u, f.b2);
    stage_b(item_b, 3u, f.b3);
  }
}

fn left(part: u32, i: u32, kk: u32) -> Left {
  return left_at(part, left_place(i, kk), A_LINE, TRANS_A);
}

fn right(part: u32, i: u32, kk: u32) -> Right {
  return right_at(part, right_place(i, kk), B_LINE, TRANS_B);
}

// A subgroup's sums, named: matrices that a loop indexes go to memory.
struct Sums {
  c00: Sum,
  c01: Sum,
  c02: Sum,
  c03: Sum,
  c10: Sum,
  c11: Sum,
  c12: Sum,
  c13: Sum,
  c20: Sum,
  c21: Sum,
  c22: Sum,
  c23: Sum,
  c30: Sum,
  c31: Sum,
  c32: Sum,
  c33: Sum,
}

// Adds 16 k of the staged step. B's matrices 2 and 3 are loaded after the first products.
fn multiply(before: Sums, part_a: u32, part_b: u32, kk: u32) -> Sums {
  var s = before;
  let x0 = left(part_a, 0u, kk);
  let x1 = left(part_a, 1u, kk);
  var x2 = Left();
  var x3 = Left();
  if (TM > 2u) {
    x2 = left(part_a, 2u, kk);
    x3 = left(part_a, 3u, kk);
  }
  let y0 = right(part_b, 0u, kk);
  let y1 = right(part_b, 1u, kk);
  s.c00 = add_product(x0, y0, s.c00);
  s.c01 = add_product(x0, y1, s.c01);
  s.c10 = add_product(x1, y0, s.c10);
  s.c11 = add_product(x1, y1, s.c11);
  if (TM > 2u) {
    s.c20 = add_product(x2, y0, s.c20);
    s.c21 = add_product(x2, y1, s.c21);
    s.c30 = add_product(x3, y0, s.c30);
    s.c31 = add_product(x3, y1, s.c31);
  }
  if (TN > 2u) {
    let y2 = right(part_b, 2u, kk);
    let y3 = right(part_b, 3u, kk);
    s.c02 = add_product(x0, y2, s.c02);
    s.c03 = add_product(x0, y3, s.c03);
    s.c12 = add_product(x1, y2, s.c12);
    s.c13 = add_product(x1, y3, s.c13);
    if (TM > 2u) {
      s.c22 = add_product(x2, y2, s.c22);
      s.c23 = add_product(x2, y3, s.c23);
      s.c32 = add_product(x3, y2, s.c32);
      s.c33 = add_product(x3, y3, s.c33);
    }
  }
  return s;
}

const OUT_LINE: u32 = 4u * TN + 1u; // vec4u a row of sums in workgroup memory

// Writes a line of a subgroup's matrices of sums.
fn put_line(part: u32, c0: Sum, c1: Sum, c2: Sum, c3: Sum) {
  put_sum(part, 0u, c0, OUT_LINE);
  put_sum(part, 4u, c1, OUT_LINE);
  if (TN > 2u) {
    put_sum(part, 8u, c2, OUT_LINE);
    put_sum(part, 12u, c3, OUT_LINE);
  }
}

fn quad_at(part: u32, e: u32) -> vec4f {
  return bitcast<vec4f>(parts[part][e / (4u * TN) * OUT_LINE + e % (4u * TN)]);
}

// Writes line i of a subgroup's matrices of sums.
fn put_sums(part: u32, s: Sums, i: u32) {
  if (i == 0u) {
    put_line(part, s.c00, s.c01, s.c02, s.c03);
  } else if (i == 1u) {
    put_line(part, s.c10, s.c11, s.c12, s.c13);
  } else if (i == 2u) {
    put_line(part, s.c20, s.c21, s.c22, s.c23);
  } else {
    put_line(part, s.c30, s.c31, s.c32, s.c33);
  }
}
