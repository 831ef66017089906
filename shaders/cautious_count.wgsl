// cautious_count: in how many elements of each piece of a tensor the update b1 m + (1 - b1) g agrees with the gradient g in sign.
// Buffers f32: grad, m, padded to whole vec4s; hyper (b1 and 1 - b1 are numbers 1 and 2, as in adam_step and lion_step);
//   clip [4] = (scale, ...); agreements; u32: pieces [pieces, 2] = (first vec4, end in elements), each of PIECE elements at
//   most and of one tensor. Piece i writes agreements[count_offset + i].
// Grid: LANES invocations a piece, ROWS pieces a workgroup.
// Precision: exact.
// Source: Liang et al. 2024 (cautious optimisers).
// @use lanes
// @use clean_gradient

const LANES: u32 = 256u;  // knob, halved to fit: invocations a piece, a power of two
const ROWS: u32 = 1u;     // knob, halved to fit: pieces a workgroup

struct Dims {
  elements: u32,
  pieces: u32,
  count_offset: u32,
}

@group(0) @binding(0) var<storage, read> grad: array<vec4f>;
@group(0) @binding(1) var<storage, read> m: array<vec4f>;
@group(0) @binding(2) var<storage, read> hyper: array<f32>;
@group(0) @binding(3) var<storage, read> clip: array<f32>;
@group(0) @binding(4) var<storage, read> pieces: array<u32>;
@group(0) @binding(5) var<storage, read_write> agreements: array<f32>;
@group(0) @binding(6) var<uniform> dims: Dims;

@compute @workgroup_size(LANES, ROWS)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let piece = (wid.x + wid.y * groups.x) * ROWS + lid.y;
  var first = 0u;
  var end = 0u; // pieces past the last still take part in the barriers
  if (piece < dims.pieces) {
    first = pieces[piece * 2u];
    end = pieces[piece * 2u + 1u];
  }
  var agree = vec4f(0.0);
  for (var i = first + lid.x; i * 4u < end; i += LANES) {
    let g = clean_gradient(grad[i], clip[0]);
    let update = hyper[1] * m[i] + hyper[2] * g;
    agree += select(vec4f(0.0), vec4f(1.0), (update * g > vec4f(0.0)) & live_elements(i, end));
  }
  let total = lanes_sum((agree.x + agree.y) + (agree.z + agree.w), lid.x, lid.y);
  if (piece < dims.pieces && lid.x == 0u) {
    agreements[dims.count_offset + piece] = total;
  }
}
