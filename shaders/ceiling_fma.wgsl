// ceiling_fma: 8 chains of vec4 multiply-adds an invocation, from registers, eight in a row without a branch: the f32 rate that bench results are held against.
// Buffers: y [count] f32, one result an invocation, so that nothing is optimised away.
// Grid: WG invocations a workgroup. Each does rounds * 8 * 4 multiply-adds = rounds * 64 operations; rounds is a multiple of 8.
// Precision: f32; the values stay near 1.

const WG: u32 = 256u;  // knob, halved to fit: invocations a workgroup

struct Dims {
  count: u32,
  rounds: u32,
  factor: f32,
}

@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@group(0) @binding(1) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let at = (wid.x + wid.y * groups.x) * WG + local;
  let f = vec4f(dims.factor);
  let o = vec4f(1.0 - dims.factor);
  var v0 = vec4f(f32(local));
  var v1 = v0 + 1.0;
  var v2 = v0 + 2.0;
  var v3 = v0 + 3.0;
  var v4 = v0 + 4.0;
  var v5 = v0 + 5.0;
  var v6 = v0 + 6.0;
  var v7 = v0 + 7.0;
  for (var i = 0u; i < dims.rounds / 8u; i++) {
    v0 = fma(v0, f, o);
    v1 = fma(v1, f, o);
    v2 = fma(v2, f, o);
    v3 = fma(v3, f, o);
    v4 = fma(v4, f, o);
    v5 = fma(v5, f, o);
    v6 = fma(v6, f, o);
    v7 = fma(v7, f, o);
    v0 = fma(v0, f, o);
    v1 = fma(v1, f, o);
    v2 = fma(v2, f, o);
    v3 = fma(v3, f, o);
    v4 = fma(v4, f, o);
    v5 = fma(v5, f, o);
    v6 = fma(v6, f, o);
    v7 = fma(v7, f, o);
    v0 = fma(v0, f, o);
    v1 = fma(v1, f, o);
    v2 = fma(v2, f, o);
    v3 = fma(v3, f, o);
    v4 = fma(v4, f, o);
    v5 = fma(v5, f, o);
    v6 = fma(v6, f, o);
    v7 = fma(v7, f, o);
    v0 = fma(v0, f, o);
    v1 = fma(v1, f, o);
    v2 = fma(v2, f, o);
    v3 = fma(v3, f, o);
    v4 = fma(v4, f, o);
    v5 = fma(v5, f, o);
    v6 = fma(v6, f, o);
    v7 = fma(v7, f, o);
    v0 = fma(v0, f, o);
    v1 = fma(v1, f, o);
    v2 = fma(v2, f, o);
    v3 = fma(v3, f, o);
    v4 = fma(v4, f, o);
    v5 = fma(v5, f, o);
    v6 = fma(v6, f, o);
    v7 = fma(v7, f, o);
    v0 = fma(v0, f, o);
    v1 = fma(v1, f, o);
    v2 = fma(v2, f, o);
    v3 = fma(v3, f, o);
    v4 = fma(v4, f, o);
    v5 = fma(v5, f, o);
    v6 = fma(v6, f, o);
    v7 = fma(v7, f, o);
    v0 = fma(v0, f, o);
    v1 = fma(v1, f, o);
    v2 = fma(v2, f, o);
    v3 = fma(v3, f, o);
    v4 = fma(v4, f, o);
    v5 = fma(v5, f, o);
    v6 = fma(v6, f, o);
    v7 = fma(v7, f, o);
    v0 = fma(v0, f, o);
    v1 = fma(v1, f, o);
    v2 = fma(v2, f, o);
    v3 = fma(v3, f, o);
    v4 = fma(v4, f, o);
    v5 = fma(v5, f, o);
    v6 = fma(v6, f, o);
    v7 = fma(v7, f, o);
  }
  if (at < dims.count) {
    y[at] = dot(v0 + v1 + v2 + v3 + v4 + v5 + v6 + v7, vec4f(0.25));
  }
}
