// attention_bwd_mask: the gradient of an added mask, as a bias of relative positions is one: the sum over all scores that an element of
//   it was added to of p (dout_i . v_j - delta_i), p as in attention_bwd_q_plain; 0 where it hides.
// Buffers as attention_bwd_q_plain, with dmask as the mask for dq.
// Grid: one invocation an element of the mask, 64 a workgroup.
// Precision: f32, q, k, v and dout may be stored as f16; a sum over queries and heads for each sample, then over samples.
// Source: the derivative of attention_fwd_plain.
// @use attention_backward

const LINE: u32 = HEAD_DIM / select(1u, 4u, VEC);        // elements of a row of q and k
const VALUE_LINE: u32 = VALUE_DIM / select(1u, 4u, VEC); // elements of a row of v

@group(0) @binding(7) var<storage, read_write> dmask: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let at = (wid.x + wid.y * groups.x) * 64u + local;
  if (at >= dims.mask_batch * dims.mask_heads * dims.mask_n * dims.keys) {
    return;
  }
  let key = at % dims.keys;
  let line_of_mask = at / dims.keys;
  let first_query = line_of_mask % dims.mask_n;
  let first_head = line_of_mask / dims.mask_n % dims.mask_heads;
  var sum = 0.0;
  for (var sample = line_of_mask / dims.mask_n / dims.mask_heads; sample < dims.batch; sample += dims.mask_batch) {
    var of_sample = 0.0;
    for (var h = first_head; h < dims.heads; h += dims.mask_heads) {
      let head = sample * dims.heads + h;
      let seen = seen_by(head);
      let from_k = (head / group_size() * dims.keys + key) * LINE;
      let from_v = (head / group_size() * dims.keys + key) * VALUE_LINE;
      for (var query = first_query; query < dims.n; query += dims.mask_n) {
        let row = head * dims.n + query;
        let from_out = (first_out(head) + query * dims.heads) * VALUE_LINE;
        var score = 0.0;
        for (var d = 0u; d < LINE; d++) {
          score += total(Elem(q[row * LINE + d]) * dims.scale * Elem(k[from_k + d]));
        }
        var dp = 0.0;
        for (var d = 0u; d < VALUE_LINE; d++) {
          dp += total(Elem(dout[from_out + d]) * Elem(v[from_v + d]));
        }
        let p = weight(hide(cap(score), seen, query, key), rows[row].x);
        of_sample += by_score(p, dp, rows[row].y);
      }
    }
    sum += of_sample;
  }
  dmask[at] = sum;
}
