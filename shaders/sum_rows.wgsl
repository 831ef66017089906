// sum_rows: out[r] = sum of x[r, c] over c, or their mean.
// Buffers, row-major f32: x [rows, cols], out [rows].
// Grid: ROWS rows a workgroup, LANES invocations a row; neighbours read neighbouring columns. LANES = 1 runs without barriers.
// Precision: f32, in one fixed order: no atomics.
// @use lanes
// @use runs

const LANES: u32 = 64u;     // knob, halved to fit: invocations a row, a power of two
const ROWS: u32 = 4u;       // knob, halved to fit: rows a workgroup
const MEAN: bool = false;   // knob: divide by cols

alias Summed = f32;

struct Dims {
  rows: u32,
  cols: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(LANES, ROWS)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let row = (wid.x + wid.y * groups.x) * ROWS + lid.y;
  let live = row < dims.rows; // rows past the end still take part in the barriers
  let base = select(0u, row, live) * dims.cols;
  let end = select(0u, dims.cols, live);
  var sums = Runs();
  for (var first = lid.x; first < end; first += RUN * LANES) {
    var run = 0.0;
    for (var c = first; c < min(end, first + RUN * LANES); c += LANES) {
      run += x[base + c];
    }
    add_run(&sums, run);
  }
  var sum = lanes_sum(sum_of(sums), lid.x, lid.y);
  if (live && lid.x == 0u) {
    if (MEAN) {
      sum /= f32(dims.cols);
    }
    out[row] = sum;
  }
}
