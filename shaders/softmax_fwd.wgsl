// softmax_fwd: y = exp(z - largest) / sum of exp(z - largest) along rows, z = scale x; with LOG, its log, z - largest - log(sum).
// Buffers, row-major f32: x, y [rows, cols].
// Grid: ROWS rows a workgroup, LANES invocations a row; neighbours read neighbouring columns. LANES = 1 runs without barriers. A row of
//   up to 4 QUADS LANES columns is read once and held in registers; a longer one is read twice, largest and sum in the first reading.
// Precision: f32; sums of runs. A NaN or +infinity makes its row NaN, and so is a row of -infinities, as in PyTorch.
// Source: Bridle 1990; Milakov & Gimelshein 2018 for the one reading.
// @use exponentials
// @use row_lanes
// @use quad_store

const LANES: u32 = 64u;      // knob, halved to fit: invocations a row, a power of two
const ROWS: u32 = 4u;        // knob, halved to fit: rows a workgroup
const QUADS: u32 = 0u;       // knob: quads of numbers that an invocation holds: 1 or 2, where they are the whole row; 0 reads it twice
const LOG: bool = false;     // knob: log softmax

alias Summed = f32; // exponentials

struct Dims {
  rows: u32,
  cols: u32,
  scale: f32, // optional, else 1
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> dims: Dims;

fn number(at: u32) -> f32 {
  return dims.scale * x[at];
}

fn put(at: u32, value: f32) {
  y[at] = value;
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
    let all = lanes_exponentials(row_exponentials(base, end, lid.x), lid.x, lid.y);
    let factor = if_summed(all.y, 1.0 / all.y);
    let log_sum = if_summed(all.y, log(all.y));
    for (var c = lid.x; c < end; c += 4u * LANES) {
      let z = four(base, c, end) - all.x;
      if (LOG) {
        store_quad(base, c, end, z - log_sum);
      } else {
        store_quad(base, c, end, exp(z) * factor);
      }
    }
    return;
  }
  let z0 = four(base, lid.x, end);
  var z1 = vec4f(minus_infinity());
  if (QUADS == 2u) {
    z1 = four(base, lid.x + 4u * LANES, end);
  }
  var own = LOWEST;
  let top = max(largest_of(z0), largest_of(z1));
  if (top > own) {
    own = top;
  }
  let e0 = exponentials(z0, own);
  var e = (e0.x + e0.y) + (e0.z + e0.w);
  let e1 = exponentials(z1, own);
  if (QUADS == 2u) {
    e += (e1.x + e1.y) + (e1.z + e1.w);
  }
  let all = lanes_exponentials(vec2f(own, e), lid.x, lid.y);
  if (LOG) {
    let log_sum = if_summed(all.y, log(all.y));
    store_quad(base, lid.x, end, z0 - all.x - log_sum);
    if (QUADS == 2u) { store_quad(base, lid.x + 4u * LANES, end, z1 - all.x - log_sum); }
  } else {
    let factor = exp(own - all.x) * if_summed(all.y, 1.0 / all.y);
    store_quad(base, lid.x, end, e0 * factor);
    if (QUADS == 2u) { store_quad(base, lid.x + 4u * LANES, end, e1 * factor); }
  }
}
