// muon_step: one matrix moves against its orthogonal update, in place: p = p - lr wd p - lr size x
// Buffers f32: param [count] updated, padded to whole vec4s, elements past count keep their values; x: read from x_offset on, without
//   padding; hyper [4] = (b, 1 - b, lr, lr wd); clip [4] of shaders/clip_scale.wgsl: a step that is held changes nothing.
// Dims: size, the factor of the matrix's shape, and what the iteration has left out of x.
// Grid: one vec4 an invocation, WG invocations a workgroup.
// Precision: f32.
// Source: Jordan et al. 2024 (Muon), SingleDeviceMuon of muon.py.
// @use clean_gradient

const WG: u32 = 256u;  // knob, halved to fit: invocations a workgroup

struct Dims {
  count: u32,
  x_offset: u32, // optional, else 0
  size: f32,
}

@group(0) @binding(0) var<storage, read_write> param: array<vec4f>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> hyper: array<f32>;
@group(0) @binding(3) var<storage, read> clip: array<f32>;
@group(0) @binding(4) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let i = (wid.x + wid.y * groups.x) * WG + local;
  if (i >= (dims.count + 3u) / 4u || clip[3] == 1.0) { // a step that is held changes nothing
    return;
  }
  let p = param[i];
  var update = vec4f();
  for (var k = 0u; k < min(4u, dims.count - 4u * i); k++) {
    update[k] = x[dims.x_offset + 4u * i + k];
  }
  param[i] = select(p, p - hyper[3] * p - hyper[2] * dims.size * update, live_elements(i, dims.count));
}
