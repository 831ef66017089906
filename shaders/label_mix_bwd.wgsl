// label_mix_bwd: the gradients of label_mix_fwd: de[b] = own dout[b], or dout[b] at the null label; dweight[c, k] = scale sum of dout[b, c]
//   over the samples of label k.
// Buffers: dout, de [count, cols] f32; y [count] u32; dweight [cols, classes] f32, written whole.
// Grid: an element of de and of dweight an invocation, which walks the batch for the latter: there are no atomics.
// Precision: f32.
// Source: the derivative of shaders/label_mix_fwd.wgsl.

const WG: u32 = 256u;    // knob, halved to fit: invocations a workgroup

struct Dims {
  count: u32,
  cols: u32,
  classes: u32,
  own: f32, // optional, else 1
  scale: f32, // optional, else 1
}

@group(0) @binding(0) var<storage, read> dout: array<f32>;
@group(0) @binding(1) var<storage, read> y: array<u32>;
@group(0) @binding(2) var<storage, read_write> de: array<f32>;
@group(0) @binding(3) var<storage, read_write> dweight: array<f32>;
@group(0) @binding(4) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let at = (wid.x + wid.y * groups.x) * WG + local;
  if (at < dims.count * dims.cols) {
    de[at] = dout[at] * select(1.0, dims.own, y[at / dims.cols] < dims.classes);
  }
  if (at < dims.cols * dims.classes) {
    var total = 0.0;
    for (var b = 0u; b < dims.count; b++) {
      if (y[b] == at % dims.classes) {
        total += dout[b * dims.cols + at / dims.classes];
      }
    }
    dweight[at] = dims.scale * total;
  }
}
