// sum_parts: the sums down the columns of several matrices, each into its own place of out: the second pass of what was summed by parts.
//   out[place + c] = sum over the rows r of a matrix of x[from + r cols + c].
// Buffers: f32 x and out, read and written as vectors of 4: a matrix and its place begin at multiples of 4, and a place has room for whole
//   vectors, in which zeros follow its sums; tiles [tiles, 5], one a workgroup: where its matrix begins in x and its sums in out, the
//   matrix's rows and columns, and the tile's first column.
// Grid: a workgroup a tile: WG vectors of columns, or WG / LANES of them where a matrix has at least LANES_FROM rows, LANES invocations
//   each (lib column_lanes).
// Precision: f32, in the order of sum_cols: no atomics.
// @use column_lanes

const WG: u32 = 256u;        // knob, halved to fit: invocations a workgroup
const LANES: u32 = 32u;      // knob: invocations a vector of columns, a power of two
const LANES_FROM: u32 = 64u; // knob: rows from which LANES share them

alias Summed = vec4f;

struct Dims {
  tiles: u32,
  x_size: u32,   // numbers of x
  out_size: u32, // numbers of out, with those that follow the sums
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> tiles: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4f>;
@group(0) @binding(3) var<uniform> dims: Dims;

var<private> begin: u32; // of the workgroup's matrix, in x
var<private> cols: u32;

// Four columns of a row, 0 past its end.
fn term(row: u32, col: u32) -> Summed {
  let at = begin + row * cols + col;
  if (cols % 4u == 0u) {
    return x[at / 4u];
  }
  var four = vec4f();
  for (var i = 0u; i < min(4u, cols - col); i++) {
    four[i] = x[(at + i) / 4u][(at + i) % 4u];
  }
  return four;
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let group = wid.x + wid.y * groups.x;
  if (group >= dims.tiles) {
    return;
  }
  let tile = 5u * group;
  begin = tiles[tile];
  let place = tiles[tile + 1u];
  let rows = tiles[tile + 2u];
  cols = tiles[tile + 3u];
  let width = WG / column_lanes(rows);
  let col = tiles[tile + 4u] + 4u * (local % width);
  let live = col < cols;
  let p = ColumnPart(0u, col, 0u, rows, live, live && local < width);
  let sum = column_total(p, local, rows);
  if (p.owner) {
    out[(place + col) / 4u] = sum;
  }
}
