// attention_bwd_kv_plain: dv_j = sum over i of p_ij dout_i; dk_j = scale * sum over i of ds_ij q_i, p and ds as in attention_bwd_q_plain.
// Buffers f32: q, k, v, dk, dv [batch, heads, n, head_dim]; dout [batch, n, heads, head_dim]; lse, delta [batch, heads, n].
// Grid: QUERIES keys an invocation (the knob's name is that of the other plain kernels), WG invocations of one head a workgroup;
//   queries are read at addresses that the workgroup shares.
// Precision: f32.
// Source: Dao et al. 2022, the backward of attention.

const HEAD_DIM: u32 = 64u;  // knob: size of a head
const WG: u32 = 32u;        // knob: invocations a workgroup
const QUERIES: u32 = 1u;    // knob: keys an invocation
const VEC: bool = false;    // knob: read vec4f; head_dim is a multiple of 4
alias Elem = f32;           // knob: vec4f with VEC

const LINE: u32 = HEAD_DIM / select(1u, 4u, VEC); // elements of a row

struct Dims {
  batch: u32,
  heads: u32,
  n: u32,
  head_dim: u32,
  scale: f32,
}

@group(0) @binding(0) var<storage, read> q: array<Elem>;
@group(0) @binding(1) var<storage, read> k: array<Elem>;
@group(0) @binding(2) var<storage, read> v: array<Elem>;
@group(0) @binding(3) var<storage, read> dout: array<Elem>;
@group(0) @binding(4) var<storage, read> lse: array<f32>;
@group(0) @binding(5) var<storage, read> delta: array<f32>;
@group(0) @binding(6) var<storage, read_write> dk: array<Elem>;
@group(0) @binding(7) var<storage, read_write> dv: array<Elem>;
@group(0) @binding(8) var<uniform> dims: Dims;

fn total(x: Elem) -> f32 {
  let parts = vec4f(x);
  return select(parts.x, (parts.x + parts.y) + (parts.z + parts.w), VEC);
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let tiles = (dims.n + WG * QUERIES - 1u) / (WG * QUERIES);
  let group = wid.x + wid.y * groups.x;
  let head = group / tiles; // batch * heads + head
  if (head >= dims.batch * dims.heads) {
    return;
  }
  let key = ((group % tiles) * WG + local) * QUERIES;
  if (key >= dims.n) {
    return;
  }
  let rows = head * dims.n;
  let sample = head / dims.heads;

  var kr: array<Elem, QUERIES * LINE>;
  var vr: array<Elem, QUERIES * LINE>;
  var dkr: array<Elem, QUERIES * LINE>;
  var dvr: array<Elem, QUERIES * LINE>;
  for (var r = 0u; r < QUERIES; r++) {
    let row = (rows + min(key + r, dims.n - 1u)) * LINE;
    for (var d = 0u; d < LINE; d++) {
      kr[r * LINE + d] = k[row + d] * dims.scale;
      vr[r * LINE + d] = v[row + d];
    }
  }
  for (var i = 0u; i < dims.n; i++) {
    let query = (rows + i) * LINE;
    let from_out = ((sample * dims.n + i) * dims.heads + head % dims.heads) * LINE;
    var s = array<Elem, QUERIES>();
    var dp = array<Elem, QUERIES>();
    var q_line: array<Elem, LINE>;
    var g_line: array<Elem, LINE>;
    for (var d = 0u; d < LINE; d++) {
      let qd = q[query + d];
      let gd = dout[from_out + d];
      q_line[d] = qd;
      g_line[d] = gd;
      for (var r = 0u; r < QUERIES; r++) {
        s[r] += kr[r * LINE + d] * qd;
        dp[r] += vr[r * LINE + d] * gd;
      }
    }
    let lse_i = lse[rows + i];
    let delta_i = delta[rows + i];
    for (var r = 0u; r < QUERIES; r++) {
      let p = exp(total(s[r]) - lse_i);
      let ds = p * (total(dp[r]) - delta_i);
      for (var d = 0u; d < LINE; d++) {
        dvr[r * LINE + d] += p * g_line[d];
        dkr[r * LINE + d] += ds * q_line[d];
      }
    }
  }
  for (var r = 0u; r < QUERIES; r++) {
    if (key + r >= dims.n) {
      return;
    }
    for (var d = 0u; d < LINE; d++) {
      dk[(rows + key + r) * LINE + d] = dkr[r * LINE + d] * dims.scale;
      dv[(rows + key + r) * LINE + d] = dvr[r * LINE + d];
    }
  }
}
