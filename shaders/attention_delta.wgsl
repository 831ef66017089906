// attention_delta: what the backward kernels need of each query beside q, (lse, delta), and of each sample, its valid keys, in one buffer.
//   delta[b, h, i] = sum over d of out[b, i, h, d] dout[b, i, h, d].
// Buffers f32: out, dout [batch, n, heads, value_dim]; lse [batch, heads, n]; rows: pairs [batch, heads, n], with LENGTHS also [batch].
//   Optional: lengths u32 [batch], the valid keys.
// Grid: LANES invocations an element of rows, ROWS elements a workgroup; neighbours read neighbours.
// Precision: f32; out and dout may be stored as f16.
// Source: Dao et al. 2022, the backward of attention.
// @use lanes

const LENGTHS: bool = false; // knob: a sample has valid keys, and padding after them
alias Stored = f32;          // knob: how out and dout are stored: f32 or f16
const LANES: u32 = 16u;      // knob: invocations that share a row
const ROWS: u32 = 8u;        // knob: rows a workgroup

struct Dims {
  batch: u32,
  heads: u32,
  n: u32,
  value_dim: u32,
}

@group(0) @binding(0) var<storage, read> out: array<Stored>;
@group(0) @binding(1) var<storage, read> dout: array<Stored>;
@group(0) @binding(2) var<storage, read> lse: array<f32>;
@group(0) @binding(3) var<storage, read> lengths: array<u32>; // optional: LENGTHS
@group(0) @binding(4) var<storage, read_write> rows: array<vec2f>;
@group(0) @binding(5) var<uniform> dims: Dims;

@compute @workgroup_size(LANES, ROWS)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let at = (wid.x + wid.y * groups.x) * ROWS + lid.y; // (batch, token, head)
  let queries = dims.batch * dims.n * dims.heads;
  var own = 0.0;
  if (at < queries) {
    for (var d = lid.x; d < dims.value_dim; d += LANES) {
      own += f32(out[at * dims.value_dim + d]) * f32(dout[at * dims.value_dim + d]);
    }
  }
  let sum = lanes_sum(own, lid.x, lid.y);
  if (lid.x > 0u) {
    return;
  }
  if (at < queries) {
    let head = at % dims.heads;
    let token = (at / dims.heads) % dims.n;
    let sample = at / dims.heads / dims.n;
    let to = (sample * dims.heads + head) * dims.n + token;
    rows[to] = vec2f(lse[to], sum);
  } else if (LENGTHS && at - queries < dims.batch) {
    rows[at] = vec2f(f32(min(lengths[at - queries], 16777216u)), 0.0); // whole numbers as far as f32 has them
  }
}
