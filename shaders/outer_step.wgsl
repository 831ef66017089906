// outer_step: the step that several ranks take together after local ones, by SGD with Nesterov's momentum.
//   m = momentum m + grad; start = start - lr (grad + momentum m); param = start.
// Buffers f32: param, start, m [count] updated; grad [count], the mean over all ranks of start - param; hyper [2] = (lr, momentum). The
//   flat ones are padded to whole vec4s, so that four elements are one access; elements past count keep their values.
// Grid: one vec4 an invocation, WG invocations a workgroup.
// Precision: f32. With lr 1, no momentum and one rank, param is what it was but for two roundings.
// Source: Douillard et al. 2023 (DiLoCo), algorithm 1; the momentum is torch.optim.SGD's with nesterov.

const WG: u32 = 256u;  // knob, halved to fit: invocations a workgroup

struct Dims {
  count: u32,
}

@group(0) @binding(0) var<storage, read_write> param: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> start: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> m: array<vec4f>;
@group(0) @binding(3) var<storage, read> grad: array<vec4f>;
@group(0) @binding(4) var<storage, read> hyper: array<f32>;
@group(0) @binding(5) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let i = (wid.x + wid.y * groups.x) * WG + local;
  if (i >= (dims.count + 3u) / 4u) {
    return;
  }
  let live = vec4u(i * 4u) + vec4u(0u, 1u, 2u, 3u) < vec4u(dims.count);
  let g = grad[i];
  let old = start[i];
  let moment = hyper[1] * m[i] + g;
  let next = old - hyper[0] * (g + hyper[1] * moment);
  m[i] = select(m[i], moment, live);
  start[i] = select(old, next, live);
  param[i] = select(param[i], next, live);
}
