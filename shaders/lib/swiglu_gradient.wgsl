// swiglu_gradient: the gradient of one element of SwiGLU, written to both halves of dx12.
// Needs in the kernel: alias Scalar; x12, dy and dx12; dims.hidden.
// @use activation
// @use elements

fn x12_at(i: u32) -> vec4f { return vec4f(vec4<Scalar>(x12[i])); }

// dx1 and dx2 of an element of dy, as they are before they are stored.
fn write_gradient(row: u32, col: u32) -> mat2x4f {
  let hidden = dims.hidden / WIDTH; // elements a row
  let at = row * hidden + col;
  let at1 = at + row * hidden;
  let x1 = x12_at(at1);
  let x2 = x12_at(at1 + hidden);
  let g = vec4f(vec4<Scalar>(dy[at]));
  let s = vec4f(sigmoid(x1.x), sigmoid(x1.y), sigmoid(x1.z), sigmoid(x1.w)); // shared by silu(x1) = x1 s and its derivative
  let dx1 = g * x2 * s * (1.0 + x1 * (1.0 - s));
  let dx2 = g * x1 * s;
  dx12[at1] = element(dx1);
  dx12[at1 + hidden] = element(dx2);
  return mat2x4f(dx1, dx2);
}
