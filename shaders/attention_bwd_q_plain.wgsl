// attention_bwd_q_plain: dq_i = scale * sum over j of ds_ij k_j, ds = p (dout_i . v_j - delta_i), p = exp(scale q_i . k_j - lse_i).
// Buffers f32: q, k, v, dq [batch, heads, n, head_dim]; dout [batch, n, heads, head_dim]; lse, delta [batch, heads, n].
// Grid: QUERIES queries an invocation, WG invocations of one head a workgroup, as attention_fwd_plain.
// Precision: f32.
// Source: Dao et al. 2022, the backward of attention.

const HEAD_DIM: u32 = 64u;  // knob: size of a head
const WG: u32 = 32u;        // knob: invocations a workgroup
const QUERIES: u32 = 1u;    // knob: queries an invocation
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
@group(0) @binding(6) var<storage, read_write> dq: array<Elem>;
@group(0) @binding(7) var<uniform> dims: Dims;

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
  let query = ((group % tiles) * WG + local) * QUERIES;
  if (query >= dims.n) {
    return;
  }
  let rows = head * dims.n;
  let sample = head / dims.heads;

  var qr: array<Elem, QUERIES * LINE>;
  var gr: array<Elem, QUERIES * LINE>;
  var acc: array<Elem, QUERIES * LINE>;
  var lse_r: array<f32, QUERIES>;
  var delta_r: array<f32, QUERIES>;
  for (var r = 0u; r < QUERIES; r++) {
    let row = min(query + r, dims.n - 1u);
    let from_out = ((sample * dims.n + row) * dims.heads + head % dims.heads) * LINE;
    for (var d = 0u; d < LINE; d++) {
      qr[r * LINE + d] = q[(rows + row) * LINE + d] * dims.scale;
      gr[r * LINE + d] = dout[from_out + d];
    }
    lse_r[r] = lse[rows + row];
    delta_r[r] = delta[rows + row];
  }
  for (var j = 0u; j < dims.n; j++) {
    let key = (rows + j) * LINE;
    var s = array<Elem, QUERIES>();
    var dp = array<Elem, QUERIES>();
    var line: array<Elem, LINE>;
    for (var d = 0u; d < LINE; d++) {
      let kd = k[key + d];
      let vd = v[key + d];
      line[d] = kd;
      for (var r = 0u; r < QUERIES; r++) {
        s[r] += qr[r * LINE + d] * kd;
        dp[r] += gr[r * LINE + d] * vd;
      }
    }
    for (var r = 0u; r < QUERIES; r++) {
      let ds = exp(total(s[r]) - lse_r[r]) * (total(dp[r]) - delta_r[r]);
      for (var d = 0u; d < LINE; d++) {
        acc[r * LINE + d] += ds * line[d];
      }
    }
  }
  for (var r = 0u; r < QUERIES; r++) {
    if (query + r >= dims.n) {
      return;
    }
    for (var d = 0u; d < LINE; d++) {
      dq[(rows + query + r) * LINE + d] = acc[r * LINE + d] * dims.scale;
    }
  }
}
