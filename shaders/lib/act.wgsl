// act: the nonlinearity that a kernel was made for, and its derivative.
// Needs in the kernel: const ACT: 0 none, 1 GELU in its tanh form, 2 SiLU, 3 ReLU, 4 GELU in its exact (erf) form, 5 sigmoid, 6 tanh, 7 erf.
// @use activation

fn act(x: f32) -> f32 {
  var value = x;
  if (ACT == 1u) {
    value = gelu(x);
  } else if (ACT == 2u) {
    value = silu(x);
  } else if (ACT == 3u) {
    value = relu(x);
  } else if (ACT == 4u) {
    value = gelu_erf(x);
  } else if (ACT == 5u) {
    value = sigmoid(x);
  } else if (ACT == 6u) {
    value = tanh_exact(x);
  } else if (ACT == 7u) {
    value = erf(x);
  }
  return value;
}

fn act_grad(x: f32) -> f32 {
  var value = 1.0;
  if (ACT == 1u) {
    value = gelu_grad(x);
  } else if (ACT == 2u) {
    value = silu_grad(x);
  } else if (ACT == 3u) {
    value = relu_grad(x);
  } else if (ACT == 4u) {
    value = gelu_erf_grad(x);
  } else if (ACT == 5u) {
    value = sigmoid_grad(x);
  } else if (ACT == 6u) {
    value = tanh_grad(x);
  } else if (ACT == 7u) {
    value = erf_grad(x);
  }
  return value;
}
