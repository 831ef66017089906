// row_lanes: the row that an invocation shares with LANES - 1 others, for kernels whose workgroup is LANES x ROWS.
// Needs in the kernel: const LANES, const ROWS, dims with rows and cols.

struct Row {
  index: u32,
  live: bool, // rows past the end still take part in the barriers
  base: u32, // where its numbers begin
  end: u32, // how many there are: none of a row past the end
}

fn row_of(wid: vec3u, groups: vec3u, lid: vec3u) -> Row {
  let row = (wid.x + wid.y * groups.x) * ROWS + lid.y;
  let live = row < dims.rows;
  return Row(row, live, select(0u, row, live) * dims.cols, select(0u, dims.cols, live));
}
