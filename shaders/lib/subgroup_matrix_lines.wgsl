// subgroup_matrix_lines: operands of lib subgroup_matrix from a second array, for kernels whose operands and sums take parts of other sizes.
// Needs in the kernel: var<workgroup> lines, arrays of vec4u.
// @use subgroup_matrix

fn left_of_lines(part: u32, at: u32, line: u32) -> Left {
  return subgroupMatrixLoad<Left, row_major>(&lines[part], at, line);
}

fn right_of_lines(part: u32, at: u32, line: u32, turned: bool) -> Right {
  if (turned) {
    return subgroupMatrixLoad<Right, col_major>(&lines[part], at, line);
  }
  return subgroupMatrixLoad<Right, row_major>(&lines[part], at, line);
}
