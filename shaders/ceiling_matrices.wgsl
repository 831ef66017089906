// ceiling_matrices: TM x TN independent sums of products of matrices a subgroup, from registers: the rate on subgroup matrices that bench
// results are held against, f16 times f16 into f32.
// Buffers: y [count] f32, one result an invocation: the total of its sums, 16 rounds times a product of (1 + .. + TM) and (1 + .. + TN).
// Grid: four subgroups of 32 a workgroup. Each does rounds * TM * TN products of 16 x 16 x 16, 8192 operations.
// Precision: whole numbers below 2^24, which f32 sums hold.
// @use subgroup_matrix

const TM: u32 = 4u; // knob: matrices on the left, 2 or 4
const TN: u32 = 4u; // knob: matrices on the right, 2 or 4

struct Dims {
  count: u32,
  rounds: u32,
}

@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@group(0) @binding(1) var<uniform> dims: Dims;

const PART: u32 = 128u; // vec4u: four matrices of halves; at the end one of sums
const LINE: u32 = 2u;   // vec4u a line of 16 halves
const SUM_LINE: u32 = 4u;
var<workgroup> parts: array<array<vec4u, PART>, 4>; // the left ones, then the right ones; at the end a subgroup's sums each

// A subgroup's total so far, and one matrix of sums more: eight of its numbers an invocation.
fn add_sum(before: f32, sum: Sum, subgroup: u32, lane: u32) -> f32 {
  put_sum(subgroup, 0u, sum, SUM_LINE);
  workgroupBarrier();
  let eight = bitcast<vec4f>(parts[subgroup][2u * lane]) + bitcast<vec4f>(parts[subgroup][2u * lane + 1u]);
  workgroupBarrier();
  return before + dot(eight, vec4f(0.125));
}

@compute @workgroup_size(128)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
  @builtin(subgroup_id) subgroup: u32,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  // Matrix i of either side is i + 1 everywhere.
  let half = pack2x16float(vec2f(f32(local / 32u + 1u)));
  parts[0][local] = vec4u(half);
  parts[1][local] = vec4u(half);
  workgroupBarrier();
  let x0 = left_at(0u, 0u, LINE, false);
  let x1 = left_at(0u, 32u, LINE, false);
  var x2 = Left();
  var x3 = Left();
  if (TM > 2u) {
    x2 = left_at(0u, 64u, LINE, false);
    x3 = left_at(0u, 96u, LINE, false);
  }
  let y0 = right_at(1u, 0u, LINE, false);
  let y1 = right_at(1u, 32u, LINE, false);
  let y2 = right_at(1u, 64u, LINE, false);
  let y3 = right_at(1u, 96u, LINE, false);
  var c00 = Sum();
  var c01 = Sum();
  var c02 = Sum();
  var c03 = Sum();
  var c10 = Sum();
  var c11 = Sum();
  var c12 = Sum();
  var c13 = Sum();
  var c20 = Sum();
  var c21 = Sum();
  var c22 = Sum();
  var c23 = Sum();
  var c30 = Sum();
  var c31 = Sum();
  var c32 = Sum();
  var c33 = Sum();
  for (var i = 0u; i < dims.rounds; i++) {
    c00 = add_product(x0, y0, c00);
    c01 = add_product(x0, y1, c01);
    c10 = add_product(x1, y0, c10);
    c11 = add_product(x1, y1, c11);
    if (TM > 2u) {
      c20 = add_product(x2, y0, c20);
      c21 = add_product(x2, y1, c21);
      c30 = add_product(x3, y0, c30);
      c31 = add_product(x3, y1, c31);
    }
    if (TN > 2u) {
      c02 = add_product(x0, y2, c02);
      c03 = add_product(x0, y3, c03);
      c12 = add_product(x1, y2, c12);
      c13 = add_product(x1, y3, c13);
      if (TM > 2u) {
        c22 = add_product(x2, y2, c22);
        c23 = add_product(x2, y3, c23);
        c32 = add_product(x3, y2, c32);
        c33 = add_product(x3, y3, c33);
      }
    }
  }
  workgroupBarrier(); // all operands are in registers
  var total = add_sum(0.0, c00, subgroup, lane);
  total = add_sum(total, c01, subgroup, lane);
  total = add_sum(total, c10, subgroup, lane);
  total = add_sum(total, c11, subgroup, lane);
  if (TM > 2u) {
    total = add_sum(total, c20, subgroup, lane);
    total = add_sum(total, c21, subgroup, lane);
    total = add_sum(total, c30, subgroup, lane);
    total = add_sum(total, c31, subgroup, lane);
  }
  if (TN > 2u) {
    total = add_sum(total, c02, subgroup, lane);
    total = add_sum(total, c03, subgroup, lane);
    total = add_sum(total, c12, subgroup, lane);
    total = add_sum(total, c13, subgroup, lane);
    if (TM > 2u) {
      total = add_sum(total, c22, subgroup, lane);
      total = add_sum(total, c23, subgroup, lane);
      total = add_sum(total, c32, subgroup, lane);
      total = add_sum(total, c33, subgroup, lane);
    }
  }
  let at = (wid.x + wid.y * groups.x) * 128u + local;
  if (at < dims.count) {
    y[at] = total;
  }
}
