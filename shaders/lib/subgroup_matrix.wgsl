// subgroup_matrix: products of matrices of 16 x 16 that a subgroup of 32 holds together, f16 times f16 into f32. This and lib
// subgroup_matrix_lines are the one place in WGSL that spells the experimental extension.
// Needs in the kernel: var<workgroup> parts, arrays of PART vec4u. An array of its own for each subgroup's lines, since where a matrix begins
// in it is a constant then, and Dawn's and the driver's bounds checks fall away (H100: 210 TFLOP/s, with one flat array 181).
enable f16;
enable subgroups;
enable chromium_experimental_subgroup_matrix;

alias Left = subgroup_matrix_left<f16, 16, 16>;
alias Right = subgroup_matrix_right<f16, 16, 16>;
alias Sum = subgroup_matrix_result<f32, 16, 16>;

// A matrix whose lines begin `line` vec4u apart: with `turned` they are its columns, else its rows.
fn left_at(part: u32, at: u32, line: u32, turned: bool) -> Left {
  if (turned) {
    return subgroupMatrixLoad<Left, col_major>(&parts[part], at, line);
  }
  return subgroupMatrixLoad<Left, row_major>(&parts[part], at, line);
}

fn right_at(part: u32, at: u32, line: u32, turned: bool) -> Right {
  if (turned) {
    return subgroupMatrixLoad<Right, col_major>(&parts[part], at, line);
  }
  return subgroupMatrixLoad<Right, row_major>(&parts[part], at, line);
}

fn add_product(x: Left, y: Right, sum: Sum) -> Sum {
  return subgroupMatrixMultiplyAccumulate(x, y, sum);
}

// Writes a matrix of sums, four numbers a vec4u, its rows `line` vec4u apart.
fn put_sum(part: u32, at: u32, sum: Sum, line: u32) {
  subgroupMatrixStore<row_major>(&parts[part], at, sum, line);
}

// Reads one back.
fn sum_at(part: u32, at: u32, line: u32) -> Sum {
  return subgroupMatrixLoad<Sum, row_major>(&parts[part], at, line);
}
