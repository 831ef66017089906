// act: the nonlinearity that a kernel was made for, and its derivative.
// Needs in the kernel: const ACT: 0 none, 1 GELU in its tanh form, 2 SiLU, 3 ReLU, 4 GELU in its exact (erf) form, 5 sigmoid, 6 tanh, 7 erf.
// @use activation

fn act(x: f32) -> f32 {
  if (ACT == 1u) {
    return gelu(x);
  } else if (ACT == 2u) {
    return silu(x);
  } else if (ACT == 3u) {
    return relu(x);
  } else if (ACT == 4u) {
    return gelu_erf(x);
  } else if (ACT == 5u) {
    return sigmoid(x);
  } else if (ACT == 6u) {
    return tanh_exact(x);
  } else if (ACT == 7u) {
    return erf(x);
  }
  return x;
}

fn act_grad(x: f32) -> f32 {
  if (ACT == 1u) {
    return gelu_grad(x);
  } else if (ACT == 2u) {
    return silu_grad(x);
  } else if (ACT == 3u) {
    return relu_grad(x);
  } else if (ACT == 4u) {
    return gelu_erf_grad(x);
  } else if (ACT == 5u) {
    return sigmoid_grad(x);
  } else if (ACT == 6u) {
    return tanh_grad(x);
  } else if (ACT == 7u) {
    return erf_grad(x);
  }
  return 1.0;
}
