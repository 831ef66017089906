// column_lanes: sums down the columns of parts of so many rows, by a workgroup of WG. LANES invocations share a column where a part has
// LANES_FROM rows at least: invocation i is lane i / width of the workgroup's column i % width, width = WG / lanes, so that neighbours
// read neighbouring columns. A workgroup has the columns of one part; its number counts the columns' groups first, then the parts.
// Needs in the kernel: const WG, its invocations; LANES, at most WG, and LANES_FROM; alias Summed, what is added up (f32, a vector or a
// matrix); fn term(row, col) -> Summed; dims.rows.
// @use runs

var<workgroup> column_partials: array<Summed, WG>;

// Short sums take one lane: the other lanes' time is better spent on more columns than on barriers.
fn column_lanes(rows: u32) -> u32 {
  return select(LANES, 1u, rows < LANES_FROM);
}

// The sum over the lanes of a column, valid in its lane 0. Every invocation of the workgroup must call, with the same lanes.
// One lane runs without barriers, which is what CPU adapters want.
fn column_sum(value: Summed, local: u32, lanes: u32) -> Summed {
  if (LANES == 1u || lanes == 1u) {
    return value;
  }
  column_partials[local] = value;
  workgroupBarrier();
  for (var stride = WG / 2u; stride >= WG / lanes; stride /= 2u) {
    if (local < stride) {
      column_partials[local] += column_partials[local + stride];
    }
    workgroupBarrier();
  }
  return column_partials[local];
}

// What an invocation adds up: rows begin to end of a column.
struct ColumnPart {
  part: u32,
  col: u32,
  begin: u32,
  end: u32,
  live: bool, // the others still take part in the barriers
  owner: bool, // writes the sum
}

// Workgroups that share a part's columns.
fn column_tiles(cols: u32, rows: u32) -> u32 {
  let width = WG / column_lanes(rows);
  return (cols + width - 1u) / width;
}

fn column_part(group: u32, local: u32, cols: u32, rows: u32) -> ColumnPart {
  let width = WG / column_lanes(rows);
  let tiles = column_tiles(cols, rows);
  let part = group / tiles;
  let col = (group % tiles) * width + local % width;
  let begin = min(part * rows, dims.rows);
  let end = begin + min(rows, dims.rows - begin);
  let live = col < cols && begin < end;
  return ColumnPart(part, col, begin, end, live, live && local < width);
}

// The sum of a part's column, valid in its owner. Every invocation of the workgroup must call, with the same rows.
fn column_total(p: ColumnPart, local: u32, rows: u32) -> Summed {
  let lanes = column_lanes(rows);
  var sums = Runs();
  if (p.live) {
    let length = 4u * RUN * lanes; // a run adds up RUN fours
    for (var first = p.begin + local / (WG / lanes); first < p.end; first += length) {
      let stop = min(p.end, first + length);
      var row = first;
      var run = Summed();
      for (; row + 3u * lanes < stop; row += 4u * lanes) { // four rows in flight
        run += (term(row, p.col) + term(row + lanes, p.col)) + (term(row + 2u * lanes, p.col) + term(row + 3u * lanes, p.col));
      }
      for (; row < stop; row += lanes) {
        run += term(row, p.col);
      }
      add_run(&sums, run);
    }
  }
  return column_sum(sum_of(sums), local, lanes);
}
