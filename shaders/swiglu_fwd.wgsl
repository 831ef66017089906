// swiglu_fwd: y = silu(x1) * x2, where each row of x12 holds x1 then x2.
// Buffers, row-major f32, or f16: x12 [rows, 2 hidden], y [rows, hidden].
// Grid: a workgroup covers 64 columns of y, or with VEC 64 fours of them, of ROWS * PER rows, an invocation every ROWS-th row of one:
//   neighbours touch neighbouring columns, and no element costs a division.
// Precision: f32; the buffers may be stored as f16.
// Source: Shazeer 2020, "GLU Variants Improve Transformer".
// @use activation
// @use elements

const ROWS: u32 = 4u;  // knob, halved to fit: invocations a column of a workgroup
const PER: u32 = 4u;   // knob: rows an invocation
const VEC: bool = false;       // knob: x12 and y are accessed as vectors of 4; hidden is a multiple of 4
alias Scalar = f32;            // knob: f16 stores x12, y in half precision
alias Elem = f32;              // knob: as Scalar, a vector of 4 with VEC
alias OElem = array<f32, 1>;   // knob: array<Scalar, 1>, or a vector of 4 with VEC

struct Dims {
  rows: u32,
  hidden: u32,
}

@group(0) @binding(0) var<storage, read> x12: array<Elem>;
@group(0) @binding(1) var<storage, read_write> y: array<OElem>;
@group(0) @binding(2) var<uniform> dims: Dims;

fn x12_at(i: u32) -> vec4f { return vec4f(vec4<Scalar>(x12[i])); }

fn silu_of(x: vec4f) -> vec4f {
  return vec4f(silu(x.x), silu(x.y), silu(x.z), silu(x.w));
}

@compute @workgroup_size(64, ROWS)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let hidden = dims.hidden / WIDTH; // elements a row
  let tiles = (hidden + 63u) / 64u;
  let group = wid.x + wid.y * groups.x;
  let col = (group % tiles) * 64u + lid.x;
  let first = (group / tiles) * (ROWS * PER) + lid.y;
  if (col >= hidden) {
    return;
  }
  for (var i = 0u; i < PER; i++) {
    let row = first + i * ROWS;
    if (row < dims.rows) {
      let at = row * hidden + col;
      let at1 = at + row * hidden;
      y[at] = element(silu_of(x12_at(at1)) * x12_at(at1 + hidden));
    }
  }
}
