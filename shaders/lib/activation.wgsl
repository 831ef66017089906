// activation: the pointwise nonlinearities and their derivatives. Each keeps a NaN.
// @use finite

const SQRT_2_OVER_PI: f32 = 0.7978845608028654;
const GELU_CUBIC: f32 = 0.044715;

// tanh saturates to 1 in f32 beyond 9; the clamp keeps exp-based implementations from overflowing.
fn safe_tanh(x: f32) -> f32 {
  return tanh(between(x, -10.0, 10.0));
}

// The tanh form of GELU (Hendrycks & Gimpel 2016).
fn gelu(x: f32) -> f32 {
  return 0.5 * x * (1.0 + safe_tanh(SQRT_2_OVER_PI * (x + GELU_CUBIC * x * x * x)));
}

fn gelu_grad(x: f32) -> f32 {
  let t = safe_tanh(SQRT_2_OVER_PI * (x + GELU_CUBIC * x * x * x));
  return 0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * SQRT_2_OVER_PI * (1.0 + 3.0 * GELU_CUBIC * x * x);
}

fn sigmoid(x: f32) -> f32 {
  return 1.0 / (1.0 + exp(-between(x, -80.0, 80.0)));
}

fn relu(x: f32) -> f32 {
  return at_least(x, 0.0);
}

fn relu_grad(x: f32) -> f32 {
  return select(select(0.0, 1.0, x > 0.0), x, is_nan(x));
}

fn silu(x: f32) -> f32 {
  return x * sigmoid(x);
}

fn silu_grad(x: f32) -> f32 {
  let s = sigmoid(x);
  return s * (1.0 + x * (1.0 - s));
}
