// attention_bwd_q_plain: dq_i = scale * sum over j of ds_ij k_j, ds = p (dout_i . v_j - delta_i), p = exp(scale q_i . k_j - lse_i).
// Buffers f32: q, k, v, dq [batch, heads, n, head_dim]; dout [batch, n, heads, head_dim]; lse, delta [batch, heads, n].
// Grid: one invocation a query, WG queries of one head a workgroup, as attention_fwd_plain.
// Precision: f32.
// Source: Dao et al. 2022, the backward of attention.

const HEAD_DIM: u32 = 64u;  // knob: size of a head
const WG: u32 = 32u;        // knob: queries a workgroup

struct Dims {
  batch: u32,
  heads: u32,
  n: u32,
  head_dim: u32,
  scale: f32,
}

@group(0) @binding(0) var<storage, read> q: array<f32>;
@group(0) @binding(1) var<storage, read> k: array<f32>;
@group(0) @binding(2) var<storage, read> v: array<f32>;
@group(0) @binding(3) var<storage, read> dout: array<f32>;
@group(0) @binding(4) var<storage, read> lse: array<f32>;
@group(0) @binding(5) var<storage, read> delta: array<f32>;
@group(0) @binding(6) var<storage, read_write> dq: array<f32>;
@group(0) @binding(7) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let tiles = (dims.n + WG - 1u) / WG;
  let group = wid.x + wid.y * groups.x;
  let head = group / tiles; // batch * heads + head
  if (head >= dims.batch * dims.heads) {
    return;
  }
  let query = (group % tiles) * WG + local;
  let row = min(query, dims.n - 1u);
  let rows = head * dims.n;
  let sample = head / dims.heads;
  let from_out = ((sample * dims.n + row) * dims.heads + head % dims.heads) * HEAD_DIM;

  var qr: array<f32, HEAD_DIM>;
  var gr: array<f32, HEAD_DIM>;
  var acc: array<f32, HEAD_DIM>;
  for (var d = 0u; d < HEAD_DIM; d++) {
    qr[d] = q[(rows + row) * HEAD_DIM + d] * dims.scale;
    gr[d] = dout[from_out + d];
  }
  let lse_i = lse[rows + row];
  let delta_i = delta[rows + row];
  for (var j = 0u; j < dims.n; j++) {
    let key = (rows + j) * HEAD_DIM;
    var s = 0.0;
    var dp = 0.0;
    for (var d = 0u; d < HEAD_DIM; d++) {
      s += qr[d] * k[key + d];
      dp += gr[d] * v[key + d];
    }
    let ds = exp(s - lse_i) * (dp - delta_i);
    for (var d = 0u; d < HEAD_DIM; d++) {
      acc[d] += ds * k[key + d];
    }
  }
  if (query < dims.n) {
    for (var d = 0u; d < HEAD_DIM; d++) {
      dq[(rows + query) * HEAD_DIM + d] = acc[d] * dims.scale;
    }
  }
}
