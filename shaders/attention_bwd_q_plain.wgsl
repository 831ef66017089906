// attention_bwd_q_plain: dq_i = scale * sum over j of ds_ij k_j, ds = p (dout_i . v_j - delta_i), p = exp(scale q_i . k_j - lse_i).
// Buffers f32: q, k, v, dq [batch, heads, n, head_dim]; dout [batch, n, heads, head_dim]; lse, delta [batch, heads, n].
// Grid: QUERIES queries an invocation, WG invocations of one head a workgroup, as attention_fwd_plain.
// Precision: f32.
// Source: Dao et al. 2022, the backward of attention.

const HEAD_DIM: u32 = 64u;  // knob: size of a head
const WG: u32 = 32u;        // knob: invocations a workgroup
const QUERIES: u32 = 1u;    // knob: queries an invocation
const KEYS: u32 = 1u;       // knob: keys a step
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
  let last = dims.n - 1u;
  // dout has its heads side by side: row i of this head is out_rows + i * dims.heads.
  let out_rows = (head / dims.heads) * dims.n * dims.heads + head % dims.heads;
  // Bounds that are not constant keep a compiler from unrolling.
  let line = select(LINE, dims.head_dim / select(1u, 4u, VEC), ROLLED);
  let each = select(QUERIES, QUERIES * line / LINE, ROLLED);

  var qr: array<Elem, QUERIES * LINE>;
  var gr: array<Elem, QUERIES * LINE>;
  var acc: array<Elem, QUERIES * LINE>;
  var lse_r: array<f32, QUERIES>;
  var delta_r: array<f32, QUERIES>;
  for (var r = 0u; r < each; r++) {
    let row = min(query + r, last);
    for (var d = 0u; d < line; d++) {
      qr[r * LINE + d] = q[(rows + row) * LINE + d] * dims.scale;
      gr[r * LINE + d] = dout[(out_rows + row * dims.heads) * LINE + d];
    }
  }
  for (var r = 0u; r < QUERIES; r++) {
    lse_r[r] = lse[rows + min(query + r, last)];
    delta_r[r] = delta[rows + min(query + r, last)];
  }
  for (var first = 0u; first < dims.n; first += KEYS) {
    var key: array<u32, KEYS>;
    for (var j = 0u; j < KEYS; j++) {
      key[j] = (rows + min(first + j, last)) * LINE;
    }
    var s = array<f32, QUERIES * KEYS>();
    var dp = array<f32, QUERIES * KEYS>();
    for (var d = 0u; d < line; d++) {
      var kd: array<Elem, KEYS>;
      var vd: array<Elem, KEYS>;
      for (var j = 0u; j < KEYS; j++) {
        kd[j] = k[key[j] + d];
        vd[j] = v[key[j] + d];
      }
      for (var r = 0u; r < QUERIES; r++) {
        let qd = qr[r * LINE + d];
        let gd = gr[r * LINE + d];
        for (var j = 0u; j < KEYS; j++) {
          s[r * KEYS + j] += total(qd * kd[j]);
          dp[r * KEYS + j] += total(gd * vd[j]);
        }
      }
    }
    for (var r = 0u; r < QUERIES; r++) {
      for (var j = 0u; j < KEYS; j++) {
        let ds = exp(s[r * KEYS + j] - lse_r[r]) * (dp[r * KEYS + j] - delta_r[r]);
        s[r * KEYS + j] = select(0.0, ds, first + j < dims.n);
      }
    }
    for (var d = 0u; d < line; d++) {
      var kd: array<Elem, KEYS>;
      for (var j = 0u; j < KEYS; j++) {
        kd[j] = k[key[j] + d];
      }
      for (var r = 0u; r < QUERIES; r++) {
        var to = acc[r * LINE + d];
        for (var j = 0u; j < KEYS; j++) {
          to += s[r * KEYS + j] * kd[j];
        }
        acc[r * LINE + d] = to;
      }
    }
  }
  for (var r = 0u; r < each; r++) {
    if (query + r < dims.n) {
      for (var d = 0u; d < line; d++) {
        dq[(rows + query + r) * LINE + d] = acc[r * LINE + d] * dims.scale;
      }
    }
  }
}
