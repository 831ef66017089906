// attention_bwd_kv_plain: dv_j = sum over i of p_ij dout_i; dk_j = scale * sum over i of ds_ij q_i, p and ds as in attention_bwd_q_plain.
// Buffers f32: q, k, v, dk, dv [batch, heads, n, head_dim]; dout [batch, n, heads, head_dim]; lse, delta [batch, heads, n].
// Grid: one invocation a key, WG keys of one head a workgroup; queries are read at addresses that the workgroup shares.
// Precision: f32.
// Source: Dao et al. 2022, the backward of attention.

const HEAD_DIM: u32 = 64u;  // knob: size of a head
const WG: u32 = 32u;        // knob: keys a workgroup

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
@group(0) @binding(6) var<storage, read_write> dk: array<f32>;
@group(0) @binding(7) var<storage, read_write> dv: array<f32>;
@group(0) @binding(8) var<uniform> dims: Dims;

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
  let key = (group % tiles) * WG + local;
  let row = min(key, dims.n - 1u);
  let rows = head * dims.n;
  let sample = head / dims.heads;

  var kr: array<f32, HEAD_DIM>;
  var vr: array<f32, HEAD_DIM>;
  var dkr: array<f32, HEAD_DIM>;
  var dvr: array<f32, HEAD_DIM>;
  for (var d = 0u; d < HEAD_DIM; d++) {
    kr[d] = k[(rows + row) * HEAD_DIM + d] * dims.scale;
    vr[d] = v[(rows + row) * HEAD_DIM + d];
  }
  for (var i = 0u; i < dims.n; i++) {
    let query = (rows + i) * HEAD_DIM;
    let from_out = ((sample * dims.n + i) * dims.heads + head % dims.heads) * HEAD_DIM;
    var s = 0.0;
    var dp = 0.0;
    for (var d = 0u; d < HEAD_DIM; d++) {
      s += kr[d] * q[query + d];
      dp += vr[d] * dout[from_out + d];
    }
    let p = exp(s - lse[rows + i]);
    let ds = p * (dp - delta[rows + i]);
    for (var d = 0u; d < HEAD_DIM; d++) {
      dvr[d] += p * dout[from_out + d];
      dkr[d] += ds * q[query + d];
    }
  }
  if (key < dims.n) {
    for (var d = 0u; d < HEAD_DIM; d++) {
      dk[(rows + key) * HEAD_DIM + d] = dkr[d] * dims.scale;
      dv[(rows + key) * HEAD_DIM + d] = dvr[d];
    }
  }
}
