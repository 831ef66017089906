// activation: the pointwise nonlinearities and their derivatives. Each keeps a NaN.
// @use finite

const SQRT_2_OVER_PI: f32 = 0.7978845608028654;
const GELU_CUBIC: f32 = 0.044715;
const INV_SQRT_2PI: f32 = 0.3989422804014327;
const TWO_OVER_SQRT_PI: f32 = 1.1283791670955126;
const SQRT_2: f32 = 1.4142135623730951;

// |x|, at most `most`: that of an infinity too, but a NaN stays one.
fn magnitude(x: f32, most: f32) -> f32 {
  return between(abs(x), 0.0, most);
}

// tanh saturates to 1 in f32 beyond 9; the clamp keeps exp-based implementations from overflowing.
fn safe_tanh(x: f32) -> f32 {
  return tanh(between(x, -10.0, 10.0));
}

// The tanh form of GELU (Hendrycks & Gimpel 2016).
fn gelu(x: f32) -> f32 {
  return 0.5 * x * (1.0 + safe_tanh(SQRT_2_OVER_PI * (x + GELU_CUBIC * x * x * x)));
}

fn gelu_grad(x: f32) -> f32 {
  let v = between(x, -20.0, 20.0); // beyond, 1 - t^2 is 0, and may meet no infinity
  let t = safe_tanh(SQRT_2_OVER_PI * (v + GELU_CUBIC * v * v * v));
  return 0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * SQRT_2_OVER_PI * (1.0 + 3.0 * GELU_CUBIC * v * v);
}

// 1 / (1 + exp(-x)) from the exponential that cannot overflow; 0 and 1 in f32 well before the bound.
fn sigmoid(x: f32) -> f32 {
  let e = exp(-magnitude(x, 200.0));
  return select(e, 1.0, x >= 0.0) / (1.0 + e);
}

// Of sigmoid (1 - sigmoid) the second factor would cancel.
fn sigmoid_grad(x: f32) -> f32 {
  let e = exp(-magnitude(x, 200.0));
  return e / ((1.0 + e) * (1.0 + e));
}

// tanh to 3 ulp, near 0 too, where WGSL's may be a difference of exponentials. Polynomial of Cephes tanhf (Moshier).
fn tanh_exact(x: f32) -> f32 {
  let e = exp(-2.0 * magnitude(x, 100.0));
  let far = (1.0 - e) / (1.0 + e);
  let z = x * x;
  let near = x + x * z * (-0.333332819422 + z * (0.133314422036 + z * (-0.0537397155531 + z * (0.0206390887954 - z * 0.00570498872745))));
  return select(select(far, -far, x < 0.0), near, abs(x) < 0.625);
}

// 1 - tanh^2, which would cancel.
fn tanh_grad(x: f32) -> f32 {
  let e = exp(-2.0 * magnitude(x, 100.0));
  return 4.0 * e / ((1.0 + e) * (1.0 + e));
}

// What of the standard normal lies above |x|, to some 5e-7 of itself: exp(-x^2/2) times a polynomial in 1 / (1 + p |x|), Hastings's
// form (Abramowitz & Stegun 7.1.26), fitted here to 1.3e-7 of the value on [0, 14]. The density's exponential comes along.
struct NormalTail {
  above: f32,
  exponential: f32,
}

fn normal_tail(x: f32) -> NormalTail {
  let size = magnitude(x, 20.0); // exp(-200) is 0
  let t = 1.0 / (1.0 + 0.235 * size);
  let low = t * (0.09380543 + t * (0.09267475 + t * (0.09759892 + t * 0.03674156)));
  let high = 0.17745271 + t * (-0.14311284 + t * (0.2086004 - t * 0.063760936));
  let e = exp(-0.5 * size * size);
  return NormalTail(e * (low + t * t * t * t * t * high), e);
}

// x times the normal distribution function: GELU itself (Hendrycks & Gimpel 2016), without the tanh form's error of 5e-4.
fn gelu_erf(x: f32) -> f32 {
  let tail = normal_tail(x);
  return x * select(tail.above, 1.0 - tail.above, x >= 0.0);
}

fn gelu_erf_grad(x: f32) -> f32 {
  let tail = normal_tail(x);
  return select(tail.above, 1.0 - tail.above, x >= 0.0) + x * tail.exponential * INV_SQRT_2PI;
}

// The error function: x P(x^2) below 1, fitted here to 4e-8 of the value, so that it is as precise near 0; above, from the tail.
fn erf(x: f32) -> f32 {
  let z = x * x;
  let near = x * (1.1283791 + z * (-0.37612325 + z * (0.1128018 + z * (-0.026711311 + z * (0.0049175513 - z * 0.0005631422)))));
  let far = 1.0 - 2.0 * normal_tail(SQRT_2 * x).above;
  return select(select(far, -far, x < 0.0), near, abs(x) < 1.0);
}

fn erf_grad(x: f32) -> f32 {
  let size = magnitude(x, 20.0);
  return select(TWO_OVER_SQRT_PI * exp(-size * size), x, is_nan(x)); // exp of a NaN is not one everywhere
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
