// cautious_scale: how much farther each tensor's agreeing elements move, from the counts of its pieces.
//   MEAN: scale = 1 / max(agreeing / elements, 1e-3) (Adam's form); else scale = elements / (agreeing + 1) (Lion's form).
// Buffers f32: agreements [pieces]; u32: tensors [tensors, 3] = (first piece, end piece, elements); scales [tensors] f32.
// Grid: one invocation a tensor.
// Precision: f32; counts are exact up to 2^24 a piece and rounded in their sum.
// Source: Liang et al. 2024; the two scalings as UCGM's CAdamW and CLion have them.
// @use finite

const MEAN: bool = true;  // knob: Adam's form

struct Dims {
  tensors: u32,
  pieces: u32,
}

@group(0) @binding(0) var<storage, read> agreements: array<f32>;
@group(0) @binding(1) var<storage, read> tensors: array<u32>;
@group(0) @binding(2) var<storage, read_write> scales: array<f32>;
@group(0) @binding(3) var<uniform> dims: Dims;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let tensor = (wid.x + wid.y * groups.x) * 64u + local;
  if (tensor >= dims.tensors) {
    return;
  }
  var agree = 0.0;
  for (var piece = tensors[tensor * 3u]; piece < tensors[tensor * 3u + 1u]; piece++) {
    agree += agreements[piece];
  }
  let elements = f32(tensors[tensor * 3u + 2u]);
  if (MEAN) {
    scales[tensor] = 1.0 / at_least(agree / elements, 1e-3);
  } else {
    scales[tensor] = elements / (agree + 1.0);
  }
}
