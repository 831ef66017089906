// lincomb: out[b, i] = sum over k of coefs[b, k] * u_k[b, i]: per-sample combinations of up to four tensors.
// With CLAMPED, out[b, i] = origin[b, i] + coefs[b, COUNT] * clamp(that sum, -1, 1), a correction of bounded size.
// Buffers f32: coefs: coefficient k of sample b at b * coef_stride + coef_offset + k (stride 0: one set for all samples);
//   u_k: sample b starts at offset_k + b * n; out: at out_offset + b * n; origin at b * n. One buffer may serve several u_k and origin.
// Grid: WG invocations a workgroup, 4 elements of one sample an invocation, a workgroup apart.
// Precision: f32.
// Source: the paths and targets of UCGM (arXiv 2505.07447) are all of this form.
// @use finite

const WG: u32 = 256u;          // knob, halved to fit: invocations a workgroup
const COUNT: u32 = 2u;         // knob: tensors combined, 1 to 4
const HAS_U1: bool = true;     // knob: COUNT is 2 or more
const HAS_U2: bool = false;    // knob: COUNT is 3 or more
const HAS_U3: bool = false;    // knob: COUNT is 4
const CLAMPED: bool = false;   // knob: add the clamped sum to origin

struct Dims {
  batch: u32,
  n: u32,
  coef_stride: u32, // optional, else 0
  coef_offset: u32, // optional, else 0
  offset0: u32, // optional, else 0
  offset1: u32, // optional, else 0
  offset2: u32, // optional, else 0
  offset3: u32, // optional, else 0
  out_offset: u32, // optional, else 0
}

@group(0) @binding(0) var<storage, read> u0: array<f32>;
@group(0) @binding(1) var<storage, read> u1: array<f32>; // optional: HAS_U1
@group(0) @binding(2) var<storage, read> u2: array<f32>; // optional: HAS_U2
@group(0) @binding(3) var<storage, read> u3: array<f32>; // optional: HAS_U3
@group(0) @binding(4) var<storage, read> coefs: array<f32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;
@group(0) @binding(6) var<storage, read> origin: array<f32>; // optional: CLAMPED
@group(0) @binding(7) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let per_sample = (dims.n + 4u * WG - 1u) / (4u * WG);
  let group = wid.x + wid.y * groups.x;
  let sample = group / per_sample;
  if (sample >= dims.batch) {
    return;
  }
  let first = (group % per_sample) * (4u * WG) + local;
  let c = sample * dims.coef_stride + dims.coef_offset;
  let base = sample * dims.n;
  for (var j = 0u; j < 4u; j++) {
    let i = first + j * WG;
    if (i < dims.n) {
      var sum = coefs[c] * u0[dims.offset0 + base + i];
      if (COUNT > 1u) {
        sum += coefs[c + 1u] * u1[dims.offset1 + base + i];
      }
      if (COUNT > 2u) {
        sum += coefs[c + 2u] * u2[dims.offset2 + base + i];
      }
      if (COUNT > 3u) {
        sum += coefs[c + 3u] * u3[dims.offset3 + base + i];
      }
      if (CLAMPED) {
        sum = origin[base + i] + coefs[c + COUNT] * between(sum, -1.0, 1.0);
      }
      out[dims.out_offset + base + i] = sum;
    }
  }
}
