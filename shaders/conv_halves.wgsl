// conv_halves: what a convolution reads, as halves that many of its tiles read again: out[pixel] = x, or scale x and scale2 x2 side by side, or
// the SiLU of it.
// Buffers: x [pixels, first], x2 [pixels, depth - first] f32 (without CAT x [pixels, depth]); out f16 [pixels, depth]. depth and first are
//   multiples of 8.
// Grid: an invocation makes eight neighbouring channels; WG a workgroup.
// Precision: f32, rounded to f16 once; a number past the range of f16 becomes infinite.
// @use conv_eights

const WG: u32 = 256u;               // knob, halved to fit: invocations a workgroup
const CAT: bool = false;            // knob: x and x2 lie side by side, times scale and scale2
const SILU: bool = false;           // knob: silu(x)
alias OStored = f16;                // knob: how out is stored

const HALVES_X: bool = false;

struct Dims {
  pixels: u32,
  depth: u32,
  first: u32, // optional: CAT, else 0
  scale: f32, // optional: CAT, else 1
  scale2: f32, // optional: CAT, else 1
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> x2: array<vec4f>; // optional: CAT
@group(0) @binding(2) var<storage, read_write> out: array<vec4u>; // holds OStored
@group(0) @binding(3) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let at = (wid.x + wid.y * groups.x) * WG + local;
  let each = dims.depth / 8u;
  if (at < dims.pixels * each) {
    let pixel = at / each;
    out[at] = halves_at(i32(pixel), (at - pixel * each) * 8u, dims.depth, dims.first);
  }
}
