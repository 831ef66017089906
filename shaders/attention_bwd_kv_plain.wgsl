// attention_bwd_kv_plain: dv_j = sum over i of p_ij dout_i; dk_j = scale * sum over i of ds_ij q_i, p and ds as in attention_bwd_q_plain.
// Buffers f32: q, k, v, dk, dv [batch, heads, n, head_dim]; dout [batch, n, heads, head_dim]; lse, delta [batch, heads, n].
// Grid: QUERIES keys an invocation (the knob's name is that of the other plain kernels), WG invocations of one head a workgroup;
//   queries are read at addresses that the workgroup shares.
// Precision: f32.
// Source: Dao et al. 2022, the backward of attention.

const HEAD_DIM: u32 = 64u;  // knob: size of a head
const WG: u32 = 32u;        // knob: invocations a workgroup
const QUERIES: u32 = 1u;    // knob: keys an invocation
const KEYS: u32 = 1u;       // knob: queries a step
const ROLLED: bool = false; // knob: loops over head_dim stay loops, though they index registers
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
  let last = dims.n - 1u;
  // dout has its heads side by side: row i of this head is out_rows + i * dims.heads.
  let out_rows = (head / dims.heads) * dims.n * dims.heads + head % dims.heads;
  // Bounds that are not constant keep a compiler from unrolling.
  let line = select(LINE, dims.head_dim / select(1u, 4u, VEC), ROLLED);
  let each = select(QUERIES, QUERIES * line / LINE, ROLLED);

  var kr: array<Elem, QUERIES * LINE>;
  var vr: array<Elem, QUERIES * LINE>;
  var dkr: array<Elem, QUERIES * LINE>;
  var dvr: array<Elem, QUERIES * LINE>;
  for (var r = 0u; r < each; r++) {
    let row = (rows + min(key + r, last)) * LINE;
    for (var d = 0u; d < line; d++) {
      kr[r * LINE + d] = k[row + d] * dims.scale;
      vr[r * LINE + d] = v[row + d];
    }
  }
  for (var first = 0u; first < dims.n; first += KEYS) {
    var query: array<u32, KEYS>;
    var from_out: array<u32, KEYS>;
    for (var i = 0u; i < KEYS; i++) {
      let row = min(first + i, last);
      query[i] = (rows + row) * LINE;
      from_out[i] = (out_rows + row * dims.heads) * LINE;
    }
    var s = array<f32, QUERIES * KEYS>();
    var dp = array<f32, QUERIES * KEYS>();
    for (var d = 0u; d < line; d++) {
      var qd: array<Elem, KEYS>;
      var gd: array<Elem, KEYS>;
      for (var i = 0u; i < KEYS; i++) {
        qd[i] = q[query[i] + d];
        gd[i] = dout[from_out[i] + d];
      }
      for (var r = 0u; r < QUERIES; r++) {
        let kd = kr[r * LINE + d];
        let vd = vr[r * LINE + d];
        for (var i = 0u; i < KEYS; i++) {
          s[r * KEYS + i] += total(kd * qd[i]);
          dp[r * KEYS + i] += total(vd * gd[i]);
        }
      }
    }
    for (var i = 0u; i < KEYS; i++) {
      let row = min(first + i, last);
      let lse_i = lse[rows + row];
      let delta_i = delta[rows + row];
      for (var r = 0u; r < QUERIES; r++) {
        let p = select(0.0, exp(s[r * KEYS + i] - lse_i), first + i < dims.n);
        s[r * KEYS + i] = p;
        dp[r * KEYS + i] = p * (dp[r * KEYS + i] - delta_i);
      }
    }
    for (var d = 0u; d < line; d++) {
      var qd: array<Elem, KEYS>;
      var gd: array<Elem, KEYS>;
      for (var i = 0u; i < KEYS; i++) {
        qd[i] = q[query[i] + d];
        gd[i] = dout[from_out[i] + d];
      }
      for (var r = 0u; r < QUERIES; r++) {
        var to_k = dkr[r * LINE + d];
        var to_v = dvr[r * LINE + d];
        for (var i = 0u; i < KEYS; i++) {
          to_k += dp[r * KEYS + i] * qd[i];
          to_v += s[r * KEYS + i] * gd[i];
        }
        dkr[r * LINE + d] = to_k;
        dvr[r * LINE + d] = to_v;
      }
    }
  }
  for (var r = 0u; r < each; r++) {
    if (key + r < dims.n) {
      for (var d = 0u; d < line; d++) {
        dk[(rows + key + r) * LINE + d] = dkr[r * LINE + d] * dims.scale;
        dv[(rows + key + r) * LINE + d] = dvr[r * LINE + d];
      }
    }
  }
}
