// ema: average = decay average + (1 - decay) param, in place, written as average + (1 - decay) (param - average): exact where
//   they are equal; decay 0 copies exactly.
// Buffers f32: average [count] updated, param [count], decay [1].
// Grid: 256 invocations a workgroup, 4 elements an invocation, a workgroup apart.
// Precision: f32.

struct Dims {
  count: u32,
}

@group(0) @binding(0) var<storage, read_write> average: array<f32>;
@group(0) @binding(1) var<storage, read> param: array<f32>;
@group(0) @binding(2) var<storage, read> decay: array<f32>;
@group(0) @binding(3) var<uniform> dims: Dims;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let first = (wid.x + wid.y * groups.x) * 1024u + local;
  let keep = decay[0];
  for (var i = 0u; i < 4u; i++) {
    let at = first + i * 256u;
    if (at < dims.count) {
      let p = param[at];
      let a = average[at];
      average[at] = select(a + (1.0 - keep) * (p - a), p, keep == 0.0);
    }
  }
}
