// norm_row: what the kernels of a norm, forward and by x, read and write of a row's columns: a vector of 4, or four numbers (lib row_quads).
// Needs in the kernel: const VEC, VEC_MOD; alias Scalar; x, weight and modulation; fn put(i: u32, value: OElem).
// @use elements
// @use row_quads

// Elements as vectors: a vector of 4 is itself, one number is all four.
fn x_at(i: u32) -> vec4f { return vec4f(vec4<Scalar>(x[i])); }
fn weight_at(i: u32) -> vec4f { return vec4f(weight[i]); }
fn mod_at(i: u32) -> vec4f { return vec4f(modulation[i]); }

fn x_quad(at: vec4u) -> vec4f {
  if (VEC) {
    return x_at(at.x / 4u);
  }
  return vec4f(x_at(at.x).x, x_at(at.y).x, x_at(at.z).x, x_at(at.w).x);
}

fn weight_quad(at: vec4u) -> vec4f {
  if (VEC) {
    return weight_at(at.x / 4u);
  }
  return vec4f(weight_at(at.x).x, weight_at(at.y).x, weight_at(at.z).x, weight_at(at.w).x);
}

fn mod_quad(at: vec4u) -> vec4f {
  if (VEC_MOD) {
    return mod_at(at.x / 4u);
  }
  return vec4f(mod_at(at.x).x, mod_at(at.y).x, mod_at(at.z).x, mod_at(at.w).x);
}

// Writes those numbers of a quad that there are.
fn put_quad(base: u32, quad: Quad, value: vec4f) {
  let at = base + quad.at;
  if (VEC) {
    if (quad.live.x) { put(at.x / 4u, element(value)); }
    return;
  }
  if (quad.live.x) { put(at.x, element(vec4f(value.x))); }
  if (quad.live.y) { put(at.y, element(vec4f(value.y))); }
  if (quad.live.z) { put(at.z, element(vec4f(value.z))); }
  if (quad.live.w) { put(at.w, element(vec4f(value.w))); }
}
