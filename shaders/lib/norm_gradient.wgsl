// norm_gradient: what the backward kernels of a norm read of a row beside lib norm_row: its gradient, and a gradient of x from elsewhere.
// Needs in the kernel: const VEC; alias Scalar; dy and prior.
// @use norm_row

fn dy_at(i: u32) -> vec4f { return vec4f(vec4<Scalar>(dy[i])); }
fn prior_at(i: u32) -> vec4f { return vec4f(vec4<Scalar>(prior[i])); }

fn dy_quad(at: vec4u) -> vec4f {
  if (VEC) {
    return dy_at(at.x / 4u);
  }
  return vec4f(dy_at(at.x).x, dy_at(at.y).x, dy_at(at.z).x, dy_at(at.w).x);
}

fn prior_quad(at: vec4u) -> vec4f {
  if (VEC) {
    return prior_at(at.x / 4u);
  }
  return vec4f(prior_at(at.x).x, prior_at(at.y).x, prior_at(at.z).x, prior_at(at.w).x);
}
