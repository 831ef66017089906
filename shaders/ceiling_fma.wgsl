// ceiling_fma: CHAINS independent chains of vec4 multiply-adds an invocation, from registers, eight in a row without a branch: the rate that bench results are held against.
// Buffers: y [count] f32, one result an invocation, so that nothing is optimised away.
// Grid: WG invocations a workgroup. Each does rounds * CHAINS * 4 multiply-adds = rounds * CHAINS * 8 operations; rounds is a multiple of 8.
// Precision: that of Scalar; the values come to 1.

const WG: u32 = 256u;   // knob: invocations a workgroup
const CHAINS: u32 = 8u; // knob: vec4 chains an invocation: 2, 4, 8 or 16
alias Scalar = f32;     // knob: f16 multiplies and adds halves
alias Vector = vec4f;   // knob: likewise, a vector of 4

struct Dims {
  count: u32,
  rounds: u32,
  factor: f32,
}

@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@group(0) @binding(1) var<uniform> dims: Dims;

/// Eight links of one chain; those of other chains fill its latency.
fn links(start: Vector, f: Vector, o: Vector) -> Vector {
  var v = fma(start, f, o);
  v = fma(v, f, o);
  v = fma(v, f, o);
  v = fma(v, f, o);
  v = fma(v, f, o);
  v = fma(v, f, o);
  v = fma(v, f, o);
  return fma(v, f, o);
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let at = (wid.x + wid.y * groups.x) * WG + local;
  let f = Vector(Scalar(dims.factor));
  let o = Vector(Scalar(1.0 - dims.factor));
  var v0 = Vector(Scalar(local));
  var v1 = v0 + 1.0;
  var v2 = v0 + 2.0;
  var v3 = v0 + 3.0;
  var v4 = v0 + 4.0;
  var v5 = v0 + 5.0;
  var v6 = v0 + 6.0;
  var v7 = v0 + 7.0;
  var v8 = v0 + 8.0;
  var v9 = v0 + 9.0;
  var v10 = v0 + 10.0;
  var v11 = v0 + 11.0;
  var v12 = v0 + 12.0;
  var v13 = v0 + 13.0;
  var v14 = v0 + 14.0;
  var v15 = v0 + 15.0;
  for (var i = 0u; i < dims.rounds / 8u; i++) {
    v0 = links(v0, f, o);
    v1 = links(v1, f, o);
    if (CHAINS > 2u) {
      v2 = links(v2, f, o);
      v3 = links(v3, f, o);
    }
    if (CHAINS > 4u) {
      v4 = links(v4, f, o);
      v5 = links(v5, f, o);
      v6 = links(v6, f, o);
      v7 = links(v7, f, o);
    }
    if (CHAINS > 8u) {
      v8 = links(v8, f, o);
      v9 = links(v9, f, o);
      v10 = links(v10, f, o);
      v11 = links(v11, f, o);
      v12 = links(v12, f, o);
      v13 = links(v13, f, o);
      v14 = links(v14, f, o);
      v15 = links(v15, f, o);
    }
  }
  if (at < dims.count) {
    let low = v0 + v1 + v2 + v3 + v4 + v5 + v6 + v7;
    let high = v8 + v9 + v10 + v11 + v12 + v13 + v14 + v15;
    y[at] = f32(dot(low + high, Vector(0.25)));
  }
}
