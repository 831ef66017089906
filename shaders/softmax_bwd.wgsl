// softmax_bwd: the gradient of softmax_fwd from its output: dx = scale y (dy - sum(y dy)) along rows; with LOG, where y is the log,
//   dx = scale (dy - exp(y) sum(dy)).
// Buffers, row-major f32: y, dy, dx [rows, cols].
// Grid: as softmax_fwd. A row of up to 4 QUADS LANES columns is read once and held in registers; a longer one is read twice.
// Precision: f32; sums of runs.
// Source: the derivative of shaders/softmax_fwd.wgsl.
// @use lanes
// @use runs
// @use row_lanes
// @use quads
// @use quad_store

const LANES: u32 = 64u;      // knob, halved to fit: invocations a row, a power of two
const ROWS: u32 = 4u;        // knob, halved to fit: rows a workgroup
const QUADS: u32 = 0u;       // knob: quads of numbers that an invocation holds: 1 or 2, where they are the whole row; 0 reads it twice
const LOG: bool = false;     // knob: log softmax

alias Summed = f32; // y dy, or dy

struct Dims {
  rows: u32,
  cols: u32,
  scale: f32, // optional, else 1
}

@group(0) @binding(0) var<storage, read> y: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;
@group(0) @binding(3) var<uniform> dims: Dims;

// The numbers c, c + LANES, ... of y and dy; those past the row's end are 0.
struct Eight {
  y: vec4f,
  dy: vec4f,
}

fn eight(base: u32, c: u32, end: u32) -> Eight {
  let quad = quad_of(base, c, end);
  let at = quad.at;
  return Eight(
    select(vec4f(0.0), vec4f(y[at.x], y[at.y], y[at.z], y[at.w]), quad.live),
    select(vec4f(0.0), vec4f(dy[at.x], dy[at.y], dy[at.z], dy[at.w]), quad.live),
  );
}

fn sum_of_eight(v: Eight) -> f32 {
  if (LOG) {
    return (v.dy.x + v.dy.y) + (v.dy.z + v.dy.w);
  }
  return dot(v.y, v.dy);
}

fn put(at: u32, value: f32) {
  dx[at] = value;
}

fn store(base: u32, c: u32, end: u32, v: Eight, total: f32) {
  var values = v.y * (v.dy - total);
  if (LOG) {
    values = v.dy - exp(v.y) * total;
  }
  store_quad(base, c, end, values * dims.scale);
}

@compute @workgroup_size(LANES, ROWS)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let row = row_of(wid, groups, lid);
  let base = row.base;
  let end = row.end;
  if (QUADS == 0u) {
    var sums = Runs();
    for (var first = lid.x; first < end; first += RUN * LANES) {
      var run = Summed();
      for (var c = first; c < min(end, first + RUN * LANES); c += 4u * LANES) {
        run += sum_of_eight(eight(base, c, end));
      }
      add_run(&sums, run);
    }
    let total = lanes_sum(sum_of(sums), lid.x, lid.y);
    for (var c = lid.x; c < end; c += 4u * LANES) {
      store(base, c, end, eight(base, c, end), total);
    }
    return;
  }
  let v0 = eight(base, lid.x, end);
  var v1 = Eight();
  if (QUADS == 2u) {
    v1 = eight(base, lid.x + 4u * LANES, end);
  }
  let total = lanes_sum(sum_of_eight(v0) + sum_of_eight(v1), lid.x, lid.y);
  store(base, lid.x, end, v0, total);
  if (QUADS == 2u) { store(base, lid.x + 4u * LANES, end, v1, total); }
}
