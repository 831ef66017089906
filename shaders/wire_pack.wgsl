// wire_pack: out = x rounded to bf16, two numbers a word: half the bytes for what is sent to other devices.
// Buffers: x [count] f32 by its bits; out [count / 2] u32, number 2i in the lower half of word i. count is a multiple of 4.
// Grid: four numbers an invocation.
// Precision: to nearest, ties to even (lib bfloat).
// @use bfloat

const WG: u32 = 256u;  // knob, halved to fit: invocations a workgroup

struct Dims {
  count: u32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4u>;
@group(0) @binding(1) var<storage, read_write> out: array<vec2u>;
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let i = (wid.x + wid.y * groups.x) * WG + local;
  if (i < dims.count / 4u) {
    out[i] = bfloat_words(x[i]);
  }
}
