// attention_scores: the scores of attention, or its weights, as a matrix [batch, heads, n, keys]: for a look at them, without a gradient.
//   STAGE 0: scale q . k; 1: capped; 2: masked, with minus infinity where a key is hidden; 3: the weights, 0 where a key is hidden.
// Buffers f32: q, k, mask and lengths as attention_fwd_plain; lse as it writes it, of stage 3 alone; scores [batch, heads, n, keys].
// Grid: one invocation a score, 64 a workgroup.
// Precision: f32; q and k may be stored as f16.
// Source: Vaswani et al. 2017.
// @use attention_forward

const STAGE: u32 = 3u;      // knob: what is written
const WEIGHTS: bool = true; // knob: it is the weights

const LINE: u32 = HEAD_DIM / select(1u, 4u, VEC); // elements of a row

@group(0) @binding(5) var<storage, read> lse: array<f32>; // optional: WEIGHTS
@group(0) @binding(6) var<storage, read_write> scores: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let at = (wid.x + wid.y * groups.x) * 64u + local;
  let row = at / dims.keys; // (batch, head, query)
  if (row >= dims.batch * dims.heads * dims.n) {
    return;
  }
  let key = at % dims.keys;
  let head = row / dims.n;
  let first = (head / group_size() * dims.keys + key) * LINE;
  var score = 0.0;
  for (var d = 0u; d < LINE; d++) {
    score += total(Elem(q[row * LINE + d]) * dims.scale * Elem(k[first + d]));
  }
  if (STAGE > 0u) {
    score = cap(score);
  }
  if (STAGE > 1u) {
    score = hide(score, seen_by(head), row % dims.n, key);
  }
  if (WEIGHTS) {
    score = weight(score, lse[row]);
  } else if (STAGE == 2u && GUARDED && score == HIDDEN) {
    var infinity = 0xff800000u; // a constant expression may not be infinite; a variable's bits may
    score = bitcast<f32>(infinity);
  }
  scores[at] = score;
}
