// Written by `npm run embed` from shaders/*.wgsl; do not edit. `npm run check` fails when it is out of date.
import type { ShaderSource } from './kernel/shader.ts';

type Same<T> = T;

const activation_bwd_ = {
  name: 'activation_bwd',
  entryPoint: 'main',
  bindings: {
    x: { binding: 0, access: 'read', element: 'Scalar' },
    dy: { binding: 1, access: 'read', element: 'Scalar' },
    dx: { binding: 2, access: 'read_write', element: 'Scalar' },
  },
  uniform: { binding: 3, size: 4, fields: {
    count: { type: 'u32', offset: 0 },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
    ACT: { kind: 'const', type: 'u32', default: 1 },
    PER: { kind: 'const', type: 'u32', default: 4 },
    Scalar: { kind: 'alias', type: 'type', default: 'f32' },
  },
  workgroup: ['WG'],
  code: `






const WG: u32 = 256u;
const ACT: u32 = 1u;
const PER: u32 = 4u;
alias Scalar = f32;

struct Dims {
count: u32,
}

@group(0) @binding(0) var<storage, read> x: array<Scalar>;
@group(0) @binding(1) var<storage, read> dy: array<Scalar>;
@group(0) @binding(2) var<storage, read_write> dx: array<Scalar>;
@group(0) @binding(3) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let first = (wid.x + wid.y * groups.x) * (WG * PER) + local;
for (var i = 0u; i < PER; i++) {
let at = first + i * WG;
if (at < dims.count) {
dx[at] = Scalar(f32(dy[at]) * act_grad(f32(x[at])));
}
}
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




const SQRT_2_OVER_PI: f32 = 0.7978845608028654;
const GELU_CUBIC: f32 = 0.044715;
const INV_SQRT_2PI: f32 = 0.3989422804014327;
const TWO_OVER_SQRT_PI: f32 = 1.1283791670955126;



fn magnitude(x: f32, most: f32) -> f32 {
return between(abs(x), 0.0, most);
}


fn safe_tanh(x: f32) -> f32 {
return tanh(between(x, -10.0, 10.0));
}






fn gelu_grad(x: f32) -> f32 {
let v = between(x, -20.0, 20.0);
let t = safe_tanh(SQRT_2_OVER_PI * (v + GELU_CUBIC * v * v * v));
return 0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * SQRT_2_OVER_PI * (1.0 + 3.0 * GELU_CUBIC * v * v);
}


fn sigmoid(x: f32) -> f32 {
let e = exp(-magnitude(x, 200.0));
return select(e, 1.0, x >= 0.0) / (1.0 + e);
}


fn sigmoid_grad(x: f32) -> f32 {
let e = exp(-magnitude(x, 200.0));
return e / ((1.0 + e) * (1.0 + e));
}











fn tanh_grad(x: f32) -> f32 {
let e = exp(-2.0 * magnitude(x, 100.0));
return 4.0 * e / ((1.0 + e) * (1.0 + e));
}



struct NormalTail {
above: f32,
exponential: f32,
}

fn normal_tail(x: f32) -> NormalTail {
let size = magnitude(x, 20.0);
let t = 1.0 / (1.0 + 0.235 * size);
let low = t * (0.09380543 + t * (0.09267475 + t * (0.09759892 + t * 0.03674156)));
let high = 0.17745271 + t * (-0.14311284 + t * (0.2086004 - t * 0.063760936));
let e = exp(-0.5 * size * size);
return NormalTail(e * (low + t * t * t * t * t * high), e);
}







fn gelu_erf_grad(x: f32) -> f32 {
let tail = normal_tail(x);
return select(tail.above, 1.0 - tail.above, x >= 0.0) + x * tail.exponential * INV_SQRT_2PI;
}









fn erf_grad(x: f32) -> f32 {
let size = magnitude(x, 20.0);
return select(TWO_OVER_SQRT_PI * exp(-size * size), x, is_nan(x));
}





fn relu_grad(x: f32) -> f32 {
return select(select(0.0, 1.0, x > 0.0), x, is_nan(x));
}





fn silu_grad(x: f32) -> f32 {
let s = sigmoid(x);
return s * (1.0 + x * (1.0 - s));
}




fn is_nan(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}















fn between(x: f32, low: f32, high: f32) -> f32 {
return select(clamp(x, low, high), x, is_nan(x));
}` as string,
} as const satisfies ShaderSource;

/**
 * activation_bwd: dx = dy * act'(x), elementwise.
 * Buffers: x, dy, dx [count] f32, or f16.
 * Grid: as activation_fwd.
 * Precision: f32; x, dy and dx may be stored as f16.
 * Source: the derivatives of shaders/activation_fwd.wgsl.
 */
export interface ActivationBwd extends Same<typeof activation_bwd_> {}
export const activation_bwd: ActivationBwd = activation_bwd_;

const activation_fwd_ = {
  name: 'activation_fwd',
  entryPoint: 'main',
  bindings: {
    x: { binding: 0, access: 'read', element: 'Scalar' },
    y: { binding: 1, access: 'read_write', element: 'Scalar' },
  },
  uniform: { binding: 2, size: 4, fields: {
    count: { type: 'u32', offset: 0 },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
    ACT: { kind: 'const', type: 'u32', default: 1 },
    PER: { kind: 'const', type: 'u32', default: 4 },
    Scalar: { kind: 'alias', type: 'type', default: 'f32' },
  },
  workgroup: ['WG'],
  code: `






const WG: u32 = 256u;
const ACT: u32 = 1u;
const PER: u32 = 4u;
alias Scalar = f32;

struct Dims {
count: u32,
}

@group(0) @binding(0) var<storage, read> x: array<Scalar>;
@group(0) @binding(1) var<storage, read_write> y: array<Scalar>;
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let first = (wid.x + wid.y * groups.x) * (WG * PER) + local;
for (var i = 0u; i < PER; i++) {
let at = first + i * WG;
if (at < dims.count) {
y[at] = Scalar(act(f32(x[at])));
}
}
}





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
























const SQRT_2_OVER_PI: f32 = 0.7978845608028654;
const GELU_CUBIC: f32 = 0.044715;


const SQRT_2: f32 = 1.4142135623730951;


fn magnitude(x: f32, most: f32) -> f32 {
return between(abs(x), 0.0, most);
}


fn safe_tanh(x: f32) -> f32 {
return tanh(between(x, -10.0, 10.0));
}


fn gelu(x: f32) -> f32 {
return 0.5 * x * (1.0 + safe_tanh(SQRT_2_OVER_PI * (x + GELU_CUBIC * x * x * x)));
}








fn sigmoid(x: f32) -> f32 {
let e = exp(-magnitude(x, 200.0));
return select(e, 1.0, x >= 0.0) / (1.0 + e);
}








fn tanh_exact(x: f32) -> f32 {
let e = exp(-2.0 * magnitude(x, 100.0));
let far = (1.0 - e) / (1.0 + e);
let z = x * x;
let near = x + x * z * (-0.333332819422 + z * (0.133314422036 + z * (-0.0537397155531 + z * (0.0206390887954 - z * 0.00570498872745))));
return select(select(far, -far, x < 0.0), near, abs(x) < 0.625);
}









struct NormalTail {
above: f32,
exponential: f32,
}

fn normal_tail(x: f32) -> NormalTail {
let size = magnitude(x, 20.0);
let t = 1.0 / (1.0 + 0.235 * size);
let low = t * (0.09380543 + t * (0.09267475 + t * (0.09759892 + t * 0.03674156)));
let high = 0.17745271 + t * (-0.14311284 + t * (0.2086004 - t * 0.063760936));
let e = exp(-0.5 * size * size);
return NormalTail(e * (low + t * t * t * t * t * high), e);
}


fn gelu_erf(x: f32) -> f32 {
let tail = normal_tail(x);
return x * select(tail.above, 1.0 - tail.above, x >= 0.0);
}







fn erf(x: f32) -> f32 {
let z = x * x;
let near = x * (1.1283791 + z * (-0.37612325 + z * (0.1128018 + z * (-0.026711311 + z * (0.0049175513 - z * 0.0005631422)))));
let far = 1.0 - 2.0 * normal_tail(SQRT_2 * x).above;
return select(select(far, -far, x < 0.0), near, abs(x) < 1.0);
}






fn relu(x: f32) -> f32 {
return at_least(x, 0.0);
}





fn silu(x: f32) -> f32 {
return x * sigmoid(x);
}









fn is_nan(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}










fn at_least(x: f32, least: f32) -> f32 {
return select(max(x, least), x, is_nan(x));
}


fn between(x: f32, low: f32, high: f32) -> f32 {
return select(clamp(x, low, high), x, is_nan(x));
}` as string,
} as const satisfies ShaderSource;

/**
 * activation_fwd: y = act(x), elementwise.
 * Buffers: x, y [count] f32, or f16.
 * Grid: WG invocations a workgroup, PER elements an invocation, a workgroup apart, so that neighbours touch neighbours.
 * Precision: f32; x and y may be stored as f16.
 * Source: Hendrycks & Gimpel 2016 (GELU, both forms), Elfwing et al. 2017 (SiLU); the others and their polynomials: lib activation.
 */
export interface ActivationFwd extends Same<typeof activation_fwd_> {}
export const activation_fwd: ActivationFwd = activation_fwd_;

const adam_step_ = {
  name: 'adam_step',
  entryPoint: 'main',
  bindings: {
    param: { binding: 0, access: 'read_write', element: 'vec4f' },
    grad: { binding: 1, access: 'read', element: 'vec4f' },
    m: { binding: 2, access: 'read_write', element: 'vec4f' },
    v: { binding: 3, access: 'read_write', element: 'vec4f' },
    hyper: { binding: 4, access: 'read', element: 'f32' },
    clip: { binding: 5, access: 'read', element: 'f32' },
    scales: { binding: 6, access: 'read', element: 'f32', optional: 'CAUTIOUS' },
    owners: { binding: 7, access: 'read', element: 'u32', optional: 'CAUTIOUS' },
    average: { binding: 8, access: 'read_write', element: 'vec4f', optional: 'HAS_AVERAGE' },
    half: { binding: 9, access: 'read_write', element: 'Half', optional: 'HAS_HALF' },
  },
  uniform: { binding: 10, size: 8, fields: {
    count: { type: 'u32', offset: 0 },
    tensors: { type: 'u32', offset: 4, else: 0, optional: 'CAUTIOUS' },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
    CAUTIOUS: { kind: 'const', type: 'bool', default: false },
    HAS_AVERAGE: { kind: 'const', type: 'bool', default: false },
    HAS_HALF: { kind: 'const', type: 'bool', default: false },
    Half: { kind: 'alias', type: 'type', default: 'vec4f' },
  },
  workgroup: ['WG'],
  code: `
















const WG: u32 = 256u;
const CAUTIOUS: bool = false;

const HAS_AVERAGE: bool = false;
const HAS_HALF: bool = false;
alias Half = vec4f;

struct Dims {
count: u32,
tensors: u32,
}

@group(0) @binding(0) var<storage, read_write> param: array<vec4f>;
@group(0) @binding(1) var<storage, read> grad: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> m: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> v: array<vec4f>;
@group(0) @binding(4) var<storage, read> hyper: array<f32>;
@group(0) @binding(5) var<storage, read> clip: array<f32>;
@group(0) @binding(6) var<storage, read> scales: array<f32>;
@group(0) @binding(7) var<storage, read> owners: array<u32>;
@group(0) @binding(8) var<storage, read_write> average: array<vec4f>;
@group(0) @binding(9) var<storage, read_write> half: array<Half>;
@group(0) @binding(10) var<uniform> dims: Dims;

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
let p = param[i];
let old_m = m[i];
let old_v = v[i];
let raw = grad[i];
var old_average = vec4f();
if (HAS_AVERAGE) {
old_average = average[i];
}
if (clip[3] == 1.0) {
return;
}
let g = clean_gradient(raw, clip[0]) + hyper[6] * p;
let new_m = hyper[1] * old_m + hyper[2] * g;
let new_v = hyper[3] * old_v + hyper[4] * g * g;
var moved = new_m;
if (CAUTIOUS) {
moved = cautious(new_m, g, i);
}
let new_p = p - hyper[0] * (hyper[7] * p + moved / (hyper[8] * sqrt(new_v) + hyper[5]));
let live = live_elements(i, dims.count);
m[i] = select(old_m, new_m, live);
v[i] = select(old_v, new_v, live);
param[i] = select(p, new_p, live);
if (HAS_AVERAGE) {
let mixed = select(old_average + (1.0 - hyper[9]) * (new_p - old_average), new_p, vec4<bool>(hyper[9] == 0.0));
average[i] = select(old_average, mixed, live);
}
if (HAS_HALF) {
half[i] = Half(select(p, new_p, live));
}
}




fn clean_gradient(raw: vec4f, scale: f32) -> vec4f {
let broken = (bitcast<vec4u>(raw) & vec4u(0x7f800000u)) == vec4u(0x7f800000u);
return select(raw * scale, vec4f(0.0), broken);
}


fn live_elements(i: u32, count: u32) -> vec4<bool> {
return vec4u(i * 4u) + vec4u(0u, 1u, 2u, 3u) < vec4u(count);
}




fn cautious(update: vec4f, g: vec4f, i: u32) -> vec4f {
return select(update * scales[owners[i / 16u]], vec4f(0.0), update * g <= vec4f(0.0));
}` as string,
} as const satisfies ShaderSource;

/**
 * adam_step: one update of Adam, RAdam, the reference's AdamW or its cautious form over a flat buffer, in place.
 * g = finite(grad) * clip scale + l2 * p;  m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;  p -= step (decay p + m / (root sqrt(v) + eps))
 * Buffers f32: param, m, v [count] updated; grad [count]; clip [4] of shaders/clip_scale.wgsl;
 * hyper [10] = (step, b1, 1 - b1, b2, 1 - b2, eps, l2, decay, root, decay of the average): the bias corrections are folded in on the
 * host, in doubles; root is 1, or 0 (with eps 1) for a step of plain momentum.
 * scales [tensors] and owners [ceil(count / 64)] u32 of shaders/cautious_scale.wgsl, where CAUTIOUS: m is then masked and scaled.
 * average [count] updated where HAS_AVERAGE: what shaders/ema.wgsl makes of the new param, in the same pass, to the bit.
 * half [count] f16 where HAS_HALF: the new param, rounded.
 * Flat buffers are padded to whole vec4s, so that four elements are one access; elements past count keep their values.
 * Grid: one vec4 an invocation, WG invocations a workgroup. All reads are under way before the first of them is waited for: whether the
 * step is held is asked after them.
 * Precision: f32. A non-finite gradient counts as 0.
 * Source: Kingma & Ba 2014; Liu et al. 2019 (RAdam); UCGM's AdamW, which scales the decay by the corrected step and adds eps to sqrt(v);
 * Liang et al. 2024 (cautious optimisers).
 */
export interface AdamStep extends Same<typeof adam_step_> {}
export const adam_step: AdamStep = adam_step_;

const add_ = {
  name: 'add',
  entryPoint: 'main',
  bindings: {
    a: { binding: 0, access: 'read', element: 'Scalar' },
    b: { binding: 1, access: 'read', element: 'Scalar' },
    out: { binding: 2, access: 'read_write', element: 'Scalar' },
  },
  uniform: { binding: 3, size: 4, fields: {
    count: { type: 'u32', offset: 0 },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
    PER: { kind: 'const', type: 'u32', default: 4 },
    Scalar: { kind: 'alias', type: 'type', default: 'f32' },
  },
  workgroup: ['WG'],
  code: `




const WG: u32 = 256u;
const PER: u32 = 4u;
alias Scalar = f32;

struct Dims {
count: u32,
}

@group(0) @binding(0) var<storage, read> a: array<Scalar>;
@group(0) @binding(1) var<storage, read> b: array<Scalar>;
@group(0) @binding(2) var<storage, read_write> out: array<Scalar>;
@group(0) @binding(3) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let first = (wid.x + wid.y * groups.x) * (WG * PER) + local;
for (var i = 0u; i < PER; i++) {
let at = first + i * WG;
if (at < dims.count) {
out[at] = Scalar(f32(a[at]) + f32(b[at]));
}
}
}` as string,
} as const satisfies ShaderSource;

/**
 * add: out = a + b, elementwise.
 * Buffers: a, b, out [count] f32, or f16; a and b may be the same.
 * Grid: WG invocations a workgroup, PER elements an invocation, a workgroup apart, so that neighbours touch neighbours.
 * Precision: f32; a, b and out may be stored as f16.
 */
export interface Add extends Same<typeof add_> {}
export const add: Add = add_;

const add_rows_ = {
  name: 'add_rows',
  entryPoint: 'main',
  bindings: {
    x: { binding: 0, access: 'read', element: 'Scalar' },
    row: { binding: 1, access: 'read', element: 'f32' },
    out: { binding: 2, access: 'read_write', element: 'Scalar' },
  },
  uniform: { binding: 3, size: 12, fields: {
    rows: { type: 'u32', offset: 0 },
    cols: { type: 'u32', offset: 4 },
    group_rows: { type: 'u32', offset: 8 },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
    PER: { kind: 'const', type: 'u32', default: 4 },
    Scalar: { kind: 'alias', type: 'type', default: 'f32' },
  },
  workgroup: ['WG'],
  code: `




const WG: u32 = 256u;
const PER: u32 = 4u;
alias Scalar = f32;

struct Dims {
rows: u32,
cols: u32,
group_rows: u32,
}

@group(0) @binding(0) var<storage, read> x: array<Scalar>;
@group(0) @binding(1) var<storage, read> row: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<Scalar>;
@group(0) @binding(3) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let first = (wid.x + wid.y * groups.x) * (WG * PER) + local;
for (var i = 0u; i < PER; i++) {
let at = first + i * WG;
if (at < dims.rows * dims.cols) {
out[at] = Scalar(f32(x[at]) + row[(at / dims.cols / dims.group_rows) * dims.cols + at % dims.cols]);
}
}
}` as string,
} as const satisfies ShaderSource;

/**
 * add_rows: out[r, c] = x[r, c] + row[r / group_rows, c]: one row for every group of consecutive rows (a sample's tokens).
 * Buffers: x, out [rows, cols] f32; row [ceil(rows / group_rows), cols] f32. The gradient by row is sum_cols over chunks of group_rows.
 * Grid: WG invocations a workgroup, PER elements an invocation, a workgroup apart, so that neighbours touch neighbours.
 * Precision: f32; x and out may be stored as f16.
 */
export interface AddRows extends Same<typeof add_rows_> {}
export const add_rows: AddRows = add_rows_;

const attention_bwd_kv_plain_ = {
  name: 'attention_bwd_kv_plain',
  entryPoint: 'main',
  bindings: {
    dk: { binding: 7, access: 'read_write', element: 'Stored' },
    dv: { binding: 8, access: 'read_write', element: 'Stored' },
    v: { binding: 4, access: 'read', element: 'Stored' },
    dout: { binding: 5, access: 'read', element: 'Stored' },
    rows: { binding: 6, access: 'read', element: 'vec2f' },
    q: { binding: 0, access: 'read', element: 'Stored' },
    k: { binding: 1, access: 'read', element: 'Stored' },
    mask: { binding: 2, access: 'read', element: 'MaskElem', optional: 'MASK' },
  },
  uniform: { binding: 3, size: 48, fields: {
    batch: { type: 'u32', offset: 0 },
    heads: { type: 'u32', offset: 4 },
    kv_heads: { type: 'u32', offset: 8, else: 'heads' },
    n: { type: 'u32', offset: 12 },
    keys: { type: 'u32', offset: 16, else: 'n' },
    head_dim: { type: 'u32', offset: 20 },
    scale: { type: 'f32', offset: 24 },
    offset: { type: 'i32', offset: 28, else: 0 },
    softcap: { type: 'f32', offset: 32, else: 0, optional: 'SOFTCAP' },
    mask_batch: { type: 'u32', offset: 36, else: 1, optional: 'MASK' },
    mask_heads: { type: 'u32', offset: 40, else: 1, optional: 'MASK' },
    mask_n: { type: 'u32', offset: 44, else: 1, optional: 'MASK' },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 32 },
    QUERIES: { kind: 'const', type: 'u32', default: 1 },
    KEYS: { kind: 'const', type: 'u32', default: 1 },
    ROLLED: { kind: 'const', type: 'bool', default: false },
    HEAD_DIM: { kind: 'const', type: 'u32', default: 64 },
    VALUE_DIM: { kind: 'const', type: 'u32', default: 64 },
    VEC: { kind: 'const', type: 'bool', default: false },
    Elem: { kind: 'alias', type: 'type', default: 'f32' },
    Stored: { kind: 'alias', type: 'type', default: 'f32' },
    GROUPED: { kind: 'const', type: 'bool', default: false },
    CAUSAL: { kind: 'const', type: 'u32', default: 0 },
    MASK: { kind: 'const', type: 'bool', default: false },
    ADDS: { kind: 'const', type: 'bool', default: false },
    MaskElem: { kind: 'alias', type: 'type', default: 'u32' },
    LENGTHS: { kind: 'const', type: 'bool', default: false },
    SOFTCAP: { kind: 'const', type: 'bool', default: false },
  },
  workgroup: ['WG'],
  code: `









@group(0) @binding(7) var<storage, read_write> dk: array<Stored>;
@group(0) @binding(8) var<storage, read_write> dv: array<Stored>;


fn step_of_q(starts: ptr<function, Starts>, d: u32) -> Step {
var step: Step;
step[0] = Elem(q[(*starts)[0] + d]);
if (KEYS > 1u) { step[1] = Elem(q[(*starts)[1] + d]); }
for (var j = 2u; j < KEYS; j++) {
step[j] = Elem(q[(*starts)[j] + d]);
}
return step;
}

fn step_of_dout(starts: ptr<function, Starts>, d: u32) -> Step {
var step: Step;
step[0] = Elem(dout[(*starts)[0] + d]);
if (KEYS > 1u) { step[1] = Elem(dout[(*starts)[1] + d]); }
for (var j = 2u; j < KEYS; j++) {
step[j] = Elem(dout[(*starts)[j] + d]);
}
return step;
}

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let place = place_of(wid, groups, dims.keys, WG * QUERIES);
let key = place.first + local * QUERIES;
if (place.head >= dims.batch * dims.kv_heads || key >= dims.keys) {
return;
}
let first_key = place.head * dims.keys;
let last = dims.n - 1u;
let line = rolled(LINE);
let value_line = rolled(VALUE_LINE);
let long = rolled(LONG);
let each = rolled(QUERIES);

var kr: Held;
var vr: Held;
var dkr: Held;
var dvr: Held;
for (var r = 0u; r < each; r++) {
let row = first_key + min(key + r, dims.keys - 1u);
for (var d = 0u; d < line; d++) {
kr[r * LONG + d] = Elem(k[row * LINE + d]) * dims.scale;
}
for (var d = 0u; d < value_line; d++) {
vr[r * LONG + d] = Elem(v[row * VALUE_LINE + d]);
}
}
for (var member = 0u; member < group_size(); member++) {
let head = place.head * group_size() + member;
let first_row = head * dims.n;
let out_rows = first_out(head);
let seen = seen_by(head);
for (var first = queries_from(seen, key); first < dims.n; first += KEYS) {
var query: Starts;
var from_out: Starts;
for (var i = 0u; i < KEYS; i++) {
let row = min(first + i, last);
query[i] = (first_row + row) * LINE;
from_out[i] = (out_rows + row * dims.heads) * VALUE_LINE;
}
var s = Products();
var dp = Products();
for (var d = 0u; d < long; d++) {
var qd = Step();
var gd = Step();
if (SAME || d < line) { qd = step_of_q(&query, d); }
if (SAME || d < value_line) { gd = step_of_dout(&from_out, d); }
add_scores(&s, &kr, d, &qd);
add_scores(&dp, &vr, d, &gd);
}
for (var i = 0u; i < KEYS; i++) {
let of_row = rows[first_row + min(first + i, last)];
for (var r = 0u; r < QUERIES; r++) {
let capped = cap(s[r * KEYS + i]);
let seen_weight = weight(hide(capped, seen, first + i, key + r), of_row.x);
let p = select(0.0, seen_weight, first + i < dims.n);
s[r * KEYS + i] = p;
dp[r * KEYS + i] = uncap(by_score(p, dp[r * KEYS + i], of_row.y), capped);
}
}
for (var d = 0u; d < long; d++) {
var qd = Step();
var gd = Step();
if (SAME || d < line) { qd = step_of_q(&query, d); }
if (SAME || d < value_line) { gd = step_of_dout(&from_out, d); }
add_steps(&dkr, d, &dp, &qd);
add_steps(&dvr, d, &s, &gd);
}
}
}
for (var r = 0u; r < each; r++) {
if (key + r < dims.keys) {
for (var d = 0u; d < line; d++) {
dk[(first_key + key + r) * LINE + d] = Stored(dkr[r * LONG + d] * dims.scale);
}
for (var d = 0u; d < value_line; d++) {
dv[(first_key + key + r) * VALUE_LINE + d] = Stored(dvr[r * LONG + d]);
}
}
}
}





const WG: u32 = 32u;
const QUERIES: u32 = 1u;
const KEYS: u32 = 1u;
const ROLLED: bool = false;

const LINE: u32 = HEAD_DIM / select(1u, 4u, VEC);
const VALUE_LINE: u32 = VALUE_DIM / select(1u, 4u, VEC);
const LONG: u32 = max(LINE, VALUE_LINE);
const SAME: bool = LINE == VALUE_LINE;


fn rolled(count: u32) -> u32 {
return select(count, count * dims.head_dim / HEAD_DIM, ROLLED);
}



alias Held = array<Elem, QUERIES * LONG>;
alias Step = array<Elem, max(2u, KEYS)>;
alias Starts = array<u32, max(2u, KEYS)>;
alias Products = array<f32, QUERIES * KEYS>;























fn add_score(scores: ptr<function, Products>, r: u32, own: Elem, step: ptr<function, Step>) {
(*scores)[r * KEYS] += total(own * (*step)[0]);
if (KEYS > 1u) { (*scores)[r * KEYS + 1u] += total(own * (*step)[1]); }
for (var j = 2u; j < KEYS; j++) {
(*scores)[r * KEYS + j] += total(own * (*step)[j]);
}
}


fn add_scores(scores: ptr<function, Products>, held: ptr<function, Held>, d: u32, step: ptr<function, Step>) {
add_score(scores, 0u, (*held)[d], step);
if (QUERIES > 1u) { add_score(scores, 1u, (*held)[LONG + d], step); }
if (QUERIES > 2u) { add_score(scores, 2u, (*held)[2u * LONG + d], step); }
if (QUERIES > 3u) { add_score(scores, 3u, (*held)[3u * LONG + d], step); }
for (var r = 4u; r < QUERIES; r++) {
add_score(scores, r, (*held)[r * LONG + d], step);
}
}


fn add_step(before: Elem, weights: ptr<function, Products>, r: u32, elements: ptr<function, Step>) -> Elem {
var to = before + weighted((*weights)[r * KEYS], (*elements)[0]);
if (KEYS > 1u) { to += weighted((*weights)[r * KEYS + 1u], (*elements)[1]); }
for (var j = 2u; j < KEYS; j++) {
to += weighted((*weights)[r * KEYS + j], (*elements)[j]);
}
return to;
}


fn add_steps(held: ptr<function, Held>, d: u32, weights: ptr<function, Products>, elements: ptr<function, Step>) {
(*held)[d] = add_step((*held)[d], weights, 0u, elements);
if (QUERIES > 1u) { (*held)[LONG + d] = add_step((*held)[LONG + d], weights, 1u, elements); }
if (QUERIES > 2u) { (*held)[2u * LONG + d] = add_step((*held)[2u * LONG + d], weights, 2u, elements); }
if (QUERIES > 3u) { (*held)[3u * LONG + d] = add_step((*held)[3u * LONG + d], weights, 3u, elements); }
for (var r = 4u; r < QUERIES; r++) {
(*held)[r * LONG + d] = add_step((*held)[r * LONG + d], weights, r, elements);
}
}




@group(0) @binding(4) var<storage, read> v: array<Stored>;
@group(0) @binding(5) var<storage, read> dout: array<Stored>;
@group(0) @binding(6) var<storage, read> rows: array<vec2f>;

fn valid_keys(sample: u32) -> u32 {
if (LENGTHS) {
return min(u32(rows[dims.batch * dims.heads * dims.n + sample].x), dims.keys);
}
return dims.keys;
}


fn first_out(head: u32) -> u32 {
return (head / dims.heads) * dims.n * dims.heads + head % dims.heads;
}











const HEAD_DIM: u32 = 64u;
const VALUE_DIM: u32 = 64u;
const VEC: bool = false;
alias Elem = f32;
alias Stored = f32;
const GROUPED: bool = false;
const CAUSAL: u32 = 0u;
const MASK: bool = false;
const ADDS: bool = false;
alias MaskElem = u32;
const LENGTHS: bool = false;
const SOFTCAP: bool = false;

const GUARDED: bool = CAUSAL > 0u || MASK || LENGTHS;
const HIDDEN: f32 = -3.0e38;

struct Dims {
batch: u32,
heads: u32,
kv_heads: u32,
n: u32,
keys: u32,
head_dim: u32,
scale: f32,
offset: i32,
softcap: f32,
mask_batch: u32,
mask_heads: u32,
mask_n: u32,
}

@group(0) @binding(0) var<storage, read> q: array<Stored>;
@group(0) @binding(1) var<storage, read> k: array<Stored>;
@group(0) @binding(2) var<storage, read> mask: array<MaskElem>;
@group(0) @binding(3) var<uniform> dims: Dims;


fn group_size() -> u32 {
return select(1u, dims.heads / dims.kv_heads, GROUPED);
}


struct Seen {
keys: u32,
ahead: i32,
mask: u32,
}

fn seen_by(head: u32) -> Seen {
let sample = head / dims.heads;
var seen = Seen(valid_keys(sample), dims.offset, 0u);
if (CAUSAL == 2u) {
seen.ahead += i32(seen.keys) - i32(dims.n);
}
if (MASK) {
let b = min(sample, dims.mask_batch - 1u);
let h = min(head % dims.heads, dims.mask_heads - 1u);
seen.mask = (b * dims.mask_heads + h) * dims.mask_n * dims.keys;
}
return seen;
}










fn queries_from(seen: Seen, key: u32) -> u32 {
if (LENGTHS && key >= seen.keys) {
return dims.n;
}
if (CAUSAL > 0u) {
return u32(clamp(i32(key) - seen.ahead, 0, i32(dims.n)));
}
return 0u;
}


fn cap(score: f32) -> f32 {
if (!SOFTCAP) {
return score;
}
let x = between(score / dims.softcap, -15.0, 15.0);
let xx = x * x;
let near = x * (1.0 + xx * (-0.33333333 + xx * (0.13333333 + xx * (-0.05396825 + xx * 0.02186949))));
let far = 1.0 - 2.0 / (exp(2.0 * x) + 1.0);
return select(dims.softcap * select(far, near, abs(x) < 0.25), score, is_nan(score));
}


fn uncap(gradient: f32, capped: f32) -> f32 {
if (!SOFTCAP) {
return gradient;
}
let t = capped / dims.softcap;
return gradient * (1.0 - t * t);
}


fn hide(score: f32, seen: Seen, query: u32, key: u32) -> f32 {
var masked = score;
var hidden = false;
if (LENGTHS) {
hidden = key >= seen.keys;
}
if (CAUSAL > 0u) {
hidden = hidden || i32(key) > i32(query) + seen.ahead;
}
if (MASK) {
let m = mask[seen.mask + min(query, dims.mask_n - 1u) * dims.keys + min(key, dims.keys - 1u)];
if (ADDS) {
masked += f32(m);
hidden = hidden || f32(m) <= HIDDEN;
} else {
hidden = hidden || m == MaskElem();
}
}
return select(masked, HIDDEN, hidden);
}


fn weight(score: f32, top: f32) -> f32 {
let z = score - top;
if (GUARDED) {
return select(select(exp(z), z, is_nan(z)), 0.0, score == HIDDEN);
}
return exp(z);
}


fn by_score(p: f32, dp: f32, delta: f32) -> f32 {
let ds = p * (dp - delta);
if (GUARDED) {
return select(ds, 0.0, p == 0.0);
}
return ds;
}


fn weighted(x: f32, y: Elem) -> Elem {
if (GUARDED) {
return select(x * y, Elem(), x == 0.0);
}
return x * y;
}

fn total(x: Elem) -> f32 {
let parts = vec4f(x);
return select(parts.x, (parts.x + parts.y) + (parts.z + parts.w), VEC);
}




fn is_nan(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}















fn between(x: f32, low: f32, high: f32) -> f32 {
return select(clamp(x, low, high), x, is_nan(x));
}
















struct Place {
head: u32,
first: u32,
}

fn place_of(wid: vec3u, groups: vec3u, rows: u32, covered: u32) -> Place {
let tiles = (rows + covered - 1u) / covered;
let group = wid.x + wid.y * groups.x;
return Place(group / tiles, (group % tiles) * covered);
}` as string,
} as const satisfies ShaderSource;

/**
 * attention_bwd_kv_plain: dv_j = sum over i of p_ij dout_i; dk_j = scale * sum over i of ds_ij q_i, p and ds as in attention_bwd_q_plain,
 * over the queries of all heads that share the head of k and v.
 * Buffers as attention_bwd_q_plain, with dk as k and dv as v for dq.
 * Grid: QUERIES keys an invocation (the knob's name is that of the other plain kernels), WG invocations of one head a workgroup;
 * queries are read at addresses that the workgroup shares.
 * Precision: f32; q, k, v, dout, dk and dv may be stored as f16.
 * Source: Dao et al. 2022, the backward of attention.
 */
export interface AttentionBwdKvPlain extends Same<typeof attention_bwd_kv_plain_> {}
export const attention_bwd_kv_plain: AttentionBwdKvPlain = attention_bwd_kv_plain_;

const attention_bwd_mask_ = {
  name: 'attention_bwd_mask',
  entryPoint: 'main',
  bindings: {
    dmask: { binding: 7, access: 'read_write', element: 'f32' },
    v: { binding: 4, access: 'read', element: 'Stored' },
    dout: { binding: 5, access: 'read', element: 'Stored' },
    rows: { binding: 6, access: 'read', element: 'vec2f' },
    q: { binding: 0, access: 'read', element: 'Stored' },
    k: { binding: 1, access: 'read', element: 'Stored' },
    mask: { binding: 2, access: 'read', element: 'MaskElem', optional: 'MASK' },
  },
  uniform: { binding: 3, size: 48, fields: {
    batch: { type: 'u32', offset: 0 },
    heads: { type: 'u32', offset: 4 },
    kv_heads: { type: 'u32', offset: 8, else: 'heads' },
    n: { type: 'u32', offset: 12 },
    keys: { type: 'u32', offset: 16, else: 'n' },
    head_dim: { type: 'u32', offset: 20 },
    scale: { type: 'f32', offset: 24 },
    offset: { type: 'i32', offset: 28, else: 0 },
    softcap: { type: 'f32', offset: 32, else: 0, optional: 'SOFTCAP' },
    mask_batch: { type: 'u32', offset: 36, else: 1, optional: 'MASK' },
    mask_heads: { type: 'u32', offset: 40, else: 1, optional: 'MASK' },
    mask_n: { type: 'u32', offset: 44, else: 1, optional: 'MASK' },
  } },
  knobs: {
    HEAD_DIM: { kind: 'const', type: 'u32', default: 64 },
    VALUE_DIM: { kind: 'const', type: 'u32', default: 64 },
    VEC: { kind: 'const', type: 'bool', default: false },
    Elem: { kind: 'alias', type: 'type', default: 'f32' },
    Stored: { kind: 'alias', type: 'type', default: 'f32' },
    GROUPED: { kind: 'const', type: 'bool', default: false },
    CAUSAL: { kind: 'const', type: 'u32', default: 0 },
    MASK: { kind: 'const', type: 'bool', default: false },
    ADDS: { kind: 'const', type: 'bool', default: false },
    MaskElem: { kind: 'alias', type: 'type', default: 'u32' },
    LENGTHS: { kind: 'const', type: 'bool', default: false },
    SOFTCAP: { kind: 'const', type: 'bool', default: false },
  },
  workgroup: [64],
  code: `







const LINE: u32 = HEAD_DIM / select(1u, 4u, VEC);
const VALUE_LINE: u32 = VALUE_DIM / select(1u, 4u, VEC);

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




@group(0) @binding(4) var<storage, read> v: array<Stored>;
@group(0) @binding(5) var<storage, read> dout: array<Stored>;
@group(0) @binding(6) var<storage, read> rows: array<vec2f>;

fn valid_keys(sample: u32) -> u32 {
if (LENGTHS) {
return min(u32(rows[dims.batch * dims.heads * dims.n + sample].x), dims.keys);
}
return dims.keys;
}


fn first_out(head: u32) -> u32 {
return (head / dims.heads) * dims.n * dims.heads + head % dims.heads;
}











const HEAD_DIM: u32 = 64u;
const VALUE_DIM: u32 = 64u;
const VEC: bool = false;
alias Elem = f32;
alias Stored = f32;
const GROUPED: bool = false;
const CAUSAL: u32 = 0u;
const MASK: bool = false;
const ADDS: bool = false;
alias MaskElem = u32;
const LENGTHS: bool = false;
const SOFTCAP: bool = false;

const GUARDED: bool = CAUSAL > 0u || MASK || LENGTHS;
const HIDDEN: f32 = -3.0e38;

struct Dims {
batch: u32,
heads: u32,
kv_heads: u32,
n: u32,
keys: u32,
head_dim: u32,
scale: f32,
offset: i32,
softcap: f32,
mask_batch: u32,
mask_heads: u32,
mask_n: u32,
}

@group(0) @binding(0) var<storage, read> q: array<Stored>;
@group(0) @binding(1) var<storage, read> k: array<Stored>;
@group(0) @binding(2) var<storage, read> mask: array<MaskElem>;
@group(0) @binding(3) var<uniform> dims: Dims;


fn group_size() -> u32 {
return select(1u, dims.heads / dims.kv_heads, GROUPED);
}


struct Seen {
keys: u32,
ahead: i32,
mask: u32,
}

fn seen_by(head: u32) -> Seen {
let sample = head / dims.heads;
var seen = Seen(valid_keys(sample), dims.offset, 0u);
if (CAUSAL == 2u) {
seen.ahead += i32(seen.keys) - i32(dims.n);
}
if (MASK) {
let b = min(sample, dims.mask_batch - 1u);
let h = min(head % dims.heads, dims.mask_heads - 1u);
seen.mask = (b * dims.mask_heads + h) * dims.mask_n * dims.keys;
}
return seen;
}





















fn cap(score: f32) -> f32 {
if (!SOFTCAP) {
return score;
}
let x = between(score / dims.softcap, -15.0, 15.0);
let xx = x * x;
let near = x * (1.0 + xx * (-0.33333333 + xx * (0.13333333 + xx * (-0.05396825 + xx * 0.02186949))));
let far = 1.0 - 2.0 / (exp(2.0 * x) + 1.0);
return select(dims.softcap * select(far, near, abs(x) < 0.25), score, is_nan(score));
}











fn hide(score: f32, seen: Seen, query: u32, key: u32) -> f32 {
var masked = score;
var hidden = false;
if (LENGTHS) {
hidden = key >= seen.keys;
}
if (CAUSAL > 0u) {
hidden = hidden || i32(key) > i32(query) + seen.ahead;
}
if (MASK) {
let m = mask[seen.mask + min(query, dims.mask_n - 1u) * dims.keys + min(key, dims.keys - 1u)];
if (ADDS) {
masked += f32(m);
hidden = hidden || f32(m) <= HIDDEN;
} else {
hidden = hidden || m == MaskElem();
}
}
return select(masked, HIDDEN, hidden);
}


fn weight(score: f32, top: f32) -> f32 {
let z = score - top;
if (GUARDED) {
return select(select(exp(z), z, is_nan(z)), 0.0, score == HIDDEN);
}
return exp(z);
}


fn by_score(p: f32, dp: f32, delta: f32) -> f32 {
let ds = p * (dp - delta);
if (GUARDED) {
return select(ds, 0.0, p == 0.0);
}
return ds;
}









fn total(x: Elem) -> f32 {
let parts = vec4f(x);
return select(parts.x, (parts.x + parts.y) + (parts.z + parts.w), VEC);
}




fn is_nan(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}















fn between(x: f32, low: f32, high: f32) -> f32 {
return select(clamp(x, low, high), x, is_nan(x));
}` as string,
} as const satisfies ShaderSource;

/**
 * attention_bwd_mask: the gradient of an added mask, as a bias of relative positions is one: the sum over all scores that an element of
 * it was added to of p (dout_i . v_j - delta_i), p as in attention_bwd_q_plain; 0 where it hides.
 * Buffers as attention_bwd_q_plain, with dmask as the mask for dq.
 * Grid: one invocation an element of the mask, 64 a workgroup.
 * Precision: f32, q, k, v and dout may be stored as f16; a sum over queries and heads for each sample, then over samples.
 * Source: the derivative of attention_fwd_plain.
 */
export interface AttentionBwdMask extends Same<typeof attention_bwd_mask_> {}
export const attention_bwd_mask: AttentionBwdMask = attention_bwd_mask_;

const attention_bwd_q_plain_ = {
  name: 'attention_bwd_q_plain',
  entryPoint: 'main',
  bindings: {
    dq: { binding: 7, access: 'read_write', element: 'Stored' },
    v: { binding: 4, access: 'read', element: 'Stored' },
    dout: { binding: 5, access: 'read', element: 'Stored' },
    rows: { binding: 6, access: 'read', element: 'vec2f' },
    q: { binding: 0, access: 'read', element: 'Stored' },
    k: { binding: 1, access: 'read', element: 'Stored' },
    mask: { binding: 2, access: 'read', element: 'MaskElem', optional: 'MASK' },
  },
  uniform: { binding: 3, size: 48, fields: {
    batch: { type: 'u32', offset: 0 },
    heads: { type: 'u32', offset: 4 },
    kv_heads: { type: 'u32', offset: 8, else: 'heads' },
    n: { type: 'u32', offset: 12 },
    keys: { type: 'u32', offset: 16, else: 'n' },
    head_dim: { type: 'u32', offset: 20 },
    scale: { type: 'f32', offset: 24 },
    offset: { type: 'i32', offset: 28, else: 0 },
    softcap: { type: 'f32', offset: 32, else: 0, optional: 'SOFTCAP' },
    mask_batch: { type: 'u32', offset: 36, else: 1, optional: 'MASK' },
    mask_heads: { type: 'u32', offset: 40, else: 1, optional: 'MASK' },
    mask_n: { type: 'u32', offset: 44, else: 1, optional: 'MASK' },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 32 },
    QUERIES: { kind: 'const', type: 'u32', default: 1 },
    KEYS: { kind: 'const', type: 'u32', default: 1 },
    ROLLED: { kind: 'const', type: 'bool', default: false },
    HEAD_DIM: { kind: 'const', type: 'u32', default: 64 },
    VALUE_DIM: { kind: 'const', type: 'u32', default: 64 },
    VEC: { kind: 'const', type: 'bool', default: false },
    Elem: { kind: 'alias', type: 'type', default: 'f32' },
    Stored: { kind: 'alias', type: 'type', default: 'f32' },
    GROUPED: { kind: 'const', type: 'bool', default: false },
    CAUSAL: { kind: 'const', type: 'u32', default: 0 },
    MASK: { kind: 'const', type: 'bool', default: false },
    ADDS: { kind: 'const', type: 'bool', default: false },
    MaskElem: { kind: 'alias', type: 'type', default: 'u32' },
    LENGTHS: { kind: 'const', type: 'bool', default: false },
    SOFTCAP: { kind: 'const', type: 'bool', default: false },
  },
  workgroup: ['WG'],
  code: `









@group(0) @binding(7) var<storage, read_write> dq: array<Stored>;

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let place = place_of(wid, groups, dims.n, WG * QUERIES);
let head = place.head;
let query = place.first + local * QUERIES;
if (head >= dims.batch * dims.heads || query >= dims.n) {
return;
}
let first_row = head * dims.n;
let last = dims.n - 1u;
let out_rows = first_out(head);
let seen = seen_by(head);
let first_key = head / group_size() * dims.keys;
let end = keys_until(seen, query + QUERIES - 1u);
let line = rolled(LINE);
let value_line = rolled(VALUE_LINE);
let long = rolled(LONG);
let each = rolled(QUERIES);

var qr: Held;
var gr: Held;
var acc: Held;
var of_row: array<vec2f, QUERIES>;
for (var r = 0u; r < each; r++) {
let row = min(query + r, last);
for (var d = 0u; d < line; d++) {
qr[r * LONG + d] = Elem(q[(first_row + row) * LINE + d]) * dims.scale;
}
for (var d = 0u; d < value_line; d++) {
gr[r * LONG + d] = Elem(dout[(out_rows + row * dims.heads) * VALUE_LINE + d]);
}
}
for (var r = 0u; r < QUERIES; r++) {
of_row[r] = rows[first_row + min(query + r, last)];
}
for (var first = 0u; first < end; first += KEYS) {
var key: Starts;
var value: Starts;
for (var j = 0u; j < KEYS; j++) {
let row = first_key + min(first + j, end - 1u);
key[j] = row * LINE;
value[j] = row * VALUE_LINE;
}
var s = Products();
var dp = Products();
for (var d = 0u; d < long; d++) {
var kd = Step();
var vd = Step();
if (SAME || d < line) { kd = step_of_k(&key, d); }
if (SAME || d < value_line) { vd = step_of_v(&value, d); }
add_scores(&s, &qr, d, &kd);
add_scores(&dp, &gr, d, &vd);
}
for (var r = 0u; r < QUERIES; r++) {
for (var j = 0u; j < KEYS; j++) {
let capped = cap(s[r * KEYS + j]);
let p = weight(hide(capped, seen, query + r, first + j), of_row[r].x);
let ds = uncap(by_score(p, dp[r * KEYS + j], of_row[r].y), capped);
s[r * KEYS + j] = select(0.0, ds, first + j < end);
}
}
for (var d = 0u; d < line; d++) {
var kd = step_of_k(&key, d);
add_steps(&acc, d, &s, &kd);
}
}
for (var r = 0u; r < each; r++) {
if (query + r < dims.n) {
for (var d = 0u; d < line; d++) {
dq[(first_row + query + r) * LINE + d] = Stored(acc[r * LONG + d] * dims.scale);
}
}
}
}





const WG: u32 = 32u;
const QUERIES: u32 = 1u;
const KEYS: u32 = 1u;
const ROLLED: bool = false;

const LINE: u32 = HEAD_DIM / select(1u, 4u, VEC);
const VALUE_LINE: u32 = VALUE_DIM / select(1u, 4u, VEC);
const LONG: u32 = max(LINE, VALUE_LINE);
const SAME: bool = LINE == VALUE_LINE;


fn rolled(count: u32) -> u32 {
return select(count, count * dims.head_dim / HEAD_DIM, ROLLED);
}



alias Held = array<Elem, QUERIES * LONG>;
alias Step = array<Elem, max(2u, KEYS)>;
alias Starts = array<u32, max(2u, KEYS)>;
alias Products = array<f32, QUERIES * KEYS>;


fn step_of_k(starts: ptr<function, Starts>, d: u32) -> Step {
var step: Step;
step[0] = Elem(k[(*starts)[0] + d]);
if (KEYS > 1u) { step[1] = Elem(k[(*starts)[1] + d]); }
for (var j = 2u; j < KEYS; j++) {
step[j] = Elem(k[(*starts)[j] + d]);
}
return step;
}

fn step_of_v(starts: ptr<function, Starts>, d: u32) -> Step {
var step: Step;
step[0] = Elem(v[(*starts)[0] + d]);
if (KEYS > 1u) { step[1] = Elem(v[(*starts)[1] + d]); }
for (var j = 2u; j < KEYS; j++) {
step[j] = Elem(v[(*starts)[j] + d]);
}
return step;
}


fn add_score(scores: ptr<function, Products>, r: u32, own: Elem, step: ptr<function, Step>) {
(*scores)[r * KEYS] += total(own * (*step)[0]);
if (KEYS > 1u) { (*scores)[r * KEYS + 1u] += total(own * (*step)[1]); }
for (var j = 2u; j < KEYS; j++) {
(*scores)[r * KEYS + j] += total(own * (*step)[j]);
}
}


fn add_scores(scores: ptr<function, Products>, held: ptr<function, Held>, d: u32, step: ptr<function, Step>) {
add_score(scores, 0u, (*held)[d], step);
if (QUERIES > 1u) { add_score(scores, 1u, (*held)[LONG + d], step); }
if (QUERIES > 2u) { add_score(scores, 2u, (*held)[2u * LONG + d], step); }
if (QUERIES > 3u) { add_score(scores, 3u, (*held)[3u * LONG + d], step); }
for (var r = 4u; r < QUERIES; r++) {
add_score(scores, r, (*held)[r * LONG + d], step);
}
}


fn add_step(before: Elem, weights: ptr<function, Products>, r: u32, elements: ptr<function, Step>) -> Elem {
var to = before + weighted((*weights)[r * KEYS], (*elements)[0]);
if (KEYS > 1u) { to += weighted((*weights)[r * KEYS + 1u], (*elements)[1]); }
for (var j = 2u; j < KEYS; j++) {
to += weighted((*weights)[r * KEYS + j], (*elements)[j]);
}
return to;
}


fn add_steps(held: ptr<function, Held>, d: u32, weights: ptr<function, Products>, elements: ptr<function, Step>) {
(*held)[d] = add_step((*held)[d], weights, 0u, elements);
if (QUERIES > 1u) { (*held)[LONG + d] = add_step((*held)[LONG + d], weights, 1u, elements); }
if (QUERIES > 2u) { (*held)[2u * LONG + d] = add_step((*held)[2u * LONG + d], weights, 2u, elements); }
if (QUERIES > 3u) { (*held)[3u * LONG + d] = add_step((*held)[3u * LONG + d], weights, 3u, elements); }
for (var r = 4u; r < QUERIES; r++) {
(*held)[r * LONG + d] = add_step((*held)[r * LONG + d], weights, r, elements);
}
}




@group(0) @binding(4) var<storage, read> v: array<Stored>;
@group(0) @binding(5) var<storage, read> dout: array<Stored>;
@group(0) @binding(6) var<storage, read> rows: array<vec2f>;

fn valid_keys(sample: u32) -> u32 {
if (LENGTHS) {
return min(u32(rows[dims.batch * dims.heads * dims.n + sample].x), dims.keys);
}
return dims.keys;
}


fn first_out(head: u32) -> u32 {
return (head / dims.heads) * dims.n * dims.heads + head % dims.heads;
}











const HEAD_DIM: u32 = 64u;
const VALUE_DIM: u32 = 64u;
const VEC: bool = false;
alias Elem = f32;
alias Stored = f32;
const GROUPED: bool = false;
const CAUSAL: u32 = 0u;
const MASK: bool = false;
const ADDS: bool = false;
alias MaskElem = u32;
const LENGTHS: bool = false;
const SOFTCAP: bool = false;

const GUARDED: bool = CAUSAL > 0u || MASK || LENGTHS;
const HIDDEN: f32 = -3.0e38;

struct Dims {
batch: u32,
heads: u32,
kv_heads: u32,
n: u32,
keys: u32,
head_dim: u32,
scale: f32,
offset: i32,
softcap: f32,
mask_batch: u32,
mask_heads: u32,
mask_n: u32,
}

@group(0) @binding(0) var<storage, read> q: array<Stored>;
@group(0) @binding(1) var<storage, read> k: array<Stored>;
@group(0) @binding(2) var<storage, read> mask: array<MaskElem>;
@group(0) @binding(3) var<uniform> dims: Dims;


fn group_size() -> u32 {
return select(1u, dims.heads / dims.kv_heads, GROUPED);
}


struct Seen {
keys: u32,
ahead: i32,
mask: u32,
}

fn seen_by(head: u32) -> Seen {
let sample = head / dims.heads;
var seen = Seen(valid_keys(sample), dims.offset, 0u);
if (CAUSAL == 2u) {
seen.ahead += i32(seen.keys) - i32(dims.n);
}
if (MASK) {
let b = min(sample, dims.mask_batch - 1u);
let h = min(head % dims.heads, dims.mask_heads - 1u);
seen.mask = (b * dims.mask_heads + h) * dims.mask_n * dims.keys;
}
return seen;
}


fn keys_until(seen: Seen, query: u32) -> u32 {
if (CAUSAL > 0u) {
return u32(clamp(i32(query) + seen.ahead + 1, 0, i32(seen.keys)));
}
return seen.keys;
}













fn cap(score: f32) -> f32 {
if (!SOFTCAP) {
return score;
}
let x = between(score / dims.softcap, -15.0, 15.0);
let xx = x * x;
let near = x * (1.0 + xx * (-0.33333333 + xx * (0.13333333 + xx * (-0.05396825 + xx * 0.02186949))));
let far = 1.0 - 2.0 / (exp(2.0 * x) + 1.0);
return select(dims.softcap * select(far, near, abs(x) < 0.25), score, is_nan(score));
}


fn uncap(gradient: f32, capped: f32) -> f32 {
if (!SOFTCAP) {
return gradient;
}
let t = capped / dims.softcap;
return gradient * (1.0 - t * t);
}


fn hide(score: f32, seen: Seen, query: u32, key: u32) -> f32 {
var masked = score;
var hidden = false;
if (LENGTHS) {
hidden = key >= seen.keys;
}
if (CAUSAL > 0u) {
hidden = hidden || i32(key) > i32(query) + seen.ahead;
}
if (MASK) {
let m = mask[seen.mask + min(query, dims.mask_n - 1u) * dims.keys + min(key, dims.keys - 1u)];
if (ADDS) {
masked += f32(m);
hidden = hidden || f32(m) <= HIDDEN;
} else {
hidden = hidden || m == MaskElem();
}
}
return select(masked, HIDDEN, hidden);
}


fn weight(score: f32, top: f32) -> f32 {
let z = score - top;
if (GUARDED) {
return select(select(exp(z), z, is_nan(z)), 0.0, score == HIDDEN);
}
return exp(z);
}


fn by_score(p: f32, dp: f32, delta: f32) -> f32 {
let ds = p * (dp - delta);
if (GUARDED) {
return select(ds, 0.0, p == 0.0);
}
return ds;
}


fn weighted(x: f32, y: Elem) -> Elem {
if (GUARDED) {
return select(x * y, Elem(), x == 0.0);
}
return x * y;
}

fn total(x: Elem) -> f32 {
let parts = vec4f(x);
return select(parts.x, (parts.x + parts.y) + (parts.z + parts.w), VEC);
}




fn is_nan(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}















fn between(x: f32, low: f32, high: f32) -> f32 {
return select(clamp(x, low, high), x, is_nan(x));
}
















struct Place {
head: u32,
first: u32,
}

fn place_of(wid: vec3u, groups: vec3u, rows: u32, covered: u32) -> Place {
let tiles = (rows + covered - 1u) / covered;
let group = wid.x + wid.y * groups.x;
return Place(group / tiles, (group % tiles) * covered);
}` as string,
} as const satisfies ShaderSource;

/**
 * attention_bwd_q_plain: dq_i = scale * sum over j of ds_ij k_j, ds = p (dout_i . v_j - delta_i), p = exp(score_ij - lse_i).
 * Scores, and ds with a soft cap: shaders/lib/attention.wgsl.
 * Buffers f32: q, dq [batch, heads, n, head_dim]; k [batch, kv_heads, keys, head_dim]; v [batch, kv_heads, keys, value_dim];
 * dout [batch, n, heads, value_dim]; rows as attention_delta writes it. Optional: mask, as in attention_fwd_plain.
 * Grid: QUERIES queries an invocation, WG invocations of one head a workgroup, as attention_fwd_plain.
 * Precision: f32; q, k, v, dout and dq may be stored as f16.
 * Source: Dao et al. 2022, the backward of attention.
 */
export interface AttentionBwdQPlain extends Same<typeof attention_bwd_q_plain_> {}
export const attention_bwd_q_plain: AttentionBwdQPlain = attention_bwd_q_plain_;

const attention_delta_ = {
  name: 'attention_delta',
  entryPoint: 'main',
  bindings: {
    out: { binding: 0, access: 'read', element: 'Stored' },
    dout: { binding: 1, access: 'read', element: 'Stored' },
    lse: { binding: 2, access: 'read', element: 'f32' },
    lengths: { binding: 3, access: 'read', element: 'u32', optional: 'LENGTHS' },
    rows: { binding: 4, access: 'read_write', element: 'vec2f' },
  },
  uniform: { binding: 5, size: 16, fields: {
    batch: { type: 'u32', offset: 0 },
    heads: { type: 'u32', offset: 4 },
    n: { type: 'u32', offset: 8 },
    value_dim: { type: 'u32', offset: 12 },
  } },
  knobs: {
    LENGTHS: { kind: 'const', type: 'bool', default: false },
    Stored: { kind: 'alias', type: 'type', default: 'f32' },
    LANES: { kind: 'const', type: 'u32', default: 16 },
    ROWS: { kind: 'const', type: 'u32', default: 8 },
  },
  workgroup: ['LANES', 'ROWS'],
  code: `








const LENGTHS: bool = false;
alias Stored = f32;
const LANES: u32 = 16u;
const ROWS: u32 = 8u;

struct Dims {
batch: u32,
heads: u32,
n: u32,
value_dim: u32,
}

@group(0) @binding(0) var<storage, read> out: array<Stored>;
@group(0) @binding(1) var<storage, read> dout: array<Stored>;
@group(0) @binding(2) var<storage, read> lse: array<f32>;
@group(0) @binding(3) var<storage, read> lengths: array<u32>;
@group(0) @binding(4) var<storage, read_write> rows: array<vec2f>;
@group(0) @binding(5) var<uniform> dims: Dims;

@compute @workgroup_size(LANES, ROWS)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_id) lid: vec3u,
) {
let at = (wid.x + wid.y * groups.x) * ROWS + lid.y;
let queries = dims.batch * dims.n * dims.heads;
var own = 0.0;
if (at < queries) {
for (var d = lid.x; d < dims.value_dim; d += LANES) {
own += f32(out[at * dims.value_dim + d]) * f32(dout[at * dims.value_dim + d]);
}
}
let sum = lanes_sum(own, lid.x, lid.y);
if (lid.x > 0u) {
return;
}
if (at < queries) {
let head = at % dims.heads;
let token = (at / dims.heads) % dims.n;
let sample = at / dims.heads / dims.n;
let to = (sample * dims.heads + head) * dims.n + token;
rows[to] = vec2f(lse[to], sum);
} else if (LENGTHS && at - queries < dims.batch) {
rows[at] = vec2f(f32(min(lengths[at - queries], 16777216u)), 0.0);
}
}





var<workgroup> lane_partials: array<f32, LANES * ROWS>;

fn lanes_sum(value: f32, lane: u32, row: u32) -> f32 {
if (LANES == 1u) {
return value;
}
let base = row * LANES;
lane_partials[base + lane] = value;
workgroupBarrier();
for (var stride = LANES / 2u; stride > 0u; stride /= 2u) {
if (lane < stride) {
lane_partials[base + lane] += lane_partials[base + lane + stride];
}
workgroupBarrier();
}
let total = lane_partials[base];
workgroupBarrier();
return total;
}` as string,
} as const satisfies ShaderSource;

/**
 * attention_delta: what the backward kernels need of each query beside q, (lse, delta), and of each sample, its valid keys, in one buffer.
 * delta[b, h, i] = sum over d of out[b, i, h, d] dout[b, i, h, d].
 * Buffers f32: out, dout [batch, n, heads, value_dim]; lse [batch, heads, n]; rows: pairs [batch, heads, n], with LENGTHS also [batch].
 * Optional: lengths u32 [batch], the valid keys.
 * Grid: LANES invocations an element of rows, ROWS elements a workgroup; neighbours read neighbours.
 * Precision: f32; out and dout may be stored as f16.
 * Source: Dao et al. 2022, the backward of attention.
 */
export interface AttentionDelta extends Same<typeof attention_delta_> {}
export const attention_delta: AttentionDelta = attention_delta_;

const attention_fwd_plain_ = {
  name: 'attention_fwd_plain',
  entryPoint: 'main',
  bindings: {
    v: { binding: 5, access: 'read', element: 'Stored' },
    out: { binding: 6, access: 'read_write', element: 'Stored' },
    lse: { binding: 7, access: 'read_write', element: 'f32' },
    lengths: { binding: 4, access: 'read', element: 'u32', optional: 'LENGTHS' },
    q: { binding: 0, access: 'read', element: 'Stored' },
    k: { binding: 1, access: 'read', element: 'Stored' },
    mask: { binding: 2, access: 'read', element: 'MaskElem', optional: 'MASK' },
  },
  uniform: { binding: 3, size: 48, fields: {
    batch: { type: 'u32', offset: 0 },
    heads: { type: 'u32', offset: 4 },
    kv_heads: { type: 'u32', offset: 8, else: 'heads' },
    n: { type: 'u32', offset: 12 },
    keys: { type: 'u32', offset: 16, else: 'n' },
    head_dim: { type: 'u32', offset: 20 },
    scale: { type: 'f32', offset: 24 },
    offset: { type: 'i32', offset: 28, else: 0 },
    softcap: { type: 'f32', offset: 32, else: 0, optional: 'SOFTCAP' },
    mask_batch: { type: 'u32', offset: 36, else: 1, optional: 'MASK' },
    mask_heads: { type: 'u32', offset: 40, else: 1, optional: 'MASK' },
    mask_n: { type: 'u32', offset: 44, else: 1, optional: 'MASK' },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 32 },
    QUERIES: { kind: 'const', type: 'u32', default: 1 },
    KEYS: { kind: 'const', type: 'u32', default: 1 },
    ROLLED: { kind: 'const', type: 'bool', default: false },
    HEAD_DIM: { kind: 'const', type: 'u32', default: 64 },
    VALUE_DIM: { kind: 'const', type: 'u32', default: 64 },
    VEC: { kind: 'const', type: 'bool', default: false },
    Elem: { kind: 'alias', type: 'type', default: 'f32' },
    Stored: { kind: 'alias', type: 'type', default: 'f32' },
    GROUPED: { kind: 'const', type: 'bool', default: false },
    CAUSAL: { kind: 'const', type: 'u32', default: 0 },
    MASK: { kind: 'const', type: 'bool', default: false },
    ADDS: { kind: 'const', type: 'bool', default: false },
    MaskElem: { kind: 'alias', type: 'type', default: 'u32' },
    LENGTHS: { kind: 'const', type: 'bool', default: false },
    SOFTCAP: { kind: 'const', type: 'bool', default: false },
  },
  workgroup: ['WG'],
  code: `












@group(0) @binding(5) var<storage, read> v: array<Stored>;
@group(0) @binding(6) var<storage, read_write> out: array<Stored>;
@group(0) @binding(7) var<storage, read_write> lse: array<f32>;

alias Shrink = array<f32, max(4u, QUERIES)>;


fn add_shrunk(held: ptr<function, Held>, d: u32, by: ptr<function, Shrink>, weights: ptr<function, Products>, elements: ptr<function, Step>) {
(*held)[d] = add_step((*held)[d] * (*by)[0], weights, 0u, elements);
if (QUERIES > 1u) { (*held)[LONG + d] = add_step((*held)[LONG + d] * (*by)[1], weights, 1u, elements); }
if (QUERIES > 2u) { (*held)[2u * LONG + d] = add_step((*held)[2u * LONG + d] * (*by)[2], weights, 2u, elements); }
if (QUERIES > 3u) { (*held)[3u * LONG + d] = add_step((*held)[3u * LONG + d] * (*by)[3], weights, 3u, elements); }
for (var r = 4u; r < QUERIES; r++) {
(*held)[r * LONG + d] = add_step((*held)[r * LONG + d] * (*by)[r], weights, r, elements);
}
}

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let place = place_of(wid, groups, dims.n, WG * QUERIES);
let head = place.head;
let query = place.first + local * QUERIES;
if (head >= dims.batch * dims.heads || query >= dims.n) {
return;
}
let rows = head * dims.n;
let last = dims.n - 1u;
let seen = seen_by(head);
let first_key = head / group_size() * dims.keys;
let end = keys_until(seen, query + QUERIES - 1u);
let line = rolled(LINE);
let value_line = rolled(VALUE_LINE);
let each = rolled(QUERIES);

var qr: Held;
var acc: Held;
var top: array<f32, QUERIES>;
var sum: array<f32, QUERIES>;
for (var r = 0u; r < each; r++) {
for (var d = 0u; d < line; d++) {
qr[r * LONG + d] = Elem(q[(rows + min(query + r, last)) * LINE + d]) * dims.scale;
}
}
for (var r = 0u; r < QUERIES; r++) {
top[r] = HIDDEN;
}
for (var first = 0u; first < end; first += KEYS) {
var key: Starts;
var value: Starts;
for (var j = 0u; j < KEYS; j++) {
let row = first_key + min(first + j, end - 1u);
key[j] = row * LINE;
value[j] = row * VALUE_LINE;
}
var score = Products();
for (var d = 0u; d < line; d++) {
var kd = step_of_k(&key, d);
add_scores(&score, &qr, d, &kd);
}
var shrink: Shrink;
for (var r = 0u; r < QUERIES; r++) {
var new_top = top[r];
for (var j = 0u; j < KEYS; j++) {
let s = hide(cap(score[r * KEYS + j]), seen, query + r, first + j);
score[r * KEYS + j] = select(HIDDEN, s, first + j < end);
new_top = max(new_top, score[r * KEYS + j]);
}
shrink[r] = exp(top[r] - new_top);
top[r] = new_top;
sum[r] *= shrink[r];
for (var j = 0u; j < KEYS; j++) {
let p = weight(score[r * KEYS + j], new_top);
score[r * KEYS + j] = p;
sum[r] += p;
}
}
for (var d = 0u; d < value_line; d++) {
var vd = step_of_v(&value, d);
add_shrunk(&acc, d, &shrink, &score, &vd);
}
}
let sample = head / dims.heads;
for (var r = 0u; r < QUERIES; r++) {
if (query + r < dims.n) {
var line_sum = select(top[r] + log(sum[r]), sum[r], is_nan(sum[r]));
if (GUARDED && sum[r] == 0.0) {
line_sum = HIDDEN;
sum[r] = 1.0;
}
lse[rows + query + r] = line_sum;
}
}
for (var r = 0u; r < each; r++) {
if (query + r < dims.n) {
let to = ((sample * dims.n + query + r) * dims.heads + head % dims.heads) * VALUE_LINE;
for (var d = 0u; d < value_line; d++) {
out[to + d] = Stored(acc[r * LONG + d] / sum[r]);
}
}
}
}





const WG: u32 = 32u;
const QUERIES: u32 = 1u;
const KEYS: u32 = 1u;
const ROLLED: bool = false;

const LINE: u32 = HEAD_DIM / select(1u, 4u, VEC);
const VALUE_LINE: u32 = VALUE_DIM / select(1u, 4u, VEC);
const LONG: u32 = max(LINE, VALUE_LINE);



fn rolled(count: u32) -> u32 {
return select(count, count * dims.head_dim / HEAD_DIM, ROLLED);
}



alias Held = array<Elem, QUERIES * LONG>;
alias Step = array<Elem, max(2u, KEYS)>;
alias Starts = array<u32, max(2u, KEYS)>;
alias Products = array<f32, QUERIES * KEYS>;


fn step_of_k(starts: ptr<function, Starts>, d: u32) -> Step {
var step: Step;
step[0] = Elem(k[(*starts)[0] + d]);
if (KEYS > 1u) { step[1] = Elem(k[(*starts)[1] + d]); }
for (var j = 2u; j < KEYS; j++) {
step[j] = Elem(k[(*starts)[j] + d]);
}
return step;
}

fn step_of_v(starts: ptr<function, Starts>, d: u32) -> Step {
var step: Step;
step[0] = Elem(v[(*starts)[0] + d]);
if (KEYS > 1u) { step[1] = Elem(v[(*starts)[1] + d]); }
for (var j = 2u; j < KEYS; j++) {
step[j] = Elem(v[(*starts)[j] + d]);
}
return step;
}


fn add_score(scores: ptr<function, Products>, r: u32, own: Elem, step: ptr<function, Step>) {
(*scores)[r * KEYS] += total(own * (*step)[0]);
if (KEYS > 1u) { (*scores)[r * KEYS + 1u] += total(own * (*step)[1]); }
for (var j = 2u; j < KEYS; j++) {
(*scores)[r * KEYS + j] += total(own * (*step)[j]);
}
}


fn add_scores(scores: ptr<function, Products>, held: ptr<function, Held>, d: u32, step: ptr<function, Step>) {
add_score(scores, 0u, (*held)[d], step);
if (QUERIES > 1u) { add_score(scores, 1u, (*held)[LONG + d], step); }
if (QUERIES > 2u) { add_score(scores, 2u, (*held)[2u * LONG + d], step); }
if (QUERIES > 3u) { add_score(scores, 3u, (*held)[3u * LONG + d], step); }
for (var r = 4u; r < QUERIES; r++) {
add_score(scores, r, (*held)[r * LONG + d], step);
}
}


fn add_step(before: Elem, weights: ptr<function, Products>, r: u32, elements: ptr<function, Step>) -> Elem {
var to = before + weighted((*weights)[r * KEYS], (*elements)[0]);
if (KEYS > 1u) { to += weighted((*weights)[r * KEYS + 1u], (*elements)[1]); }
for (var j = 2u; j < KEYS; j++) {
to += weighted((*weights)[r * KEYS + j], (*elements)[j]);
}
return to;
}















@group(0) @binding(4) var<storage, read> lengths: array<u32>;

fn valid_keys(sample: u32) -> u32 {
if (LENGTHS) {
return min(lengths[sample], dims.keys);
}
return dims.keys;
}











const HEAD_DIM: u32 = 64u;
const VALUE_DIM: u32 = 64u;
const VEC: bool = false;
alias Elem = f32;
alias Stored = f32;
const GROUPED: bool = false;
const CAUSAL: u32 = 0u;
const MASK: bool = false;
const ADDS: bool = false;
alias MaskElem = u32;
const LENGTHS: bool = false;
const SOFTCAP: bool = false;

const GUARDED: bool = CAUSAL > 0u || MASK || LENGTHS;
const HIDDEN: f32 = -3.0e38;

struct Dims {
batch: u32,
heads: u32,
kv_heads: u32,
n: u32,
keys: u32,
head_dim: u32,
scale: f32,
offset: i32,
softcap: f32,
mask_batch: u32,
mask_heads: u32,
mask_n: u32,
}

@group(0) @binding(0) var<storage, read> q: array<Stored>;
@group(0) @binding(1) var<storage, read> k: array<Stored>;
@group(0) @binding(2) var<storage, read> mask: array<MaskElem>;
@group(0) @binding(3) var<uniform> dims: Dims;


fn group_size() -> u32 {
return select(1u, dims.heads / dims.kv_heads, GROUPED);
}


struct Seen {
keys: u32,
ahead: i32,
mask: u32,
}

fn seen_by(head: u32) -> Seen {
let sample = head / dims.heads;
var seen = Seen(valid_keys(sample), dims.offset, 0u);
if (CAUSAL == 2u) {
seen.ahead += i32(seen.keys) - i32(dims.n);
}
if (MASK) {
let b = min(sample, dims.mask_batch - 1u);
let h = min(head % dims.heads, dims.mask_heads - 1u);
seen.mask = (b * dims.mask_heads + h) * dims.mask_n * dims.keys;
}
return seen;
}


fn keys_until(seen: Seen, query: u32) -> u32 {
if (CAUSAL > 0u) {
return u32(clamp(i32(query) + seen.ahead + 1, 0, i32(seen.keys)));
}
return seen.keys;
}













fn cap(score: f32) -> f32 {
if (!SOFTCAP) {
return score;
}
let x = between(score / dims.softcap, -15.0, 15.0);
let xx = x * x;
let near = x * (1.0 + xx * (-0.33333333 + xx * (0.13333333 + xx * (-0.05396825 + xx * 0.02186949))));
let far = 1.0 - 2.0 / (exp(2.0 * x) + 1.0);
return select(dims.softcap * select(far, near, abs(x) < 0.25), score, is_nan(score));
}











fn hide(score: f32, seen: Seen, query: u32, key: u32) -> f32 {
var masked = score;
var hidden = false;
if (LENGTHS) {
hidden = key >= seen.keys;
}
if (CAUSAL > 0u) {
hidden = hidden || i32(key) > i32(query) + seen.ahead;
}
if (MASK) {
let m = mask[seen.mask + min(query, dims.mask_n - 1u) * dims.keys + min(key, dims.keys - 1u)];
if (ADDS) {
masked += f32(m);
hidden = hidden || f32(m) <= HIDDEN;
} else {
hidden = hidden || m == MaskElem();
}
}
return select(masked, HIDDEN, hidden);
}


fn weight(score: f32, top: f32) -> f32 {
let z = score - top;
if (GUARDED) {
return select(select(exp(z), z, is_nan(z)), 0.0, score == HIDDEN);
}
return exp(z);
}











fn weighted(x: f32, y: Elem) -> Elem {
if (GUARDED) {
return select(x * y, Elem(), x == 0.0);
}
return x * y;
}

fn total(x: Elem) -> f32 {
let parts = vec4f(x);
return select(parts.x, (parts.x + parts.y) + (parts.z + parts.w), VEC);
}




fn is_nan(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}















fn between(x: f32, low: f32, high: f32) -> f32 {
return select(clamp(x, low, high), x, is_nan(x));
}
















struct Place {
head: u32,
first: u32,
}

fn place_of(wid: vec3u, groups: vec3u, rows: u32, covered: u32) -> Place {
let tiles = (rows + covered - 1u) / covered;
let group = wid.x + wid.y * groups.x;
return Place(group / tiles, (group % tiles) * covered);
}` as string,
} as const satisfies ShaderSource;

/**
 * attention_fwd_plain: out = softmax(scores) v with an online softmax: no n x keys matrix is stored. Scores: shaders/lib/attention.wgsl.
 * Buffers f32: q [batch, heads, n, head_dim]; k [batch, kv_heads, keys, head_dim]; v [batch, kv_heads, keys, value_dim];
 * out [batch, n, heads, value_dim]; lse [batch, heads, n] = log of the sum of exponentials, for the backward. Optional: mask
 * [mask_batch, mask_heads, mask_n, keys], f32 to add or u32 of which 0 hides; lengths u32 [batch], the valid keys.
 * Grid: QUERIES queries an invocation, WG invocations of one head a workgroup, folded over (batch, head, tile of queries). Keys and
 * values are read at addresses that the whole workgroup shares.
 * Precision: f32; q, k, v and out may be stored as f16. KEYS scores are taken at a time, so that the running sums are rescaled once for all of them.
 * The oracle of the tiled variant and the fast path on CPU adapters, where a read costs as much as many multiplications: there one
 * read of a key or value serves several queries, four numbers at a time, and llvmpipe compiles quickly what it cannot unroll.
 * Source: Milakov & Gimelshein 2018 (online softmax), Dao et al. 2022 (attention without n x n).
 */
export interface AttentionFwdPlain extends Same<typeof attention_fwd_plain_> {}
export const attention_fwd_plain: AttentionFwdPlain = attention_fwd_plain_;

const attention_matrix_bwd_kv_ = {
  name: 'attention_matrix_bwd_kv',
  entryPoint: 'main',
  bindings: {
    q: { binding: 0, access: 'read', element: 'vec4u', holds: 'Stored' },
    k: { binding: 1, access: 'read', element: 'vec4u', holds: 'Stored' },
    v: { binding: 2, access: 'read', element: 'vec4u', holds: 'Stored' },
    dout: { binding: 3, access: 'read', element: 'vec4u', holds: 'Stored' },
    rows: { binding: 4, access: 'read', element: 'vec2f' },
    dk: { binding: 5, access: 'read_write', element: 'vec4u', holds: 'Stored' },
    dv: { binding: 6, access: 'read_write', element: 'vec4u', holds: 'Stored' },
    dscores: { binding: 7, access: 'read_write', element: 'vec4u', holds: 'Stored' },
  },
  uniform: { binding: 8, size: 28, fields: {
    batch: { type: 'u32', offset: 0 },
    heads: { type: 'u32', offset: 4 },
    kv_heads: { type: 'u32', offset: 8, else: 'heads' },
    n: { type: 'u32', offset: 12 },
    keys: { type: 'u32', offset: 16, else: 'n' },
    head_dim: { type: 'u32', offset: 20 },
    scale: { type: 'f32', offset: 24 },
  } },
  knobs: {
    HEAD_DIM: { kind: 'const', type: 'u32', default: 64 },
    Stored: { kind: 'alias', type: 'type', default: 'f16' },
    GROUPED: { kind: 'const', type: 'bool', default: false },
  },
  workgroup: [128],
  enables: ['f16', 'subgroups', 'chromium_experimental_subgroup_matrix'],
  code: `







enable f16;
enable subgroups;
enable chromium_experimental_subgroup_matrix;

const STAGED: u32 = 8u;

@group(0) @binding(0) var<storage, read> q: array<vec4u>;
@group(0) @binding(1) var<storage, read> k: array<vec4u>;
@group(0) @binding(2) var<storage, read> v: array<vec4u>;
@group(0) @binding(3) var<storage, read> dout: array<vec4u>;
@group(0) @binding(4) var<storage, read> rows: array<vec2f>;
@group(0) @binding(5) var<storage, read_write> dk: array<vec4u>;
@group(0) @binding(6) var<storage, read_write> dv: array<vec4u>;
@group(0) @binding(7) var<storage, read_write> dscores: array<vec4u>;
@group(0) @binding(8) var<uniform> dims: Dims;

var<workgroup> pairs: array<vec4f, 32>;

const Q: u32 = 0u;
const K: u32 = 1u;
const V: u32 = 2u;
const DOUT: u32 = 3u;

fn element(source: u32, at: u32) -> vec4u {
switch (source) {
case Q: { return q[at]; }
case K: { return k[at]; }
case V: { return v[at]; }
default: { return dout[at]; }
}
}

const DK: u32 = 0u;
const DV: u32 = 1u;

fn put_eight(result: u32, at: u32, value: vec4u) {
if (result == DK) {
dk[at] = value;
} else {
dv[at] = value;
}
}

const FIRST: u32 = 0u;
const SECOND: u32 = 4u;


fn pair_of(start: u32, query: u32) -> vec2f {
return select(vec2f(3.0e38, 0.0), rows[start + min(query, dims.n - 1u)], query < dims.n);
}

fn stage_pairs(start: u32, query: u32, local: u32) {
if (local < 16u) {
let at = query + 4u * local;
let four = transpose(mat4x2f(pair_of(start, at), pair_of(start, at + 1u), pair_of(start, at + 2u), pair_of(start, at + 3u)));
pairs[2u * local] = four[0];
pairs[2u * local + 1u] = four[1];
}
}

fn weights(s: vec4f, quad: u32) -> vec4f {
return exp(s * dims.scale - pairs[2u * quad]);
}


fn weights_of(s: Quads, quad: u32) -> Quads {
return Quads(
weights(s.q0, quad),
weights(s.q1, quad + 1u),
weights(s.q2, quad + 2u),
weights(s.q3, quad + 3u),
weights(s.q4, quad + 4u),
weights(s.q5, quad + 5u),
weights(s.q6, quad + 6u),
weights(s.q7, quad + 7u),
);
}

fn slopes(p: vec4f, dp: vec4f, quad: u32) -> vec4f {
return p * (dp - pairs[2u * quad + 1u]);
}


fn slopes_of(p: Quads, dp: Quads, quad: u32) -> Quads {
return Quads(
slopes(p.q0, dp.q0, quad),
slopes(p.q1, dp.q1, quad + 1u),
slopes(p.q2, dp.q2, quad + 2u),
slopes(p.q3, dp.q3, quad + 3u),
slopes(p.q4, dp.q4, quad + 4u),
slopes(p.q5, dp.q5, quad + 5u),
slopes(p.q6, dp.q6, quad + 6u),
slopes(p.q7, dp.q7, quad + 7u),
);
}


fn keep_slopes(ds: Quads, line: u32, first: u32, live: bool) {
let eights = (dims.n + 7u) / 8u;
let eight = first / 8u;
let to = line * eights + eight;
if (live && eight < eights) { dscores[to] = halves(ds.q0, ds.q1); }
if (live && eight + 1u < eights) { dscores[to + 1u] = halves(ds.q2, ds.q3); }
if (live && eight + 2u < eights) { dscores[to + 2u] = halves(ds.q4, ds.q5); }
if (live && eight + 3u < eights) { dscores[to + 3u] = halves(ds.q6, ds.q7); }
}

@compute @workgroup_size(128)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
@builtin(subgroup_id) subgroup: u32,
@builtin(subgroup_invocation_id) lane: u32,
) {
let place = place_of(wid, groups, dims.keys, ROWS);
if (place.head >= dims.batch * dims.kv_heads) {
return;
}
let own = own_of(subgroup, lane);
let keys = Rows(place.head * dims.keys, dims.keys, 1u);
let key = place.first + own.row;
stage(FIRST, fetch(K, keys, place.first, local), local);
stage(SECOND, fetch(V, keys, place.first, local), local);
workgroupBarrier();
let key_rows = head_of(FIRST + subgroup);
let value_rows = head_of(SECOND + subgroup);
workgroupBarrier();

var by_key = Result();
var by_value = Result();
for (var member = 0u; member < group_size(); member++) {
let head = place.head * group_size() + member;
let queries = Rows(head * dims.n, dims.n, 1u);
let outs = Rows(head / dims.heads * dims.n * dims.heads + head % dims.heads, dims.n, dims.heads);
for (var begin = 0u; begin < dims.n; begin += COLS) {
stage(FIRST, fetch(Q, queries, begin, local), local);
stage(SECOND, fetch(DOUT, outs, begin, local), local);
stage_pairs(head * dims.n, begin, local);
workgroupBarrier();
put(scores_of(key_rows, FIRST), subgroup);
workgroupBarrier();
let p = weights_of(quads_at(own.part, own.at), own.col / 4u);
keep_halves(own.part, own.at, p);
workgroupBarrier();
by_value = add_values(by_value, subgroup, SECOND);
let dp = scores_of(value_rows, SECOND);
workgroupBarrier();
put(dp, subgroup);
workgroupBarrier();
let ds = slopes_of(p, quads_at(own.part, own.at), own.col / 4u);
keep_halves(own.part, own.at, ds);
keep_slopes(ds, head * dims.keys + key, begin + own.col, key < dims.keys);
workgroupBarrier();
by_key = add_values(by_key, subgroup, FIRST);
workgroupBarrier();
}
}
let to = (place.head * dims.keys + key) * EIGHTS;
let live = key < dims.keys;
store(DK, by_key, dims.scale, own, subgroup, to, live);
store(DV, by_value, 1.0, own, subgroup, to, live);
}













const HEAD_DIM: u32 = 64u;
alias Stored = f16;
const GROUPED: bool = false;

struct Dims {
batch: u32,
heads: u32,
kv_heads: u32,
n: u32,
keys: u32,
head_dim: u32,
scale: f32,
}

const ROWS: u32 = 64u;
const COLS: u32 = 64u;
const TILES: u32 = (HEAD_DIM + 15u) / 16u;
const EIGHTS: u32 = HEAD_DIM / 8u;
const LINE: u32 = 2u * TILES + 1u;
const LINES: u32 = 16u * LINE;
const SCORE_LINE: u32 = 9u;
const PART: u32 = 16u * SCORE_LINE;

var<workgroup> parts: array<array<vec4u, PART>, 8>;
var<workgroup> lines: array<array<vec4u, LINES>, STAGED>;

fn group_size() -> u32 {
return select(1u, dims.heads / dims.kv_heads, GROUPED);
}


struct Rows {
first: u32,
count: u32,
step: u32,
}


struct Fetched {
e0: vec4u,
e1: vec4u,
e2: vec4u,
e3: vec4u,
e4: vec4u,
e5: vec4u,
e6: vec4u,
e7: vec4u,
}

fn fetch_eight(source: u32, rows: Rows, first: u32, i: u32, local: u32) -> vec4u {
let item = local + 128u * i;
let row = first + item / (2u * TILES);
let eight = item % (2u * TILES);
if (row < rows.count && (HEAD_DIM % 16u == 0u || eight < EIGHTS)) {
return element(source, (rows.first + row * rows.step) * EIGHTS + eight);
}
return vec4u();
}


fn fetch(source: u32, rows: Rows, first: u32, local: u32) -> Fetched {
var f = Fetched();
f.e0 = fetch_eight(source, rows, first, 0u, local);
if (TILES > 1u) { f.e1 = fetch_eight(source, rows, first, 1u, local); }
if (TILES > 2u) { f.e2 = fetch_eight(source, rows, first, 2u, local); }
if (TILES > 3u) { f.e3 = fetch_eight(source, rows, first, 3u, local); }
if (TILES > 4u) { f.e4 = fetch_eight(source, rows, first, 4u, local); }
if (TILES > 5u) { f.e5 = fetch_eight(source, rows, first, 5u, local); }
if (TILES > 6u) { f.e6 = fetch_eight(source, rows, first, 6u, local); }
if (TILES > 7u) { f.e7 = fetch_eight(source, rows, first, 7u, local); }
return f;
}

fn stage_eight(to: u32, value: vec4u, i: u32, local: u32) {
let item = local + 128u * i;
let row = item / (2u * TILES);
lines[to + row / 16u][row % 16u * LINE + item % (2u * TILES)] = value;
}


fn stage(to: u32, f: Fetched, local: u32) {
stage_eight(to, f.e0, 0u, local);
if (TILES > 1u) { stage_eight(to, f.e1, 1u, local); }
if (TILES > 2u) { stage_eight(to, f.e2, 2u, local); }
if (TILES > 3u) { stage_eight(to, f.e3, 3u, local); }
if (TILES > 4u) { stage_eight(to, f.e4, 4u, local); }
if (TILES > 5u) { stage_eight(to, f.e5, 5u, local); }
if (TILES > 6u) { stage_eight(to, f.e6, 6u, local); }
if (TILES > 7u) { stage_eight(to, f.e7, 7u, local); }
}


struct Head {
t0: Left,
t1: Left,
t2: Left,
t3: Left,
t4: Left,
t5: Left,
t6: Left,
t7: Left,
}

fn head_of(part: u32) -> Head {
var h = Head();
h.t0 = left_of_lines(part, 0u, LINE);
if (TILES > 1u) { h.t1 = left_of_lines(part, 2u, LINE); }
if (TILES > 2u) { h.t2 = left_of_lines(part, 4u, LINE); }
if (TILES > 3u) { h.t3 = left_of_lines(part, 6u, LINE); }
if (TILES > 4u) { h.t4 = left_of_lines(part, 8u, LINE); }
if (TILES > 5u) { h.t5 = left_of_lines(part, 10u, LINE); }
if (TILES > 6u) { h.t6 = left_of_lines(part, 12u, LINE); }
if (TILES > 7u) { h.t7 = left_of_lines(part, 14u, LINE); }
return h;
}


struct Sums {
s0: Sum,
s1: Sum,
s2: Sum,
s3: Sum,
}

fn add_scores(before: Sums, x: Left, begin: u32, at: u32) -> Sums {
return Sums(
add_product(x, right_of_lines(begin, at, LINE, true), before.s0),
add_product(x, right_of_lines(begin + 1u, at, LINE, true), before.s1),
add_product(x, right_of_lines(begin + 2u, at, LINE, true), before.s2),
add_product(x, right_of_lines(begin + 3u, at, LINE, true), before.s3),
);
}


fn scores_of(h: Head, begin: u32) -> Sums {
var s = add_scores(Sums(), h.t0, begin, 0u);
if (TILES > 1u) { s = add_scores(s, h.t1, begin, 2u); }
if (TILES > 2u) { s = add_scores(s, h.t2, begin, 4u); }
if (TILES > 3u) { s = add_scores(s, h.t3, begin, 6u); }
if (TILES > 4u) { s = add_scores(s, h.t4, begin, 8u); }
if (TILES > 5u) { s = add_scores(s, h.t5, begin, 10u); }
if (TILES > 6u) { s = add_scores(s, h.t6, begin, 12u); }
if (TILES > 7u) { s = add_scores(s, h.t7, begin, 14u); }
return s;
}


fn put(s: Sums, subgroup: u32) {
put_sum(2u * subgroup, 0u, s.s0, SCORE_LINE);
put_sum(2u * subgroup, 4u, s.s1, SCORE_LINE);
put_sum(2u * subgroup + 1u, 0u, s.s2, SCORE_LINE);
put_sum(2u * subgroup + 1u, 4u, s.s3, SCORE_LINE);
}


struct Result {
low: Sums,
high: Sums,
}

fn add_line(before: Result, x: Left, part: u32) -> Result {
var r = before;
r.low.s0 = add_product(x, right_of_lines(part, 0u, LINE, false), r.low.s0);
if (TILES > 1u) { r.low.s1 = add_product(x, right_of_lines(part, 2u, LINE, false), r.low.s1); }
if (TILES > 2u) { r.low.s2 = add_product(x, right_of_lines(part, 4u, LINE, false), r.low.s2); }
if (TILES > 3u) { r.low.s3 = add_product(x, right_of_lines(part, 6u, LINE, false), r.low.s3); }
if (TILES > 4u) { r.high.s0 = add_product(x, right_of_lines(part, 8u, LINE, false), r.high.s0); }
if (TILES > 5u) { r.high.s1 = add_product(x, right_of_lines(part, 10u, LINE, false), r.high.s1); }
if (TILES > 6u) { r.high.s2 = add_product(x, right_of_lines(part, 12u, LINE, false), r.high.s2); }
if (TILES > 7u) { r.high.s3 = add_product(x, right_of_lines(part, 14u, LINE, false), r.high.s3); }
return r;
}


fn add_values(before: Result, subgroup: u32, begin: u32) -> Result {
var r = add_line(before, left_at(2u * subgroup, 0u, SCORE_LINE, false), begin);
r = add_line(r, left_at(2u * subgroup, 2u, SCORE_LINE, false), begin + 1u);
r = add_line(r, left_at(2u * subgroup + 1u, 0u, SCORE_LINE, false), begin + 2u);
return add_line(r, left_at(2u * subgroup + 1u, 2u, SCORE_LINE, false), begin + 3u);
}


struct Quads {
q0: vec4f,
q1: vec4f,
q2: vec4f,
q3: vec4f,
q4: vec4f,
q5: vec4f,
q6: vec4f,
q7: vec4f,
}

fn quads_at(part: u32, at: u32) -> Quads {
return Quads(
bitcast<vec4f>(parts[part][at]),
bitcast<vec4f>(parts[part][at + 1u]),
bitcast<vec4f>(parts[part][at + 2u]),
bitcast<vec4f>(parts[part][at + 3u]),
bitcast<vec4f>(parts[part][at + 4u]),
bitcast<vec4f>(parts[part][at + 5u]),
bitcast<vec4f>(parts[part][at + 6u]),
bitcast<vec4f>(parts[part][at + 7u]),
);
}


fn halves(low: vec4f, high: vec4f) -> vec4u {
return vec4u(pack2x16float(low.xy), pack2x16float(low.zw), pack2x16float(high.xy), pack2x16float(high.zw));
}

fn keep_halves(part: u32, at: u32, q: Quads) {
parts[part][at] = halves(q.q0, q.q1);
parts[part][at + 1u] = halves(q.q2, q.q3);
parts[part][at + 2u] = halves(q.q4, q.q5);
parts[part][at + 3u] = halves(q.q6, q.q7);
}


struct Own {
part: u32,
at: u32,
row: u32,
col: u32,
}

fn own_of(subgroup: u32, lane: u32) -> Own {
return Own(2u * subgroup + lane / 16u, lane % 16u * SCORE_LINE, 16u * subgroup + lane % 16u, 32u * (lane / 16u));
}

fn store_columns(result: u32, s: Sums, factor: f32, first: u32, own: Own, subgroup: u32, to: u32, live: bool) {
put(s, subgroup);
workgroupBarrier();
for (var i = 0u; i < 4u; i++) {
let eight = first + own.col / 8u + i;
if (live && eight < EIGHTS) {
let low = bitcast<vec4f>(parts[own.part][own.at + 2u * i]);
let high = bitcast<vec4f>(parts[own.part][own.at + 2u * i + 1u]);
put_eight(result, to + eight, halves(low * factor, high * factor));
}
}
workgroupBarrier();
}


fn store(result: u32, r: Result, factor: f32, own: Own, subgroup: u32, to: u32, live: bool) {
store_columns(result, r.low, factor, 0u, own, subgroup, to, live);
if (TILES > 4u) { store_columns(result, r.high, factor, 8u, own, subgroup, to, live); }
}






alias Left = subgroup_matrix_left<f16, 16, 16>;
alias Right = subgroup_matrix_right<f16, 16, 16>;
alias Sum = subgroup_matrix_result<f32, 16, 16>;


fn left_at(part: u32, at: u32, line: u32, turned: bool) -> Left {
if (turned) {
return subgroupMatrixLoad<Left, col_major>(&parts[part], at, line);
}
return subgroupMatrixLoad<Left, row_major>(&parts[part], at, line);
}








fn add_product(x: Left, y: Right, sum: Sum) -> Sum {
return subgroupMatrixMultiplyAccumulate(x, y, sum);
}


fn put_sum(part: u32, at: u32, sum: Sum, line: u32) {
subgroupMatrixStore<row_major>(&parts[part], at, sum, line);
}










fn left_of_lines(part: u32, at: u32, line: u32) -> Left {
return subgroupMatrixLoad<Left, row_major>(&lines[part], at, line);
}

fn right_of_lines(part: u32, at: u32, line: u32, turned: bool) -> Right {
if (turned) {
return subgroupMatrixLoad<Right, col_major>(&lines[part], at, line);
}
return subgroupMatrixLoad<Right, row_major>(&lines[part], at, line);
}




struct Place {
head: u32,
first: u32,
}

fn place_of(wid: vec3u, groups: vec3u, rows: u32, covered: u32) -> Place {
let tiles = (rows + covered - 1u) / covered;
let group = wid.x + wid.y * groups.x;
return Place(group / tiles, (group % tiles) * covered);
}` as string,
} as const satisfies ShaderSource;

/**
 * attention_matrix_bwd_kv: dv_j = sum over i of p_ij dout_i; dk_j = scale * sum over i of ds_ij q_i, ds = p (dout_i . v_j - delta_i),
 * p = exp(scale q_i . k_j - lse_i), on subgroup matrices; and ds, for attention_matrix_bwd_q. Where every query sees every key.
 * Buffers f16: q [batch, heads, n, head_dim]; k, v, dk, dv [batch, kv_heads, keys, head_dim]; dout [batch, n, heads, head_dim]; dscores
 * [batch, heads, keys, n up to a multiple of 8], 0 past n. f32: rows as attention_delta writes it.
 * Grid: a workgroup of 128 has 64 keys of one head and walks blocks of 64 queries: lib attention_matrix.
 * Precision: scores, exponentials and sums f32; p and ds are rounded to f16 for their products.
 * Source: Dao et al. 2022, the backward of attention.
 */
export interface AttentionMatrixBwdKv extends Same<typeof attention_matrix_bwd_kv_> {}
export const attention_matrix_bwd_kv: AttentionMatrixBwdKv = attention_matrix_bwd_kv_;

const attention_matrix_bwd_q_ = {
  name: 'attention_matrix_bwd_q',
  entryPoint: 'main',
  bindings: {
    k: { binding: 0, access: 'read', element: 'vec4u', holds: 'Stored' },
    dscores: { binding: 1, access: 'read', element: 'vec4u', holds: 'Stored' },
    dq: { binding: 2, access: 'read_write', element: 'vec4u', holds: 'Stored' },
  },
  uniform: { binding: 3, size: 28, fields: {
    batch: { type: 'u32', offset: 0 },
    heads: { type: 'u32', offset: 4 },
    kv_heads: { type: 'u32', offset: 8, else: 'heads' },
    n: { type: 'u32', offset: 12 },
    keys: { type: 'u32', offset: 16, else: 'n' },
    head_dim: { type: 'u32', offset: 20 },
    scale: { type: 'f32', offset: 24 },
  } },
  knobs: {
    HEAD_DIM: { kind: 'const', type: 'u32', default: 64 },
    Stored: { kind: 'alias', type: 'type', default: 'f16' },
    GROUPED: { kind: 'const', type: 'bool', default: false },
  },
  workgroup: [128],
  enables: ['f16', 'subgroups', 'chromium_experimental_subgroup_matrix'],
  code: `





enable f16;
enable subgroups;
enable chromium_experimental_subgroup_matrix;

const STAGED: u32 = 4u;

@group(0) @binding(0) var<storage, read> k: array<vec4u>;
@group(0) @binding(1) var<storage, read> dscores: array<vec4u>;
@group(0) @binding(2) var<storage, read_write> dq: array<vec4u>;
@group(0) @binding(3) var<uniform> dims: Dims;

const K: u32 = 1u;

fn element(source: u32, at: u32) -> vec4u {
return k[at];
}

fn put_eight(result: u32, at: u32, value: vec4u) {
dq[at] = value;
}


struct Slopes {
e0: vec4u,
e1: vec4u,
e2: vec4u,
e3: vec4u,
}

fn fetch_slope(head: u32, key: u32, query: u32, item: u32) -> vec4u {
let eights = (dims.n + 7u) / 8u;
let row = key + item / 8u;
let eight = query / 8u + item % 8u;
if (row < dims.keys && eight < eights) {
return dscores[(head * dims.keys + row) * eights + eight];
}
return vec4u();
}

fn fetch_slopes(head: u32, key: u32, query: u32, local: u32) -> Slopes {
return Slopes(
fetch_slope(head, key, query, local),
fetch_slope(head, key, query, local + 128u),
fetch_slope(head, key, query, local + 256u),
fetch_slope(head, key, query, local + 384u),
);
}


fn stage_slopes(s: Slopes, local: u32) {
let at = local / 8u * SCORE_LINE + local % 8u;
parts[0][at] = s.e0;
parts[1][at] = s.e1;
parts[2][at] = s.e2;
parts[3][at] = s.e3;
}

@compute @workgroup_size(128)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
@builtin(subgroup_id) subgroup: u32,
@builtin(subgroup_invocation_id) lane: u32,
) {
let place = place_of(wid, groups, dims.n, ROWS);
let head = place.head;
if (head >= dims.batch * dims.heads) {
return;
}
let own = own_of(subgroup, lane);
let keys = Rows(head / group_size() * dims.keys, dims.keys, 1u);
var result = Result();
var next = fetch(K, keys, 0u, local);
var slopes = fetch_slopes(head, 0u, place.first, local);
for (var begin = 0u; begin < dims.keys; begin += COLS) {
stage(0u, next, local);
stage_slopes(slopes, local);
workgroupBarrier();
next = fetch(K, keys, begin + COLS, local);
slopes = fetch_slopes(head, begin + COLS, place.first, local);
result = add_line(result, left_at(0u, 2u * subgroup, SCORE_LINE, true), 0u);
result = add_line(result, left_at(1u, 2u * subgroup, SCORE_LINE, true), 1u);
result = add_line(result, left_at(2u, 2u * subgroup, SCORE_LINE, true), 2u);
result = add_line(result, left_at(3u, 2u * subgroup, SCORE_LINE, true), 3u);
workgroupBarrier();
}
let query = place.first + own.row;
store(0u, result, dims.scale, own, subgroup, (head * dims.n + query) * EIGHTS, query < dims.n);
}













const HEAD_DIM: u32 = 64u;
alias Stored = f16;
const GROUPED: bool = false;

struct Dims {
batch: u32,
heads: u32,
kv_heads: u32,
n: u32,
keys: u32,
head_dim: u32,
scale: f32,
}

const ROWS: u32 = 64u;
const COLS: u32 = 64u;
const TILES: u32 = (HEAD_DIM + 15u) / 16u;
const EIGHTS: u32 = HEAD_DIM / 8u;
const LINE: u32 = 2u * TILES + 1u;
const LINES: u32 = 16u * LINE;
const SCORE_LINE: u32 = 9u;
const PART: u32 = 16u * SCORE_LINE;

var<workgroup> parts: array<array<vec4u, PART>, 8>;
var<workgroup> lines: array<array<vec4u, LINES>, STAGED>;

fn group_size() -> u32 {
return select(1u, dims.heads / dims.kv_heads, GROUPED);
}


struct Rows {
first: u32,
count: u32,
step: u32,
}


struct Fetched {
e0: vec4u,
e1: vec4u,
e2: vec4u,
e3: vec4u,
e4: vec4u,
e5: vec4u,
e6: vec4u,
e7: vec4u,
}

fn fetch_eight(source: u32, rows: Rows, first: u32, i: u32, local: u32) -> vec4u {
let item = local + 128u * i;
let row = first + item / (2u * TILES);
let eight = item % (2u * TILES);
if (row < rows.count && (HEAD_DIM % 16u == 0u || eight < EIGHTS)) {
return element(source, (rows.first + row * rows.step) * EIGHTS + eight);
}
return vec4u();
}


fn fetch(source: u32, rows: Rows, first: u32, local: u32) -> Fetched {
var f = Fetched();
f.e0 = fetch_eight(source, rows, first, 0u, local);
if (TILES > 1u) { f.e1 = fetch_eight(source, rows, first, 1u, local); }
if (TILES > 2u) { f.e2 = fetch_eight(source, rows, first, 2u, local); }
if (TILES > 3u) { f.e3 = fetch_eight(source, rows, first, 3u, local); }
if (TILES > 4u) { f.e4 = fetch_eight(source, rows, first, 4u, local); }
if (TILES > 5u) { f.e5 = fetch_eight(source, rows, first, 5u, local); }
if (TILES > 6u) { f.e6 = fetch_eight(source, rows, first, 6u, local); }
if (TILES > 7u) { f.e7 = fetch_eight(source, rows, first, 7u, local); }
return f;
}

fn stage_eight(to: u32, value: vec4u, i: u32, local: u32) {
let item = local + 128u * i;
let row = item / (2u * TILES);
lines[to + row / 16u][row % 16u * LINE + item % (2u * TILES)] = value;
}


fn stage(to: u32, f: Fetched, local: u32) {
stage_eight(to, f.e0, 0u, local);
if (TILES > 1u) { stage_eight(to, f.e1, 1u, local); }
if (TILES > 2u) { stage_eight(to, f.e2, 2u, local); }
if (TILES > 3u) { stage_eight(to, f.e3, 3u, local); }
if (TILES > 4u) { stage_eight(to, f.e4, 4u, local); }
if (TILES > 5u) { stage_eight(to, f.e5, 5u, local); }
if (TILES > 6u) { stage_eight(to, f.e6, 6u, local); }
if (TILES > 7u) { stage_eight(to, f.e7, 7u, local); }
}



























struct Sums {
s0: Sum,
s1: Sum,
s2: Sum,
s3: Sum,
}
























fn put(s: Sums, subgroup: u32) {
put_sum(2u * subgroup, 0u, s.s0, SCORE_LINE);
put_sum(2u * subgroup, 4u, s.s1, SCORE_LINE);
put_sum(2u * subgroup + 1u, 0u, s.s2, SCORE_LINE);
put_sum(2u * subgroup + 1u, 4u, s.s3, SCORE_LINE);
}


struct Result {
low: Sums,
high: Sums,
}

fn add_line(before: Result, x: Left, part: u32) -> Result {
var r = before;
r.low.s0 = add_product(x, right_of_lines(part, 0u, LINE, false), r.low.s0);
if (TILES > 1u) { r.low.s1 = add_product(x, right_of_lines(part, 2u, LINE, false), r.low.s1); }
if (TILES > 2u) { r.low.s2 = add_product(x, right_of_lines(part, 4u, LINE, false), r.low.s2); }
if (TILES > 3u) { r.low.s3 = add_product(x, right_of_lines(part, 6u, LINE, false), r.low.s3); }
if (TILES > 4u) { r.high.s0 = add_product(x, right_of_lines(part, 8u, LINE, false), r.high.s0); }
if (TILES > 5u) { r.high.s1 = add_product(x, right_of_lines(part, 10u, LINE, false), r.high.s1); }
if (TILES > 6u) { r.high.s2 = add_product(x, right_of_lines(part, 12u, LINE, false), r.high.s2); }
if (TILES > 7u) { r.high.s3 = add_product(x, right_of_lines(part, 14u, LINE, false), r.high.s3); }
return r;
}



































fn halves(low: vec4f, high: vec4f) -> vec4u {
return vec4u(pack2x16float(low.xy), pack2x16float(low.zw), pack2x16float(high.xy), pack2x16float(high.zw));
}









struct Own {
part: u32,
at: u32,
row: u32,
col: u32,
}

fn own_of(subgroup: u32, lane: u32) -> Own {
return Own(2u * subgroup + lane / 16u, lane % 16u * SCORE_LINE, 16u * subgroup + lane % 16u, 32u * (lane / 16u));
}

fn store_columns(result: u32, s: Sums, factor: f32, first: u32, own: Own, subgroup: u32, to: u32, live: bool) {
put(s, subgroup);
workgroupBarrier();
for (var i = 0u; i < 4u; i++) {
let eight = first + own.col / 8u + i;
if (live && eight < EIGHTS) {
let low = bitcast<vec4f>(parts[own.part][own.at + 2u * i]);
let high = bitcast<vec4f>(parts[own.part][own.at + 2u * i + 1u]);
put_eight(result, to + eight, halves(low * factor, high * factor));
}
}
workgroupBarrier();
}


fn store(result: u32, r: Result, factor: f32, own: Own, subgroup: u32, to: u32, live: bool) {
store_columns(result, r.low, factor, 0u, own, subgroup, to, live);
if (TILES > 4u) { store_columns(result, r.high, factor, 8u, own, subgroup, to, live); }
}






alias Left = subgroup_matrix_left<f16, 16, 16>;
alias Right = subgroup_matrix_right<f16, 16, 16>;
alias Sum = subgroup_matrix_result<f32, 16, 16>;


fn left_at(part: u32, at: u32, line: u32, turned: bool) -> Left {
if (turned) {
return subgroupMatrixLoad<Left, col_major>(&parts[part], at, line);
}
return subgroupMatrixLoad<Left, row_major>(&parts[part], at, line);
}








fn add_product(x: Left, y: Right, sum: Sum) -> Sum {
return subgroupMatrixMultiplyAccumulate(x, y, sum);
}


fn put_sum(part: u32, at: u32, sum: Sum, line: u32) {
subgroupMatrixStore<row_major>(&parts[part], at, sum, line);
}














fn right_of_lines(part: u32, at: u32, line: u32, turned: bool) -> Right {
if (turned) {
return subgroupMatrixLoad<Right, col_major>(&lines[part], at, line);
}
return subgroupMatrixLoad<Right, row_major>(&lines[part], at, line);
}




struct Place {
head: u32,
first: u32,
}

fn place_of(wid: vec3u, groups: vec3u, rows: u32, covered: u32) -> Place {
let tiles = (rows + covered - 1u) / covered;
let group = wid.x + wid.y * groups.x;
return Place(group / tiles, (group % tiles) * covered);
}` as string,
} as const satisfies ShaderSource;

/**
 * attention_matrix_bwd_q: dq_i = scale * sum over j of ds_ij k_j, of ds that attention_matrix_bwd_kv has written, on subgroup matrices.
 * Buffers f16: k [batch, kv_heads, keys, head_dim]; dq [batch, heads, n, head_dim]; dscores [batch, heads, keys, n up to a multiple of 8].
 * Grid: a workgroup of 128 has 64 queries of one head and walks blocks of 64 keys: lib attention_matrix.
 * Precision: products of halves, sums f32.
 * Source: Dao et al. 2022, the backward of attention.
 */
export interface AttentionMatrixBwdQ extends Same<typeof attention_matrix_bwd_q_> {}
export const attention_matrix_bwd_q: AttentionMatrixBwdQ = attention_matrix_bwd_q_;

const attention_matrix_fwd_ = {
  name: 'attention_matrix_fwd',
  entryPoint: 'main',
  bindings: {
    q: { binding: 0, access: 'read', element: 'vec4u', holds: 'Stored' },
    k: { binding: 1, access: 'read', element: 'vec4u', holds: 'Stored' },
    v: { binding: 2, access: 'read', element: 'vec4u', holds: 'Stored' },
    out: { binding: 3, access: 'read_write', element: 'vec4u', holds: 'Stored' },
    lse: { binding: 4, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 5, size: 28, fields: {
    batch: { type: 'u32', offset: 0 },
    heads: { type: 'u32', offset: 4 },
    kv_heads: { type: 'u32', offset: 8, else: 'heads' },
    n: { type: 'u32', offset: 12 },
    keys: { type: 'u32', offset: 16, else: 'n' },
    head_dim: { type: 'u32', offset: 20 },
    scale: { type: 'f32', offset: 24 },
  } },
  knobs: {
    HEAD_DIM: { kind: 'const', type: 'u32', default: 64 },
    Stored: { kind: 'alias', type: 'type', default: 'f16' },
    GROUPED: { kind: 'const', type: 'bool', default: false },
  },
  workgroup: [128],
  enables: ['f16', 'subgroups', 'chromium_experimental_subgroup_matrix'],
  code: `









enable f16;
enable subgroups;
enable chromium_experimental_subgroup_matrix;

const STAGED: u32 = 4u;
const SLACK: f32 = 8.0;
const NONE: f32 = -3.0e38;

@group(0) @binding(0) var<storage, read> q: array<vec4u>;
@group(0) @binding(1) var<storage, read> k: array<vec4u>;
@group(0) @binding(2) var<storage, read> v: array<vec4u>;
@group(0) @binding(3) var<storage, read_write> out: array<vec4u>;
@group(0) @binding(4) var<storage, read_write> lse: array<f32>;
@group(0) @binding(5) var<uniform> dims: Dims;

var<workgroup> shared_rows: array<f32, 128>;
var<workgroup> rises: atomic<u32>;

const Q: u32 = 0u;
const K: u32 = 1u;
const V: u32 = 2u;

fn element(source: u32, at: u32) -> vec4u {
switch (source) {
case Q: { return q[at]; }
case K: { return k[at]; }
default: { return v[at]; }
}
}

fn put_eight(result: u32, at: u32, value: vec4u) {
out[at] = value;
}

fn scaled(s: vec4f, first: u32, live: u32) -> vec4f {
return select(vec4f(NONE), s * dims.scale, vec4u(first, first + 1u, first + 2u, first + 3u) < vec4u(live));
}


fn scale_all(s: Quads, live: u32) -> Quads {
return Quads(
scaled(s.q0, 0u, live),
scaled(s.q1, 4u, live),
scaled(s.q2, 8u, live),
scaled(s.q3, 12u, live),
scaled(s.q4, 16u, live),
scaled(s.q5, 20u, live),
scaled(s.q6, 24u, live),
scaled(s.q7, 28u, live),
);
}

fn top_of(s: Quads) -> f32 {
let four = max(max(max(s.q0, s.q1), max(s.q2, s.q3)), max(max(s.q4, s.q5), max(s.q6, s.q7)));
return max(max(four.x, four.y), max(four.z, four.w));
}

fn weights_of(s: Quads, top: f32) -> Quads {
let t = vec4f(top);
return Quads(exp(s.q0 - t), exp(s.q1 - t), exp(s.q2 - t), exp(s.q3 - t), exp(s.q4 - t), exp(s.q5 - t), exp(s.q6 - t), exp(s.q7 - t));
}

fn total(p: Quads) -> f32 {
let four = ((p.q0 + p.q1) + (p.q2 + p.q3)) + ((p.q4 + p.q5) + (p.q6 + p.q7));
return (four.x + four.y) + (four.z + four.w);
}


fn by_rows(s: Sums, factor: f32, own: Own, subgroup: u32) -> Sums {
put(s, subgroup);
workgroupBarrier();
for (var i = 0u; i < 8u; i++) {
parts[own.part][own.at + i] = bitcast<vec4u>(bitcast<vec4f>(parts[own.part][own.at + i]) * factor);
}
workgroupBarrier();
let low = 2u * subgroup;
let r = Sums(sum_at(low, 0u, SCORE_LINE), sum_at(low, 4u, SCORE_LINE), sum_at(low + 1u, 0u, SCORE_LINE), sum_at(low + 1u, 4u, SCORE_LINE));
workgroupBarrier();
return r;
}

@compute @workgroup_size(128)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
@builtin(subgroup_id) subgroup: u32,
@builtin(subgroup_invocation_id) lane: u32,
) {
let place = place_of(wid, groups, dims.n, ROWS);
let head = place.head;
if (head >= dims.batch * dims.heads) {
return;
}
let own = own_of(subgroup, lane);
let keys = Rows(head / group_size() * dims.keys, dims.keys, 1u);
stage(0u, fetch(Q, Rows(head * dims.n, dims.n, 1u), place.first, local), local);
var next = fetch(K, keys, 0u, local);
workgroupBarrier();
let rows = head_of(subgroup);
workgroupBarrier();

var result = Result();
var top = NONE;
var sum = 0.0;
for (var begin = 0u; begin < dims.keys; begin += COLS) {
stage(0u, next, local);
workgroupBarrier();
next = fetch(V, keys, begin, local);
put(scores_of(rows, 0u), subgroup);
workgroupBarrier();
stage(0u, next, local);
next = fetch(K, keys, begin + COLS, local);
let first_key = begin + own.col;
let s = scale_all(quads_at(own.part, own.at), max(dims.keys, first_key) - first_key);
let highest = top_of(s);
shared_rows[local] = highest;
if (highest > top + SLACK) {
atomicStore(&rises, 1u);
}
if (workgroupUniformLoad(&rises) > 0u) {
let new_top = max(top, max(highest, shared_rows[local ^ 16u]));
let shrink = exp(top - new_top);
top = new_top;
sum *= shrink;
if (begin > 0u) {
result.low = by_rows(result.low, shrink, own, subgroup);
if (TILES > 4u) { result.high = by_rows(result.high, shrink, own, subgroup); }
}
}
let p = weights_of(s, top);
sum += total(p);
keep_halves(own.part, own.at, p);
workgroupBarrier();
if (local == 0u) {
atomicStore(&rises, 0u);
}
result = add_values(result, subgroup, 0u);
workgroupBarrier();
}

shared_rows[local] = sum;
workgroupBarrier();
let all = sum + shared_rows[local ^ 16u];
let query = place.first + own.row;
let live = query < dims.n;
if (live && own.col == 0u) {
lse[head * dims.n + query] = top + log(all);
}
let to = ((head / dims.heads * dims.n + query) * dims.heads + head % dims.heads) * EIGHTS;
store(0u, result, 1.0 / all, own, subgroup, to, live);
}













const HEAD_DIM: u32 = 64u;
alias Stored = f16;
const GROUPED: bool = false;

struct Dims {
batch: u32,
heads: u32,
kv_heads: u32,
n: u32,
keys: u32,
head_dim: u32,
scale: f32,
}

const ROWS: u32 = 64u;
const COLS: u32 = 64u;
const TILES: u32 = (HEAD_DIM + 15u) / 16u;
const EIGHTS: u32 = HEAD_DIM / 8u;
const LINE: u32 = 2u * TILES + 1u;
const LINES: u32 = 16u * LINE;
const SCORE_LINE: u32 = 9u;
const PART: u32 = 16u * SCORE_LINE;

var<workgroup> parts: array<array<vec4u, PART>, 8>;
var<workgroup> lines: array<array<vec4u, LINES>, STAGED>;

fn group_size() -> u32 {
return select(1u, dims.heads / dims.kv_heads, GROUPED);
}


struct Rows {
first: u32,
count: u32,
step: u32,
}


struct Fetched {
e0: vec4u,
e1: vec4u,
e2: vec4u,
e3: vec4u,
e4: vec4u,
e5: vec4u,
e6: vec4u,
e7: vec4u,
}

fn fetch_eight(source: u32, rows: Rows, first: u32, i: u32, local: u32) -> vec4u {
let item = local + 128u * i;
let row = first + item / (2u * TILES);
let eight = item % (2u * TILES);
if (row < rows.count && (HEAD_DIM % 16u == 0u || eight < EIGHTS)) {
return element(source, (rows.first + row * rows.step) * EIGHTS + eight);
}
return vec4u();
}


fn fetch(source: u32, rows: Rows, first: u32, local: u32) -> Fetched {
var f = Fetched();
f.e0 = fetch_eight(source, rows, first, 0u, local);
if (TILES > 1u) { f.e1 = fetch_eight(source, rows, first, 1u, local); }
if (TILES > 2u) { f.e2 = fetch_eight(source, rows, first, 2u, local); }
if (TILES > 3u) { f.e3 = fetch_eight(source, rows, first, 3u, local); }
if (TILES > 4u) { f.e4 = fetch_eight(source, rows, first, 4u, local); }
if (TILES > 5u) { f.e5 = fetch_eight(source, rows, first, 5u, local); }
if (TILES > 6u) { f.e6 = fetch_eight(source, rows, first, 6u, local); }
if (TILES > 7u) { f.e7 = fetch_eight(source, rows, first, 7u, local); }
return f;
}

fn stage_eight(to: u32, value: vec4u, i: u32, local: u32) {
let item = local + 128u * i;
let row = item / (2u * TILES);
lines[to + row / 16u][row % 16u * LINE + item % (2u * TILES)] = value;
}


fn stage(to: u32, f: Fetched, local: u32) {
stage_eight(to, f.e0, 0u, local);
if (TILES > 1u) { stage_eight(to, f.e1, 1u, local); }
if (TILES > 2u) { stage_eight(to, f.e2, 2u, local); }
if (TILES > 3u) { stage_eight(to, f.e3, 3u, local); }
if (TILES > 4u) { stage_eight(to, f.e4, 4u, local); }
if (TILES > 5u) { stage_eight(to, f.e5, 5u, local); }
if (TILES > 6u) { stage_eight(to, f.e6, 6u, local); }
if (TILES > 7u) { stage_eight(to, f.e7, 7u, local); }
}


struct Head {
t0: Left,
t1: Left,
t2: Left,
t3: Left,
t4: Left,
t5: Left,
t6: Left,
t7: Left,
}

fn head_of(part: u32) -> Head {
var h = Head();
h.t0 = left_of_lines(part, 0u, LINE);
if (TILES > 1u) { h.t1 = left_of_lines(part, 2u, LINE); }
if (TILES > 2u) { h.t2 = left_of_lines(part, 4u, LINE); }
if (TILES > 3u) { h.t3 = left_of_lines(part, 6u, LINE); }
if (TILES > 4u) { h.t4 = left_of_lines(part, 8u, LINE); }
if (TILES > 5u) { h.t5 = left_of_lines(part, 10u, LINE); }
if (TILES > 6u) { h.t6 = left_of_lines(part, 12u, LINE); }
if (TILES > 7u) { h.t7 = left_of_lines(part, 14u, LINE); }
return h;
}


struct Sums {
s0: Sum,
s1: Sum,
s2: Sum,
s3: Sum,
}

fn add_scores(before: Sums, x: Left, begin: u32, at: u32) -> Sums {
return Sums(
add_product(x, right_of_lines(begin, at, LINE, true), before.s0),
add_product(x, right_of_lines(begin + 1u, at, LINE, true), before.s1),
add_product(x, right_of_lines(begin + 2u, at, LINE, true), before.s2),
add_product(x, right_of_lines(begin + 3u, at, LINE, true), before.s3),
);
}


fn scores_of(h: Head, begin: u32) -> Sums {
var s = add_scores(Sums(), h.t0, begin, 0u);
if (TILES > 1u) { s = add_scores(s, h.t1, begin, 2u); }
if (TILES > 2u) { s = add_scores(s, h.t2, begin, 4u); }
if (TILES > 3u) { s = add_scores(s, h.t3, begin, 6u); }
if (TILES > 4u) { s = add_scores(s, h.t4, begin, 8u); }
if (TILES > 5u) { s = add_scores(s, h.t5, begin, 10u); }
if (TILES > 6u) { s = add_scores(s, h.t6, begin, 12u); }
if (TILES > 7u) { s = add_scores(s, h.t7, begin, 14u); }
return s;
}


fn put(s: Sums, subgroup: u32) {
put_sum(2u * subgroup, 0u, s.s0, SCORE_LINE);
put_sum(2u * subgroup, 4u, s.s1, SCORE_LINE);
put_sum(2u * subgroup + 1u, 0u, s.s2, SCORE_LINE);
put_sum(2u * subgroup + 1u, 4u, s.s3, SCORE_LINE);
}


struct Result {
low: Sums,
high: Sums,
}

fn add_line(before: Result, x: Left, part: u32) -> Result {
var r = before;
r.low.s0 = add_product(x, right_of_lines(part, 0u, LINE, false), r.low.s0);
if (TILES > 1u) { r.low.s1 = add_product(x, right_of_lines(part, 2u, LINE, false), r.low.s1); }
if (TILES > 2u) { r.low.s2 = add_product(x, right_of_lines(part, 4u, LINE, false), r.low.s2); }
if (TILES > 3u) { r.low.s3 = add_product(x, right_of_lines(part, 6u, LINE, false), r.low.s3); }
if (TILES > 4u) { r.high.s0 = add_product(x, right_of_lines(part, 8u, LINE, false), r.high.s0); }
if (TILES > 5u) { r.high.s1 = add_product(x, right_of_lines(part, 10u, LINE, false), r.high.s1); }
if (TILES > 6u) { r.high.s2 = add_product(x, right_of_lines(part, 12u, LINE, false), r.high.s2); }
if (TILES > 7u) { r.high.s3 = add_product(x, right_of_lines(part, 14u, LINE, false), r.high.s3); }
return r;
}


fn add_values(before: Result, subgroup: u32, begin: u32) -> Result {
var r = add_line(before, left_at(2u * subgroup, 0u, SCORE_LINE, false), begin);
r = add_line(r, left_at(2u * subgroup, 2u, SCORE_LINE, false), begin + 1u);
r = add_line(r, left_at(2u * subgroup + 1u, 0u, SCORE_LINE, false), begin + 2u);
return add_line(r, left_at(2u * subgroup + 1u, 2u, SCORE_LINE, false), begin + 3u);
}


struct Quads {
q0: vec4f,
q1: vec4f,
q2: vec4f,
q3: vec4f,
q4: vec4f,
q5: vec4f,
q6: vec4f,
q7: vec4f,
}

fn quads_at(part: u32, at: u32) -> Quads {
return Quads(
bitcast<vec4f>(parts[part][at]),
bitcast<vec4f>(parts[part][at + 1u]),
bitcast<vec4f>(parts[part][at + 2u]),
bitcast<vec4f>(parts[part][at + 3u]),
bitcast<vec4f>(parts[part][at + 4u]),
bitcast<vec4f>(parts[part][at + 5u]),
bitcast<vec4f>(parts[part][at + 6u]),
bitcast<vec4f>(parts[part][at + 7u]),
);
}


fn halves(low: vec4f, high: vec4f) -> vec4u {
return vec4u(pack2x16float(low.xy), pack2x16float(low.zw), pack2x16float(high.xy), pack2x16float(high.zw));
}

fn keep_halves(part: u32, at: u32, q: Quads) {
parts[part][at] = halves(q.q0, q.q1);
parts[part][at + 1u] = halves(q.q2, q.q3);
parts[part][at + 2u] = halves(q.q4, q.q5);
parts[part][at + 3u] = halves(q.q6, q.q7);
}


struct Own {
part: u32,
at: u32,
row: u32,
col: u32,
}

fn own_of(subgroup: u32, lane: u32) -> Own {
return Own(2u * subgroup + lane / 16u, lane % 16u * SCORE_LINE, 16u * subgroup + lane % 16u, 32u * (lane / 16u));
}

fn store_columns(result: u32, s: Sums, factor: f32, first: u32, own: Own, subgroup: u32, to: u32, live: bool) {
put(s, subgroup);
workgroupBarrier();
for (var i = 0u; i < 4u; i++) {
let eight = first + own.col / 8u + i;
if (live && eight < EIGHTS) {
let low = bitcast<vec4f>(parts[own.part][own.at + 2u * i]);
let high = bitcast<vec4f>(parts[own.part][own.at + 2u * i + 1u]);
put_eight(result, to + eight, halves(low * factor, high * factor));
}
}
workgroupBarrier();
}


fn store(result: u32, r: Result, factor: f32, own: Own, subgroup: u32, to: u32, live: bool) {
store_columns(result, r.low, factor, 0u, own, subgroup, to, live);
if (TILES > 4u) { store_columns(result, r.high, factor, 8u, own, subgroup, to, live); }
}






alias Left = subgroup_matrix_left<f16, 16, 16>;
alias Right = subgroup_matrix_right<f16, 16, 16>;
alias Sum = subgroup_matrix_result<f32, 16, 16>;


fn left_at(part: u32, at: u32, line: u32, turned: bool) -> Left {
if (turned) {
return subgroupMatrixLoad<Left, col_major>(&parts[part], at, line);
}
return subgroupMatrixLoad<Left, row_major>(&parts[part], at, line);
}








fn add_product(x: Left, y: Right, sum: Sum) -> Sum {
return subgroupMatrixMultiplyAccumulate(x, y, sum);
}


fn put_sum(part: u32, at: u32, sum: Sum, line: u32) {
subgroupMatrixStore<row_major>(&parts[part], at, sum, line);
}


fn sum_at(part: u32, at: u32, line: u32) -> Sum {
return subgroupMatrixLoad<Sum, row_major>(&parts[part], at, line);
}





fn left_of_lines(part: u32, at: u32, line: u32) -> Left {
return subgroupMatrixLoad<Left, row_major>(&lines[part], at, line);
}

fn right_of_lines(part: u32, at: u32, line: u32, turned: bool) -> Right {
if (turned) {
return subgroupMatrixLoad<Right, col_major>(&lines[part], at, line);
}
return subgroupMatrixLoad<Right, row_major>(&lines[part], at, line);
}




struct Place {
head: u32,
first: u32,
}

fn place_of(wid: vec3u, groups: vec3u, rows: u32, covered: u32) -> Place {
let tiles = (rows + covered - 1u) / covered;
let group = wid.x + wid.y * groups.x;
return Place(group / tiles, (group % tiles) * covered);
}` as string,
} as const satisfies ShaderSource;

/**
 * attention_matrix_fwd: out = softmax(scale q k^T) v on subgroup matrices; a variant of attention_fwd_plain with the same dims, where every
 * query sees every key.
 * Buffers f16: q [batch, heads, n, head_dim]; k, v [batch, kv_heads, keys, head_dim]; out [batch, n, heads, head_dim]; f32: lse [batch,
 * heads, n] = log of the sum of exponentials, for the backward.
 * Grid: a workgroup of 128 has 64 queries of one head and walks blocks of 64 keys: lib attention_matrix.
 * Precision: scores, exponentials and sums f32, weights rounded to f16 for their product. A row of sums cannot be scaled where it is, in
 * matrices, so the top that exponentials are taken by stays until a score is SLACK above it: weights are up to e^8, and a half holds
 * e^11. Then, and in the first block, it is raised, and the sums go through workgroup memory.
 * Source: Milakov & Gimelshein 2018 (online softmax), Dao et al. 2022 (attention without n x n); a top raised late as in FlashAttention 4.
 */
export interface AttentionMatrixFwd extends Same<typeof attention_matrix_fwd_> {}
export const attention_matrix_fwd: AttentionMatrixFwd = attention_matrix_fwd_;

const attention_scores_ = {
  name: 'attention_scores',
  entryPoint: 'main',
  bindings: {
    lse: { binding: 5, access: 'read', element: 'f32', optional: 'WEIGHTS' },
    scores: { binding: 6, access: 'read_write', element: 'f32' },
    lengths: { binding: 4, access: 'read', element: 'u32', optional: 'LENGTHS' },
    q: { binding: 0, access: 'read', element: 'Stored' },
    k: { binding: 1, access: 'read', element: 'Stored' },
    mask: { binding: 2, access: 'read', element: 'MaskElem', optional: 'MASK' },
  },
  uniform: { binding: 3, size: 48, fields: {
    batch: { type: 'u32', offset: 0 },
    heads: { type: 'u32', offset: 4 },
    kv_heads: { type: 'u32', offset: 8, else: 'heads' },
    n: { type: 'u32', offset: 12 },
    keys: { type: 'u32', offset: 16, else: 'n' },
    head_dim: { type: 'u32', offset: 20 },
    scale: { type: 'f32', offset: 24 },
    offset: { type: 'i32', offset: 28, else: 0 },
    softcap: { type: 'f32', offset: 32, else: 0, optional: 'SOFTCAP' },
    mask_batch: { type: 'u32', offset: 36, else: 1, optional: 'MASK' },
    mask_heads: { type: 'u32', offset: 40, else: 1, optional: 'MASK' },
    mask_n: { type: 'u32', offset: 44, else: 1, optional: 'MASK' },
  } },
  knobs: {
    STAGE: { kind: 'const', type: 'u32', default: 3 },
    WEIGHTS: { kind: 'const', type: 'bool', default: true },
    HEAD_DIM: { kind: 'const', type: 'u32', default: 64 },
    VALUE_DIM: { kind: 'const', type: 'u32', default: 64 },
    VEC: { kind: 'const', type: 'bool', default: false },
    Elem: { kind: 'alias', type: 'type', default: 'f32' },
    Stored: { kind: 'alias', type: 'type', default: 'f32' },
    GROUPED: { kind: 'const', type: 'bool', default: false },
    CAUSAL: { kind: 'const', type: 'u32', default: 0 },
    MASK: { kind: 'const', type: 'bool', default: false },
    ADDS: { kind: 'const', type: 'bool', default: false },
    MaskElem: { kind: 'alias', type: 'type', default: 'u32' },
    LENGTHS: { kind: 'const', type: 'bool', default: false },
    SOFTCAP: { kind: 'const', type: 'bool', default: false },
  },
  workgroup: [64],
  code: `







const STAGE: u32 = 3u;
const WEIGHTS: bool = true;

const LINE: u32 = HEAD_DIM / select(1u, 4u, VEC);

@group(0) @binding(5) var<storage, read> lse: array<f32>;
@group(0) @binding(6) var<storage, read_write> scores: array<f32>;

@compute @workgroup_size(64)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let at = (wid.x + wid.y * groups.x) * 64u + local;
let row = at / dims.keys;
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
var infinity = 0xff800000u;
score = bitcast<f32>(infinity);
}
scores[at] = score;
}




@group(0) @binding(4) var<storage, read> lengths: array<u32>;

fn valid_keys(sample: u32) -> u32 {
if (LENGTHS) {
return min(lengths[sample], dims.keys);
}
return dims.keys;
}











const HEAD_DIM: u32 = 64u;
const VALUE_DIM: u32 = 64u;
const VEC: bool = false;
alias Elem = f32;
alias Stored = f32;
const GROUPED: bool = false;
const CAUSAL: u32 = 0u;
const MASK: bool = false;
const ADDS: bool = false;
alias MaskElem = u32;
const LENGTHS: bool = false;
const SOFTCAP: bool = false;

const GUARDED: bool = CAUSAL > 0u || MASK || LENGTHS;
const HIDDEN: f32 = -3.0e38;

struct Dims {
batch: u32,
heads: u32,
kv_heads: u32,
n: u32,
keys: u32,
head_dim: u32,
scale: f32,
offset: i32,
softcap: f32,
mask_batch: u32,
mask_heads: u32,
mask_n: u32,
}

@group(0) @binding(0) var<storage, read> q: array<Stored>;
@group(0) @binding(1) var<storage, read> k: array<Stored>;
@group(0) @binding(2) var<storage, read> mask: array<MaskElem>;
@group(0) @binding(3) var<uniform> dims: Dims;


fn group_size() -> u32 {
return select(1u, dims.heads / dims.kv_heads, GROUPED);
}


struct Seen {
keys: u32,
ahead: i32,
mask: u32,
}

fn seen_by(head: u32) -> Seen {
let sample = head / dims.heads;
var seen = Seen(valid_keys(sample), dims.offset, 0u);
if (CAUSAL == 2u) {
seen.ahead += i32(seen.keys) - i32(dims.n);
}
if (MASK) {
let b = min(sample, dims.mask_batch - 1u);
let h = min(head % dims.heads, dims.mask_heads - 1u);
seen.mask = (b * dims.mask_heads + h) * dims.mask_n * dims.keys;
}
return seen;
}





















fn cap(score: f32) -> f32 {
if (!SOFTCAP) {
return score;
}
let x = between(score / dims.softcap, -15.0, 15.0);
let xx = x * x;
let near = x * (1.0 + xx * (-0.33333333 + xx * (0.13333333 + xx * (-0.05396825 + xx * 0.02186949))));
let far = 1.0 - 2.0 / (exp(2.0 * x) + 1.0);
return select(dims.softcap * select(far, near, abs(x) < 0.25), score, is_nan(score));
}











fn hide(score: f32, seen: Seen, query: u32, key: u32) -> f32 {
var masked = score;
var hidden = false;
if (LENGTHS) {
hidden = key >= seen.keys;
}
if (CAUSAL > 0u) {
hidden = hidden || i32(key) > i32(query) + seen.ahead;
}
if (MASK) {
let m = mask[seen.mask + min(query, dims.mask_n - 1u) * dims.keys + min(key, dims.keys - 1u)];
if (ADDS) {
masked += f32(m);
hidden = hidden || f32(m) <= HIDDEN;
} else {
hidden = hidden || m == MaskElem();
}
}
return select(masked, HIDDEN, hidden);
}


fn weight(score: f32, top: f32) -> f32 {
let z = score - top;
if (GUARDED) {
return select(select(exp(z), z, is_nan(z)), 0.0, score == HIDDEN);
}
return exp(z);
}


















fn total(x: Elem) -> f32 {
let parts = vec4f(x);
return select(parts.x, (parts.x + parts.y) + (parts.z + parts.w), VEC);
}




fn is_nan(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}















fn between(x: f32, low: f32, high: f32) -> f32 {
return select(clamp(x, low, high), x, is_nan(x));
}` as string,
} as const satisfies ShaderSource;

/**
 * attention_scores: the scores of attention, or its weights, as a matrix [batch, heads, n, keys]: for a look at them, without a gradient.
 * STAGE 0: scale q . k; 1: capped; 2: masked, with minus infinity where a key is hidden; 3: the weights, 0 where a key is hidden.
 * Buffers f32: q, k, mask and lengths as attention_fwd_plain; lse as it writes it, of stage 3 alone; scores [batch, heads, n, keys].
 * Grid: one invocation a score, 64 a workgroup.
 * Precision: f32; q and k may be stored as f16.
 * Source: Vaswani et al. 2017.
 */
export interface AttentionScores extends Same<typeof attention_scores_> {}
export const attention_scores: AttentionScores = attention_scores_;

const attention_tiled_bwd_kv_ = {
  name: 'attention_tiled_bwd_kv',
  entryPoint: 'main',
  bindings: {
    dk: { binding: 7, access: 'read_write', element: 'OElem' },
    dv: { binding: 8, access: 'read_write', element: 'OElem' },
    dscores: { binding: 9, access: 'read_write', element: 'vec4f', optional: 'STORES' },
    v: { binding: 4, access: 'read', element: 'Stored' },
    dout: { binding: 5, access: 'read', element: 'Stored' },
    rows: { binding: 6, access: 'read', element: 'vec2f' },
    q: { binding: 0, access: 'read', element: 'Stored' },
    k: { binding: 1, access: 'read', element: 'Stored' },
    mask: { binding: 2, access: 'read', element: 'MaskElem', optional: 'MASK' },
  },
  uniform: { binding: 3, size: 48, fields: {
    batch: { type: 'u32', offset: 0 },
    heads: { type: 'u32', offset: 4 },
    kv_heads: { type: 'u32', offset: 8, else: 'heads' },
    n: { type: 'u32', offset: 12 },
    keys: { type: 'u32', offset: 16, else: 'n' },
    head_dim: { type: 'u32', offset: 20 },
    scale: { type: 'f32', offset: 24 },
    offset: { type: 'i32', offset: 28, else: 0 },
    softcap: { type: 'f32', offset: 32, else: 0, optional: 'SOFTCAP' },
    mask_batch: { type: 'u32', offset: 36, else: 1, optional: 'MASK' },
    mask_heads: { type: 'u32', offset: 40, else: 1, optional: 'MASK' },
    mask_n: { type: 'u32', offset: 44, else: 1, optional: 'MASK' },
  } },
  knobs: {
    STORES: { kind: 'const', type: 'bool', default: false },
    HEAD_DIM: { kind: 'const', type: 'u32', default: 64 },
    VALUE_DIM: { kind: 'const', type: 'u32', default: 64 },
    VEC: { kind: 'const', type: 'bool', default: false },
    Elem: { kind: 'alias', type: 'type', default: 'f32' },
    Stored: { kind: 'alias', type: 'type', default: 'f32' },
    GROUPED: { kind: 'const', type: 'bool', default: false },
    CAUSAL: { kind: 'const', type: 'u32', default: 0 },
    MASK: { kind: 'const', type: 'bool', default: false },
    ADDS: { kind: 'const', type: 'bool', default: false },
    MaskElem: { kind: 'alias', type: 'type', default: 'u32' },
    LENGTHS: { kind: 'const', type: 'bool', default: false },
    SOFTCAP: { kind: 'const', type: 'bool', default: false },
    ROWS: { kind: 'const', type: 'u32', default: 64 },
    COLS: { kind: 'const', type: 'u32', default: 64 },
    LANES: { kind: 'const', type: 'u32', default: 8 },
    ROLLED: { kind: 'const', type: 'bool', default: false },
    OScalar: { kind: 'alias', type: 'type', default: 'f32' },
    OElem: { kind: 'alias', type: 'type', default: 'array<f32, 1>' },
  },
  code: `






@group(0) @binding(7) var<storage, read_write> dk: array<OElem>;
@group(0) @binding(8) var<storage, read_write> dv: array<OElem>;
@group(0) @binding(9) var<storage, read_write> dscores: array<vec4f>;

const STORES: bool = false;

const DK: u32 = 0u;
const DV: u32 = 1u;

fn put(result: u32, at: u32, value: OElem) {
if (result == DK) {
dk[at] = value;
} else {
dv[at] = value;
}
}


struct Block {
key: u32,
query: u32,
start: u32,
}


alias Slopes = array<vec4f, select(1u, 4u * COL_QUADS * ROW_QUADS, SOFTCAP)>;


fn weigh_quad(score: ptr<function, Sums>, slopes: ptr<function, Slopes>, c: u32, h: u32, query: u32, line: f32, at: Block, seen: Seen) {
let i = c * ROW_QUADS + h;
let capped = four_capped((*score)[i] * dims.scale);
if (SOFTCAP) {
(*slopes)[i] = four_slopes(capped);
}
let p = four_weights(hide_keys(capped, seen, query, at.key + 32u * h), vec4f(line));
(*score)[i] = select(vec4f(), p, query < dims.n);
}

fn weigh_column(score: ptr<function, Sums>, slopes: ptr<function, Slopes>, c: u32, x: u32, at: Block, seen: Seen) {
let query = at.query + column(c, x);
let line = rows[at.start + min(query, dims.n - 1u)].x;
weigh_quad(score, slopes, c, 0u, query, line, at, seen);
if (ROW_QUADS > 1u) { weigh_quad(score, slopes, c, 1u, query, line, at, seen); }
}

fn weigh_four(score: ptr<function, Sums>, slopes: ptr<function, Slopes>, c: u32, x: u32, at: Block, seen: Seen) {
if (ROLLED) {
for (var i = 0u; i < four_lines(); i++) {
weigh_column(score, slopes, c + i, x, at, seen);
}
} else {
weigh_column(score, slopes, c, x, at, seen);
weigh_column(score, slopes, c + 1u, x, at, seen);
weigh_column(score, slopes, c + 2u, x, at, seen);
weigh_column(score, slopes, c + 3u, x, at, seen);
}
}


fn slope_quad(score: ptr<function, Sums>, dscore: ptr<function, Sums>, slopes: ptr<function, Slopes>, i: u32, delta: f32) {
(*dscore)[i] = four_by_score((*score)[i], (*dscore)[i], vec4f(delta));
if (SOFTCAP) {
(*dscore)[i] *= (*slopes)[i];
}
}

fn slope_column(score: ptr<function, Sums>, dscore: ptr<function, Sums>, slopes: ptr<function, Slopes>, c: u32, x: u32, at: Block) {
let delta = rows[at.start + min(at.query + column(c, x), dims.n - 1u)].y;
slope_quad(score, dscore, slopes, c * ROW_QUADS, delta);
if (ROW_QUADS > 1u) { slope_quad(score, dscore, slopes, c * ROW_QUADS + 1u, delta); }
}

fn slope_four(score: ptr<function, Sums>, dscore: ptr<function, Sums>, slopes: ptr<function, Slopes>, c: u32, x: u32, at: Block) {
if (ROLLED) {
for (var i = 0u; i < four_lines(); i++) {
slope_column(score, dscore, slopes, c + i, x, at);
}
} else {
slope_column(score, dscore, slopes, c, x, at);
slope_column(score, dscore, slopes, c + 1u, x, at);
slope_column(score, dscore, slopes, c + 2u, x, at);
slope_column(score, dscore, slopes, c + 3u, x, at);
}
}


fn keep_quad(dscore: ptr<function, Sums>, c: u32, h: u32, x: u32, head: u32, at: Block) {
let four = four_rows(dscore, c, h);
let key = at.key + 32u * h;
let quad = (at.query + column(c, x)) / 4u;
let line = query_quads();
let to = (head * dims.keys + key) * line + quad;
if (STORES && quad < line) {
if (key < dims.keys) { dscores[to] = four[0]; }
if (key + 1u < dims.keys) { dscores[to + line] = four[1]; }
if (key + 2u < dims.keys) { dscores[to + 2u * line] = four[2]; }
if (key + 3u < dims.keys) { dscores[to + 3u * line] = four[3]; }
}
}

fn keep(dscore: ptr<function, Sums>, x: u32, head: u32, at: Block) {
keep_quad(dscore, 0u, 0u, x, head, at);
if (ROW_QUADS > 1u) { keep_quad(dscore, 0u, 1u, x, head, at); }
if (COL_QUADS > 1u) { keep_quad(dscore, 4u, 0u, x, head, at); }
if (COL_QUADS > 1u && ROW_QUADS > 1u) { keep_quad(dscore, 4u, 1u, x, head, at); }
}

@compute @workgroup_size(THREADS)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let place_of_rows = place_of(wid, groups, dims.keys, ROWS);
if (place_of_rows.head >= dims.batch * dims.kv_heads) {
return;
}
let first = place_of_rows.first;
let start = place_of_rows.head * dims.keys;
let lane = place(local);

var acc_k: Sums;
var acc_v: Sums;
var next: Fetched;
for (var member = 0u; member < group_size(); member++) {
let head = place_of_rows.head * group_size() + member;
let first_row = head * dims.n;
let seen = seen_by(head);
let queries = Rows(first_row, dims.n, 1u);
let outs = Rows(first_out(head), dims.n, dims.heads);
let keys = Rows(start, seen.keys, 1u);
let scores_of = Pair(keys, queries, first);
let weights_of = Pair(keys, outs, first);
let first_query = queries_from(seen, first);
fetch_chunk(&next, K, Q, scores_of, first_query, 0u, local);
for (var begin = first_query; begin < dims.n; begin += COLS) {
var score = Sums();
for (var d = 0u; d < HEAD_DIM; d += STEP) {
stage_chunk(&next, local);
workgroupBarrier();
if (d + STEP < HEAD_DIM) {
fetch_chunk(&next, K, Q, scores_of, begin, d + STEP, local);
} else {
fetch_values(&next, DOUT, outs, begin, 0u, local);
}
add_chunk(&score, lane, d, HEAD_DIM);
workgroupBarrier();
}
let at = Block(first + 4u * lane.y, begin, first_row);
var slopes: Slopes;
weigh_four(&score, &slopes, 0u, lane.x, at, seen);
if (COL_QUADS > 1u) { weigh_four(&score, &slopes, 4u, lane.x, at, seen); }
for (var slice = 0u; slice < SLICES; slice++) {
stage_weights(&score, slice, lane);
stage_values(&next, local);
workgroupBarrier();
if (slice + 1u < SLICES) {
fetch_values(&next, DOUT, outs, begin, slice + 1u, local);
} else {
fetch_chunk(&next, V, DOUT, weights_of, begin, 0u, local);
}
add_values(&acc_v, lane);
workgroupBarrier();
}
var dscore = Sums();
for (var d = 0u; d < VALUE_DIM; d += STEP) {
stage_chunk(&next, local);
workgroupBarrier();
if (d + STEP < VALUE_DIM) {
fetch_chunk(&next, V, DOUT, weights_of, begin, d + STEP, local);
} else {
fetch_values(&next, Q, queries, begin, 0u, local);
}
add_chunk(&dscore, lane, d, VALUE_DIM);
workgroupBarrier();
}
slope_four(&score, &dscore, &slopes, 0u, lane.x, at);
if (COL_QUADS > 1u) { slope_four(&score, &dscore, &slopes, 4u, lane.x, at); }
if (STORES) {
keep(&dscore, lane.x, head, at);
}
for (var slice = 0u; slice < SLICES; slice++) {
stage_weights(&dscore, slice, lane);
stage_values(&next, local);
workgroupBarrier();
if (slice + 1u < SLICES) {
fetch_values(&next, Q, queries, begin, slice + 1u, local);
} else {
fetch_chunk(&next, K, Q, scores_of, begin + COLS, 0u, local);
}
add_values(&acc_k, lane);
workgroupBarrier();
}
}
}
let live = dims.keys - first;
store(DK, Target((start + first) * HEAD_DIM, HEAD_DIM, live, HEAD_DIM, dims.scale), &acc_k, lane, local);
store(DV, Target((start + first) * VALUE_DIM, VALUE_DIM, live, VALUE_DIM, 1.0), &acc_v, lane, local);
}





const Q: u32 = 0u;
const K: u32 = 1u;
const V: u32 = 2u;
const DOUT: u32 = 3u;

fn element(source: u32, at: u32) -> vec4f {
switch (source) {
case Q: { return vec4f(Elem(q[at])); }
case K: { return vec4f(Elem(k[at])); }
case V: { return vec4f(Elem(v[at])); }
default: { return vec4f(Elem(dout[at])); }
}
}














fn four_capped(s: vec4f) -> vec4f {
return vec4f(cap(s.x), cap(s.y), cap(s.z), cap(s.w));
}







fn hide_keys(s: vec4f, seen: Seen, query: u32, key: u32) -> vec4f {
let y = hide(s.y, seen, query, key + 1u);
let z = hide(s.z, seen, query, key + 2u);
return vec4f(hide(s.x, seen, query, key), y, z, hide(s.w, seen, query, key + 3u));
}

fn four_weights(s: vec4f, top: vec4f) -> vec4f {
let z = s - top;
if (GUARDED) {
return select(select(exp(z), z, are_nan(z)), vec4f(), s == vec4f(HIDDEN));
}
return exp(z);
}

fn four_by_score(p: vec4f, dp: vec4f, delta: vec4f) -> vec4f {
let ds = p * (dp - delta);
if (GUARDED) {
return select(ds, vec4f(), p == vec4f());
}
return ds;
}


fn four_slopes(capped: vec4f) -> vec4f {
return vec4f(uncap(1.0, capped.x), uncap(1.0, capped.y), uncap(1.0, capped.z), uncap(1.0, capped.w));
}




@group(0) @binding(4) var<storage, read> v: array<Stored>;
@group(0) @binding(5) var<storage, read> dout: array<Stored>;
@group(0) @binding(6) var<storage, read> rows: array<vec2f>;

fn valid_keys(sample: u32) -> u32 {
if (LENGTHS) {
return min(u32(rows[dims.batch * dims.heads * dims.n + sample].x), dims.keys);
}
return dims.keys;
}


fn first_out(head: u32) -> u32 {
return (head / dims.heads) * dims.n * dims.heads + head % dims.heads;
}











const HEAD_DIM: u32 = 64u;
const VALUE_DIM: u32 = 64u;
const VEC: bool = false;
alias Elem = f32;
alias Stored = f32;
const GROUPED: bool = false;
const CAUSAL: u32 = 0u;
const MASK: bool = false;
const ADDS: bool = false;
alias MaskElem = u32;
const LENGTHS: bool = false;
const SOFTCAP: bool = false;

const GUARDED: bool = CAUSAL > 0u || MASK || LENGTHS;
const HIDDEN: f32 = -3.0e38;

struct Dims {
batch: u32,
heads: u32,
kv_heads: u32,
n: u32,
keys: u32,
head_dim: u32,
scale: f32,
offset: i32,
softcap: f32,
mask_batch: u32,
mask_heads: u32,
mask_n: u32,
}

@group(0) @binding(0) var<storage, read> q: array<Stored>;
@group(0) @binding(1) var<storage, read> k: array<Stored>;
@group(0) @binding(2) var<storage, read> mask: array<MaskElem>;
@group(0) @binding(3) var<uniform> dims: Dims;


fn group_size() -> u32 {
return select(1u, dims.heads / dims.kv_heads, GROUPED);
}


struct Seen {
keys: u32,
ahead: i32,
mask: u32,
}

fn seen_by(head: u32) -> Seen {
let sample = head / dims.heads;
var seen = Seen(valid_keys(sample), dims.offset, 0u);
if (CAUSAL == 2u) {
seen.ahead += i32(seen.keys) - i32(dims.n);
}
if (MASK) {
let b = min(sample, dims.mask_batch - 1u);
let h = min(head % dims.heads, dims.mask_heads - 1u);
seen.mask = (b * dims.mask_heads + h) * dims.mask_n * dims.keys;
}
return seen;
}










fn queries_from(seen: Seen, key: u32) -> u32 {
if (LENGTHS && key >= seen.keys) {
return dims.n;
}
if (CAUSAL > 0u) {
return u32(clamp(i32(key) - seen.ahead, 0, i32(dims.n)));
}
return 0u;
}


fn cap(score: f32) -> f32 {
if (!SOFTCAP) {
return score;
}
let x = between(score / dims.softcap, -15.0, 15.0);
let xx = x * x;
let near = x * (1.0 + xx * (-0.33333333 + xx * (0.13333333 + xx * (-0.05396825 + xx * 0.02186949))));
let far = 1.0 - 2.0 / (exp(2.0 * x) + 1.0);
return select(dims.softcap * select(far, near, abs(x) < 0.25), score, is_nan(score));
}


fn uncap(gradient: f32, capped: f32) -> f32 {
if (!SOFTCAP) {
return gradient;
}
let t = capped / dims.softcap;
return gradient * (1.0 - t * t);
}


fn hide(score: f32, seen: Seen, query: u32, key: u32) -> f32 {
var masked = score;
var hidden = false;
if (LENGTHS) {
hidden = key >= seen.keys;
}
if (CAUSAL > 0u) {
hidden = hidden || i32(key) > i32(query) + seen.ahead;
}
if (MASK) {
let m = mask[seen.mask + min(query, dims.mask_n - 1u) * dims.keys + min(key, dims.keys - 1u)];
if (ADDS) {
masked += f32(m);
hidden = hidden || f32(m) <= HIDDEN;
} else {
hidden = hidden || m == MaskElem();
}
}
return select(masked, HIDDEN, hidden);
}



































const ROWS: u32 = 64u;
const COLS: u32 = 64u;
const LANES: u32 = 8u;
const ROLLED: bool = false;
alias OScalar = f32;
alias OElem = array<f32, 1>;

const THREADS: u32 = 8u * LANES;
const STEP: u32 = 16u;
const SLICES: u32 = COLS / STEP;
const EACH: u32 = STEP / LANES;
const SPAN: u32 = 4u * LANES;
const ROW_QUADS: u32 = ROWS / 32u;
const COL_QUADS: u32 = COLS / SPAN;

const WIDTH: u32 = max(HEAD_DIM, VALUE_DIM);
const LEFT: u32 = WIDTH % SPAN;
const WIDE: u32 = WIDTH / SPAN + select(0u, 1u, LEFT > SPAN / 2u);
const REST: u32 = select((LEFT + LANES - 1u) / LANES, 0u, LEFT > SPAN / 2u);
const VALUE_QUADS: u32 = LANES * WIDE + REST * LANES / 4u;



alias Sums = array<vec4f, ROW_QUADS * max(4u * COL_QUADS, 4u * WIDE + REST)>;
alias Fetched = array<vec4f, 8>;

var<workgroup> tile_a: array<array<vec4f, ROWS / 4u>, STEP>;
var<workgroup> tile_b: array<array<vec4f, max(COLS / 4u, VALUE_QUADS)>, STEP>;
var<workgroup> spoilt: atomic<u32>;


fn place(local: u32) -> vec2u {
let lane = local % 32u;
let block = local / 32u;
let across = LANES / 8u;
let within = vec2u((lane & 1u) + ((lane >> 1u) & 2u) + ((lane >> 2u) & 4u), ((lane >> 1u) & 1u) + ((lane >> 2u) & 2u));
return within + vec2u(8u * (block % across), 4u * (block / across));
}


fn query_quads() -> u32 {
return (dims.n + 3u) / 4u;
}



fn four_lines() -> u32 {
return select(4u, 4u * dims.head_dim / HEAD_DIM, ROLLED);
}


fn column(c: u32, x: u32) -> u32 {
return SPAN * (c / 4u) + 4u * x + c % 4u;
}


fn swizzle(quad: u32, line: u32) -> u32 {
return quad ^ (2u * (line % 4u));
}

fn turned(f: ptr<function, Fetched>, at: u32) -> mat4x4f {
return transpose(mat4x4f((*f)[at], (*f)[at + 1u], (*f)[at + 2u], (*f)[at + 3u]));
}


fn stage_item_a(block: mat4x4f, item: u32) {
let line = item % 4u;
let quad = swizzle(item / 4u, line);
tile_a[line][quad] = block[0];
tile_a[line + 4u][quad] = block[1];
tile_a[line + 8u][quad] = block[2];
tile_a[line + 12u][quad] = block[3];
}

fn stage_item_b(block: mat4x4f, item: u32) {
let line = item % 4u;
let quad = swizzle(item / 4u, line);
tile_b[line][quad] = block[0];
tile_b[line + 4u][quad] = block[1];
tile_b[line + 8u][quad] = block[2];
tile_b[line + 12u][quad] = block[3];
}


fn stage_chunk(f: ptr<function, Fetched>, local: u32) {
if (local < ROWS) {
stage_item_a(turned(f, 0u), local);
} else if (local < ROWS + COLS) {
stage_item_b(turned(f, 0u), local - ROWS);
}
if (ROWS + COLS > THREADS) {
let item = local + THREADS;
if (item < ROWS) {
stage_item_a(turned(f, 4u), item);
} else if (item < ROWS + COLS) {
stage_item_b(turned(f, 4u), item - ROWS);
}
}
}

fn stage_line(f: ptr<function, Fetched>, at: u32, line: u32, local: u32) {
let quad = local % 8u;
stage_quad((*f)[at], line, quad);
if (VALUE_QUADS > 8u) { stage_quad((*f)[at + 1u], line, quad + 8u); }
if (VALUE_QUADS > 16u) { stage_quad((*f)[at + 2u], line, quad + 16u); }
if (VALUE_QUADS > 24u) { stage_quad((*f)[at + 3u], line, quad + 24u); }
}

fn stage_quad(value: vec4f, line: u32, quad: u32) {
if (VALUE_QUADS % 8u == 0u || quad < VALUE_QUADS) {
tile_b[line][quad] = value;
}
if (GUARDED && any((bitcast<vec4u>(value) & vec4u(0x7f800000u)) == vec4u(0x7f800000u))) {
atomicStore(&spoilt, 1u);
}
}


fn stage_values(f: ptr<function, Fetched>, local: u32) {
stage_line(f, 0u, local / 8u, local);
if (LANES == 8u) {
stage_line(f, 4u, local / 8u + 8u, local);
}
}

fn stage_column(weights: ptr<function, Sums>, c: u32, line: u32, y: u32) {
let quad = swizzle(y, line);
tile_a[line][quad] = (*weights)[c * ROW_QUADS];
if (ROW_QUADS > 1u) { tile_a[line][quad + 8u] = (*weights)[c * ROW_QUADS + 1u]; }
}

fn stage_columns(weights: ptr<function, Sums>, c: u32, lane: vec2u) {
stage_column(weights, c, lane.x, lane.y);
if (EACH > 1u) { stage_column(weights, c + 1u, lane.x + 8u, lane.y); }
}


fn stage_weights(weights: ptr<function, Sums>, slice: u32, lane: vec2u) {
switch (slice) {
case 0u: { stage_columns(weights, 0u, lane); }
case 1u: { stage_columns(weights, EACH, lane); }
case 2u: { if (SLICES > 2u) { stage_columns(weights, 2u * EACH, lane); } }
case 3u: { if (SLICES > 2u) { stage_columns(weights, 3u * EACH, lane); } }
case 4u: { if (SLICES > 4u) { stage_columns(weights, 4u * EACH, lane); } }
case 5u: { if (SLICES > 4u) { stage_columns(weights, 5u * EACH, lane); } }
case 6u: { if (SLICES > 4u) { stage_columns(weights, 6u * EACH, lane); } }
default: { if (SLICES > 4u) { stage_columns(weights, 7u * EACH, lane); } }
}
}


fn add_quad(sums: ptr<function, Sums>, c: u32, a0: vec4f, a1: vec4f, b: vec4f) {
(*sums)[c * ROW_QUADS] += a0 * b.x;
(*sums)[(c + 1u) * ROW_QUADS] += a0 * b.y;
(*sums)[(c + 2u) * ROW_QUADS] += a0 * b.z;
(*sums)[(c + 3u) * ROW_QUADS] += a0 * b.w;
if (ROW_QUADS > 1u) {
(*sums)[c * ROW_QUADS + 1u] += a1 * b.x;
(*sums)[(c + 1u) * ROW_QUADS + 1u] += a1 * b.y;
(*sums)[(c + 2u) * ROW_QUADS + 1u] += a1 * b.z;
(*sums)[(c + 3u) * ROW_QUADS + 1u] += a1 * b.w;
}
}

fn add_one(sums: ptr<function, Sums>, c: u32, a0: vec4f, a1: vec4f, b: f32) {
(*sums)[c * ROW_QUADS] += a0 * b;
if (ROW_QUADS > 1u) { (*sums)[c * ROW_QUADS + 1u] += a1 * b; }
}


fn add_score_line(sums: ptr<function, Sums>, line: u32, a: u32, b: u32) {
let a0 = tile_a[line][a];
var a1 = vec4f();
if (ROW_QUADS > 1u) { a1 = tile_a[line][a + 8u]; }
add_quad(sums, 0u, a0, a1, tile_b[line][b]);
if (COL_QUADS > 1u) { add_quad(sums, 4u, a0, a1, tile_b[line][b + LANES]); }
}


fn add_score_lines(sums: ptr<function, Sums>, line: u32, lane: vec2u) {
let a = swizzle(lane.y, line) % 8u;
let b = swizzle(lane.x, line) % LANES;
add_score_line(sums, line, a, b);
add_score_line(sums, line + 4u, a, b);
add_score_line(sums, line + 8u, a, b);
add_score_line(sums, line + 12u, a, b);
}


fn add_chunk(sums: ptr<function, Sums>, lane: vec2u, d: u32, width: u32) {
for (var line = 0u; line < four_lines(); line++) {
if (width % STEP == 0u || d + 4u * line < width) {
add_score_lines(sums, line, lane);
}
}
}


fn add_value_line(sums: ptr<function, Sums>, line: u32, a: u32, lane: vec2u) {
let x = lane.x % LANES;
let a0 = tile_a[line][a];
var a1 = vec4f();
if (ROW_QUADS > 1u) { a1 = tile_a[line][a + 8u]; }
if (WIDE > 0u) { add_quad(sums, 0u, a0, a1, tile_b[line][x]); }
if (WIDE > 1u) { add_quad(sums, 4u, a0, a1, tile_b[line][x + LANES]); }
if (WIDE > 2u) { add_quad(sums, 8u, a0, a1, tile_b[line][x + 2u * LANES]); }
if (WIDE > 3u) { add_quad(sums, 12u, a0, a1, tile_b[line][x + 3u * LANES]); }
let left = LANES * WIDE + x / 4u;
if (REST > 0u) { add_one(sums, 4u * WIDE, a0, a1, tile_b[line][left][x % 4u]); }
if (REST > 1u) { add_one(sums, 4u * WIDE + 1u, a0, a1, tile_b[line][left + LANES / 4u][x % 4u]); }
}

fn add_value_lines(sums: ptr<function, Sums>, line: u32, lane: vec2u) {
let a = swizzle(lane.y, line) % 8u;
add_value_line(sums, line, a, lane);
add_value_line(sums, line + 4u, a, lane);
add_value_line(sums, line + 8u, a, lane);
add_value_line(sums, line + 12u, a, lane);
}


fn add_values(sums: ptr<function, Sums>, lane: vec2u) {
if (GUARDED && atomicLoad(&spoilt) != 0u) {
for (var i = 0u; i < STEP; i++) {
add_guarded_line(sums, 4u * (i % 4u) + i / 4u, lane);
}
return;
}
for (var line = 0u; line < four_lines(); line++) {
add_value_lines(sums, line, lane);
}
}

fn guarded(sum: vec4f, weights: vec4f, value: f32) -> vec4f {
return select(sum + weights * value, sum, weights == vec4f());
}

fn add_guarded_one(sums: ptr<function, Sums>, c: u32, line: u32, a: u32, value: f32) {
(*sums)[c * ROW_QUADS] = guarded((*sums)[c * ROW_QUADS], tile_a[line][a], value);
if (ROW_QUADS > 1u) { (*sums)[c * ROW_QUADS + 1u] = guarded((*sums)[c * ROW_QUADS + 1u], tile_a[line][a + 8u], value); }
}

fn add_guarded_quad(sums: ptr<function, Sums>, c: u32, line: u32, a: u32, b: vec4f) {
add_guarded_one(sums, c, line, a, b.x);
add_guarded_one(sums, c + 1u, line, a, b.y);
add_guarded_one(sums, c + 2u, line, a, b.z);
add_guarded_one(sums, c + 3u, line, a, b.w);
}

fn add_guarded_line(sums: ptr<function, Sums>, line: u32, lane: vec2u) {
let a = swizzle(lane.y, line) % 8u;
let x = lane.x % LANES;
if (WIDE > 0u) { add_guarded_quad(sums, 0u, line, a, tile_b[line][x]); }
if (WIDE > 1u) { add_guarded_quad(sums, 4u, line, a, tile_b[line][x + LANES]); }
if (WIDE > 2u) { add_guarded_quad(sums, 8u, line, a, tile_b[line][x + 2u * LANES]); }
if (WIDE > 3u) { add_guarded_quad(sums, 12u, line, a, tile_b[line][x + 3u * LANES]); }
let left = LANES * WIDE + x / 4u;
if (REST > 0u) { add_guarded_one(sums, 4u * WIDE, line, a, tile_b[line][left][x % 4u]); }
if (REST > 1u) { add_guarded_one(sums, 4u * WIDE + 1u, line, a, tile_b[line][left + LANES / 4u][x % 4u]); }
}


struct Target {
base: u32,
step: u32,
live: u32,
width: u32,
factor: f32,
}


fn store(result: u32, to: Target, sums: ptr<function, Sums>, lane: vec2u, local: u32) {
store_rows(result, to, sums, 0u, lane);
if (ROW_QUADS > 1u) { store_rows(result, to, sums, 1u, lane); }
if (REST > 0u) { store_column(result, to, sums, 4u * WIDE, SPAN * WIDE, lane, local); }
if (REST > 1u) { store_column(result, to, sums, 4u * WIDE + 1u, SPAN * WIDE + LANES, lane, local); }
}

fn store_rows(result: u32, to: Target, sums: ptr<function, Sums>, h: u32, lane: vec2u) {
let row = 32u * h + 4u * lane.y;
if (WIDE > 0u) { store_quad(result, to, sums, h, row, 0u, lane.x); }
if (WIDE > 1u) { store_quad(result, to, sums, h, row, 4u, lane.x); }
if (WIDE > 2u) { store_quad(result, to, sums, h, row, 8u, lane.x); }
if (WIDE > 3u) { store_quad(result, to, sums, h, row, 12u, lane.x); }
}


fn four_rows(sums: ptr<function, Sums>, c: u32, h: u32) -> mat4x4f {
let i = c * ROW_QUADS + h;
return transpose(mat4x4f((*sums)[i], (*sums)[i + ROW_QUADS], (*sums)[i + 2u * ROW_QUADS], (*sums)[i + 3u * ROW_QUADS]));
}

fn store_quad(result: u32, to: Target, sums: ptr<function, Sums>, h: u32, row: u32, c: u32, x: u32) {
store_block(result, to, row, column(c, x), four_rows(sums, c, h));
}


fn store_column(result: u32, to: Target, sums: ptr<function, Sums>, c: u32, first: u32, lane: vec2u, local: u32) {
workgroupBarrier();
tile_a[lane.x][lane.y] = (*sums)[c * ROW_QUADS];
if (ROW_QUADS > 1u) { tile_a[lane.x][lane.y + 8u] = (*sums)[c * ROW_QUADS + 1u]; }
workgroupBarrier();
let quad = local / (LANES / 4u);
let line = 4u * (local % (LANES / 4u));
if (quad < ROWS / 4u) {
let block = transpose(mat4x4f(tile_a[line][quad], tile_a[line + 1u][quad], tile_a[line + 2u][quad], tile_a[line + 3u][quad]));
store_block(result, to, 4u * quad, first + line, block);
}
}


fn store_block(result: u32, to: Target, row: u32, col: u32, block: mat4x4f) {
for (var i = 0u; i < min(4u, max(row, to.live) - row); i++) {
var four = block[0];
if (i == 1u) { four = block[1]; }
if (i == 2u) { four = block[2]; }
if (i == 3u) { four = block[3]; }
store_four(result, to, row + i, col, four);
}
}

fn store_four(result: u32, to: Target, row: u32, col: u32, four: vec4f) {
let value = four * to.factor;
let at = to.base + row * to.step + col;
for (var j = 0u; j < 4u; j += select(1u, 4u, VEC)) {
if (col + j < to.width) {
var part: OElem;
for (var c = 0u; c < select(1u, 4u, VEC); c++) {
part[c] = OScalar(value[j + c]);
}
put(result, (at + j) / select(1u, 4u, VEC), part);
}
}
}






struct Rows {
first: u32,
count: u32,
step: u32,
}

fn width_of(source: u32) -> u32 {
return select(HEAD_DIM, VALUE_DIM, source >= V);
}


fn load(source: u32, operand: Rows, row: u32, d: u32) -> vec4f {
let width = width_of(source);
let at = (operand.first + row * operand.step) * width + d;
if (VEC) {
return element(source, at / 4u);
}
if (d >= width) {
return vec4f();
}
let step = min(vec4u(0u, 1u, 2u, 3u), vec4u(width - 1u - d));
let four = vec4f(element(source, at).x, element(source, at + step.y).x, element(source, at + step.z).x, element(source, at + step.w).x);
return select(vec4f(), four, step == vec4u(0u, 1u, 2u, 3u));
}


fn fetch_item(next: ptr<function, Fetched>, at: u32, source: u32, operand: Rows, first_row: u32, d: u32, item: u32) {
let row = first_row + 4u * (item / 4u);
let last = max(operand.count, 1u) - 1u;
let element_from = d + 4u * (item % 4u);
(*next)[at] = load(source, operand, min(row, last), element_from);
(*next)[at + 1u] = load(source, operand, min(row + 1u, last), element_from);
(*next)[at + 2u] = load(source, operand, min(row + 2u, last), element_from);
(*next)[at + 3u] = load(source, operand, min(row + 3u, last), element_from);
}


struct Pair {
rows: Rows,
cols: Rows,
first_row: u32,
}


fn fetch_chunk(next: ptr<function, Fetched>, a: u32, b: u32, pair: Pair, first_col: u32, d: u32, local: u32) {
if (local < ROWS) {
fetch_item(next, 0u, a, pair.rows, pair.first_row, d, local);
} else if (local < ROWS + COLS) {
fetch_item(next, 0u, b, pair.cols, first_col, d, local - ROWS);
}
if (ROWS + COLS > THREADS) {
let item = local + THREADS;
if (item < ROWS) {
fetch_item(next, 4u, a, pair.rows, pair.first_row, d, item);
} else if (item < ROWS + COLS) {
fetch_item(next, 4u, b, pair.cols, first_col, d, item - ROWS);
}
}
}


fn fetch_line(next: ptr<function, Fetched>, at: u32, source: u32, operand: Rows, row: u32, local: u32) {
let quad = local % 8u;
let seen = row < operand.count;
fetch_quad(next, at, source, operand, row, quad, seen);
if (VALUE_QUADS > 8u) { fetch_quad(next, at + 1u, source, operand, row, quad + 8u, seen); }
if (VALUE_QUADS > 16u) { fetch_quad(next, at + 2u, source, operand, row, quad + 16u, seen); }
if (VALUE_QUADS > 24u) { fetch_quad(next, at + 3u, source, operand, row, quad + 24u, seen); }
}

fn fetch_quad(next: ptr<function, Fetched>, at: u32, source: u32, operand: Rows, row: u32, quad: u32, seen: bool) {
(*next)[at] = vec4f();
if (seen && 4u * quad < width_of(source)) {
(*next)[at] = load(source, operand, row, 4u * quad);
}
}


fn column_of(slice: u32, line: u32) -> u32 {
return column(slice * EACH + line / LANES, line % LANES);
}


fn fetch_values(next: ptr<function, Fetched>, source: u32, operand: Rows, first_col: u32, slice: u32, local: u32) {
fetch_line(next, 0u, source, operand, first_col + column_of(slice, local / 8u), local);
if (LANES == 8u) {
fetch_line(next, 4u, source, operand, first_col + column_of(slice, local / 8u + 8u), local);
}
}




fn is_nan(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

fn are_nan(x: vec4f) -> vec4<bool> {
return (bitcast<vec4u>(x) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u);
}











fn between(x: f32, low: f32, high: f32) -> f32 {
return select(clamp(x, low, high), x, is_nan(x));
}
















struct Place {
head: u32,
first: u32,
}

fn place_of(wid: vec3u, groups: vec3u, rows: u32, covered: u32) -> Place {
let tiles = (rows + covered - 1u) / covered;
let group = wid.x + wid.y * groups.x;
return Place(group / tiles, (group % tiles) * covered);
}` as string,
} as const satisfies ShaderSource;

/**
 * attention_tiled_bwd_kv: dv_j = sum over i of p_ij dout_i; dk_j = scale * sum over i of ds_ij q_i, p and ds as in attention_tiled_bwd_q;
 * the GPU variant of attention_bwd_kv_plain, with the same buffers and dims.
 * Grid: a workgroup of 8 LANES has ROWS keys of one head and walks blocks of COLS queries: each sum has one owner, and an order.
 * Precision: f32; q, k, v, dout, dk and dv may be stored as f16.
 * Source: Dao et al. 2022, the backward of attention.
 */
export interface AttentionTiledBwdKv extends Same<typeof attention_tiled_bwd_kv_> {}
export const attention_tiled_bwd_kv: AttentionTiledBwdKv = attention_tiled_bwd_kv_;

const attention_tiled_bwd_q_ = {
  name: 'attention_tiled_bwd_q',
  entryPoint: 'main',
  bindings: {
    dq: { binding: 7, access: 'read_write', element: 'OElem' },
    v: { binding: 4, access: 'read', element: 'Stored' },
    dout: { binding: 5, access: 'read', element: 'Stored' },
    rows: { binding: 6, access: 'read', element: 'vec2f' },
    q: { binding: 0, access: 'read', element: 'Stored' },
    k: { binding: 1, access: 'read', element: 'Stored' },
    mask: { binding: 2, access: 'read', element: 'MaskElem', optional: 'MASK' },
  },
  uniform: { binding: 3, size: 48, fields: {
    batch: { type: 'u32', offset: 0 },
    heads: { type: 'u32', offset: 4 },
    kv_heads: { type: 'u32', offset: 8, else: 'heads' },
    n: { type: 'u32', offset: 12 },
    keys: { type: 'u32', offset: 16, else: 'n' },
    head_dim: { type: 'u32', offset: 20 },
    scale: { type: 'f32', offset: 24 },
    offset: { type: 'i32', offset: 28, else: 0 },
    softcap: { type: 'f32', offset: 32, else: 0, optional: 'SOFTCAP' },
    mask_batch: { type: 'u32', offset: 36, else: 1, optional: 'MASK' },
    mask_heads: { type: 'u32', offset: 40, else: 1, optional: 'MASK' },
    mask_n: { type: 'u32', offset: 44, else: 1, optional: 'MASK' },
  } },
  knobs: {
    HEAD_DIM: { kind: 'const', type: 'u32', default: 64 },
    VALUE_DIM: { kind: 'const', type: 'u32', default: 64 },
    VEC: { kind: 'const', type: 'bool', default: false },
    Elem: { kind: 'alias', type: 'type', default: 'f32' },
    Stored: { kind: 'alias', type: 'type', default: 'f32' },
    GROUPED: { kind: 'const', type: 'bool', default: false },
    CAUSAL: { kind: 'const', type: 'u32', default: 0 },
    MASK: { kind: 'const', type: 'bool', default: false },
    ADDS: { kind: 'const', type: 'bool', default: false },
    MaskElem: { kind: 'alias', type: 'type', default: 'u32' },
    LENGTHS: { kind: 'const', type: 'bool', default: false },
    SOFTCAP: { kind: 'const', type: 'bool', default: false },
    ROWS: { kind: 'const', type: 'u32', default: 64 },
    COLS: { kind: 'const', type: 'u32', default: 64 },
    LANES: { kind: 'const', type: 'u32', default: 8 },
    ROLLED: { kind: 'const', type: 'bool', default: false },
    OScalar: { kind: 'alias', type: 'type', default: 'f32' },
    OElem: { kind: 'alias', type: 'type', default: 'array<f32, 1>' },
  },
  code: `






@group(0) @binding(7) var<storage, read_write> dq: array<OElem>;

fn put(result: u32, at: u32, value: OElem) {
dq[at] = value;
}


struct Block {
query: u32,
key: u32,
end: u32,
}


fn slope_quad(score: ptr<function, Sums>, dscore: ptr<function, Sums>, c: u32, h: u32, key: u32, at: Block, seen: Seen, line: vec4f, delta: vec4f) {
let capped = four_capped((*score)[c * ROW_QUADS + h] * dims.scale);
let masked = hide_queries(capped, seen, at.query + 32u * h, key);
let p = select(vec4f(), four_weights(masked, line), key < at.end);
var four = four_by_score(p, (*dscore)[c * ROW_QUADS + h], delta);
if (SOFTCAP) {
four *= four_slopes(capped);
}
(*dscore)[c * ROW_QUADS + h] = four;
}

fn slope_column(score: ptr<function, Sums>, dscore: ptr<function, Sums>, c: u32, x: u32, at: Block, seen: Seen, lines: PerRow, deltas: PerRow) {
let key = at.key + column(c, x);
slope_quad(score, dscore, c, 0u, key, at, seen, lines[0], deltas[0]);
if (ROW_QUADS > 1u) { slope_quad(score, dscore, c, 1u, key, at, seen, lines[1], deltas[1]); }
}

fn slope_four(score: ptr<function, Sums>, dscore: ptr<function, Sums>, c: u32, x: u32, at: Block, seen: Seen, lines: PerRow, deltas: PerRow) {
if (ROLLED) {
for (var i = 0u; i < four_lines(); i++) {
slope_column(score, dscore, c + i, x, at, seen, lines, deltas);
}
} else {
slope_column(score, dscore, c, x, at, seen, lines, deltas);
slope_column(score, dscore, c + 1u, x, at, seen, lines, deltas);
slope_column(score, dscore, c + 2u, x, at, seen, lines, deltas);
slope_column(score, dscore, c + 3u, x, at, seen, lines, deltas);
}
}


fn of_row(start: u32, row: u32) -> vec2f {
return select(vec2f(3.0e38, 0.0), rows[start + min(row, dims.n - 1u)], row < dims.n);
}

@compute @workgroup_size(THREADS)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let place_of_rows = place_of(wid, groups, dims.n, ROWS);
let head = place_of_rows.head;
if (head >= dims.batch * dims.heads) {
return;
}
let first = place_of_rows.first;
let start = head * dims.n;
let seen = seen_by(head);
let keys = Rows(head / group_size() * dims.keys, seen.keys, 1u);
let scores_of = Pair(Rows(start, dims.n, 1u), keys, first);
let weights_of = Pair(Rows(first_out(head), dims.n, dims.heads), keys, first);
let end = keys_until(seen, first + ROWS - 1u);
let lane = place(local);

let row = first + 4u * lane.y;
let r0 = mat4x2f(of_row(start, row), of_row(start, row + 1u), of_row(start, row + 2u), of_row(start, row + 3u));
var r1 = r0;
if (ROW_QUADS > 1u) {
r1 = mat4x2f(of_row(start, row + 32u), of_row(start, row + 33u), of_row(start, row + 34u), of_row(start, row + 35u));
}
let lines = PerRow(transpose(r0)[0], transpose(r1)[0]);
let deltas = PerRow(transpose(r0)[1], transpose(r1)[1]);

var acc: Sums;
var next: Fetched;
fetch_chunk(&next, Q, K, scores_of, 0u, 0u, local);
for (var begin = 0u; begin < end; begin += COLS) {
var score = Sums();
for (var d = 0u; d < HEAD_DIM; d += STEP) {
stage_chunk(&next, local);
workgroupBarrier();
if (d + STEP < HEAD_DIM) {
fetch_chunk(&next, Q, K, scores_of, begin, d + STEP, local);
} else {
fetch_chunk(&next, DOUT, V, weights_of, begin, 0u, local);
}
add_chunk(&score, lane, d, HEAD_DIM);
workgroupBarrier();
}
var dscore = Sums();
for (var d = 0u; d < VALUE_DIM; d += STEP) {
stage_chunk(&next, local);
workgroupBarrier();
if (d + STEP < VALUE_DIM) {
fetch_chunk(&next, DOUT, V, weights_of, begin, d + STEP, local);
} else {
fetch_values(&next, K, keys, begin, 0u, local);
}
add_chunk(&dscore, lane, d, VALUE_DIM);
workgroupBarrier();
}

let at = Block(row, begin, end);
slope_four(&score, &dscore, 0u, lane.x, at, seen, lines, deltas);
if (COL_QUADS > 1u) { slope_four(&score, &dscore, 4u, lane.x, at, seen, lines, deltas); }
for (var slice = 0u; slice < SLICES; slice++) {
stage_weights(&dscore, slice, lane);
stage_values(&next, local);
workgroupBarrier();
if (slice + 1u < SLICES) {
fetch_values(&next, K, keys, begin, slice + 1u, local);
} else {
fetch_chunk(&next, Q, K, scores_of, begin + COLS, 0u, local);
}
add_values(&acc, lane);
workgroupBarrier();
}
}
store(0u, Target((start + first) * HEAD_DIM, HEAD_DIM, dims.n - first, HEAD_DIM, dims.scale), &acc, lane, local);
}





const Q: u32 = 0u;
const K: u32 = 1u;
const V: u32 = 2u;
const DOUT: u32 = 3u;

fn element(source: u32, at: u32) -> vec4f {
switch (source) {
case Q: { return vec4f(Elem(q[at])); }
case K: { return vec4f(Elem(k[at])); }
case V: { return vec4f(Elem(v[at])); }
default: { return vec4f(Elem(dout[at])); }
}
}














fn four_capped(s: vec4f) -> vec4f {
return vec4f(cap(s.x), cap(s.y), cap(s.z), cap(s.w));
}

fn hide_queries(s: vec4f, seen: Seen, query: u32, key: u32) -> vec4f {
let y = hide(s.y, seen, query + 1u, key);
let z = hide(s.z, seen, query + 2u, key);
return vec4f(hide(s.x, seen, query, key), y, z, hide(s.w, seen, query + 3u, key));
}







fn four_weights(s: vec4f, top: vec4f) -> vec4f {
let z = s - top;
if (GUARDED) {
return select(select(exp(z), z, are_nan(z)), vec4f(), s == vec4f(HIDDEN));
}
return exp(z);
}

fn four_by_score(p: vec4f, dp: vec4f, delta: vec4f) -> vec4f {
let ds = p * (dp - delta);
if (GUARDED) {
return select(ds, vec4f(), p == vec4f());
}
return ds;
}


fn four_slopes(capped: vec4f) -> vec4f {
return vec4f(uncap(1.0, capped.x), uncap(1.0, capped.y), uncap(1.0, capped.z), uncap(1.0, capped.w));
}




@group(0) @binding(4) var<storage, read> v: array<Stored>;
@group(0) @binding(5) var<storage, read> dout: array<Stored>;
@group(0) @binding(6) var<storage, read> rows: array<vec2f>;

fn valid_keys(sample: u32) -> u32 {
if (LENGTHS) {
return min(u32(rows[dims.batch * dims.heads * dims.n + sample].x), dims.keys);
}
return dims.keys;
}


fn first_out(head: u32) -> u32 {
return (head / dims.heads) * dims.n * dims.heads + head % dims.heads;
}











const HEAD_DIM: u32 = 64u;
const VALUE_DIM: u32 = 64u;
const VEC: bool = false;
alias Elem = f32;
alias Stored = f32;
const GROUPED: bool = false;
const CAUSAL: u32 = 0u;
const MASK: bool = false;
const ADDS: bool = false;
alias MaskElem = u32;
const LENGTHS: bool = false;
const SOFTCAP: bool = false;

const GUARDED: bool = CAUSAL > 0u || MASK || LENGTHS;
const HIDDEN: f32 = -3.0e38;

struct Dims {
batch: u32,
heads: u32,
kv_heads: u32,
n: u32,
keys: u32,
head_dim: u32,
scale: f32,
offset: i32,
softcap: f32,
mask_batch: u32,
mask_heads: u32,
mask_n: u32,
}

@group(0) @binding(0) var<storage, read> q: array<Stored>;
@group(0) @binding(1) var<storage, read> k: array<Stored>;
@group(0) @binding(2) var<storage, read> mask: array<MaskElem>;
@group(0) @binding(3) var<uniform> dims: Dims;


fn group_size() -> u32 {
return select(1u, dims.heads / dims.kv_heads, GROUPED);
}


struct Seen {
keys: u32,
ahead: i32,
mask: u32,
}

fn seen_by(head: u32) -> Seen {
let sample = head / dims.heads;
var seen = Seen(valid_keys(sample), dims.offset, 0u);
if (CAUSAL == 2u) {
seen.ahead += i32(seen.keys) - i32(dims.n);
}
if (MASK) {
let b = min(sample, dims.mask_batch - 1u);
let h = min(head % dims.heads, dims.mask_heads - 1u);
seen.mask = (b * dims.mask_heads + h) * dims.mask_n * dims.keys;
}
return seen;
}


fn keys_until(seen: Seen, query: u32) -> u32 {
if (CAUSAL > 0u) {
return u32(clamp(i32(query) + seen.ahead + 1, 0, i32(seen.keys)));
}
return seen.keys;
}













fn cap(score: f32) -> f32 {
if (!SOFTCAP) {
return score;
}
let x = between(score / dims.softcap, -15.0, 15.0);
let xx = x * x;
let near = x * (1.0 + xx * (-0.33333333 + xx * (0.13333333 + xx * (-0.05396825 + xx * 0.02186949))));
let far = 1.0 - 2.0 / (exp(2.0 * x) + 1.0);
return select(dims.softcap * select(far, near, abs(x) < 0.25), score, is_nan(score));
}


fn uncap(gradient: f32, capped: f32) -> f32 {
if (!SOFTCAP) {
return gradient;
}
let t = capped / dims.softcap;
return gradient * (1.0 - t * t);
}


fn hide(score: f32, seen: Seen, query: u32, key: u32) -> f32 {
var masked = score;
var hidden = false;
if (LENGTHS) {
hidden = key >= seen.keys;
}
if (CAUSAL > 0u) {
hidden = hidden || i32(key) > i32(query) + seen.ahead;
}
if (MASK) {
let m = mask[seen.mask + min(query, dims.mask_n - 1u) * dims.keys + min(key, dims.keys - 1u)];
if (ADDS) {
masked += f32(m);
hidden = hidden || f32(m) <= HIDDEN;
} else {
hidden = hidden || m == MaskElem();
}
}
return select(masked, HIDDEN, hidden);
}



































const ROWS: u32 = 64u;
const COLS: u32 = 64u;
const LANES: u32 = 8u;
const ROLLED: bool = false;
alias OScalar = f32;
alias OElem = array<f32, 1>;

const THREADS: u32 = 8u * LANES;
const STEP: u32 = 16u;
const SLICES: u32 = COLS / STEP;
const EACH: u32 = STEP / LANES;
const SPAN: u32 = 4u * LANES;
const ROW_QUADS: u32 = ROWS / 32u;
const COL_QUADS: u32 = COLS / SPAN;

const WIDTH: u32 = max(HEAD_DIM, VALUE_DIM);
const LEFT: u32 = WIDTH % SPAN;
const WIDE: u32 = WIDTH / SPAN + select(0u, 1u, LEFT > SPAN / 2u);
const REST: u32 = select((LEFT + LANES - 1u) / LANES, 0u, LEFT > SPAN / 2u);
const VALUE_QUADS: u32 = LANES * WIDE + REST * LANES / 4u;

alias PerRow = array<vec4f, 2>;

alias Sums = array<vec4f, ROW_QUADS * max(4u * COL_QUADS, 4u * WIDE + REST)>;
alias Fetched = array<vec4f, 8>;

var<workgroup> tile_a: array<array<vec4f, ROWS / 4u>, STEP>;
var<workgroup> tile_b: array<array<vec4f, max(COLS / 4u, VALUE_QUADS)>, STEP>;
var<workgroup> spoilt: atomic<u32>;


fn place(local: u32) -> vec2u {
let lane = local % 32u;
let block = local / 32u;
let across = LANES / 8u;
let within = vec2u((lane & 1u) + ((lane >> 1u) & 2u) + ((lane >> 2u) & 4u), ((lane >> 1u) & 1u) + ((lane >> 2u) & 2u));
return within + vec2u(8u * (block % across), 4u * (block / across));
}








fn four_lines() -> u32 {
return select(4u, 4u * dims.head_dim / HEAD_DIM, ROLLED);
}


fn column(c: u32, x: u32) -> u32 {
return SPAN * (c / 4u) + 4u * x + c % 4u;
}


fn swizzle(quad: u32, line: u32) -> u32 {
return quad ^ (2u * (line % 4u));
}

fn turned(f: ptr<function, Fetched>, at: u32) -> mat4x4f {
return transpose(mat4x4f((*f)[at], (*f)[at + 1u], (*f)[at + 2u], (*f)[at + 3u]));
}


fn stage_item_a(block: mat4x4f, item: u32) {
let line = item % 4u;
let quad = swizzle(item / 4u, line);
tile_a[line][quad] = block[0];
tile_a[line + 4u][quad] = block[1];
tile_a[line + 8u][quad] = block[2];
tile_a[line + 12u][quad] = block[3];
}

fn stage_item_b(block: mat4x4f, item: u32) {
let line = item % 4u;
let quad = swizzle(item / 4u, line);
tile_b[line][quad] = block[0];
tile_b[line + 4u][quad] = block[1];
tile_b[line + 8u][quad] = block[2];
tile_b[line + 12u][quad] = block[3];
}


fn stage_chunk(f: ptr<function, Fetched>, local: u32) {
if (local < ROWS) {
stage_item_a(turned(f, 0u), local);
} else if (local < ROWS + COLS) {
stage_item_b(turned(f, 0u), local - ROWS);
}
if (ROWS + COLS > THREADS) {
let item = local + THREADS;
if (item < ROWS) {
stage_item_a(turned(f, 4u), item);
} else if (item < ROWS + COLS) {
stage_item_b(turned(f, 4u), item - ROWS);
}
}
}

fn stage_line(f: ptr<function, Fetched>, at: u32, line: u32, local: u32) {
let quad = local % 8u;
stage_quad((*f)[at], line, quad);
if (VALUE_QUADS > 8u) { stage_quad((*f)[at + 1u], line, quad + 8u); }
if (VALUE_QUADS > 16u) { stage_quad((*f)[at + 2u], line, quad + 16u); }
if (VALUE_QUADS > 24u) { stage_quad((*f)[at + 3u], line, quad + 24u); }
}

fn stage_quad(value: vec4f, line: u32, quad: u32) {
if (VALUE_QUADS % 8u == 0u || quad < VALUE_QUADS) {
tile_b[line][quad] = value;
}
if (GUARDED && any((bitcast<vec4u>(value) & vec4u(0x7f800000u)) == vec4u(0x7f800000u))) {
atomicStore(&spoilt, 1u);
}
}


fn stage_values(f: ptr<function, Fetched>, local: u32) {
stage_line(f, 0u, local / 8u, local);
if (LANES == 8u) {
stage_line(f, 4u, local / 8u + 8u, local);
}
}

fn stage_column(weights: ptr<function, Sums>, c: u32, line: u32, y: u32) {
let quad = swizzle(y, line);
tile_a[line][quad] = (*weights)[c * ROW_QUADS];
if (ROW_QUADS > 1u) { tile_a[line][quad + 8u] = (*weights)[c * ROW_QUADS + 1u]; }
}

fn stage_columns(weights: ptr<function, Sums>, c: u32, lane: vec2u) {
stage_column(weights, c, lane.x, lane.y);
if (EACH > 1u) { stage_column(weights, c + 1u, lane.x + 8u, lane.y); }
}


fn stage_weights(weights: ptr<function, Sums>, slice: u32, lane: vec2u) {
switch (slice) {
case 0u: { stage_columns(weights, 0u, lane); }
case 1u: { stage_columns(weights, EACH, lane); }
case 2u: { if (SLICES > 2u) { stage_columns(weights, 2u * EACH, lane); } }
case 3u: { if (SLICES > 2u) { stage_columns(weights, 3u * EACH, lane); } }
case 4u: { if (SLICES > 4u) { stage_columns(weights, 4u * EACH, lane); } }
case 5u: { if (SLICES > 4u) { stage_columns(weights, 5u * EACH, lane); } }
case 6u: { if (SLICES > 4u) { stage_columns(weights, 6u * EACH, lane); } }
default: { if (SLICES > 4u) { stage_columns(weights, 7u * EACH, lane); } }
}
}


fn add_quad(sums: ptr<function, Sums>, c: u32, a0: vec4f, a1: vec4f, b: vec4f) {
(*sums)[c * ROW_QUADS] += a0 * b.x;
(*sums)[(c + 1u) * ROW_QUADS] += a0 * b.y;
(*sums)[(c + 2u) * ROW_QUADS] += a0 * b.z;
(*sums)[(c + 3u) * ROW_QUADS] += a0 * b.w;
if (ROW_QUADS > 1u) {
(*sums)[c * ROW_QUADS + 1u] += a1 * b.x;
(*sums)[(c + 1u) * ROW_QUADS + 1u] += a1 * b.y;
(*sums)[(c + 2u) * ROW_QUADS + 1u] += a1 * b.z;
(*sums)[(c + 3u) * ROW_QUADS + 1u] += a1 * b.w;
}
}

fn add_one(sums: ptr<function, Sums>, c: u32, a0: vec4f, a1: vec4f, b: f32) {
(*sums)[c * ROW_QUADS] += a0 * b;
if (ROW_QUADS > 1u) { (*sums)[c * ROW_QUADS + 1u] += a1 * b; }
}


fn add_score_line(sums: ptr<function, Sums>, line: u32, a: u32, b: u32) {
let a0 = tile_a[line][a];
var a1 = vec4f();
if (ROW_QUADS > 1u) { a1 = tile_a[line][a + 8u]; }
add_quad(sums, 0u, a0, a1, tile_b[line][b]);
if (COL_QUADS > 1u) { add_quad(sums, 4u, a0, a1, tile_b[line][b + LANES]); }
}


fn add_score_lines(sums: ptr<function, Sums>, line: u32, lane: vec2u) {
let a = swizzle(lane.y, line) % 8u;
let b = swizzle(lane.x, line) % LANES;
add_score_line(sums, line, a, b);
add_score_line(sums, line + 4u, a, b);
add_score_line(sums, line + 8u, a, b);
add_score_line(sums, line + 12u, a, b);
}


fn add_chunk(sums: ptr<function, Sums>, lane: vec2u, d: u32, width: u32) {
for (var line = 0u; line < four_lines(); line++) {
if (width % STEP == 0u || d + 4u * line < width) {
add_score_lines(sums, line, lane);
}
}
}


fn add_value_line(sums: ptr<function, Sums>, line: u32, a: u32, lane: vec2u) {
let x = lane.x % LANES;
let a0 = tile_a[line][a];
var a1 = vec4f();
if (ROW_QUADS > 1u) { a1 = tile_a[line][a + 8u]; }
if (WIDE > 0u) { add_quad(sums, 0u, a0, a1, tile_b[line][x]); }
if (WIDE > 1u) { add_quad(sums, 4u, a0, a1, tile_b[line][x + LANES]); }
if (WIDE > 2u) { add_quad(sums, 8u, a0, a1, tile_b[line][x + 2u * LANES]); }
if (WIDE > 3u) { add_quad(sums, 12u, a0, a1, tile_b[line][x + 3u * LANES]); }
let left = LANES * WIDE + x / 4u;
if (REST > 0u) { add_one(sums, 4u * WIDE, a0, a1, tile_b[line][left][x % 4u]); }
if (REST > 1u) { add_one(sums, 4u * WIDE + 1u, a0, a1, tile_b[line][left + LANES / 4u][x % 4u]); }
}

fn add_value_lines(sums: ptr<function, Sums>, line: u32, lane: vec2u) {
let a = swizzle(lane.y, line) % 8u;
add_value_line(sums, line, a, lane);
add_value_line(sums, line + 4u, a, lane);
add_value_line(sums, line + 8u, a, lane);
add_value_line(sums, line + 12u, a, lane);
}


fn add_values(sums: ptr<function, Sums>, lane: vec2u) {
if (GUARDED && atomicLoad(&spoilt) != 0u) {
for (var i = 0u; i < STEP; i++) {
add_guarded_line(sums, 4u * (i % 4u) + i / 4u, lane);
}
return;
}
for (var line = 0u; line < four_lines(); line++) {
add_value_lines(sums, line, lane);
}
}

fn guarded(sum: vec4f, weights: vec4f, value: f32) -> vec4f {
return select(sum + weights * value, sum, weights == vec4f());
}

fn add_guarded_one(sums: ptr<function, Sums>, c: u32, line: u32, a: u32, value: f32) {
(*sums)[c * ROW_QUADS] = guarded((*sums)[c * ROW_QUADS], tile_a[line][a], value);
if (ROW_QUADS > 1u) { (*sums)[c * ROW_QUADS + 1u] = guarded((*sums)[c * ROW_QUADS + 1u], tile_a[line][a + 8u], value); }
}

fn add_guarded_quad(sums: ptr<function, Sums>, c: u32, line: u32, a: u32, b: vec4f) {
add_guarded_one(sums, c, line, a, b.x);
add_guarded_one(sums, c + 1u, line, a, b.y);
add_guarded_one(sums, c + 2u, line, a, b.z);
add_guarded_one(sums, c + 3u, line, a, b.w);
}

fn add_guarded_line(sums: ptr<function, Sums>, line: u32, lane: vec2u) {
let a = swizzle(lane.y, line) % 8u;
let x = lane.x % LANES;
if (WIDE > 0u) { add_guarded_quad(sums, 0u, line, a, tile_b[line][x]); }
if (WIDE > 1u) { add_guarded_quad(sums, 4u, line, a, tile_b[line][x + LANES]); }
if (WIDE > 2u) { add_guarded_quad(sums, 8u, line, a, tile_b[line][x + 2u * LANES]); }
if (WIDE > 3u) { add_guarded_quad(sums, 12u, line, a, tile_b[line][x + 3u * LANES]); }
let left = LANES * WIDE + x / 4u;
if (REST > 0u) { add_guarded_one(sums, 4u * WIDE, line, a, tile_b[line][left][x % 4u]); }
if (REST > 1u) { add_guarded_one(sums, 4u * WIDE + 1u, line, a, tile_b[line][left + LANES / 4u][x % 4u]); }
}


struct Target {
base: u32,
step: u32,
live: u32,
width: u32,
factor: f32,
}


fn store(result: u32, to: Target, sums: ptr<function, Sums>, lane: vec2u, local: u32) {
store_rows(result, to, sums, 0u, lane);
if (ROW_QUADS > 1u) { store_rows(result, to, sums, 1u, lane); }
if (REST > 0u) { store_column(result, to, sums, 4u * WIDE, SPAN * WIDE, lane, local); }
if (REST > 1u) { store_column(result, to, sums, 4u * WIDE + 1u, SPAN * WIDE + LANES, lane, local); }
}

fn store_rows(result: u32, to: Target, sums: ptr<function, Sums>, h: u32, lane: vec2u) {
let row = 32u * h + 4u * lane.y;
if (WIDE > 0u) { store_quad(result, to, sums, h, row, 0u, lane.x); }
if (WIDE > 1u) { store_quad(result, to, sums, h, row, 4u, lane.x); }
if (WIDE > 2u) { store_quad(result, to, sums, h, row, 8u, lane.x); }
if (WIDE > 3u) { store_quad(result, to, sums, h, row, 12u, lane.x); }
}


fn four_rows(sums: ptr<function, Sums>, c: u32, h: u32) -> mat4x4f {
let i = c * ROW_QUADS + h;
return transpose(mat4x4f((*sums)[i], (*sums)[i + ROW_QUADS], (*sums)[i + 2u * ROW_QUADS], (*sums)[i + 3u * ROW_QUADS]));
}

fn store_quad(result: u32, to: Target, sums: ptr<function, Sums>, h: u32, row: u32, c: u32, x: u32) {
store_block(result, to, row, column(c, x), four_rows(sums, c, h));
}


fn store_column(result: u32, to: Target, sums: ptr<function, Sums>, c: u32, first: u32, lane: vec2u, local: u32) {
workgroupBarrier();
tile_a[lane.x][lane.y] = (*sums)[c * ROW_QUADS];
if (ROW_QUADS > 1u) { tile_a[lane.x][lane.y + 8u] = (*sums)[c * ROW_QUADS + 1u]; }
workgroupBarrier();
let quad = local / (LANES / 4u);
let line = 4u * (local % (LANES / 4u));
if (quad < ROWS / 4u) {
let block = transpose(mat4x4f(tile_a[line][quad], tile_a[line + 1u][quad], tile_a[line + 2u][quad], tile_a[line + 3u][quad]));
store_block(result, to, 4u * quad, first + line, block);
}
}


fn store_block(result: u32, to: Target, row: u32, col: u32, block: mat4x4f) {
for (var i = 0u; i < min(4u, max(row, to.live) - row); i++) {
var four = block[0];
if (i == 1u) { four = block[1]; }
if (i == 2u) { four = block[2]; }
if (i == 3u) { four = block[3]; }
store_four(result, to, row + i, col, four);
}
}

fn store_four(result: u32, to: Target, row: u32, col: u32, four: vec4f) {
let value = four * to.factor;
let at = to.base + row * to.step + col;
for (var j = 0u; j < 4u; j += select(1u, 4u, VEC)) {
if (col + j < to.width) {
var part: OElem;
for (var c = 0u; c < select(1u, 4u, VEC); c++) {
part[c] = OScalar(value[j + c]);
}
put(result, (at + j) / select(1u, 4u, VEC), part);
}
}
}






struct Rows {
first: u32,
count: u32,
step: u32,
}

fn width_of(source: u32) -> u32 {
return select(HEAD_DIM, VALUE_DIM, source >= V);
}


fn load(source: u32, operand: Rows, row: u32, d: u32) -> vec4f {
let width = width_of(source);
let at = (operand.first + row * operand.step) * width + d;
if (VEC) {
return element(source, at / 4u);
}
if (d >= width) {
return vec4f();
}
let step = min(vec4u(0u, 1u, 2u, 3u), vec4u(width - 1u - d));
let four = vec4f(element(source, at).x, element(source, at + step.y).x, element(source, at + step.z).x, element(source, at + step.w).x);
return select(vec4f(), four, step == vec4u(0u, 1u, 2u, 3u));
}


fn fetch_item(next: ptr<function, Fetched>, at: u32, source: u32, operand: Rows, first_row: u32, d: u32, item: u32) {
let row = first_row + 4u * (item / 4u);
let last = max(operand.count, 1u) - 1u;
let element_from = d + 4u * (item % 4u);
(*next)[at] = load(source, operand, min(row, last), element_from);
(*next)[at + 1u] = load(source, operand, min(row + 1u, last), element_from);
(*next)[at + 2u] = load(source, operand, min(row + 2u, last), element_from);
(*next)[at + 3u] = load(source, operand, min(row + 3u, last), element_from);
}


struct Pair {
rows: Rows,
cols: Rows,
first_row: u32,
}


fn fetch_chunk(next: ptr<function, Fetched>, a: u32, b: u32, pair: Pair, first_col: u32, d: u32, local: u32) {
if (local < ROWS) {
fetch_item(next, 0u, a, pair.rows, pair.first_row, d, local);
} else if (local < ROWS + COLS) {
fetch_item(next, 0u, b, pair.cols, first_col, d, local - ROWS);
}
if (ROWS + COLS > THREADS) {
let item = local + THREADS;
if (item < ROWS) {
fetch_item(next, 4u, a, pair.rows, pair.first_row, d, item);
} else if (item < ROWS + COLS) {
fetch_item(next, 4u, b, pair.cols, first_col, d, item - ROWS);
}
}
}


fn fetch_line(next: ptr<function, Fetched>, at: u32, source: u32, operand: Rows, row: u32, local: u32) {
let quad = local % 8u;
let seen = row < operand.count;
fetch_quad(next, at, source, operand, row, quad, seen);
if (VALUE_QUADS > 8u) { fetch_quad(next, at + 1u, source, operand, row, quad + 8u, seen); }
if (VALUE_QUADS > 16u) { fetch_quad(next, at + 2u, source, operand, row, quad + 16u, seen); }
if (VALUE_QUADS > 24u) { fetch_quad(next, at + 3u, source, operand, row, quad + 24u, seen); }
}

fn fetch_quad(next: ptr<function, Fetched>, at: u32, source: u32, operand: Rows, row: u32, quad: u32, seen: bool) {
(*next)[at] = vec4f();
if (seen && 4u * quad < width_of(source)) {
(*next)[at] = load(source, operand, row, 4u * quad);
}
}


fn column_of(slice: u32, line: u32) -> u32 {
return column(slice * EACH + line / LANES, line % LANES);
}


fn fetch_values(next: ptr<function, Fetched>, source: u32, operand: Rows, first_col: u32, slice: u32, local: u32) {
fetch_line(next, 0u, source, operand, first_col + column_of(slice, local / 8u), local);
if (LANES == 8u) {
fetch_line(next, 4u, source, operand, first_col + column_of(slice, local / 8u + 8u), local);
}
}




fn is_nan(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

fn are_nan(x: vec4f) -> vec4<bool> {
return (bitcast<vec4u>(x) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u);
}











fn between(x: f32, low: f32, high: f32) -> f32 {
return select(clamp(x, low, high), x, is_nan(x));
}
















struct Place {
head: u32,
first: u32,
}

fn place_of(wid: vec3u, groups: vec3u, rows: u32, covered: u32) -> Place {
let tiles = (rows + covered - 1u) / covered;
let group = wid.x + wid.y * groups.x;
return Place(group / tiles, (group % tiles) * covered);
}` as string,
} as const satisfies ShaderSource;

/**
 * attention_tiled_bwd_q: dq_i = scale * sum over j of ds_ij k_j, ds = p (dout_i . v_j - delta_i), p = exp(score_ij - lse_i);
 * the GPU variant of attention_bwd_q_plain, with the same buffers and dims.
 * Grid: a workgroup of 8 LANES has ROWS queries of one head and walks blocks of COLS keys, as attention_tiled_fwd.
 * Precision: f32; q, k, v, dout and dq may be stored as f16.
 * Source: Dao et al. 2022, the backward of attention.
 */
export interface AttentionTiledBwdQ extends Same<typeof attention_tiled_bwd_q_> {}
export const attention_tiled_bwd_q: AttentionTiledBwdQ = attention_tiled_bwd_q_;

const attention_tiled_bwd_q_stored_ = {
  name: 'attention_tiled_bwd_q_stored',
  entryPoint: 'main',
  bindings: {
    k: { binding: 0, access: 'read', element: 'Stored' },
    dscores: { binding: 1, access: 'read', element: 'vec4f' },
    dq: { binding: 2, access: 'read_write', element: 'OElem' },
  },
  uniform: { binding: 3, size: 28, fields: {
    batch: { type: 'u32', offset: 0 },
    heads: { type: 'u32', offset: 4 },
    kv_heads: { type: 'u32', offset: 8, else: 'heads' },
    n: { type: 'u32', offset: 12 },
    keys: { type: 'u32', offset: 16, else: 'n' },
    head_dim: { type: 'u32', offset: 20 },
    scale: { type: 'f32', offset: 24 },
  } },
  knobs: {
    HEAD_DIM: { kind: 'const', type: 'u32', default: 64 },
    VEC: { kind: 'const', type: 'bool', default: false },
    Elem: { kind: 'alias', type: 'type', default: 'f32' },
    Stored: { kind: 'alias', type: 'type', default: 'f32' },
    GROUPED: { kind: 'const', type: 'bool', default: false },
    ROWS: { kind: 'const', type: 'u32', default: 64 },
    COLS: { kind: 'const', type: 'u32', default: 64 },
    LANES: { kind: 'const', type: 'u32', default: 8 },
    ROLLED: { kind: 'const', type: 'bool', default: false },
    OScalar: { kind: 'alias', type: 'type', default: 'f32' },
    OElem: { kind: 'alias', type: 'type', default: 'array<f32, 1>' },
  },
  code: `









const HEAD_DIM: u32 = 64u;
const VEC: bool = false;
alias Elem = f32;
alias Stored = f32;
const GROUPED: bool = false;

const VALUE_DIM: u32 = HEAD_DIM;
const GUARDED: bool = false;

struct Dims {
batch: u32,
heads: u32,
kv_heads: u32,
n: u32,
keys: u32,
head_dim: u32,
scale: f32,
}

@group(0) @binding(0) var<storage, read> k: array<Stored>;
@group(0) @binding(1) var<storage, read> dscores: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> dq: array<OElem>;
@group(0) @binding(3) var<uniform> dims: Dims;


const K: u32 = 1u;
const V: u32 = 2u;

fn element(source: u32, at: u32) -> vec4f {
return vec4f(Elem(k[at]));
}

fn put(result: u32, at: u32, value: OElem) {
dq[at] = value;
}


struct Line {
low: vec4f,
high: vec4f,
}

fn fetch_slopes(head: u32, key: u32, first: u32, local: u32) -> Line {
let last = query_quads() - 1u;
let line = (head * dims.keys + min(key, dims.keys - 1u)) * query_quads();
let quad = first / 4u + local % 8u;
if (ROW_QUADS > 1u) {
return Line(dscores[line + min(quad, last)], dscores[line + min(quad + 8u, last)]);
}
return Line(dscores[line + min(quad, last)], vec4f());
}

fn stage_slopes(slopes: Line, line: u32, local: u32) {
let quad = swizzle(local % 8u, line);
tile_a[line][quad] = slopes.low;
if (ROW_QUADS > 1u) { tile_a[line][quad + 8u] = slopes.high; }
}

@compute @workgroup_size(THREADS)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let place_of_rows = place_of(wid, groups, dims.n, ROWS);
let head = place_of_rows.head;
if (head >= dims.batch * dims.heads) {
return;
}
let first = place_of_rows.first;
let keys = Rows(head / select(1u, dims.heads / dims.kv_heads, GROUPED) * dims.keys, dims.keys, 1u);
let lane = place(local);
let line = local / 8u;

var acc: Sums;
var next: Fetched;
var slopes = fetch_slopes(head, line, first, local);
var slopes2 = slopes;
fetch_line(&next, 0u, K, keys, line, local);
if (LANES == 8u) {
slopes2 = fetch_slopes(head, line + 8u, first, local);
fetch_line(&next, 4u, K, keys, line + 8u, local);
}
for (var begin = 0u; begin < dims.keys; begin += STEP) {
stage_slopes(slopes, line, local);
if (LANES == 8u) { stage_slopes(slopes2, line + 8u, local); }
stage_values(&next, local);
workgroupBarrier();
let after = begin + STEP + line;
slopes = fetch_slopes(head, after, first, local);
fetch_line(&next, 0u, K, keys, after, local);
if (LANES == 8u) {
slopes2 = fetch_slopes(head, after + 8u, first, local);
fetch_line(&next, 4u, K, keys, after + 8u, local);
}
add_values(&acc, lane);
workgroupBarrier();
}
store(0u, Target((head * dims.n + first) * HEAD_DIM, HEAD_DIM, dims.n - first, HEAD_DIM, dims.scale), &acc, lane, local);
}




struct Place {
head: u32,
first: u32,
}

fn place_of(wid: vec3u, groups: vec3u, rows: u32, covered: u32) -> Place {
let tiles = (rows + covered - 1u) / covered;
let group = wid.x + wid.y * groups.x;
return Place(group / tiles, (group % tiles) * covered);
}




const ROWS: u32 = 64u;
const COLS: u32 = 64u;
const LANES: u32 = 8u;
const ROLLED: bool = false;
alias OScalar = f32;
alias OElem = array<f32, 1>;

const THREADS: u32 = 8u * LANES;
const STEP: u32 = 16u;


const SPAN: u32 = 4u * LANES;
const ROW_QUADS: u32 = ROWS / 32u;
const COL_QUADS: u32 = COLS / SPAN;

const WIDTH: u32 = max(HEAD_DIM, VALUE_DIM);
const LEFT: u32 = WIDTH % SPAN;
const WIDE: u32 = WIDTH / SPAN + select(0u, 1u, LEFT > SPAN / 2u);
const REST: u32 = select((LEFT + LANES - 1u) / LANES, 0u, LEFT > SPAN / 2u);
const VALUE_QUADS: u32 = LANES * WIDE + REST * LANES / 4u;



alias Sums = array<vec4f, ROW_QUADS * max(4u * COL_QUADS, 4u * WIDE + REST)>;
alias Fetched = array<vec4f, 8>;

var<workgroup> tile_a: array<array<vec4f, ROWS / 4u>, STEP>;
var<workgroup> tile_b: array<array<vec4f, max(COLS / 4u, VALUE_QUADS)>, STEP>;
var<workgroup> spoilt: atomic<u32>;


fn place(local: u32) -> vec2u {
let lane = local % 32u;
let block = local / 32u;
let across = LANES / 8u;
let within = vec2u((lane & 1u) + ((lane >> 1u) & 2u) + ((lane >> 2u) & 4u), ((lane >> 1u) & 1u) + ((lane >> 2u) & 2u));
return within + vec2u(8u * (block % across), 4u * (block / across));
}


fn query_quads() -> u32 {
return (dims.n + 3u) / 4u;
}



fn four_lines() -> u32 {
return select(4u, 4u * dims.head_dim / HEAD_DIM, ROLLED);
}


fn column(c: u32, x: u32) -> u32 {
return SPAN * (c / 4u) + 4u * x + c % 4u;
}


fn swizzle(quad: u32, line: u32) -> u32 {
return quad ^ (2u * (line % 4u));
}









































fn stage_line(f: ptr<function, Fetched>, at: u32, line: u32, local: u32) {
let quad = local % 8u;
stage_quad((*f)[at], line, quad);
if (VALUE_QUADS > 8u) { stage_quad((*f)[at + 1u], line, quad + 8u); }
if (VALUE_QUADS > 16u) { stage_quad((*f)[at + 2u], line, quad + 16u); }
if (VALUE_QUADS > 24u) { stage_quad((*f)[at + 3u], line, quad + 24u); }
}

fn stage_quad(value: vec4f, line: u32, quad: u32) {
if (VALUE_QUADS % 8u == 0u || quad < VALUE_QUADS) {
tile_b[line][quad] = value;
}
if (GUARDED && any((bitcast<vec4u>(value) & vec4u(0x7f800000u)) == vec4u(0x7f800000u))) {
atomicStore(&spoilt, 1u);
}
}


fn stage_values(f: ptr<function, Fetched>, local: u32) {
stage_line(f, 0u, local / 8u, local);
if (LANES == 8u) {
stage_line(f, 4u, local / 8u + 8u, local);
}
}



























fn add_quad(sums: ptr<function, Sums>, c: u32, a0: vec4f, a1: vec4f, b: vec4f) {
(*sums)[c * ROW_QUADS] += a0 * b.x;
(*sums)[(c + 1u) * ROW_QUADS] += a0 * b.y;
(*sums)[(c + 2u) * ROW_QUADS] += a0 * b.z;
(*sums)[(c + 3u) * ROW_QUADS] += a0 * b.w;
if (ROW_QUADS > 1u) {
(*sums)[c * ROW_QUADS + 1u] += a1 * b.x;
(*sums)[(c + 1u) * ROW_QUADS + 1u] += a1 * b.y;
(*sums)[(c + 2u) * ROW_QUADS + 1u] += a1 * b.z;
(*sums)[(c + 3u) * ROW_QUADS + 1u] += a1 * b.w;
}
}

fn add_one(sums: ptr<function, Sums>, c: u32, a0: vec4f, a1: vec4f, b: f32) {
(*sums)[c * ROW_QUADS] += a0 * b;
if (ROW_QUADS > 1u) { (*sums)[c * ROW_QUADS + 1u] += a1 * b; }
}






























fn add_value_line(sums: ptr<function, Sums>, line: u32, a: u32, lane: vec2u) {
let x = lane.x % LANES;
let a0 = tile_a[line][a];
var a1 = vec4f();
if (ROW_QUADS > 1u) { a1 = tile_a[line][a + 8u]; }
if (WIDE > 0u) { add_quad(sums, 0u, a0, a1, tile_b[line][x]); }
if (WIDE > 1u) { add_quad(sums, 4u, a0, a1, tile_b[line][x + LANES]); }
if (WIDE > 2u) { add_quad(sums, 8u, a0, a1, tile_b[line][x + 2u * LANES]); }
if (WIDE > 3u) { add_quad(sums, 12u, a0, a1, tile_b[line][x + 3u * LANES]); }
let left = LANES * WIDE + x / 4u;
if (REST > 0u) { add_one(sums, 4u * WIDE, a0, a1, tile_b[line][left][x % 4u]); }
if (REST > 1u) { add_one(sums, 4u * WIDE + 1u, a0, a1, tile_b[line][left + LANES / 4u][x % 4u]); }
}

fn add_value_lines(sums: ptr<function, Sums>, line: u32, lane: vec2u) {
let a = swizzle(lane.y, line) % 8u;
add_value_line(sums, line, a, lane);
add_value_line(sums, line + 4u, a, lane);
add_value_line(sums, line + 8u, a, lane);
add_value_line(sums, line + 12u, a, lane);
}


fn add_values(sums: ptr<function, Sums>, lane: vec2u) {
if (GUARDED && atomicLoad(&spoilt) != 0u) {
for (var i = 0u; i < STEP; i++) {
add_guarded_line(sums, 4u * (i % 4u) + i / 4u, lane);
}
return;
}
for (var line = 0u; line < four_lines(); line++) {
add_value_lines(sums, line, lane);
}
}

fn guarded(sum: vec4f, weights: vec4f, value: f32) -> vec4f {
return select(sum + weights * value, sum, weights == vec4f());
}

fn add_guarded_one(sums: ptr<function, Sums>, c: u32, line: u32, a: u32, value: f32) {
(*sums)[c * ROW_QUADS] = guarded((*sums)[c * ROW_QUADS], tile_a[line][a], value);
if (ROW_QUADS > 1u) { (*sums)[c * ROW_QUADS + 1u] = guarded((*sums)[c * ROW_QUADS + 1u], tile_a[line][a + 8u], value); }
}

fn add_guarded_quad(sums: ptr<function, Sums>, c: u32, line: u32, a: u32, b: vec4f) {
add_guarded_one(sums, c, line, a, b.x);
add_guarded_one(sums, c + 1u, line, a, b.y);
add_guarded_one(sums, c + 2u, line, a, b.z);
add_guarded_one(sums, c + 3u, line, a, b.w);
}

fn add_guarded_line(sums: ptr<function, Sums>, line: u32, lane: vec2u) {
let a = swizzle(lane.y, line) % 8u;
let x = lane.x % LANES;
if (WIDE > 0u) { add_guarded_quad(sums, 0u, line, a, tile_b[line][x]); }
if (WIDE > 1u) { add_guarded_quad(sums, 4u, line, a, tile_b[line][x + LANES]); }
if (WIDE > 2u) { add_guarded_quad(sums, 8u, line, a, tile_b[line][x + 2u * LANES]); }
if (WIDE > 3u) { add_guarded_quad(sums, 12u, line, a, tile_b[line][x + 3u * LANES]); }
let left = LANES * WIDE + x / 4u;
if (REST > 0u) { add_guarded_one(sums, 4u * WIDE, line, a, tile_b[line][left][x % 4u]); }
if (REST > 1u) { add_guarded_one(sums, 4u * WIDE + 1u, line, a, tile_b[line][left + LANES / 4u][x % 4u]); }
}


struct Target {
base: u32,
step: u32,
live: u32,
width: u32,
factor: f32,
}


fn store(result: u32, to: Target, sums: ptr<function, Sums>, lane: vec2u, local: u32) {
store_rows(result, to, sums, 0u, lane);
if (ROW_QUADS > 1u) { store_rows(result, to, sums, 1u, lane); }
if (REST > 0u) { store_column(result, to, sums, 4u * WIDE, SPAN * WIDE, lane, local); }
if (REST > 1u) { store_column(result, to, sums, 4u * WIDE + 1u, SPAN * WIDE + LANES, lane, local); }
}

fn store_rows(result: u32, to: Target, sums: ptr<function, Sums>, h: u32, lane: vec2u) {
let row = 32u * h + 4u * lane.y;
if (WIDE > 0u) { store_quad(result, to, sums, h, row, 0u, lane.x); }
if (WIDE > 1u) { store_quad(result, to, sums, h, row, 4u, lane.x); }
if (WIDE > 2u) { store_quad(result, to, sums, h, row, 8u, lane.x); }
if (WIDE > 3u) { store_quad(result, to, sums, h, row, 12u, lane.x); }
}


fn four_rows(sums: ptr<function, Sums>, c: u32, h: u32) -> mat4x4f {
let i = c * ROW_QUADS + h;
return transpose(mat4x4f((*sums)[i], (*sums)[i + ROW_QUADS], (*sums)[i + 2u * ROW_QUADS], (*sums)[i + 3u * ROW_QUADS]));
}

fn store_quad(result: u32, to: Target, sums: ptr<function, Sums>, h: u32, row: u32, c: u32, x: u32) {
store_block(result, to, row, column(c, x), four_rows(sums, c, h));
}


fn store_column(result: u32, to: Target, sums: ptr<function, Sums>, c: u32, first: u32, lane: vec2u, local: u32) {
workgroupBarrier();
tile_a[lane.x][lane.y] = (*sums)[c * ROW_QUADS];
if (ROW_QUADS > 1u) { tile_a[lane.x][lane.y + 8u] = (*sums)[c * ROW_QUADS + 1u]; }
workgroupBarrier();
let quad = local / (LANES / 4u);
let line = 4u * (local % (LANES / 4u));
if (quad < ROWS / 4u) {
let block = transpose(mat4x4f(tile_a[line][quad], tile_a[line + 1u][quad], tile_a[line + 2u][quad], tile_a[line + 3u][quad]));
store_block(result, to, 4u * quad, first + line, block);
}
}


fn store_block(result: u32, to: Target, row: u32, col: u32, block: mat4x4f) {
for (var i = 0u; i < min(4u, max(row, to.live) - row); i++) {
var four = block[0];
if (i == 1u) { four = block[1]; }
if (i == 2u) { four = block[2]; }
if (i == 3u) { four = block[3]; }
store_four(result, to, row + i, col, four);
}
}

fn store_four(result: u32, to: Target, row: u32, col: u32, four: vec4f) {
let value = four * to.factor;
let at = to.base + row * to.step + col;
for (var j = 0u; j < 4u; j += select(1u, 4u, VEC)) {
if (col + j < to.width) {
var part: OElem;
for (var c = 0u; c < select(1u, 4u, VEC); c++) {
part[c] = OScalar(value[j + c]);
}
put(result, (at + j) / select(1u, 4u, VEC), part);
}
}
}






struct Rows {
first: u32,
count: u32,
step: u32,
}

fn width_of(source: u32) -> u32 {
return select(HEAD_DIM, VALUE_DIM, source >= V);
}


fn load(source: u32, operand: Rows, row: u32, d: u32) -> vec4f {
let width = width_of(source);
let at = (operand.first + row * operand.step) * width + d;
if (VEC) {
return element(source, at / 4u);
}
if (d >= width) {
return vec4f();
}
let step = min(vec4u(0u, 1u, 2u, 3u), vec4u(width - 1u - d));
let four = vec4f(element(source, at).x, element(source, at + step.y).x, element(source, at + step.z).x, element(source, at + step.w).x);
return select(vec4f(), four, step == vec4u(0u, 1u, 2u, 3u));
}





































fn fetch_line(next: ptr<function, Fetched>, at: u32, source: u32, operand: Rows, row: u32, local: u32) {
let quad = local % 8u;
let seen = row < operand.count;
fetch_quad(next, at, source, operand, row, quad, seen);
if (VALUE_QUADS > 8u) { fetch_quad(next, at + 1u, source, operand, row, quad + 8u, seen); }
if (VALUE_QUADS > 16u) { fetch_quad(next, at + 2u, source, operand, row, quad + 16u, seen); }
if (VALUE_QUADS > 24u) { fetch_quad(next, at + 3u, source, operand, row, quad + 24u, seen); }
}

fn fetch_quad(next: ptr<function, Fetched>, at: u32, source: u32, operand: Rows, row: u32, quad: u32, seen: bool) {
(*next)[at] = vec4f();
if (seen && 4u * quad < width_of(source)) {
(*next)[at] = load(source, operand, row, 4u * quad);
}
}` as string,
} as const satisfies ShaderSource;

/**
 * attention_tiled_bwd_q_stored: dq_i = scale * sum over j of ds_ij k_j, of ds that attention_tiled_bwd_kv has stored: one product where
 * attention_tiled_bwd_q has three. Where every query sees every key; else what a block skips would not be written.
 * Buffers f32: k, dq as attention_bwd_q_plain; dscores [batch, heads, keys, n up to a multiple of 4].
 * Grid: a workgroup of 8 LANES has ROWS queries of one head and walks the keys, STEP at a time.
 * Precision: f32; k and dq may be stored as f16.
 * Source: Dao et al. 2022, the backward of attention.
 */
export interface AttentionTiledBwdQStored extends Same<typeof attention_tiled_bwd_q_stored_> {}
export const attention_tiled_bwd_q_stored: AttentionTiledBwdQStored = attention_tiled_bwd_q_stored_;

const attention_tiled_fwd_ = {
  name: 'attention_tiled_fwd',
  entryPoint: 'main',
  bindings: {
    v: { binding: 5, access: 'read', element: 'Stored' },
    out: { binding: 6, access: 'read_write', element: 'OElem' },
    lse: { binding: 7, access: 'read_write', element: 'f32' },
    lengths: { binding: 4, access: 'read', element: 'u32', optional: 'LENGTHS' },
    q: { binding: 0, access: 'read', element: 'Stored' },
    k: { binding: 1, access: 'read', element: 'Stored' },
    mask: { binding: 2, access: 'read', element: 'MaskElem', optional: 'MASK' },
  },
  uniform: { binding: 3, size: 48, fields: {
    batch: { type: 'u32', offset: 0 },
    heads: { type: 'u32', offset: 4 },
    kv_heads: { type: 'u32', offset: 8, else: 'heads' },
    n: { type: 'u32', offset: 12 },
    keys: { type: 'u32', offset: 16, else: 'n' },
    head_dim: { type: 'u32', offset: 20 },
    scale: { type: 'f32', offset: 24 },
    offset: { type: 'i32', offset: 28, else: 0 },
    softcap: { type: 'f32', offset: 32, else: 0, optional: 'SOFTCAP' },
    mask_batch: { type: 'u32', offset: 36, else: 1, optional: 'MASK' },
    mask_heads: { type: 'u32', offset: 40, else: 1, optional: 'MASK' },
    mask_n: { type: 'u32', offset: 44, else: 1, optional: 'MASK' },
  } },
  knobs: {
    HEAD_DIM: { kind: 'const', type: 'u32', default: 64 },
    VALUE_DIM: { kind: 'const', type: 'u32', default: 64 },
    VEC: { kind: 'const', type: 'bool', default: false },
    Elem: { kind: 'alias', type: 'type', default: 'f32' },
    Stored: { kind: 'alias', type: 'type', default: 'f32' },
    GROUPED: { kind: 'const', type: 'bool', default: false },
    CAUSAL: { kind: 'const', type: 'u32', default: 0 },
    MASK: { kind: 'const', type: 'bool', default: false },
    ADDS: { kind: 'const', type: 'bool', default: false },
    MaskElem: { kind: 'alias', type: 'type', default: 'u32' },
    LENGTHS: { kind: 'const', type: 'bool', default: false },
    SOFTCAP: { kind: 'const', type: 'bool', default: false },
    ROWS: { kind: 'const', type: 'u32', default: 64 },
    COLS: { kind: 'const', type: 'u32', default: 64 },
    LANES: { kind: 'const', type: 'u32', default: 8 },
    ROLLED: { kind: 'const', type: 'bool', default: false },
    OScalar: { kind: 'alias', type: 'type', default: 'f32' },
    OElem: { kind: 'alias', type: 'type', default: 'array<f32, 1>' },
  },
  code: `







@group(0) @binding(5) var<storage, read> v: array<Stored>;
@group(0) @binding(6) var<storage, read_write> out: array<OElem>;
@group(0) @binding(7) var<storage, read_write> lse: array<f32>;

const Q: u32 = 0u;
const K: u32 = 1u;
const V: u32 = 2u;

fn element(source: u32, at: u32) -> vec4f {
switch (source) {
case Q: { return vec4f(Elem(q[at])); }
case K: { return vec4f(Elem(k[at])); }
default: { return vec4f(Elem(v[at])); }
}
}

fn put(result: u32, at: u32, value: OElem) {
out[at] = value;
}


struct Block {
query: u32,
key: u32,
end: u32,
}


fn mask_quad(score: ptr<function, Sums>, top: ptr<function, PerRow>, c: u32, h: u32, key: u32, at: Block, seen: Seen) {
let masked = hide_queries(four_capped((*score)[c * ROW_QUADS + h] * dims.scale), seen, at.query + 32u * h, key);
let four = select(vec4f(HIDDEN), masked, key < at.end);
(*score)[c * ROW_QUADS + h] = four;
(*top)[h] = max((*top)[h], four);
}

fn mask_column(score: ptr<function, Sums>, top: ptr<function, PerRow>, c: u32, x: u32, at: Block, seen: Seen) {
let key = at.key + column(c, x);
mask_quad(score, top, c, 0u, key, at, seen);
if (ROW_QUADS > 1u) { mask_quad(score, top, c, 1u, key, at, seen); }
}

fn mask_four(score: ptr<function, Sums>, top: ptr<function, PerRow>, c: u32, x: u32, at: Block, seen: Seen) {
if (ROLLED) {
for (var i = 0u; i < four_lines(); i++) {
mask_column(score, top, c + i, x, at, seen);
}
} else {
mask_column(score, top, c, x, at, seen);
mask_column(score, top, c + 1u, x, at, seen);
mask_column(score, top, c + 2u, x, at, seen);
mask_column(score, top, c + 3u, x, at, seen);
}
}


fn weigh_column(score: ptr<function, Sums>, sum: ptr<function, PerRow>, c: u32, top: PerRow) {
let p0 = four_weights((*score)[c * ROW_QUADS], top[0]);
(*score)[c * ROW_QUADS] = p0;
(*sum)[0] += p0;
if (ROW_QUADS > 1u) {
let p1 = four_weights((*score)[c * ROW_QUADS + 1u], top[1]);
(*score)[c * ROW_QUADS + 1u] = p1;
(*sum)[1] += p1;
}
}

fn weigh_four(score: ptr<function, Sums>, sum: ptr<function, PerRow>, c: u32, top: PerRow) {
weigh_column(score, sum, c, top);
weigh_column(score, sum, c + 1u, top);
weigh_column(score, sum, c + 2u, top);
weigh_column(score, sum, c + 3u, top);
}


fn scale_column(acc: ptr<function, Sums>, c: u32, factor: PerRow) {
(*acc)[c * ROW_QUADS] *= factor[0];
if (ROW_QUADS > 1u) { (*acc)[c * ROW_QUADS + 1u] *= factor[1]; }
}

fn scale_four(acc: ptr<function, Sums>, c: u32, factor: PerRow) {
scale_column(acc, c, factor);
scale_column(acc, c + 1u, factor);
scale_column(acc, c + 2u, factor);
scale_column(acc, c + 3u, factor);
}

fn scale_all(acc: ptr<function, Sums>, factor: PerRow) {
if (WIDE > 0u) { scale_four(acc, 0u, factor); }
if (WIDE > 1u) { scale_four(acc, 4u, factor); }
if (WIDE > 2u) { scale_four(acc, 8u, factor); }
if (WIDE > 3u) { scale_four(acc, 12u, factor); }
if (REST > 0u) { scale_column(acc, 4u * WIDE, factor); }
if (REST > 1u) { scale_column(acc, 4u * WIDE + 1u, factor); }
}


fn share(own: PerRow, lane: vec2u) {
tile_a[lane.x][lane.y] = own[0];
if (ROW_QUADS > 1u) { tile_a[lane.x][lane.y + 8u] = own[1]; }
workgroupBarrier();
}


fn line_of(top: vec4f, sum: vec4f) -> vec4f {
let line = select(top + log(sum), sum, are_nan(sum));
if (GUARDED) {
return select(line, vec4f(HIDDEN), sum == vec4f());
}
return line;
}

fn store_lines(head: u32, row: u32, line: vec4f) {
for (var r = 0u; r < 4u; r++) {
if (row + r < dims.n) {
lse[head * dims.n + row + r] = line[r];
}
}
}

@compute @workgroup_size(THREADS)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let place_of_rows = place_of(wid, groups, dims.n, ROWS);
let head = place_of_rows.head;
if (head >= dims.batch * dims.heads) {
return;
}
let first = place_of_rows.first;
let seen = seen_by(head);
let keys = Rows(head / group_size() * dims.keys, seen.keys, 1u);
let operands = Pair(Rows(head * dims.n, dims.n, 1u), keys, first);
let end = keys_until(seen, first + ROWS - 1u);
let lane = place(local);

var acc: Sums;
var top = PerRow(vec4f(HIDDEN), vec4f(HIDDEN));
var sum: PerRow;
var next: Fetched;
fetch_chunk(&next, Q, K, operands, 0u, 0u, local);
for (var begin = 0u; begin < end; begin += COLS) {
var score = Sums();
for (var d = 0u; d < HEAD_DIM; d += STEP) {
stage_chunk(&next, local);
workgroupBarrier();
if (d + STEP < HEAD_DIM) {
fetch_chunk(&next, Q, K, operands, begin, d + STEP, local);
} else {
fetch_values(&next, V, keys, begin, 0u, local);
}
add_chunk(&score, lane, d, HEAD_DIM);
workgroupBarrier();
}

let at = Block(first + 4u * lane.y, begin, end);
var new_top = top;
mask_four(&score, &new_top, 0u, lane.x, at, seen);
if (COL_QUADS > 1u) { mask_four(&score, &new_top, 4u, lane.x, at, seen); }
share(new_top, lane);
for (var i = 0u; i < LANES; i++) {
new_top[0] = max(new_top[0], tile_a[i][lane.y]);
if (ROW_QUADS > 1u) { new_top[1] = max(new_top[1], tile_a[i][lane.y + 8u]); }
}
workgroupBarrier();
let shrink = PerRow(exp(top[0] - new_top[0]), exp(top[1] - new_top[1]));
top = new_top;
sum[0] *= shrink[0];
sum[1] *= shrink[1];
weigh_four(&score, &sum, 0u, top);
if (COL_QUADS > 1u) { weigh_four(&score, &sum, 4u, top); }
scale_all(&acc, shrink);

for (var slice = 0u; slice < SLICES; slice++) {
stage_weights(&score, slice, lane);
stage_values(&next, local);
workgroupBarrier();
if (slice + 1u < SLICES) {
fetch_values(&next, V, keys, begin, slice + 1u, local);
} else {
fetch_chunk(&next, Q, K, operands, begin + COLS, 0u, local);
}
add_values(&acc, lane);
workgroupBarrier();
}
}

share(sum, lane);
var all = PerRow();
for (var i = 0u; i < LANES; i++) {
all[0] += tile_a[i][lane.y];
if (ROW_QUADS > 1u) { all[1] += tile_a[i][lane.y + 8u]; }
}
let row = first + 4u * lane.y;
if (lane.x == 0u) {
store_lines(head, row, line_of(top[0], all[0]));
if (ROW_QUADS > 1u) { store_lines(head, row + 32u, line_of(top[1], all[1])); }
}
var inverse = PerRow(1.0 / all[0], 1.0 / all[1]);
if (GUARDED) {
inverse[0] = select(inverse[0], vec4f(), all[0] == vec4f());
inverse[1] = select(inverse[1], vec4f(), all[1] == vec4f());
}
scale_all(&acc, inverse);
let to = (head / dims.heads * dims.n + first) * dims.heads + head % dims.heads;
store(0u, Target(to * VALUE_DIM, dims.heads * VALUE_DIM, dims.n - first, VALUE_DIM, 1.0), &acc, lane, local);
}














fn four_capped(s: vec4f) -> vec4f {
return vec4f(cap(s.x), cap(s.y), cap(s.z), cap(s.w));
}

fn hide_queries(s: vec4f, seen: Seen, query: u32, key: u32) -> vec4f {
let y = hide(s.y, seen, query + 1u, key);
let z = hide(s.z, seen, query + 2u, key);
return vec4f(hide(s.x, seen, query, key), y, z, hide(s.w, seen, query + 3u, key));
}







fn four_weights(s: vec4f, top: vec4f) -> vec4f {
let z = s - top;
if (GUARDED) {
return select(select(exp(z), z, are_nan(z)), vec4f(), s == vec4f(HIDDEN));
}
return exp(z);
}

















@group(0) @binding(4) var<storage, read> lengths: array<u32>;

fn valid_keys(sample: u32) -> u32 {
if (LENGTHS) {
return min(lengths[sample], dims.keys);
}
return dims.keys;
}











const HEAD_DIM: u32 = 64u;
const VALUE_DIM: u32 = 64u;
const VEC: bool = false;
alias Elem = f32;
alias Stored = f32;
const GROUPED: bool = false;
const CAUSAL: u32 = 0u;
const MASK: bool = false;
const ADDS: bool = false;
alias MaskElem = u32;
const LENGTHS: bool = false;
const SOFTCAP: bool = false;

const GUARDED: bool = CAUSAL > 0u || MASK || LENGTHS;
const HIDDEN: f32 = -3.0e38;

struct Dims {
batch: u32,
heads: u32,
kv_heads: u32,
n: u32,
keys: u32,
head_dim: u32,
scale: f32,
offset: i32,
softcap: f32,
mask_batch: u32,
mask_heads: u32,
mask_n: u32,
}

@group(0) @binding(0) var<storage, read> q: array<Stored>;
@group(0) @binding(1) var<storage, read> k: array<Stored>;
@group(0) @binding(2) var<storage, read> mask: array<MaskElem>;
@group(0) @binding(3) var<uniform> dims: Dims;


fn group_size() -> u32 {
return select(1u, dims.heads / dims.kv_heads, GROUPED);
}


struct Seen {
keys: u32,
ahead: i32,
mask: u32,
}

fn seen_by(head: u32) -> Seen {
let sample = head / dims.heads;
var seen = Seen(valid_keys(sample), dims.offset, 0u);
if (CAUSAL == 2u) {
seen.ahead += i32(seen.keys) - i32(dims.n);
}
if (MASK) {
let b = min(sample, dims.mask_batch - 1u);
let h = min(head % dims.heads, dims.mask_heads - 1u);
seen.mask = (b * dims.mask_heads + h) * dims.mask_n * dims.keys;
}
return seen;
}


fn keys_until(seen: Seen, query: u32) -> u32 {
if (CAUSAL > 0u) {
return u32(clamp(i32(query) + seen.ahead + 1, 0, i32(seen.keys)));
}
return seen.keys;
}













fn cap(score: f32) -> f32 {
if (!SOFTCAP) {
return score;
}
let x = between(score / dims.softcap, -15.0, 15.0);
let xx = x * x;
let near = x * (1.0 + xx * (-0.33333333 + xx * (0.13333333 + xx * (-0.05396825 + xx * 0.02186949))));
let far = 1.0 - 2.0 / (exp(2.0 * x) + 1.0);
return select(dims.softcap * select(far, near, abs(x) < 0.25), score, is_nan(score));
}











fn hide(score: f32, seen: Seen, query: u32, key: u32) -> f32 {
var masked = score;
var hidden = false;
if (LENGTHS) {
hidden = key >= seen.keys;
}
if (CAUSAL > 0u) {
hidden = hidden || i32(key) > i32(query) + seen.ahead;
}
if (MASK) {
let m = mask[seen.mask + min(query, dims.mask_n - 1u) * dims.keys + min(key, dims.keys - 1u)];
if (ADDS) {
masked += f32(m);
hidden = hidden || f32(m) <= HIDDEN;
} else {
hidden = hidden || m == MaskElem();
}
}
return select(masked, HIDDEN, hidden);
}



































const ROWS: u32 = 64u;
const COLS: u32 = 64u;
const LANES: u32 = 8u;
const ROLLED: bool = false;
alias OScalar = f32;
alias OElem = array<f32, 1>;

const THREADS: u32 = 8u * LANES;
const STEP: u32 = 16u;
const SLICES: u32 = COLS / STEP;
const EACH: u32 = STEP / LANES;
const SPAN: u32 = 4u * LANES;
const ROW_QUADS: u32 = ROWS / 32u;
const COL_QUADS: u32 = COLS / SPAN;

const WIDTH: u32 = max(HEAD_DIM, VALUE_DIM);
const LEFT: u32 = WIDTH % SPAN;
const WIDE: u32 = WIDTH / SPAN + select(0u, 1u, LEFT > SPAN / 2u);
const REST: u32 = select((LEFT + LANES - 1u) / LANES, 0u, LEFT > SPAN / 2u);
const VALUE_QUADS: u32 = LANES * WIDE + REST * LANES / 4u;

alias PerRow = array<vec4f, 2>;

alias Sums = array<vec4f, ROW_QUADS * max(4u * COL_QUADS, 4u * WIDE + REST)>;
alias Fetched = array<vec4f, 8>;

var<workgroup> tile_a: array<array<vec4f, ROWS / 4u>, STEP>;
var<workgroup> tile_b: array<array<vec4f, max(COLS / 4u, VALUE_QUADS)>, STEP>;
var<workgroup> spoilt: atomic<u32>;


fn place(local: u32) -> vec2u {
let lane = local % 32u;
let block = local / 32u;
let across = LANES / 8u;
let within = vec2u((lane & 1u) + ((lane >> 1u) & 2u) + ((lane >> 2u) & 4u), ((lane >> 1u) & 1u) + ((lane >> 2u) & 2u));
return within + vec2u(8u * (block % across), 4u * (block / across));
}








fn four_lines() -> u32 {
return select(4u, 4u * dims.head_dim / HEAD_DIM, ROLLED);
}


fn column(c: u32, x: u32) -> u32 {
return SPAN * (c / 4u) + 4u * x + c % 4u;
}


fn swizzle(quad: u32, line: u32) -> u32 {
return quad ^ (2u * (line % 4u));
}

fn turned(f: ptr<function, Fetched>, at: u32) -> mat4x4f {
return transpose(mat4x4f((*f)[at], (*f)[at + 1u], (*f)[at + 2u], (*f)[at + 3u]));
}


fn stage_item_a(block: mat4x4f, item: u32) {
let line = item % 4u;
let quad = swizzle(item / 4u, line);
tile_a[line][quad] = block[0];
tile_a[line + 4u][quad] = block[1];
tile_a[line + 8u][quad] = block[2];
tile_a[line + 12u][quad] = block[3];
}

fn stage_item_b(block: mat4x4f, item: u32) {
let line = item % 4u;
let quad = swizzle(item / 4u, line);
tile_b[line][quad] = block[0];
tile_b[line + 4u][quad] = block[1];
tile_b[line + 8u][quad] = block[2];
tile_b[line + 12u][quad] = block[3];
}


fn stage_chunk(f: ptr<function, Fetched>, local: u32) {
if (local < ROWS) {
stage_item_a(turned(f, 0u), local);
} else if (local < ROWS + COLS) {
stage_item_b(turned(f, 0u), local - ROWS);
}
if (ROWS + COLS > THREADS) {
let item = local + THREADS;
if (item < ROWS) {
stage_item_a(turned(f, 4u), item);
} else if (item < ROWS + COLS) {
stage_item_b(turned(f, 4u), item - ROWS);
}
}
}

fn stage_line(f: ptr<function, Fetched>, at: u32, line: u32, local: u32) {
let quad = local % 8u;
stage_quad((*f)[at], line, quad);
if (VALUE_QUADS > 8u) { stage_quad((*f)[at + 1u], line, quad + 8u); }
if (VALUE_QUADS > 16u) { stage_quad((*f)[at + 2u], line, quad + 16u); }
if (VALUE_QUADS > 24u) { stage_quad((*f)[at + 3u], line, quad + 24u); }
}

fn stage_quad(value: vec4f, line: u32, quad: u32) {
if (VALUE_QUADS % 8u == 0u || quad < VALUE_QUADS) {
tile_b[line][quad] = value;
}
if (GUARDED && any((bitcast<vec4u>(value) & vec4u(0x7f800000u)) == vec4u(0x7f800000u))) {
atomicStore(&spoilt, 1u);
}
}


fn stage_values(f: ptr<function, Fetched>, local: u32) {
stage_line(f, 0u, local / 8u, local);
if (LANES == 8u) {
stage_line(f, 4u, local / 8u + 8u, local);
}
}

fn stage_column(weights: ptr<function, Sums>, c: u32, line: u32, y: u32) {
let quad = swizzle(y, line);
tile_a[line][quad] = (*weights)[c * ROW_QUADS];
if (ROW_QUADS > 1u) { tile_a[line][quad + 8u] = (*weights)[c * ROW_QUADS + 1u]; }
}

fn stage_columns(weights: ptr<function, Sums>, c: u32, lane: vec2u) {
stage_column(weights, c, lane.x, lane.y);
if (EACH > 1u) { stage_column(weights, c + 1u, lane.x + 8u, lane.y); }
}


fn stage_weights(weights: ptr<function, Sums>, slice: u32, lane: vec2u) {
switch (slice) {
case 0u: { stage_columns(weights, 0u, lane); }
case 1u: { stage_columns(weights, EACH, lane); }
case 2u: { if (SLICES > 2u) { stage_columns(weights, 2u * EACH, lane); } }
case 3u: { if (SLICES > 2u) { stage_columns(weights, 3u * EACH, lane); } }
case 4u: { if (SLICES > 4u) { stage_columns(weights, 4u * EACH, lane); } }
case 5u: { if (SLICES > 4u) { stage_columns(weights, 5u * EACH, lane); } }
case 6u: { if (SLICES > 4u) { stage_columns(weights, 6u * EACH, lane); } }
default: { if (SLICES > 4u) { stage_columns(weights, 7u * EACH, lane); } }
}
}


fn add_quad(sums: ptr<function, Sums>, c: u32, a0: vec4f, a1: vec4f, b: vec4f) {
(*sums)[c * ROW_QUADS] += a0 * b.x;
(*sums)[(c + 1u) * ROW_QUADS] += a0 * b.y;
(*sums)[(c + 2u) * ROW_QUADS] += a0 * b.z;
(*sums)[(c + 3u) * ROW_QUADS] += a0 * b.w;
if (ROW_QUADS > 1u) {
(*sums)[c * ROW_QUADS + 1u] += a1 * b.x;
(*sums)[(c + 1u) * ROW_QUADS + 1u] += a1 * b.y;
(*sums)[(c + 2u) * ROW_QUADS + 1u] += a1 * b.z;
(*sums)[(c + 3u) * ROW_QUADS + 1u] += a1 * b.w;
}
}

fn add_one(sums: ptr<function, Sums>, c: u32, a0: vec4f, a1: vec4f, b: f32) {
(*sums)[c * ROW_QUADS] += a0 * b;
if (ROW_QUADS > 1u) { (*sums)[c * ROW_QUADS + 1u] += a1 * b; }
}


fn add_score_line(sums: ptr<function, Sums>, line: u32, a: u32, b: u32) {
let a0 = tile_a[line][a];
var a1 = vec4f();
if (ROW_QUADS > 1u) { a1 = tile_a[line][a + 8u]; }
add_quad(sums, 0u, a0, a1, tile_b[line][b]);
if (COL_QUADS > 1u) { add_quad(sums, 4u, a0, a1, tile_b[line][b + LANES]); }
}


fn add_score_lines(sums: ptr<function, Sums>, line: u32, lane: vec2u) {
let a = swizzle(lane.y, line) % 8u;
let b = swizzle(lane.x, line) % LANES;
add_score_line(sums, line, a, b);
add_score_line(sums, line + 4u, a, b);
add_score_line(sums, line + 8u, a, b);
add_score_line(sums, line + 12u, a, b);
}


fn add_chunk(sums: ptr<function, Sums>, lane: vec2u, d: u32, width: u32) {
for (var line = 0u; line < four_lines(); line++) {
if (width % STEP == 0u || d + 4u * line < width) {
add_score_lines(sums, line, lane);
}
}
}


fn add_value_line(sums: ptr<function, Sums>, line: u32, a: u32, lane: vec2u) {
let x = lane.x % LANES;
let a0 = tile_a[line][a];
var a1 = vec4f();
if (ROW_QUADS > 1u) { a1 = tile_a[line][a + 8u]; }
if (WIDE > 0u) { add_quad(sums, 0u, a0, a1, tile_b[line][x]); }
if (WIDE > 1u) { add_quad(sums, 4u, a0, a1, tile_b[line][x + LANES]); }
if (WIDE > 2u) { add_quad(sums, 8u, a0, a1, tile_b[line][x + 2u * LANES]); }
if (WIDE > 3u) { add_quad(sums, 12u, a0, a1, tile_b[line][x + 3u * LANES]); }
let left = LANES * WIDE + x / 4u;
if (REST > 0u) { add_one(sums, 4u * WIDE, a0, a1, tile_b[line][left][x % 4u]); }
if (REST > 1u) { add_one(sums, 4u * WIDE + 1u, a0, a1, tile_b[line][left + LANES / 4u][x % 4u]); }
}

fn add_value_lines(sums: ptr<function, Sums>, line: u32, lane: vec2u) {
let a = swizzle(lane.y, line) % 8u;
add_value_line(sums, line, a, lane);
add_value_line(sums, line + 4u, a, lane);
add_value_line(sums, line + 8u, a, lane);
add_value_line(sums, line + 12u, a, lane);
}


fn add_values(sums: ptr<function, Sums>, lane: vec2u) {
if (GUARDED && atomicLoad(&spoilt) != 0u) {
for (var i = 0u; i < STEP; i++) {
add_guarded_line(sums, 4u * (i % 4u) + i / 4u, lane);
}
return;
}
for (var line = 0u; line < four_lines(); line++) {
add_value_lines(sums, line, lane);
}
}

fn guarded(sum: vec4f, weights: vec4f, value: f32) -> vec4f {
return select(sum + weights * value, sum, weights == vec4f());
}

fn add_guarded_one(sums: ptr<function, Sums>, c: u32, line: u32, a: u32, value: f32) {
(*sums)[c * ROW_QUADS] = guarded((*sums)[c * ROW_QUADS], tile_a[line][a], value);
if (ROW_QUADS > 1u) { (*sums)[c * ROW_QUADS + 1u] = guarded((*sums)[c * ROW_QUADS + 1u], tile_a[line][a + 8u], value); }
}

fn add_guarded_quad(sums: ptr<function, Sums>, c: u32, line: u32, a: u32, b: vec4f) {
add_guarded_one(sums, c, line, a, b.x);
add_guarded_one(sums, c + 1u, line, a, b.y);
add_guarded_one(sums, c + 2u, line, a, b.z);
add_guarded_one(sums, c + 3u, line, a, b.w);
}

fn add_guarded_line(sums: ptr<function, Sums>, line: u32, lane: vec2u) {
let a = swizzle(lane.y, line) % 8u;
let x = lane.x % LANES;
if (WIDE > 0u) { add_guarded_quad(sums, 0u, line, a, tile_b[line][x]); }
if (WIDE > 1u) { add_guarded_quad(sums, 4u, line, a, tile_b[line][x + LANES]); }
if (WIDE > 2u) { add_guarded_quad(sums, 8u, line, a, tile_b[line][x + 2u * LANES]); }
if (WIDE > 3u) { add_guarded_quad(sums, 12u, line, a, tile_b[line][x + 3u * LANES]); }
let left = LANES * WIDE + x / 4u;
if (REST > 0u) { add_guarded_one(sums, 4u * WIDE, line, a, tile_b[line][left][x % 4u]); }
if (REST > 1u) { add_guarded_one(sums, 4u * WIDE + 1u, line, a, tile_b[line][left + LANES / 4u][x % 4u]); }
}


struct Target {
base: u32,
step: u32,
live: u32,
width: u32,
factor: f32,
}


fn store(result: u32, to: Target, sums: ptr<function, Sums>, lane: vec2u, local: u32) {
store_rows(result, to, sums, 0u, lane);
if (ROW_QUADS > 1u) { store_rows(result, to, sums, 1u, lane); }
if (REST > 0u) { store_column(result, to, sums, 4u * WIDE, SPAN * WIDE, lane, local); }
if (REST > 1u) { store_column(result, to, sums, 4u * WIDE + 1u, SPAN * WIDE + LANES, lane, local); }
}

fn store_rows(result: u32, to: Target, sums: ptr<function, Sums>, h: u32, lane: vec2u) {
let row = 32u * h + 4u * lane.y;
if (WIDE > 0u) { store_quad(result, to, sums, h, row, 0u, lane.x); }
if (WIDE > 1u) { store_quad(result, to, sums, h, row, 4u, lane.x); }
if (WIDE > 2u) { store_quad(result, to, sums, h, row, 8u, lane.x); }
if (WIDE > 3u) { store_quad(result, to, sums, h, row, 12u, lane.x); }
}


fn four_rows(sums: ptr<function, Sums>, c: u32, h: u32) -> mat4x4f {
let i = c * ROW_QUADS + h;
return transpose(mat4x4f((*sums)[i], (*sums)[i + ROW_QUADS], (*sums)[i + 2u * ROW_QUADS], (*sums)[i + 3u * ROW_QUADS]));
}

fn store_quad(result: u32, to: Target, sums: ptr<function, Sums>, h: u32, row: u32, c: u32, x: u32) {
store_block(result, to, row, column(c, x), four_rows(sums, c, h));
}


fn store_column(result: u32, to: Target, sums: ptr<function, Sums>, c: u32, first: u32, lane: vec2u, local: u32) {
workgroupBarrier();
tile_a[lane.x][lane.y] = (*sums)[c * ROW_QUADS];
if (ROW_QUADS > 1u) { tile_a[lane.x][lane.y + 8u] = (*sums)[c * ROW_QUADS + 1u]; }
workgroupBarrier();
let quad = local / (LANES / 4u);
let line = 4u * (local % (LANES / 4u));
if (quad < ROWS / 4u) {
let block = transpose(mat4x4f(tile_a[line][quad], tile_a[line + 1u][quad], tile_a[line + 2u][quad], tile_a[line + 3u][quad]));
store_block(result, to, 4u * quad, first + line, block);
}
}


fn store_block(result: u32, to: Target, row: u32, col: u32, block: mat4x4f) {
for (var i = 0u; i < min(4u, max(row, to.live) - row); i++) {
var four = block[0];
if (i == 1u) { four = block[1]; }
if (i == 2u) { four = block[2]; }
if (i == 3u) { four = block[3]; }
store_four(result, to, row + i, col, four);
}
}

fn store_four(result: u32, to: Target, row: u32, col: u32, four: vec4f) {
let value = four * to.factor;
let at = to.base + row * to.step + col;
for (var j = 0u; j < 4u; j += select(1u, 4u, VEC)) {
if (col + j < to.width) {
var part: OElem;
for (var c = 0u; c < select(1u, 4u, VEC); c++) {
part[c] = OScalar(value[j + c]);
}
put(result, (at + j) / select(1u, 4u, VEC), part);
}
}
}






struct Rows {
first: u32,
count: u32,
step: u32,
}

fn width_of(source: u32) -> u32 {
return select(HEAD_DIM, VALUE_DIM, source >= V);
}


fn load(source: u32, operand: Rows, row: u32, d: u32) -> vec4f {
let width = width_of(source);
let at = (operand.first + row * operand.step) * width + d;
if (VEC) {
return element(source, at / 4u);
}
if (d >= width) {
return vec4f();
}
let step = min(vec4u(0u, 1u, 2u, 3u), vec4u(width - 1u - d));
let four = vec4f(element(source, at).x, element(source, at + step.y).x, element(source, at + step.z).x, element(source, at + step.w).x);
return select(vec4f(), four, step == vec4u(0u, 1u, 2u, 3u));
}


fn fetch_item(next: ptr<function, Fetched>, at: u32, source: u32, operand: Rows, first_row: u32, d: u32, item: u32) {
let row = first_row + 4u * (item / 4u);
let last = max(operand.count, 1u) - 1u;
let element_from = d + 4u * (item % 4u);
(*next)[at] = load(source, operand, min(row, last), element_from);
(*next)[at + 1u] = load(source, operand, min(row + 1u, last), element_from);
(*next)[at + 2u] = load(source, operand, min(row + 2u, last), element_from);
(*next)[at + 3u] = load(source, operand, min(row + 3u, last), element_from);
}


struct Pair {
rows: Rows,
cols: Rows,
first_row: u32,
}


fn fetch_chunk(next: ptr<function, Fetched>, a: u32, b: u32, pair: Pair, first_col: u32, d: u32, local: u32) {
if (local < ROWS) {
fetch_item(next, 0u, a, pair.rows, pair.first_row, d, local);
} else if (local < ROWS + COLS) {
fetch_item(next, 0u, b, pair.cols, first_col, d, local - ROWS);
}
if (ROWS + COLS > THREADS) {
let item = local + THREADS;
if (item < ROWS) {
fetch_item(next, 4u, a, pair.rows, pair.first_row, d, item);
} else if (item < ROWS + COLS) {
fetch_item(next, 4u, b, pair.cols, first_col, d, item - ROWS);
}
}
}


fn fetch_line(next: ptr<function, Fetched>, at: u32, source: u32, operand: Rows, row: u32, local: u32) {
let quad = local % 8u;
let seen = row < operand.count;
fetch_quad(next, at, source, operand, row, quad, seen);
if (VALUE_QUADS > 8u) { fetch_quad(next, at + 1u, source, operand, row, quad + 8u, seen); }
if (VALUE_QUADS > 16u) { fetch_quad(next, at + 2u, source, operand, row, quad + 16u, seen); }
if (VALUE_QUADS > 24u) { fetch_quad(next, at + 3u, source, operand, row, quad + 24u, seen); }
}

fn fetch_quad(next: ptr<function, Fetched>, at: u32, source: u32, operand: Rows, row: u32, quad: u32, seen: bool) {
(*next)[at] = vec4f();
if (seen && 4u * quad < width_of(source)) {
(*next)[at] = load(source, operand, row, 4u * quad);
}
}


fn column_of(slice: u32, line: u32) -> u32 {
return column(slice * EACH + line / LANES, line % LANES);
}


fn fetch_values(next: ptr<function, Fetched>, source: u32, operand: Rows, first_col: u32, slice: u32, local: u32) {
fetch_line(next, 0u, source, operand, first_col + column_of(slice, local / 8u), local);
if (LANES == 8u) {
fetch_line(next, 4u, source, operand, first_col + column_of(slice, local / 8u + 8u), local);
}
}




fn is_nan(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

fn are_nan(x: vec4f) -> vec4<bool> {
return (bitcast<vec4u>(x) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u);
}

fn is_finite(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u;
}







fn between(x: f32, low: f32, high: f32) -> f32 {
return select(clamp(x, low, high), x, is_nan(x));
}


fn inverse(x: f32) -> f32 {
var nan_bits = 0x7fc00000u;
return select(bitcast<f32>(nan_bits), 1.0 / x, is_finite(x));
}










struct Place {
head: u32,
first: u32,
}

fn place_of(wid: vec3u, groups: vec3u, rows: u32, covered: u32) -> Place {
let tiles = (rows + covered - 1u) / covered;
let group = wid.x + wid.y * groups.x;
return Place(group / tiles, (group % tiles) * covered);
}` as string,
} as const satisfies ShaderSource;

/**
 * attention_tiled_fwd: out = softmax(scores) v with an online softmax; the GPU variant of attention_fwd_plain, with the same buffers and dims.
 * Grid: a workgroup of 8 LANES has ROWS queries of one head and walks blocks of COLS keys; folded over (batch, head, tile of queries).
 * Q is staged again for each block, since all of it would fill the 16 KiB; the caches of the multiprocessor have it.
 * Precision: f32; q, k, v and out may be stored as f16. An invocation's sum of exponentials is of its own columns until the end; only the maximum is exchanged each block.
 * Source: Milakov & Gimelshein 2018 (online softmax), Dao et al. 2022 (attention without n x n).
 */
export interface AttentionTiledFwd extends Same<typeof attention_tiled_fwd_> {}
export const attention_tiled_fwd: AttentionTiledFwd = attention_tiled_fwd_;

const cast_ = {
  name: 'cast',
  entryPoint: 'main',
  bindings: {
    x: { binding: 0, access: 'read', element: 'XElem' },
    out: { binding: 1, access: 'read_write', element: 'OElem' },
    factor: { binding: 2, access: 'read', element: 'f32', optional: 'SCALED' },
  },
  uniform: { binding: 3, size: 4, fields: {
    count: { type: 'u32', offset: 0 },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
    PER: { kind: 'const', type: 'u32', default: 4 },
    SCALED: { kind: 'const', type: 'bool', default: false },
    VEC: { kind: 'const', type: 'bool', default: false },
    XScalar: { kind: 'alias', type: 'type', default: 'f32' },
    XElem: { kind: 'alias', type: 'type', default: 'f32' },
    Scalar: { kind: 'alias', type: 'type', default: 'f32' },
    OElem: { kind: 'alias', type: 'type', default: 'array<f32, 1>' },
  },
  workgroup: ['WG'],
  code: `





const WG: u32 = 256u;
const PER: u32 = 4u;
const SCALED: bool = false;
const VEC: bool = false;
alias XScalar = f32;
alias XElem = f32;
alias Scalar = f32;
alias OElem = array<f32, 1>;

struct Dims {
count: u32,
}

@group(0) @binding(0) var<storage, read> x: array<XElem>;
@group(0) @binding(1) var<storage, read_write> out: array<OElem>;
@group(0) @binding(2) var<storage, read> factor: array<f32>;
@group(0) @binding(3) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let first = (wid.x + wid.y * groups.x) * (WG * PER) + local;
for (var i = 0u; i < PER; i++) {
let at = first + i * WG;
if (at < dims.count / WIDTH) {
var value = vec4f(vec4<XScalar>(x[at]));
if (SCALED) {
value *= factor[0];
}
out[at] = element(value);
}
}
}





const WIDTH: u32 = select(1u, 4u, VEC);
const SECOND: u32 = select(0u, 1u, VEC);
const THIRD: u32 = select(0u, 2u, VEC);
const FOURTH: u32 = select(0u, 3u, VEC);

fn element(value: vec4f) -> OElem {
var one: OElem;
one[0] = Scalar(value.x);
if (VEC) {
one[SECOND] = Scalar(value.y);
one[THIRD] = Scalar(value.z);
one[FOURTH] = Scalar(value.w);
}
return one;
}` as string,
} as const satisfies ShaderSource;

/**
 * cast: out = x, or factor x, in another type.
 * Buffers: x, out [count], each f32 or f16; factor [1] f32 where SCALED.
 * Grid: WG invocations a workgroup, PER elements an invocation, a workgroup apart, so that neighbours touch neighbours.
 * Precision: f32; a number past the range of f16 becomes infinite.
 */
export interface Cast extends Same<typeof cast_> {}
export const cast: Cast = cast_;

const cautious_count_ = {
  name: 'cautious_count',
  entryPoint: 'main',
  bindings: {
    grad: { binding: 0, access: 'read', element: 'vec4f' },
    m: { binding: 1, access: 'read', element: 'vec4f' },
    hyper: { binding: 2, access: 'read', element: 'f32' },
    clip: { binding: 3, access: 'read', element: 'f32' },
    pieces: { binding: 4, access: 'read', element: 'u32' },
    agreements: { binding: 5, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 6, size: 12, fields: {
    elements: { type: 'u32', offset: 0 },
    pieces: { type: 'u32', offset: 4 },
    count_offset: { type: 'u32', offset: 8 },
  } },
  knobs: {
    LANES: { kind: 'const', type: 'u32', default: 256, halves: true },
    ROWS: { kind: 'const', type: 'u32', default: 1, halves: true },
  },
  workgroup: ['LANES', 'ROWS'],
  code: `









const LANES: u32 = 256u;
const ROWS: u32 = 1u;

struct Dims {
elements: u32,
pieces: u32,
count_offset: u32,
}

@group(0) @binding(0) var<storage, read> grad: array<vec4f>;
@group(0) @binding(1) var<storage, read> m: array<vec4f>;
@group(0) @binding(2) var<storage, read> hyper: array<f32>;
@group(0) @binding(3) var<storage, read> clip: array<f32>;
@group(0) @binding(4) var<storage, read> pieces: array<u32>;
@group(0) @binding(5) var<storage, read_write> agreements: array<f32>;
@group(0) @binding(6) var<uniform> dims: Dims;

@compute @workgroup_size(LANES, ROWS)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_id) lid: vec3u,
) {
let piece = (wid.x + wid.y * groups.x) * ROWS + lid.y;
var first = 0u;
var end = 0u;
if (piece < dims.pieces) {
first = pieces[piece * 2u];
end = pieces[piece * 2u + 1u];
}
var agree = vec4f(0.0);
for (var i = first + lid.x; i * 4u < end; i += LANES) {
let g = clean_gradient(grad[i], clip[0]);
let update = hyper[1] * m[i] + hyper[2] * g;
agree += select(vec4f(0.0), vec4f(1.0), (update * g > vec4f(0.0)) & live_elements(i, end));
}
let total = lanes_sum((agree.x + agree.y) + (agree.z + agree.w), lid.x, lid.y);
if (piece < dims.pieces && lid.x == 0u) {
agreements[dims.count_offset + piece] = total;
}
}





var<workgroup> lane_partials: array<f32, LANES * ROWS>;

fn lanes_sum(value: f32, lane: u32, row: u32) -> f32 {
if (LANES == 1u) {
return value;
}
let base = row * LANES;
lane_partials[base + lane] = value;
workgroupBarrier();
for (var stride = LANES / 2u; stride > 0u; stride /= 2u) {
if (lane < stride) {
lane_partials[base + lane] += lane_partials[base + lane + stride];
}
workgroupBarrier();
}
let total = lane_partials[base];
workgroupBarrier();
return total;
}




fn clean_gradient(raw: vec4f, scale: f32) -> vec4f {
let broken = (bitcast<vec4u>(raw) & vec4u(0x7f800000u)) == vec4u(0x7f800000u);
return select(raw * scale, vec4f(0.0), broken);
}


fn live_elements(i: u32, count: u32) -> vec4<bool> {
return vec4u(i * 4u) + vec4u(0u, 1u, 2u, 3u) < vec4u(count);
}` as string,
} as const satisfies ShaderSource;

/**
 * cautious_count: in how many elements of each piece of a tensor the update b1 m + (1 - b1) g agrees with the gradient g in sign.
 * Buffers f32: grad, m, padded to whole vec4s; hyper (b1 and 1 - b1 are numbers 1 and 2, as in adam_step and lion_step);
 * clip [4] = (scale, ...); agreements; u32: pieces [pieces, 2] = (first vec4, end in elements), each of PIECE elements at
 * most and of one tensor. Piece i writes agreements[count_offset + i].
 * Grid: LANES invocations a piece, ROWS pieces a workgroup.
 * Precision: exact.
 * Source: Liang et al. 2024 (cautious optimisers).
 */
export interface CautiousCount extends Same<typeof cautious_count_> {}
export const cautious_count: CautiousCount = cautious_count_;

const cautious_scale_ = {
  name: 'cautious_scale',
  entryPoint: 'main',
  bindings: {
    agreements: { binding: 0, access: 'read', element: 'f32' },
    tensors: { binding: 1, access: 'read', element: 'u32' },
    scales: { binding: 2, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 3, size: 8, fields: {
    tensors: { type: 'u32', offset: 0 },
    pieces: { type: 'u32', offset: 4 },
  } },
  knobs: {
    MEAN: { kind: 'const', type: 'bool', default: true },
  },
  workgroup: [64],
  code: `







const MEAN: bool = true;

struct Dims {
tensors: u32,
pieces: u32,
}

@group(0) @binding(0) var<storage, read> agreements: array<f32>;
@group(0) @binding(1) var<storage, read> tensors: array<u32>;
@group(0) @binding(2) var<storage, read_write> scales: array<f32>;
@group(0) @binding(3) var<uniform> dims: Dims;

@compute @workgroup_size(64)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let tensor = (wid.x + wid.y * groups.x) * 64u + local;
if (tensor >= dims.tensors) {
return;
}
var agree = 0.0;
for (var piece = tensors[tensor * 3u]; piece < tensors[tensor * 3u + 1u]; piece++) {
agree += agreements[piece];
}
let elements = f32(tensors[tensor * 3u + 2u]);
if (MEAN) {
scales[tensor] = 1.0 / at_least(agree / elements, 1e-3);
} else {
scales[tensor] = elements / (agree + 1.0);
}
}




fn is_nan(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}










fn at_least(x: f32, least: f32) -> f32 {
return select(max(x, least), x, is_nan(x));
}` as string,
} as const satisfies ShaderSource;

/**
 * cautious_scale: how much farther each tensor's agreeing elements move, from the counts of its pieces.
 * MEAN: scale = 1 / max(agreeing / elements, 1e-3) (Adam's form); else scale = elements / (agreeing + 1) (Lion's form).
 * Buffers f32: agreements [pieces]; u32: tensors [tensors, 3] = (first piece, end piece, elements); scales [tensors] f32.
 * Grid: one invocation a tensor.
 * Precision: f32; counts are exact up to 2^24 a piece and rounded in their sum.
 * Source: Liang et al. 2024; the two scalings as UCGM's CAdamW and CLion have them.
 */
export interface CautiousScale extends Same<typeof cautious_scale_> {}
export const cautious_scale: CautiousScale = cautious_scale_;

const ceiling_copy_ = {
  name: 'ceiling_copy',
  entryPoint: 'main',
  bindings: {
    x: { binding: 0, access: 'read', element: 'vec4f' },
    y: { binding: 1, access: 'read_write', element: 'vec4f' },
  },
  uniform: { binding: 2, size: 4, fields: {
    count: { type: 'u32', offset: 0 },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256 },
    PER: { kind: 'const', type: 'u32', default: 4 },
  },
  workgroup: ['WG'],
  code: `




const WG: u32 = 256u;
const PER: u32 = 4u;

struct Dims {
count: u32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let first = (wid.x + wid.y * groups.x) * WG * PER + local;
for (var i = 0u; i < PER; i++) {
let at = first + i * WG;
if (at < dims.count) {
y[at] = x[at];
}
}
}` as string,
} as const satisfies ShaderSource;

/**
 * ceiling_copy: y = x, the least work that moves 32 bytes an element: the bandwidth that bench results are held against.
 * Buffers: x, y [count] vec4f.
 * Grid: WG invocations a workgroup, PER elements an invocation, a workgroup apart.
 * Precision: exact.
 */
export interface CeilingCopy extends Same<typeof ceiling_copy_> {}
export const ceiling_copy: CeilingCopy = ceiling_copy_;

const ceiling_fma_ = {
  name: 'ceiling_fma',
  entryPoint: 'main',
  bindings: {
    y: { binding: 0, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 1, size: 12, fields: {
    count: { type: 'u32', offset: 0 },
    rounds: { type: 'u32', offset: 4 },
    factor: { type: 'f32', offset: 8 },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256 },
    CHAINS: { kind: 'const', type: 'u32', default: 8 },
    Scalar: { kind: 'alias', type: 'type', default: 'f32' },
    Vector: { kind: 'alias', type: 'type', default: 'vec4f' },
  },
  workgroup: ['WG'],
  code: `




const WG: u32 = 256u;
const CHAINS: u32 = 8u;
alias Scalar = f32;
alias Vector = vec4f;

struct Dims {
count: u32,
rounds: u32,
factor: f32,
}

@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@group(0) @binding(1) var<uniform> dims: Dims;


fn links(start: Vector, f: Vector, o: Vector) -> Vector {
var v = fma(start, f, o);
v = fma(v, f, o);
v = fma(v, f, o);
v = fma(v, f, o);
v = fma(v, f, o);
v = fma(v, f, o);
v = fma(v, f, o);
return fma(v, f, o);
}

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let at = (wid.x + wid.y * groups.x) * WG + local;
let f = Vector(Scalar(dims.factor));
let o = Vector(Scalar(1.0 - dims.factor));
var v0 = Vector(Scalar(local));
var v1 = v0 + 1.0;
var v2 = v0 + 2.0;
var v3 = v0 + 3.0;
var v4 = v0 + 4.0;
var v5 = v0 + 5.0;
var v6 = v0 + 6.0;
var v7 = v0 + 7.0;
var v8 = v0 + 8.0;
var v9 = v0 + 9.0;
var v10 = v0 + 10.0;
var v11 = v0 + 11.0;
var v12 = v0 + 12.0;
var v13 = v0 + 13.0;
var v14 = v0 + 14.0;
var v15 = v0 + 15.0;
for (var i = 0u; i < dims.rounds / 8u; i++) {
v0 = links(v0, f, o);
v1 = links(v1, f, o);
if (CHAINS > 2u) {
v2 = links(v2, f, o);
v3 = links(v3, f, o);
}
if (CHAINS > 4u) {
v4 = links(v4, f, o);
v5 = links(v5, f, o);
v6 = links(v6, f, o);
v7 = links(v7, f, o);
}
if (CHAINS > 8u) {
v8 = links(v8, f, o);
v9 = links(v9, f, o);
v10 = links(v10, f, o);
v11 = links(v11, f, o);
v12 = links(v12, f, o);
v13 = links(v13, f, o);
v14 = links(v14, f, o);
v15 = links(v15, f, o);
}
}
if (at < dims.count) {
let low = v0 + v1 + v2 + v3 + v4 + v5 + v6 + v7;
let high = v8 + v9 + v10 + v11 + v12 + v13 + v14 + v15;
y[at] = f32(dot(low + high, Vector(0.25)));
}
}` as string,
} as const satisfies ShaderSource;

/**
 * ceiling_fma: CHAINS independent chains of vec4 multiply-adds an invocation, from registers, eight in a row without a branch: the rate that bench results are held against.
 * Buffers: y [count] f32, one result an invocation, so that nothing is optimised away.
 * Grid: WG invocations a workgroup. Each does rounds * CHAINS * 4 multiply-adds = rounds * CHAINS * 8 operations; rounds is a multiple of 8.
 * Precision: that of Scalar; the values come to 1.
 */
export interface CeilingFma extends Same<typeof ceiling_fma_> {}
export const ceiling_fma: CeilingFma = ceiling_fma_;

const ceiling_matrices_ = {
  name: 'ceiling_matrices',
  entryPoint: 'main',
  bindings: {
    y: { binding: 0, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 1, size: 8, fields: {
    count: { type: 'u32', offset: 0 },
    rounds: { type: 'u32', offset: 4 },
  } },
  knobs: {
    TM: { kind: 'const', type: 'u32', default: 4 },
    TN: { kind: 'const', type: 'u32', default: 4 },
  },
  workgroup: [128],
  enables: ['f16', 'subgroups', 'chromium_experimental_subgroup_matrix'],
  code: `





enable f16;
enable subgroups;
enable chromium_experimental_subgroup_matrix;

const TM: u32 = 4u;
const TN: u32 = 4u;

struct Dims {
count: u32,
rounds: u32,
}

@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@group(0) @binding(1) var<uniform> dims: Dims;

const PART: u32 = 128u;
const LINE: u32 = 2u;
const SUM_LINE: u32 = 4u;
var<workgroup> parts: array<array<vec4u, PART>, 4>;


fn add_sum(before: f32, sum: Sum, subgroup: u32, lane: u32) -> f32 {
put_sum(subgroup, 0u, sum, SUM_LINE);
workgroupBarrier();
let eight = bitcast<vec4f>(parts[subgroup][2u * lane]) + bitcast<vec4f>(parts[subgroup][2u * lane + 1u]);
workgroupBarrier();
return before + dot(eight, vec4f(0.125));
}

@compute @workgroup_size(128)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
@builtin(subgroup_id) subgroup: u32,
@builtin(subgroup_invocation_id) lane: u32,
) {

let half = pack2x16float(vec2f(f32(local / 32u + 1u)));
parts[0][local] = vec4u(half);
parts[1][local] = vec4u(half);
workgroupBarrier();
let x0 = left_at(0u, 0u, LINE, false);
let x1 = left_at(0u, 32u, LINE, false);
var x2 = Left();
var x3 = Left();
if (TM > 2u) {
x2 = left_at(0u, 64u, LINE, false);
x3 = left_at(0u, 96u, LINE, false);
}
let y0 = right_at(1u, 0u, LINE, false);
let y1 = right_at(1u, 32u, LINE, false);
let y2 = right_at(1u, 64u, LINE, false);
let y3 = right_at(1u, 96u, LINE, false);
var c00 = Sum();
var c01 = Sum();
var c02 = Sum();
var c03 = Sum();
var c10 = Sum();
var c11 = Sum();
var c12 = Sum();
var c13 = Sum();
var c20 = Sum();
var c21 = Sum();
var c22 = Sum();
var c23 = Sum();
var c30 = Sum();
var c31 = Sum();
var c32 = Sum();
var c33 = Sum();
for (var i = 0u; i < dims.rounds; i++) {
c00 = add_product(x0, y0, c00);
c01 = add_product(x0, y1, c01);
c10 = add_product(x1, y0, c10);
c11 = add_product(x1, y1, c11);
if (TM > 2u) {
c20 = add_product(x2, y0, c20);
c21 = add_product(x2, y1, c21);
c30 = add_product(x3, y0, c30);
c31 = add_product(x3, y1, c31);
}
if (TN > 2u) {
c02 = add_product(x0, y2, c02);
c03 = add_product(x0, y3, c03);
c12 = add_product(x1, y2, c12);
c13 = add_product(x1, y3, c13);
if (TM > 2u) {
c22 = add_product(x2, y2, c22);
c23 = add_product(x2, y3, c23);
c32 = add_product(x3, y2, c32);
c33 = add_product(x3, y3, c33);
}
}
}
workgroupBarrier();
var total = add_sum(0.0, c00, subgroup, lane);
total = add_sum(total, c01, subgroup, lane);
total = add_sum(total, c10, subgroup, lane);
total = add_sum(total, c11, subgroup, lane);
if (TM > 2u) {
total = add_sum(total, c20, subgroup, lane);
total = add_sum(total, c21, subgroup, lane);
total = add_sum(total, c30, subgroup, lane);
total = add_sum(total, c31, subgroup, lane);
}
if (TN > 2u) {
total = add_sum(total, c02, subgroup, lane);
total = add_sum(total, c03, subgroup, lane);
total = add_sum(total, c12, subgroup, lane);
total = add_sum(total, c13, subgroup, lane);
if (TM > 2u) {
total = add_sum(total, c22, subgroup, lane);
total = add_sum(total, c23, subgroup, lane);
total = add_sum(total, c32, subgroup, lane);
total = add_sum(total, c33, subgroup, lane);
}
}
let at = (wid.x + wid.y * groups.x) * 128u + local;
if (at < dims.count) {
y[at] = total;
}
}






alias Left = subgroup_matrix_left<f16, 16, 16>;
alias Right = subgroup_matrix_right<f16, 16, 16>;
alias Sum = subgroup_matrix_result<f32, 16, 16>;


fn left_at(part: u32, at: u32, line: u32, turned: bool) -> Left {
if (turned) {
return subgroupMatrixLoad<Left, col_major>(&parts[part], at, line);
}
return subgroupMatrixLoad<Left, row_major>(&parts[part], at, line);
}

fn right_at(part: u32, at: u32, line: u32, turned: bool) -> Right {
if (turned) {
return subgroupMatrixLoad<Right, col_major>(&parts[part], at, line);
}
return subgroupMatrixLoad<Right, row_major>(&parts[part], at, line);
}

fn add_product(x: Left, y: Right, sum: Sum) -> Sum {
return subgroupMatrixMultiplyAccumulate(x, y, sum);
}


fn put_sum(part: u32, at: u32, sum: Sum, line: u32) {
subgroupMatrixStore<row_major>(&parts[part], at, sum, line);
}` as string,
} as const satisfies ShaderSource;

/**
 * ceiling_matrices: TM x TN independent sums of products of matrices a subgroup, from registers: the rate on subgroup matrices that bench
 * results are held against, f16 times f16 into f32.
 * Buffers: y [count] f32, one result an invocation: the total of its sums, 16 rounds times a product of (1 + .. + TM) and (1 + .. + TN).
 * Grid: four subgroups of 32 a workgroup. Each does rounds * TM * TN products of 16 x 16 x 16, 8192 operations.
 * Precision: whole numbers below 2^24, which f32 sums hold.
 */
export interface CeilingMatrices extends Same<typeof ceiling_matrices_> {}
export const ceiling_matrices: CeilingMatrices = ceiling_matrices_;

const channels_last_ = {
  name: 'channels_last',
  entryPoint: 'main',
  bindings: {
    x: { binding: 0, access: 'read', element: 'f32' },
    out: { binding: 1, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 2, size: 16, fields: {
    batch: { type: 'u32', offset: 0 },
    channels: { type: 'u32', offset: 4 },
    pixels: { type: 'u32', offset: 8 },
    ones: { type: 'u32', offset: 12, else: 0 },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
    BACK: { kind: 'const', type: 'bool', default: false },
  },
  workgroup: ['WG'],
  code: `




const WG: u32 = 256u;
const BACK: bool = false;

struct Dims {
batch: u32,
channels: u32,
pixels: u32,
ones: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let at = (wid.x + wid.y * groups.x) * WG + local;
let wide = dims.channels + dims.ones;
if (BACK) {
if (at < dims.batch * dims.channels * dims.pixels) {
let pixel = at % dims.pixels;
let plane = at / dims.pixels;
out[at] = x[(plane / dims.channels * dims.pixels + pixel) * wide + plane % dims.channels];
}
return;
}
if (at < dims.batch * dims.pixels * wide) {
let channel = at % wide;
let pixel = at / wide;
let plane = pixel / dims.pixels * dims.channels + min(channel, dims.channels - 1u);
out[at] = select(1.0, x[plane * dims.pixels + pixel % dims.pixels], channel < dims.channels);
}
}` as string,
} as const satisfies ShaderSource;

/**
 * channels_last: images from channels first to channels last, with `ones` more channels of 1; BACK the other way, without them.
 * Buffers f32: x [batch, channels, pixels] -> out [batch, pixels, channels + ones]; BACK x and out exchanged.
 * Grid: an element of out an invocation.
 * Precision: exact.
 */
export interface ChannelsLast extends Same<typeof channels_last_> {}
export const channels_last: ChannelsLast = channels_last_;

const clamp_bwd_ = {
  name: 'clamp_bwd',
  entryPoint: 'main',
  bindings: {
    y: { binding: 0, access: 'read', element: 'f32' },
    dy: { binding: 1, access: 'read', element: 'f32' },
    dx: { binding: 2, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 3, size: 8, fields: {
    count: { type: 'u32', offset: 0 },
    limit: { type: 'f32', offset: 4 },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
    PER: { kind: 'const', type: 'u32', default: 4 },
  },
  workgroup: ['WG'],
  code: `





const WG: u32 = 256u;
const PER: u32 = 4u;

struct Dims {
count: u32,
limit: f32,
}

@group(0) @binding(0) var<storage, read> y: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;
@group(0) @binding(3) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let first = (wid.x + wid.y * groups.x) * (WG * PER) + local;
for (var i = 0u; i < PER; i++) {
let at = first + i * WG;
if (at < dims.count) {
let value = y[at];
dx[at] = select(select(0.0, dy[at], abs(value) < dims.limit), value, is_nan(value));
}
}
}




fn is_nan(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}` as string,
} as const satisfies ShaderSource;

/**
 * clamp_bwd: the gradient of a clamp to +-limit from its result: dx = dy where |y| is below limit, else 0.
 * Buffers f32: y, dy, dx [count].
 * Grid: PER elements an invocation, a workgroup apart, so that neighbours touch neighbours.
 * Precision: exact. What is just at the limit counts as beyond it.
 */
export interface ClampBwd extends Same<typeof clamp_bwd_> {}
export const clamp_bwd: ClampBwd = clamp_bwd_;

const clip_scale_ = {
  name: 'clip_scale',
  entryPoint: 'main',
  bindings: {
    partial: { binding: 0, access: 'read', element: 'f32' },
    limits: { binding: 1, access: 'read', element: 'f32' },
    clip: { binding: 2, access: 'read_write', element: 'f32' },
    loss_scale: { binding: 4, access: 'read_write', element: 'f32', optional: 'HAS_LOSS_SCALE' },
  },
  uniform: { binding: 3, size: 4, fields: {
    groups: { type: 'u32', offset: 0 },
  } },
  knobs: {
    LANES: { kind: 'const', type: 'u32', default: 256, halves: true },
    HAS_LOSS_SCALE: { kind: 'const', type: 'bool', default: false },
  },
  workgroup: ['LANES'],
  code: `













const LANES: u32 = 256u;
const ROWS: u32 = 1u;
const HAS_LOSS_SCALE: bool = false;

const GROWTH: f32 = 2000.0;
const LEAST: f32 = 1.0;
const MOST: f32 = 16777216.0;

struct Dims {
groups: u32,
}

@group(0) @binding(0) var<storage, read> partial: array<f32>;
@group(0) @binding(1) var<storage, read> limits: array<f32>;
@group(0) @binding(2) var<storage, read_write> clip: array<f32>;
@group(0) @binding(3) var<uniform> dims: Dims;
@group(0) @binding(4) var<storage, read_write> loss_scale: array<f32>;

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_id) lid: vec3u) {
var squares = 0.0;
var bad = 0.0;
for (var i = lid.x; i < dims.groups; i += LANES) {
squares += partial[i * 2u];
bad += partial[i * 2u + 1u];
}
squares = lanes_sum(squares, lid.x, 0u);
bad = lanes_sum(bad, lid.x, 0u);
if (lid.x != 0u) {
return;
}
var norm = sqrt(squares);
if (HAS_LOSS_SCALE) {
norm /= loss_scale[0];
}

let finite = bad == 0.0 && (bitcast<u32>(norm) & 0x7f800000u) != 0x7f800000u;
var scale = 1.0;
if (limits[0] > 0.0) {
scale = select(0.0, min(1.0, limits[0] / (norm + 1e-6)), finite);
}
clip[0] = scale;
clip[1] = norm;
clip[2] = bad;
let loss_sound = (bitcast<u32>(limits[1]) & 0x7f800000u) != 0x7f800000u;
let sound = finite && loss_sound;
var stuck = bitcast<u32>(clip[3]) == 0x3f800000u;
if (HAS_LOSS_SCALE) {
let by = loss_scale[0];
clip[0] = scale / by;
stuck = stuck && loss_scale[1] != 1.0;
let skipped = !stuck && !finite && loss_sound && by > LEAST;
loss_scale[1] = select(0.0, 1.0, skipped);
if (skipped) {
loss_scale[0] = max(LEAST, 0.5 * by);
loss_scale[2] += 1.0;
loss_scale[3] = 0.0;
} else if (sound && !stuck) {
let grown = loss_scale[3] + 1.0 >= GROWTH;
loss_scale[0] = select(by, min(MOST, 2.0 * by), grown && by < MOST);
loss_scale[3] = select(loss_scale[3] + 1.0, 0.0, grown);
}
}
clip[3] = select(1.0, 0.0, sound && !stuck);
}





var<workgroup> lane_partials: array<f32, LANES * ROWS>;

fn lanes_sum(value: f32, lane: u32, row: u32) -> f32 {
if (LANES == 1u) {
return value;
}
let base = row * LANES;
lane_partials[base + lane] = value;
workgroupBarrier();
for (var stride = LANES / 2u; stride > 0u; stride /= 2u) {
if (lane < stride) {
lane_partials[base + lane] += lane_partials[base + lane + stride];
}
workgroupBarrier();
}
let total = lane_partials[base];
workgroupBarrier();
return total;
}` as string,
} as const satisfies ShaderSource;

/**
 * clip_scale: the factor that clips gradients to a global norm, from the partial sums of grad_stats.
 * norm = sqrt(sum of squares); scale = min(1, max_norm / (norm + 1e-6)), 0 where the norm is not finite; 1 without a limit.
 * Buffers f32: partial [groups, 2]; limits [2] = (max_norm or 0 for none, the loss or 0); clip [4] = (scale, norm, non-finite
 * count, held). held is 1 from the first step on whose norm or loss is not finite, until the host writes 0: optimisers and averages
 * then change nothing.
 * loss_scale [4] where HAS_LOSS_SCALE = (what the gradients were multiplied by, skipped, steps skipped, sound steps since it was changed):
 * the gradients are divided by it. Where they are not finite and the loss is, the step alone is held (skipped is 1) and it is halved;
 * after GROWTH sound steps it is doubled. At LEAST it is not halved: the step is held as any other.
 * Grid: one workgroup of LANES invocations.
 * Precision: f32, in one fixed order.
 * Source: torch.nn.utils.clip_grad_norm_ followed by nan_to_num, as UCGM's training step has them: a NaN norm makes every
 * gradient NaN and then 0. Micikevicius et al. 2018 (loss scaling), with the numbers of torch.amp.GradScaler.
 */
export interface ClipScale extends Same<typeof clip_scale_> {}
export const clip_scale: ClipScale = clip_scale_;

const combine_ = {
  name: 'combine',
  entryPoint: 'main',
  bindings: {
    a: { binding: 0, access: 'read', element: 'f32' },
    b: { binding: 1, access: 'read', element: 'f32', optional: 'HAS_B' },
    out: { binding: 2, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 3, size: 16, fields: {
    count: { type: 'u32', offset: 0 },
    alpha: { type: 'f32', offset: 4, else: 1 },
    beta: { type: 'f32', offset: 8, else: 0, optional: 'HAS_B' },
    limit: { type: 'f32', offset: 12, else: 0, optional: 'CLAMPED' },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
    PER: { kind: 'const', type: 'u32', default: 4 },
    HAS_B: { kind: 'const', type: 'bool', default: false },
    CLAMPED: { kind: 'const', type: 'bool', default: false },
  },
  workgroup: ['WG'],
  code: `





const WG: u32 = 256u;
const PER: u32 = 4u;
const HAS_B: bool = false;
const CLAMPED: bool = false;

struct Dims {
count: u32,
alpha: f32,
beta: f32,
limit: f32,
}

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let first = (wid.x + wid.y * groups.x) * (WG * PER) + local;
for (var i = 0u; i < PER; i++) {
let at = first + i * WG;
if (at < dims.count) {
var value = dims.alpha * a[at];
if (HAS_B) {
value += dims.beta * b[at];
}
if (CLAMPED) {
value = between(value, -dims.limit, dims.limit);
}
out[at] = value;
}
}
}




fn is_nan(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}















fn between(x: f32, low: f32, high: f32) -> f32 {
return select(clamp(x, low, high), x, is_nan(x));
}` as string,
} as const satisfies ShaderSource;

/**
 * combine: out = alpha a + beta b, elementwise, clamped to +-limit where CLAMPED; without HAS_B alpha a alone.
 * Buffers f32: a, b, out [count].
 * Grid: PER elements an invocation, a workgroup apart, so that neighbours touch neighbours.
 * Precision: f32.
 */
export interface Combine extends Same<typeof combine_> {}
export const combine: Combine = combine_;

const conv2d_bwd_weight_matrix_ = {
  name: 'conv2d_bwd_weight_matrix',
  entryPoint: 'main',
  bindings: {
    x: { binding: 0, access: 'read', element: 'XElem', holds: 'XStored' },
    x2: { binding: 1, access: 'read', element: 'XElem', holds: 'XStored', optional: 'CAT' },
    dy: { binding: 2, access: 'read', element: 'DyElem', holds: 'DyStored' },
    dweight: { binding: 3, access: 'read_write', element: 'vec4f' },
  },
  uniform: { binding: 4, size: 68, fields: {
    m: { type: 'u32', offset: 0 },
    n: { type: 'u32', offset: 4 },
    k: { type: 'u32', offset: 8 },
    k_chunk: { type: 'u32', offset: 12, else: 'k' },
    groups: { type: 'u32', offset: 16, else: 1 },
    height: { type: 'u32', offset: 20 },
    width: { type: 'u32', offset: 24 },
    depth: { type: 'u32', offset: 28 },
    out_h: { type: 'u32', offset: 32 },
    out_w: { type: 'u32', offset: 36 },
    kernel_w: { type: 'u32', offset: 40 },
    stride: { type: 'u32', offset: 44, else: 1 },
    pad_h: { type: 'u32', offset: 48, else: 0 },
    pad_w: { type: 'u32', offset: 52, else: 0 },
    first: { type: 'u32', offset: 56, else: 0, optional: 'CAT' },
    scale: { type: 'f32', offset: 60, else: 1, optional: 'CAT' },
    scale2: { type: 'f32', offset: 64, else: 1, optional: 'CAT' },
  } },
  knobs: {
    TM: { kind: 'const', type: 'u32', default: 4 },
    TN: { kind: 'const', type: 'u32', default: 4 },
    CAT: { kind: 'const', type: 'bool', default: false },
    DOUBLED: { kind: 'const', type: 'bool', default: false },
    SILU: { kind: 'const', type: 'bool', default: false },
    HALVES_X: { kind: 'const', type: 'bool', default: false },
    HALVES_DY: { kind: 'const', type: 'bool', default: false },
    XStored: { kind: 'alias', type: 'type', default: 'f32' },
    DyStored: { kind: 'alias', type: 'type', default: 'f32' },
    XElem: { kind: 'alias', type: 'type', default: 'vec4f' },
    DyElem: { kind: 'alias', type: 'type', default: 'vec4f' },
  },
  workgroup: [128],
  enables: ['f16', 'subgroups', 'chromium_experimental_subgroup_matrix'],
  code: `












enable f16;
enable subgroups;
enable chromium_experimental_subgroup_matrix;

const TM: u32 = 4u;
const TN: u32 = 4u;
const CAT: bool = false;
const DOUBLED: bool = false;
const SILU: bool = false;
const HALVES_X: bool = false;
const HALVES_DY: bool = false;
alias XStored = f32;
alias DyStored = f32;
alias XElem = vec4f;
alias DyElem = vec4f;

const TRANSPOSED: bool = false;
const STRIDED: bool = false;
const TRANS_A: bool = true;
const TRANS_B: bool = false;

@group(0) @binding(0) var<storage, read> x: array<XElem>;
@group(0) @binding(1) var<storage, read> x2: array<XElem>;
@group(0) @binding(2) var<storage, read> dy: array<DyElem>;
@group(0) @binding(3) var<storage, read_write> dweight: array<vec4f>;
@group(0) @binding(4) var<uniform> dims: Dims;


struct FromA {
row: u32,
group: u32,
k_begin: u32,
k_end: u32,
}


struct FromB {
tap: Tap,
k_begin: u32,
k_end: u32,
by: Reciprocals,
}

fn dy_at(i: u32) -> vec4u { return bitcast<vec4u>(dy[i]); }

fn halves_of_a(item: vec2u, i: u32, s: FromA, step: u32) -> vec4u {
let k = s.k_begin + step + item.x + i * A_LINES;
let row = s.row + item.y * 8u;
if (k >= s.k_end || row >= dims.m) {
return vec4u();
}
let at = (k * dims.groups + s.group) * dims.m + row;
if (HALVES_DY) {
return dy_at(at / 8u);
}
return halves(bitcast<vec4f>(dy_at(at / 4u)), bitcast<vec4f>(dy_at(at / 4u + 1u)));
}

fn halves_of_b(item: vec2u, i: u32, s: FromB, step: u32) -> vec4u {
let k = s.k_begin + step + item.x + i * B_LINES;
if (k >= s.k_end) {
return vec4u();
}
let place = place_of(anchor_of(k, dims.k, s.by), s.tap);
return halves_at(place, s.tap.channel, dims.depth * dims.groups, dims.first);
}

fn finish(slice: u32, row: u32, col: u32, sum: vec4f) {
if (row < dims.m && col < dims.n) {
dweight[((slice * dims.m + row) * dims.n + col) / 4u] = sum;
}
}

@compute @workgroup_size(128)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
@builtin(subgroup_id) subgroup: u32,
@builtin(subgroup_invocation_id) lane: u32,
) {
let tiles_n = (dims.n + BN - 1u) / BN;
let tiles_m = (dims.m + BM - 1u) / BM;
let index = wid.x + wid.y * groups.x;
let slice = index / (tiles_n * tiles_m);
let splits = (dims.k + dims.k_chunk - 1u) / dims.k_chunk;
if (slice >= splits * dims.groups) {
return;
}
let tile = index % (tiles_n * tiles_m);
let group = slice % dims.groups;
let k_begin = (slice / dims.groups) * dims.k_chunk;
let k_end = min(dims.k, k_begin + dims.k_chunk);
let row = (tile / tiles_n) * BM;
let col = (tile % tiles_n) * BN;

let by = reciprocals();
let place = col + item_of(local, false, BN).y * 8u;
let tap = tap_of(min(place, dims.n - 8u), by);
let from_a = FromA(row, group, k_begin, k_end);
let from_b = FromB(
Tap(tap.row, tap.col, group * dims.depth + tap.channel),
k_begin,
select(0u, k_end, place < dims.n),
by,
);
let s = sums_of(local, subgroup, from_a, from_b, k_end - k_begin);
finish_tile(s, slice, subgroup, lane, row, col);
}



struct Dims {
m: u32,
n: u32,
k: u32,
k_chunk: u32,
groups: u32,
height: u32,
width: u32,
depth: u32,
out_h: u32,
out_w: u32,
kernel_w: u32,
stride: u32,
pad_h: u32,
pad_w: u32,
first: u32,
scale: f32,
scale2: f32,
}






const OFFSET: u32 = 0x4000u;


struct Anchor {
base: u32,
corner: u32,
}


struct Tap {
row: i32,
col: i32,
channel: u32,
}


struct Reciprocals {
depth: f32,
kernel_w: f32,
area: f32,
out_w: f32,
}

fn reciprocals() -> Reciprocals {
return Reciprocals(
1.0 / f32(dims.depth),
1.0 / f32(dims.kernel_w),
1.0 / f32(dims.out_h * dims.out_w),
1.0 / f32(dims.out_w),
);
}


fn quotient(a: u32, b: u32, reciprocal: f32) -> u32 {
let q = u32(f32(a) * reciprocal);
let rest = bitcast<i32>(a - q * b);
return select(select(q, q + 1u, rest >= i32(b)), q - 1u, rest < 0);
}


fn sample_pixels() -> u32 {
return select(dims.height * dims.width, (dims.height / 2u) * (dims.width / 2u), DOUBLED);
}


fn anchor_of(pixel: u32, pixels: u32, by: Reciprocals) -> Anchor {
let sample = quotient(pixel, dims.out_h * dims.out_w, by.area);
let within = pixel - sample * (dims.out_h * dims.out_w);
let row = quotient(within, dims.out_w, by.out_w);
let at = vec2u(row, within - row * dims.out_w);
var corner = at * dims.stride - vec2u(dims.pad_h, dims.pad_w);
if (TRANSPOSED) {
corner = at + vec2u(dims.pad_h, dims.pad_w);
}
let packed = ((corner.x + OFFSET) << 16u) | (corner.y + OFFSET);
return Anchor(sample * sample_pixels(), select(0u, packed, pixel < pixels));
}


fn tap_of(k: u32, by: Reciprocals) -> Tap {
let tap = quotient(k, dims.depth, by.depth);
let row = quotient(tap, dims.kernel_w, by.kernel_w);
return Tap(i32(row), i32(tap - row * dims.kernel_w), k - tap * dims.depth);
}


fn place_of(anchor: Anchor, tap: Tap) -> i32 {
let corner = vec2i(i32(anchor.corner >> 16u), i32(anchor.corner & 0xffffu)) - i32(OFFSET);
var at = corner + vec2i(tap.row, tap.col);
if (TRANSPOSED) {
at = corner - vec2i(tap.row, tap.col);
}
var inside = at.x >= 0 && at.y >= 0;
if (TRANSPOSED && STRIDED) {
let stride = i32(dims.stride);
let down = at / stride;
inside = inside && all(down * stride == at);
at = down;
}
return select(-1, stored_at(anchor.base, at), inside && at.x < i32(dims.height) && at.y < i32(dims.width));
}


fn stored_at(base: u32, at: vec2i) -> i32 {
if (DOUBLED) {
return i32(base) + (at.x >> 1u) * i32(dims.width / 2u) + (at.y >> 1u);
}
return i32(base) + at.x * i32(dims.width) + at.y;
}







fn x_at(i: u32) -> vec4u { return bitcast<vec4u>(x[i]); }
fn x2_at(i: u32) -> vec4u { return bitcast<vec4u>(x2[i]); }

fn eight_of_x(at: u32) -> Eight {
if (HALVES_X) {
return eight_of(x_at(at / 8u));
}
return Eight(bitcast<vec4f>(x_at(at / 4u)), bitcast<vec4f>(x_at(at / 4u + 1u)));
}

fn eight_of_x2(at: u32) -> Eight {
if (HALVES_X) {
return eight_of(x2_at(at / 8u));
}
return Eight(bitcast<vec4f>(x2_at(at / 4u)), bitcast<vec4f>(x2_at(at / 4u + 1u)));
}

fn silu_of(v: vec4f) -> vec4f {
return vec4f(silu(v.x), silu(v.y), silu(v.z), silu(v.w));
}


fn halves_at(place: i32, channel: u32, channels: u32, first: u32) -> vec4u {
if (place < 0) {
return vec4u();
}
if (HALVES_X && !CAT && !SILU) {
return x_at((u32(place) * channels + channel) / 8u);
}
var v: Eight;
if (CAT) {
if (channel < first) {
v = eight_of_x(u32(place) * first + channel);
v = Eight(dims.scale * v.low, dims.scale * v.high);
} else {
v = eight_of_x2(u32(place) * (channels - first) + channel - first);
v = Eight(dims.scale2 * v.low, dims.scale2 * v.high);
}
} else {
v = eight_of_x(u32(place) * channels + channel);
}
if (SILU) {
v = Eight(silu_of(v.low), silu_of(v.high));
}
return halves(v.low, v.high);
}







fn sums_of(local: u32, subgroup: u32, from_a: FromA, from_b: FromB, length: u32) -> Sums {
let part_a = subgroup / 2u;
let part_b = 2u + subgroup % 2u;
let item_a = item_of(local, !TRANS_A, BM);
let item_b = item_of(local, TRANS_B, BN);
var s = Sums();
var next = fetch(item_a, item_b, from_a, from_b, 0u);
var after = fetch(item_a, item_b, from_a, from_b, BK);
for (var k0 = 0u; k0 < length; k0 += 2u * BK) {

stage(item_a, item_b, next);
workgroupBarrier();
next = fetch(item_a, item_b, from_a, from_b, k0 + 2u * BK);
s = multiply(multiply(s, part_a, part_b, 0u), part_a, part_b, 1u);
workgroupBarrier();
stage(item_a, item_b, after);
workgroupBarrier();
after = fetch(item_a, item_b, from_a, from_b, k0 + 3u * BK);
s = multiply(multiply(s, part_a, part_b, 0u), part_a, part_b, 1u);
workgroupBarrier();
}
return s;
}






fn finish_tile(s: Sums, slice: u32, subgroup: u32, lane: u32, row: u32, col: u32) {
let row_out = row + (subgroup / 2u) * 16u * TM;
let col_out = col + (subgroup % 2u) * 16u * TN + lane % (4u * TN) * 4u;
for (var i = 0u; i < TM; i++) {
put_sums(subgroup, s, i);
workgroupBarrier();
for (var x = 0u; x < 2u * TN; x++) {
let e = x * 32u + lane;
finish(slice, row_out + i * 16u + e / (4u * TN), col_out, quad_at(subgroup, e));
}
workgroupBarrier();
}
}











fn magnitude(x: f32, most: f32) -> f32 {
return between(abs(x), 0.0, most);
}


















fn sigmoid(x: f32) -> f32 {
let e = exp(-magnitude(x, 200.0));
return select(e, 1.0, x >= 0.0) / (1.0 + e);
}






































































fn silu(x: f32) -> f32 {
return x * sigmoid(x);
}








struct Eight {
low: vec4f,
high: vec4f,
}

fn eight_of(words: vec4u) -> Eight {
return Eight(
vec4f(unpack2x16float(words.x), unpack2x16float(words.y)),
vec4f(unpack2x16float(words.z), unpack2x16float(words.w)),
);
}


fn halves(low: vec4f, high: vec4f) -> vec4u {
return vec4u(pack2x16float(low.xy), pack2x16float(low.zw), pack2x16float(high.xy), pack2x16float(high.zw));
}









var<workgroup> parts: array<array<vec4u, PART>, 4>;


struct Fetched {
a0: vec4u,
a1: vec4u,
a2: vec4u,
a3: vec4u,
b0: vec4u,
b1: vec4u,
b2: vec4u,
b3: vec4u,
}

fn fetch(item_a: vec2u, item_b: vec2u, from_a: FromA, from_b: FromB, step: u32) -> Fetched {
var f = Fetched();
f.a0 = halves_of_a(item_a, 0u, from_a, step);
f.a1 = halves_of_a(item_a, 1u, from_a, step);
if (TM > 2u) {
f.a2 = halves_of_a(item_a, 2u, from_a, step);
f.a3 = halves_of_a(item_a, 3u, from_a, step);
}
f.b0 = halves_of_b(item_b, 0u, from_b, step);
f.b1 = halves_of_b(item_b, 1u, from_b, step);
if (TN > 2u) {
f.b2 = halves_of_b(item_b, 2u, from_b, step);
f.b3 = halves_of_b(item_b, 3u, from_b, step);
}
return f;
}

fn stage_a(item: vec2u, i: u32, value: vec4u) {
let place = place_a(item, i);
parts[place.x][place.y] = value;
}

fn stage_b(item: vec2u, i: u32, value: vec4u) {
let place = place_b(item, i);
parts[2u + place.x][place.y] = value;
}

fn stage(item_a: vec2u, item_b: vec2u, f: Fetched) {
stage_a(item_a, 0u, f.a0);
stage_a(item_a, 1u, f.a1);
if (TM > 2u) {
stage_a(item_a, 2u, f.a2);
stage_a(item_a, 3u, f.a3);
}
stage_b(item_b, 0u, f.b0);
stage_b(item_b, 1u, f.b1);
if (TN > 2u) {
stage_b(item_b, 2u, f.b2);
stage_b(item_b, 3u, f.b3);
}
}

fn left(part: u32, i: u32, kk: u32) -> Left {
return left_at(part, left_place(i, kk), A_LINE, TRANS_A);
}

fn right(part: u32, i: u32, kk: u32) -> Right {
return right_at(part, right_place(i, kk), B_LINE, TRANS_B);
}


struct Sums {
c00: Sum,
c01: Sum,
c02: Sum,
c03: Sum,
c10: Sum,
c11: Sum,
c12: Sum,
c13: Sum,
c20: Sum,
c21: Sum,
c22: Sum,
c23: Sum,
c30: Sum,
c31: Sum,
c32: Sum,
c33: Sum,
}


fn multiply(before: Sums, part_a: u32, part_b: u32, kk: u32) -> Sums {
var s = before;
let x0 = left(part_a, 0u, kk);
let x1 = left(part_a, 1u, kk);
var x2 = Left();
var x3 = Left();
if (TM > 2u) {
x2 = left(part_a, 2u, kk);
x3 = left(part_a, 3u, kk);
}
let y0 = right(part_b, 0u, kk);
let y1 = right(part_b, 1u, kk);
s.c00 = add_product(x0, y0, s.c00);
s.c01 = add_product(x0, y1, s.c01);
s.c10 = add_product(x1, y0, s.c10);
s.c11 = add_product(x1, y1, s.c11);
if (TM > 2u) {
s.c20 = add_product(x2, y0, s.c20);
s.c21 = add_product(x2, y1, s.c21);
s.c30 = add_product(x3, y0, s.c30);
s.c31 = add_product(x3, y1, s.c31);
}
if (TN > 2u) {
let y2 = right(part_b, 2u, kk);
let y3 = right(part_b, 3u, kk);
s.c02 = add_product(x0, y2, s.c02);
s.c03 = add_product(x0, y3, s.c03);
s.c12 = add_product(x1, y2, s.c12);
s.c13 = add_product(x1, y3, s.c13);
if (TM > 2u) {
s.c22 = add_product(x2, y2, s.c22);
s.c23 = add_product(x2, y3, s.c23);
s.c32 = add_product(x3, y2, s.c32);
s.c33 = add_product(x3, y3, s.c33);
}
}
return s;
}

const OUT_LINE: u32 = 4u * TN + 1u;


fn put_line(part: u32, c0: Sum, c1: Sum, c2: Sum, c3: Sum) {
put_sum(part, 0u, c0, OUT_LINE);
put_sum(part, 4u, c1, OUT_LINE);
if (TN > 2u) {
put_sum(part, 8u, c2, OUT_LINE);
put_sum(part, 12u, c3, OUT_LINE);
}
}

fn quad_at(part: u32, e: u32) -> vec4f {
return bitcast<vec4f>(parts[part][e / (4u * TN) * OUT_LINE + e % (4u * TN)]);
}


fn put_sums(part: u32, s: Sums, i: u32) {
if (i == 0u) {
put_line(part, s.c00, s.c01, s.c02, s.c03);
} else if (i == 1u) {
put_line(part, s.c10, s.c11, s.c12, s.c13);
} else if (i == 2u) {
put_line(part, s.c20, s.c21, s.c22, s.c23);
} else {
put_line(part, s.c30, s.c31, s.c32, s.c33);
}
}




fn is_nan(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}















fn between(x: f32, low: f32, high: f32) -> f32 {
return select(clamp(x, low, high), x, is_nan(x));
}


















alias Left = subgroup_matrix_left<f16, 16, 16>;
alias Right = subgroup_matrix_right<f16, 16, 16>;
alias Sum = subgroup_matrix_result<f32, 16, 16>;


fn left_at(part: u32, at: u32, line: u32, turned: bool) -> Left {
if (turned) {
return subgroupMatrixLoad<Left, col_major>(&parts[part], at, line);
}
return subgroupMatrixLoad<Left, row_major>(&parts[part], at, line);
}

fn right_at(part: u32, at: u32, line: u32, turned: bool) -> Right {
if (turned) {
return subgroupMatrixLoad<Right, col_major>(&parts[part], at, line);
}
return subgroupMatrixLoad<Right, row_major>(&parts[part], at, line);
}

fn add_product(x: Left, y: Right, sum: Sum) -> Sum {
return subgroupMatrixMultiplyAccumulate(x, y, sum);
}


fn put_sum(part: u32, at: u32, sum: Sum, line: u32) {
subgroupMatrixStore<row_major>(&parts[part], at, sum, line);
}










const BK: u32 = 32u;

const BM: u32 = 32u * TM;
const BN: u32 = 32u * TN;
const K_LINE: u32 = BK / 8u + 1u;
const A_LINE: u32 = select(K_LINE, 2u * TM + 1u, TRANS_A);
const B_LINE: u32 = select(2u * TN + 1u, K_LINE, TRANS_B);
const PART: u32 = 16u * max(TM, TN) * K_LINE + 4u;



fn item_of(local: u32, along_k: bool, side: u32) -> vec2u {
if (along_k) {
return vec2u((local / 32u) * 8u + (local / 8u) % 4u + (local / 4u) % 2u * 4u, local % 4u);
}
return vec2u(local / (side / 8u), local % (side / 8u));
}

const A_LINES: u32 = select(32u, 32u / TM, TRANS_A);
const B_LINES: u32 = select(32u / TN, 32u, TRANS_B);


fn place_a(item: vec2u, i: u32) -> vec2u {
if (TRANS_A) {
return vec2u(item.y / (2u * TM), (item.x + i * A_LINES) * A_LINE + item.y % (2u * TM));
}
return vec2u(i * A_LINES / (16u * TM), (item.x + i * A_LINES % (16u * TM)) * A_LINE + item.y);
}

fn place_b(item: vec2u, i: u32) -> vec2u {
if (TRANS_B) {
return vec2u(i * B_LINES / (16u * TN), (item.x + i * B_LINES % (16u * TN)) * B_LINE + item.y);
}
return vec2u(item.y / (2u * TN), (item.x + i * B_LINES) * B_LINE + item.y % (2u * TN));
}


fn left_place(i: u32, kk: u32) -> u32 {
return select(i * 16u * A_LINE + kk * 2u, kk * 16u * A_LINE + i * 2u, TRANS_A);
}

fn right_place(i: u32, kk: u32) -> u32 {
return select(kk * 16u * B_LINE + i * 2u, i * 16u * B_LINE + kk * 2u, TRANS_B);
}` as string,
} as const satisfies ShaderSource;

/**
 * conv2d_bwd_weight_matrix: conv2d_bwd_weight_plain's gradient on subgroup matrices: a product over pixels whose A is dy, transposed, and whose
 * B are the windows of x, gathered eight channels at a time as its tiles are fetched. Tiles, staging and loop are those of matmul_matrix.
 * Buffers: as conv2d_bwd_weight_plain, x and x2 f32 or f16, dy f32 or f16, dweight f32. m, depth, and first, are multiples of 8.
 * Split over pixels: split s sums those in [s * k_chunk, (s + 1) * k_chunk) into part s; the caller adds the parts.
 * Grid: a workgroup of four subgroups of 32 makes 32 TM channels of dy x 32 TN places of the window, folded over (split, group, tile). The place
 * that an invocation fetches stays the same: it is found once, and in each step its pixels, without a division.
 * Precision: operands are rounded to f16, products and sums f32 (a tensor core truncates as it adds).
 * Source: as conv2d_bwd_weight_plain; shaders/matmul_matrix.wgsl.
 */
export interface Conv2dBwdWeightMatrix extends Same<typeof conv2d_bwd_weight_matrix_> {}
export const conv2d_bwd_weight_matrix: Conv2dBwdWeightMatrix = conv2d_bwd_weight_matrix_;

const conv2d_bwd_weight_plain_ = {
  name: 'conv2d_bwd_weight_plain',
  entryPoint: 'main',
  bindings: {
    x: { binding: 0, access: 'read', element: 'Elem' },
    x2: { binding: 1, access: 'read', element: 'Elem', optional: 'CAT' },
    dy: { binding: 2, access: 'read', element: 'Column' },
    dweight: { binding: 3, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 4, size: 68, fields: {
    m: { type: 'u32', offset: 0 },
    n: { type: 'u32', offset: 4 },
    k: { type: 'u32', offset: 8 },
    k_chunk: { type: 'u32', offset: 12, else: 'k' },
    groups: { type: 'u32', offset: 16, else: 1 },
    height: { type: 'u32', offset: 20 },
    width: { type: 'u32', offset: 24 },
    depth: { type: 'u32', offset: 28 },
    out_h: { type: 'u32', offset: 32 },
    out_w: { type: 'u32', offset: 36 },
    kernel_w: { type: 'u32', offset: 40 },
    stride: { type: 'u32', offset: 44, else: 1 },
    pad_h: { type: 'u32', offset: 48, else: 0 },
    pad_w: { type: 'u32', offset: 52, else: 0 },
    first: { type: 'u32', offset: 56, else: 0, optional: 'CAT' },
    scale: { type: 'f32', offset: 60, else: 1, optional: 'CAT' },
    scale2: { type: 'f32', offset: 64, else: 1, optional: 'CAT' },
  } },
  knobs: {
    TM: { kind: 'const', type: 'u32', default: 4 },
    TN: { kind: 'const', type: 'u32', default: 4 },
    WG_X: { kind: 'const', type: 'u32', default: 8 },
    WG_Y: { kind: 'const', type: 'u32', default: 8 },
    CAT: { kind: 'const', type: 'bool', default: false },
    DOUBLED: { kind: 'const', type: 'bool', default: false },
    SILU: { kind: 'const', type: 'bool', default: false },
    VEC: { kind: 'const', type: 'bool', default: false },
    VEC_DY: { kind: 'const', type: 'bool', default: false },
    Elem: { kind: 'alias', type: 'type', default: 'f32' },
    Column: { kind: 'alias', type: 'type', default: 'f32' },
  },
  workgroup: ['WG_X', 'WG_Y'],
  code: `









const TM: u32 = 4u;
const TN: u32 = 4u;
const WG_X: u32 = 8u;
const WG_Y: u32 = 8u;
const CAT: bool = false;
const DOUBLED: bool = false;
const SILU: bool = false;
const VEC: bool = false;
const VEC_DY: bool = false;
alias Elem = f32;
alias Column = f32;

const TRANSPOSED: bool = false;
const STRIDED: bool = false;
const TQ: u32 = TN / 4u;

@group(0) @binding(0) var<storage, read> x: array<Elem>;
@group(0) @binding(1) var<storage, read> x2: array<Elem>;
@group(0) @binding(2) var<storage, read> dy: array<Column>;
@group(0) @binding(3) var<storage, read_write> dweight: array<f32>;
@group(0) @binding(4) var<uniform> dims: Dims;

fn dy_at(i: u32) -> vec4f { return vec4f(dy[i]); }

@compute @workgroup_size(WG_X, WG_Y)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_id) lid: vec3u,
) {
let tiles_c = (dims.depth + TN * WG_X - 1u) / (TN * WG_X);
let tiles_m = (dims.m + TM * WG_Y - 1u) / (TM * WG_Y);
let taps = dims.n / dims.depth;
let each = tiles_c * tiles_m * taps;
let index = wid.x + wid.y * groups.x;
let slice = index / each;
let splits = (dims.k + dims.k_chunk - 1u) / dims.k_chunk;
if (slice >= splits * dims.groups) {
return;
}
let group = slice % dims.groups;
let k_begin = (slice / dims.groups) * dims.k_chunk;
let k_end = min(dims.k, k_begin + dims.k_chunk);
let tap = (index % each) / (tiles_c * tiles_m);
let tile = index % (tiles_c * tiles_m);
let row0 = (tile / tiles_c) * (TM * WG_Y) + lid.y * TM;
let col0 = (tile % tiles_c) * (TN * WG_X) + lid.x * TN;
let row_of_window = tap / dims.kernel_w;
let at = Tap(i32(row_of_window), i32(tap - row_of_window * dims.kernel_w), 0u);
let last = group * dims.depth + dims.depth;

let by = reciprocals();
var acc: array<array<vec4f, TQ>, TM>;
for (var kk = k_begin; kk < k_end; kk++) {
let place = place_of(anchor_of(kk, dims.k, by), at);
var xv: array<vec4f, TQ>;
for (var q = 0u; q < TQ; q++) {
let channel = group * dims.depth + col0 + 4u * q;
if (VEC) {
xv[q] = channels_at(place, min(channel, last - 4u));
} else {
for (var j = 0u; j < 4u; j++) {
xv[q][j] = channels_at(place, min(channel + j, last - 1u)).x;
}
}
}
let first = (kk * dims.groups + group) * dims.m;
for (var i = 0u; i < TM; i += 4u) {
var dv: vec4f;
if (VEC_DY) {
dv = dy_at((first + min(row0 + i, dims.m - 4u)) / 4u);
} else {
for (var j = 0u; j < 4u; j++) {
dv[j] = dy_at(first + min(row0 + i + j, dims.m - 1u)).x;
}
}
for (var r = 0u; r < 4u; r++) {
for (var q = 0u; q < TQ; q++) {
acc[i + r][q] += dv[r] * xv[q];
}
}
}
}

for (var i = 0u; i < TM; i++) {
for (var q = 0u; q < TQ; q++) {
for (var j = 0u; j < 4u; j++) {
let row = row0 + i;
let col = col0 + 4u * q + j;
if (row < dims.m && col < dims.depth) {
dweight[(slice * dims.m + row) * dims.n + tap * dims.depth + col] = acc[i][q][j];
}
}
}
}
}



struct Dims {
m: u32,
n: u32,
k: u32,
k_chunk: u32,
groups: u32,
height: u32,
width: u32,
depth: u32,
out_h: u32,
out_w: u32,
kernel_w: u32,
stride: u32,
pad_h: u32,
pad_w: u32,
first: u32,
scale: f32,
scale2: f32,
}








const WIDTH: u32 = select(1u, 4u, VEC);


fn x_at(i: u32) -> vec4f { return vec4f(x[i]); }
fn x2_at(i: u32) -> vec4f { return vec4f(x2[i]); }


fn channels_at(place: i32, channel: u32) -> vec4f {
if (place < 0) {
return vec4f();
}
let channels = dims.depth * dims.groups;
var value: vec4f;
if (CAT) {
if (channel < dims.first) {
value = dims.scale * x_at((u32(place) * dims.first + channel) / WIDTH);
} else {
value = dims.scale2 * x2_at((u32(place) * (channels - dims.first) + channel - dims.first) / WIDTH);
}
} else {
value = x_at((u32(place) * channels + channel) / WIDTH);
}
if (SILU) {
if (VEC) {
value = vec4f(silu(value.x), silu(value.y), silu(value.z), silu(value.w));
} else {
value = vec4f(silu(value.x));
}
}
return value;
}











fn magnitude(x: f32, most: f32) -> f32 {
return between(abs(x), 0.0, most);
}


















fn sigmoid(x: f32) -> f32 {
let e = exp(-magnitude(x, 200.0));
return select(e, 1.0, x >= 0.0) / (1.0 + e);
}






































































fn silu(x: f32) -> f32 {
return x * sigmoid(x);
}











const OFFSET: u32 = 0x4000u;


struct Anchor {
base: u32,
corner: u32,
}


struct Tap {
row: i32,
col: i32,
channel: u32,
}


struct Reciprocals {
depth: f32,
kernel_w: f32,
area: f32,
out_w: f32,
}

fn reciprocals() -> Reciprocals {
return Reciprocals(
1.0 / f32(dims.depth),
1.0 / f32(dims.kernel_w),
1.0 / f32(dims.out_h * dims.out_w),
1.0 / f32(dims.out_w),
);
}


fn quotient(a: u32, b: u32, reciprocal: f32) -> u32 {
let q = u32(f32(a) * reciprocal);
let rest = bitcast<i32>(a - q * b);
return select(select(q, q + 1u, rest >= i32(b)), q - 1u, rest < 0);
}


fn sample_pixels() -> u32 {
return select(dims.height * dims.width, (dims.height / 2u) * (dims.width / 2u), DOUBLED);
}


fn anchor_of(pixel: u32, pixels: u32, by: Reciprocals) -> Anchor {
let sample = quotient(pixel, dims.out_h * dims.out_w, by.area);
let within = pixel - sample * (dims.out_h * dims.out_w);
let row = quotient(within, dims.out_w, by.out_w);
let at = vec2u(row, within - row * dims.out_w);
var corner = at * dims.stride - vec2u(dims.pad_h, dims.pad_w);
if (TRANSPOSED) {
corner = at + vec2u(dims.pad_h, dims.pad_w);
}
let packed = ((corner.x + OFFSET) << 16u) | (corner.y + OFFSET);
return Anchor(sample * sample_pixels(), select(0u, packed, pixel < pixels));
}









fn place_of(anchor: Anchor, tap: Tap) -> i32 {
let corner = vec2i(i32(anchor.corner >> 16u), i32(anchor.corner & 0xffffu)) - i32(OFFSET);
var at = corner + vec2i(tap.row, tap.col);
if (TRANSPOSED) {
at = corner - vec2i(tap.row, tap.col);
}
var inside = at.x >= 0 && at.y >= 0;
if (TRANSPOSED && STRIDED) {
let stride = i32(dims.stride);
let down = at / stride;
inside = inside && all(down * stride == at);
at = down;
}
return select(-1, stored_at(anchor.base, at), inside && at.x < i32(dims.height) && at.y < i32(dims.width));
}


fn stored_at(base: u32, at: vec2i) -> i32 {
if (DOUBLED) {
return i32(base) + (at.x >> 1u) * i32(dims.width / 2u) + (at.y >> 1u);
}
return i32(base) + at.x * i32(dims.width) + at.y;
}




fn is_nan(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}















fn between(x: f32, low: f32, high: f32) -> f32 {
return select(clamp(x, low, high), x, is_nan(x));
}` as string,
} as const satisfies ShaderSource;

/**
 * conv2d_bwd_weight_plain: the gradient of conv2d by its weight: dweight[o, tap, c] = sum over pixels of dy[pixel, o] x[pixel below tap, c].
 * Buffers f32: x and x2 as conv2d reads them; dy [batch, out_h, out_w, groups m]; dweight [splits, groups m, kernel_h kernel_w depth].
 * Split over pixels: split s sums those in [s * k_chunk, (s + 1) * k_chunk) into part s; the caller adds the parts.
 * Grid: TM channels of dy x TN channels of x of one tap an invocation, read straight from storage; WG_X x WG_Y invocations a workgroup,
 * folded over (split, group, tap, tile).
 * Precision: f32. The oracle of the tiled variant, and the path of CPU adapters.
 * Source: the derivative of shaders/conv2d_plain.wgsl.
 */
export interface Conv2dBwdWeightPlain extends Same<typeof conv2d_bwd_weight_plain_> {}
export const conv2d_bwd_weight_plain: Conv2dBwdWeightPlain = conv2d_bwd_weight_plain_;

const conv2d_bwd_weight_tiled_ = {
  name: 'conv2d_bwd_weight_tiled',
  entryPoint: 'main',
  bindings: {
    x: { binding: 0, access: 'read', element: 'Elem' },
    x2: { binding: 1, access: 'read', element: 'Elem', optional: 'CAT' },
    dy: { binding: 2, access: 'read', element: 'Column' },
    dweight: { binding: 3, access: 'read_write', element: 'OElem' },
  },
  uniform: { binding: 4, size: 68, fields: {
    m: { type: 'u32', offset: 0 },
    n: { type: 'u32', offset: 4 },
    k: { type: 'u32', offset: 8 },
    k_chunk: { type: 'u32', offset: 12, else: 'k' },
    groups: { type: 'u32', offset: 16, else: 1 },
    height: { type: 'u32', offset: 20 },
    width: { type: 'u32', offset: 24 },
    depth: { type: 'u32', offset: 28 },
    out_h: { type: 'u32', offset: 32 },
    out_w: { type: 'u32', offset: 36 },
    kernel_w: { type: 'u32', offset: 40 },
    stride: { type: 'u32', offset: 44, else: 1 },
    pad_h: { type: 'u32', offset: 48, else: 0 },
    pad_w: { type: 'u32', offset: 52, else: 0 },
    first: { type: 'u32', offset: 56, else: 0, optional: 'CAT' },
    scale: { type: 'f32', offset: 60, else: 1, optional: 'CAT' },
    scale2: { type: 'f32', offset: 64, else: 1, optional: 'CAT' },
  } },
  knobs: {
    QM: { kind: 'const', type: 'u32', default: 1 },
    QN: { kind: 'const', type: 'u32', default: 1 },
    CAT: { kind: 'const', type: 'bool', default: false },
    DOUBLED: { kind: 'const', type: 'bool', default: false },
    SILU: { kind: 'const', type: 'bool', default: false },
    VEC: { kind: 'const', type: 'bool', default: false },
    VEC_DY: { kind: 'const', type: 'bool', default: false },
    Elem: { kind: 'alias', type: 'type', default: 'f32' },
    Column: { kind: 'alias', type: 'type', default: 'f32' },
    WHOLE: { kind: 'const', type: 'bool', default: false },
    OElem: { kind: 'alias', type: 'type', default: 'array<f32, 1>' },
    ROLLED: { kind: 'const', type: 'bool', default: false },
  },
  workgroup: [64],
  code: `









const QM: u32 = 1u;
const QN: u32 = 1u;
const CAT: bool = false;
const DOUBLED: bool = false;
const SILU: bool = false;
const VEC: bool = false;
const VEC_DY: bool = false;
alias Elem = f32;
alias Column = f32;
const WHOLE: bool = false;
alias OElem = array<f32, 1>;
const ROLLED: bool = false;

const TRANSPOSED: bool = false;
const STRIDED: bool = false;
const TRANS_A: bool = true;
const TRANS_B: bool = false;
const BK: u32 = 16u;
const SIDE: u32 = 8u;
const THREADS: u32 = 64u;
const BM: u32 = 4u * SIDE * QM;
const BN: u32 = 4u * SIDE * QN;
const ITEMS_A: u32 = BK * BM / 16u;
const ITEMS_B: u32 = BK * BN / 16u;
const TWICE: bool = ITEMS_A + ITEMS_B > THREADS;

@group(0) @binding(0) var<storage, read> x: array<Elem>;
@group(0) @binding(1) var<storage, read> x2: array<Elem>;
@group(0) @binding(2) var<storage, read> dy: array<Column>;
@group(0) @binding(3) var<storage, read_write> dweight: array<OElem>;
@group(0) @binding(4) var<uniform> dims: Dims;

fn dy_at(i: u32) -> vec4f { return vec4f(dy[i]); }


struct Sources {
t0: Tap,
t1: Tap,
t2: Tap,
t3: Tap,
cols: u32,
row: u32,
group: u32,
k_end: u32,
by: Reciprocals,
}


fn dy_of(s: Sources, row0: u32, k: u32) -> vec4f {
var v = vec4f();
let at = (k * dims.groups + s.group) * dims.m + row0;
if (row0 < dims.m && k < s.k_end) {
if (VEC_DY) {
v = dy_at(at / 4u);
} else {
v.x = dy_at(at).x;
if (row0 + 1u < dims.m) { v.y = dy_at(at + 1u).x; }
if (row0 + 2u < dims.m) { v.z = dy_at(at + 2u).x; }
if (row0 + 3u < dims.m) { v.w = dy_at(at + 3u).x; }
}
}
return v;
}


fn fetch_a(e: u32, s: Sources, k0: u32) -> Fetched {
let row = s.row + (e % (BM / 4u)) * 4u;
let k = k0 + e / (BM / 4u);
return Fetched(
dy_of(s, row, k),
dy_of(s, row, k + BK / 4u),
dy_of(s, row, k + 2u * (BK / 4u)),
dy_of(s, row, k + 3u * (BK / 4u)),
);
}


fn window_of(s: Sources, k: u32) -> vec4f {
var v = vec4f();
if (k < s.k_end && s.cols > 0u) {
let anchor = anchor_of(k, dims.k, s.by);
if (VEC) {
v = channels_at(place_of(anchor, s.t0), s.t0.channel);
} else {
v.x = channels_at(place_of(anchor, s.t0), s.t0.channel).x;
if (s.cols > 1u) { v.y = channels_at(place_of(anchor, s.t1), s.t1.channel).x; }
if (s.cols > 2u) { v.z = channels_at(place_of(anchor, s.t2), s.t2.channel).x; }
if (s.cols > 3u) { v.w = channels_at(place_of(anchor, s.t3), s.t3.channel).x; }
}
}
return v;
}


fn fetch_rolled(s: Sources, k: u32) -> Fetched {
let taps = array<Tap, 4>(s.t0, s.t1, s.t2, s.t3);
var lines: array<vec4f, 4>;
for (var i = 0u; i < min(4u, 4u * dims.k); i++) {
let pixel = k + i * (BK / 4u);
if (pixel < s.k_end) {
let anchor = anchor_of(pixel, dims.k, s.by);
for (var c = 0u; c < min(s.cols, select(4u, 1u, VEC)); c++) {
let value = channels_at(place_of(anchor, taps[c]), taps[c].channel);
if (VEC) { lines[i] = value; } else { lines[i][c] = value.x; }
}
}
}
return Fetched(lines[0], lines[1], lines[2], lines[3]);
}


struct Cursor {
k: u32,
base: u32,
row: u32,
col: u32,
}

var<private> cursor: Cursor;

fn start_cursor(k: u32, by: Reciprocals) {
let sample = quotient(k, dims.out_h * dims.out_w, by.area);
let within = k - sample * (dims.out_h * dims.out_w);
let row = quotient(within, dims.out_w, by.out_w);
cursor = Cursor(k, sample * sample_pixels(), row, within - row * dims.out_w);
}

fn move_cursor(k: u32) {
cursor.k = k;
cursor.col += BK;
if (cursor.col >= dims.out_w) {
cursor.col = 0u;
cursor.row++;
if (cursor.row >= dims.out_h) {
cursor.row = 0u;
cursor.base += sample_pixels();
}
}
}


fn whole_window(s: Sources, row: i32, within: u32) -> vec4f {
let col = i32((cursor.col + within) * dims.stride) - i32(dims.pad_w) + s.t0.col;
let inside = row >= 0 && row < i32(dims.height) && col >= 0 && col < i32(dims.width);
return channels_at(select(-1, stored_at(cursor.base, vec2i(row, col)), inside), s.t0.channel);
}

fn fetch_whole(e: u32, s: Sources, k0: u32) -> Fetched {
if (k0 >= s.k_end || s.cols == 0u) {
return Fetched();
}
if (k0 > cursor.k) {
move_cursor(k0);
}
let row = i32(cursor.row * dims.stride) - i32(dims.pad_h) + s.t0.row;
let within = e / (BN / 4u);
return Fetched(
whole_window(s, row, within),
whole_window(s, row, within + BK / 4u),
whole_window(s, row, within + 2u * (BK / 4u)),
whole_window(s, row, within + 3u * (BK / 4u)),
);
}


fn fetch_b(e: u32, s: Sources, k0: u32) -> Fetched {
if (WHOLE) {
return fetch_whole(e, s, k0);
}
let k = k0 + e / (BN / 4u);
if (ROLLED) {
return fetch_rolled(s, k);
}
return Fetched(
window_of(s, k),
window_of(s, k + BK / 4u),
window_of(s, k + 2u * (BK / 4u)),
window_of(s, k + 3u * (BK / 4u)),
);
}


fn tap_in(group: u32, col: u32, by: Reciprocals) -> Tap {
let tap = tap_of(min(col, dims.n - 1u), by);
return Tap(tap.row, tap.col, group * dims.depth + tap.channel);
}

fn finish_block(sums: Block, slice: u32, row: u32, col: u32) {
finish(slice, row, col, sums.r0);
finish(slice, row + 1u, col, sums.r1);
finish(slice, row + 2u, col, sums.r2);
finish(slice, row + 3u, col, sums.r3);
}

fn finish(slice: u32, row: u32, col: u32, sum: vec4f) {
let at = (slice * dims.m + row) * dims.n + col;
for (var j = 0u; j < 4u; j += WIDTH) {
if (row < dims.m && col + j < dims.n) {
var part: OElem;
for (var c = 0u; c < WIDTH; c++) {
part[c] = sum[j + c];
}
dweight[(at + j) / WIDTH] = part;
}
}
}

@compute @workgroup_size(64)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let tiles_n = (dims.n + BN - 1u) / BN;
let tiles_m = (dims.m + BM - 1u) / BM;
let index = wid.x + wid.y * groups.x;
let slice = index / (tiles_n * tiles_m);
let splits = (dims.k + dims.k_chunk - 1u) / dims.k_chunk;
if (slice >= splits * dims.groups) {
return;
}
let tile = index % (tiles_n * tiles_m);
let group = slice % dims.groups;
let k_begin = (slice / dims.groups) * dims.k_chunk;
let k_end = min(dims.k, k_begin + dims.k_chunk);
let row_base = (tile / tiles_n) * BM;
let col_base = (tile % tiles_n) * BN;

let by = reciprocals();
let fetched = col_base + (local % (BN / 4u)) * 4u;
let sources = Sources(
tap_in(group, fetched, by),
tap_in(group, fetched + 1u, by),
tap_in(group, fetched + 2u, by),
tap_in(group, fetched + 3u, by),
select(0u, dims.n - fetched, fetched < dims.n),
row_base,
group,
k_end,
by,
);
if (WHOLE) { start_cursor(k_begin, by); }
let at = place(local);
var s = sums_of(local, at, sources, k_begin, k_end);
finish_all(&s, slice, row_base + at.y * 4u, col_base + at.x * 4u);
}



struct Dims {
m: u32,
n: u32,
k: u32,
k_chunk: u32,
groups: u32,
height: u32,
width: u32,
depth: u32,
out_h: u32,
out_w: u32,
kernel_w: u32,
stride: u32,
pad_h: u32,
pad_w: u32,
first: u32,
scale: f32,
scale2: f32,
}








const WIDTH: u32 = select(1u, 4u, VEC);


fn x_at(i: u32) -> vec4f { return vec4f(x[i]); }
fn x2_at(i: u32) -> vec4f { return vec4f(x2[i]); }


fn channels_at(place: i32, channel: u32) -> vec4f {
if (place < 0) {
return vec4f();
}
let channels = dims.depth * dims.groups;
var value: vec4f;
if (CAT) {
if (channel < dims.first) {
value = dims.scale * x_at((u32(place) * dims.first + channel) / WIDTH);
} else {
value = dims.scale2 * x2_at((u32(place) * (channels - dims.first) + channel - dims.first) / WIDTH);
}
} else {
value = x_at((u32(place) * channels + channel) / WIDTH);
}
if (SILU) {
if (VEC) {
value = vec4f(silu(value.x), silu(value.y), silu(value.z), silu(value.w));
} else {
value = vec4f(silu(value.x));
}
}
return value;
}








fn sums_of(local: u32, at: vec2u, sources: Sources, begin: u32, end: u32) -> Sums {
var s = Sums();
var next = Fetched();
var next2 = Fetched();
if (!ROLLED) {
next = fetch_first(local, sources, begin);
if (TWICE) { next2 = fetch_second(local, sources, begin); }
}
for (var k0 = begin; k0 < end; k0 += BK) {
if (ROLLED) {
next = fetch_first(local, sources, k0);
if (TWICE) { next2 = fetch_second(local, sources, k0); }
}
stage_first(local, next);
if (TWICE) { stage_second(local, next2); }
workgroupBarrier();
let after = k0 + BK;
if (!ROLLED) {
next = fetch_first(local, sources, after);
if (TWICE) { next2 = fetch_second(local, sources, after); }
}
four_steps(&s, 0u, at);
four_steps(&s, 4u, at);
four_steps(&s, 8u, at);
four_steps(&s, 12u, at);
workgroupBarrier();
}
return s;
}


fn finish_all(s: ptr<function, Sums>, slice: u32, row: u32, col: u32) {
for (var i = 0u; i < block_count(); i++) {
finish_block(block_of(s, i), slice, row + block_row(i), col + block_col(i));
}
}











fn magnitude(x: f32, most: f32) -> f32 {
return between(abs(x), 0.0, most);
}


















fn sigmoid(x: f32) -> f32 {
let e = exp(-magnitude(x, 200.0));
return select(e, 1.0, x >= 0.0) / (1.0 + e);
}






































































fn silu(x: f32) -> f32 {
return x * sigmoid(x);
}











const OFFSET: u32 = 0x4000u;


struct Anchor {
base: u32,
corner: u32,
}


struct Tap {
row: i32,
col: i32,
channel: u32,
}


struct Reciprocals {
depth: f32,
kernel_w: f32,
area: f32,
out_w: f32,
}

fn reciprocals() -> Reciprocals {
return Reciprocals(
1.0 / f32(dims.depth),
1.0 / f32(dims.kernel_w),
1.0 / f32(dims.out_h * dims.out_w),
1.0 / f32(dims.out_w),
);
}


fn quotient(a: u32, b: u32, reciprocal: f32) -> u32 {
let q = u32(f32(a) * reciprocal);
let rest = bitcast<i32>(a - q * b);
return select(select(q, q + 1u, rest >= i32(b)), q - 1u, rest < 0);
}


fn sample_pixels() -> u32 {
return select(dims.height * dims.width, (dims.height / 2u) * (dims.width / 2u), DOUBLED);
}


fn anchor_of(pixel: u32, pixels: u32, by: Reciprocals) -> Anchor {
let sample = quotient(pixel, dims.out_h * dims.out_w, by.area);
let within = pixel - sample * (dims.out_h * dims.out_w);
let row = quotient(within, dims.out_w, by.out_w);
let at = vec2u(row, within - row * dims.out_w);
var corner = at * dims.stride - vec2u(dims.pad_h, dims.pad_w);
if (TRANSPOSED) {
corner = at + vec2u(dims.pad_h, dims.pad_w);
}
let packed = ((corner.x + OFFSET) << 16u) | (corner.y + OFFSET);
return Anchor(sample * sample_pixels(), select(0u, packed, pixel < pixels));
}


fn tap_of(k: u32, by: Reciprocals) -> Tap {
let tap = quotient(k, dims.depth, by.depth);
let row = quotient(tap, dims.kernel_w, by.kernel_w);
return Tap(i32(row), i32(tap - row * dims.kernel_w), k - tap * dims.depth);
}


fn place_of(anchor: Anchor, tap: Tap) -> i32 {
let corner = vec2i(i32(anchor.corner >> 16u), i32(anchor.corner & 0xffffu)) - i32(OFFSET);
var at = corner + vec2i(tap.row, tap.col);
if (TRANSPOSED) {
at = corner - vec2i(tap.row, tap.col);
}
var inside = at.x >= 0 && at.y >= 0;
if (TRANSPOSED && STRIDED) {
let stride = i32(dims.stride);
let down = at / stride;
inside = inside && all(down * stride == at);
at = down;
}
return select(-1, stored_at(anchor.base, at), inside && at.x < i32(dims.height) && at.y < i32(dims.width));
}


fn stored_at(base: u32, at: vec2i) -> i32 {
if (DOUBLED) {
return i32(base) + (at.x >> 1u) * i32(dims.width / 2u) + (at.y >> 1u);
}
return i32(base) + at.x * i32(dims.width) + at.y;
}






var<workgroup> tile_a: array<array<vec4f, BM / 4u>, BK>;
var<workgroup> tile_b: array<array<vec4f, BN / 4u>, BK>;



struct Fetched {
v0: vec4f,
v1: vec4f,
v2: vec4f,
v3: vec4f,
}


fn swizzle(quad: u32, kk: u32) -> u32 {
return quad ^ ((kk / 2u) & 6u);
}


fn stage_a(e: u32, f: Fetched) {
if (TRANS_A) {
let kk = e / (BM / 4u);
let quad = e % (BM / 4u);
tile_a[kk][quad] = f.v0;
tile_a[kk + BK / 4u][quad] = f.v1;
tile_a[kk + 2u * (BK / 4u)][quad] = f.v2;
tile_a[kk + 3u * (BK / 4u)][quad] = f.v3;
} else {
let turned = transpose(mat4x4f(f.v0, f.v1, f.v2, f.v3));
let kk = (e % (BK / 4u)) * 4u;
let quad = swizzle(e / (BK / 4u), kk);
tile_a[kk][quad] = turned[0];
tile_a[kk + 1u][quad] = turned[1];
tile_a[kk + 2u][quad] = turned[2];
tile_a[kk + 3u][quad] = turned[3];
}
}

fn stage_b(e: u32, f: Fetched) {
if (TRANS_B) {
let turned = transpose(mat4x4f(f.v0, f.v1, f.v2, f.v3));
let kk = (e % (BK / 4u)) * 4u;
let quad = swizzle(e / (BK / 4u), kk);
tile_b[kk][quad] = turned[0];
tile_b[kk + 1u][quad] = turned[1];
tile_b[kk + 2u][quad] = turned[2];
tile_b[kk + 3u][quad] = turned[3];
} else {
let kk = e / (BN / 4u);
let quad = e % (BN / 4u);
tile_b[kk][quad] = f.v0;
tile_b[kk + BK / 4u][quad] = f.v1;
tile_b[kk + 2u * (BK / 4u)][quad] = f.v2;
tile_b[kk + 3u * (BK / 4u)][quad] = f.v3;
}
}


fn fetch_first(local: u32, sources: Sources, k0: u32) -> Fetched {
if (ITEMS_A >= THREADS || local < ITEMS_A) {
return fetch_a(local, sources, k0);
}
return fetch_b(local - ITEMS_A, sources, k0);
}

fn fetch_second(local: u32, sources: Sources, k0: u32) -> Fetched {
let e = local + THREADS - ITEMS_A;
if (e < ITEMS_B) {
return fetch_b(e, sources, k0);
}
return Fetched();
}

fn stage_first(local: u32, f: Fetched) {
if (ITEMS_A >= THREADS || local < ITEMS_A) {
stage_a(local, f);
} else {
stage_b(local - ITEMS_A, f);
}
}

fn stage_second(local: u32, f: Fetched) {
let e = local + THREADS - ITEMS_A;
if (e < ITEMS_B) {
stage_b(e, f);
}
}






struct Block {
r0: vec4f,
r1: vec4f,
r2: vec4f,
r3: vec4f,
}






struct Sums {
b00: Block,
b01: Block,
b10: Block,
b11: Block,
}



fn block_count() -> u32 {
return min(QM * QN, max(dims.m, dims.n));
}


fn block_of(s: ptr<function, Sums>, i: u32) -> Block {
var block = (*s).b00;
if (QN > 1u && i == 1u) { block = (*s).b01; }
if (QM > 1u && i == QN) { block = (*s).b10; }
if (QM > 1u && QN > 1u && i == 3u) { block = (*s).b11; }
return block;
}


fn block_row(i: u32) -> u32 {
return 4u * SIDE * (i / QN);
}

fn block_col(i: u32) -> u32 {
return 4u * SIDE * (i % QN);
}



fn step(s: ptr<function, Sums>, kk: u32, at: vec2u) {
let at_a = select(swizzle(at.y, kk), at.y, TRANS_A);
let at_b = select(at.x, swizzle(at.x, kk), TRANS_B);
let a0 = tile_a[kk][at_a];
let b0 = tile_b[kk][at_b];
(*s).b00.r0 += a0.x * b0;
(*s).b00.r1 += a0.y * b0;
(*s).b00.r2 += a0.z * b0;
(*s).b00.r3 += a0.w * b0;
if (QN > 1u) {
let b1 = tile_b[kk][at_b + SIDE];
(*s).b01.r0 += a0.x * b1;
(*s).b01.r1 += a0.y * b1;
(*s).b01.r2 += a0.z * b1;
(*s).b01.r3 += a0.w * b1;
}
if (QM > 1u) {
let a1 = tile_a[kk][at_a + SIDE];
(*s).b10.r0 += a1.x * b0;
(*s).b10.r1 += a1.y * b0;
(*s).b10.r2 += a1.z * b0;
(*s).b10.r3 += a1.w * b0;
if (QN > 1u) {
let b1 = tile_b[kk][at_b + SIDE];
(*s).b11.r0 += a1.x * b1;
(*s).b11.r1 += a1.y * b1;
(*s).b11.r2 += a1.z * b1;
(*s).b11.r3 += a1.w * b1;
}
}
}

fn four_steps(s: ptr<function, Sums>, kk: u32, at: vec2u) {
step(s, kk, at);
step(s, kk + 1u, at);
step(s, kk + 2u, at);
step(s, kk + 3u, at);
}



fn place(local: u32) -> vec2u {
let lane = local % 32u;
let block = local / 32u;
let within = vec2u((lane & 1u) + ((lane >> 1u) & 2u) + ((lane >> 2u) & 4u), ((lane >> 1u) & 1u) + ((lane >> 2u) & 2u));
return vec2u(within.x, within.y + 4u * block);
}




fn is_nan(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}















fn between(x: f32, low: f32, high: f32) -> f32 {
return select(clamp(x, low, high), x, is_nan(x));
}` as string,
} as const satisfies ShaderSource;

/**
 * conv2d_bwd_weight_tiled: the GPU variant of conv2d_bwd_weight_plain, with the same buffers and dims: a product whose A is dy, transposed,
 * and whose B are the windows of x, made as its tiles are fetched. Tiles, staging and inner loop are those of matmul_tiled.
 * Grid: a workgroup of 8 x 8 makes 32 QM channels of dy x 32 QN places of the window, folded over (split, group, tile). Which places an
 * invocation fetches stays the same: they are found once, and in each step those of its pixels, by reciprocals.
 * Precision: f32, k summed in order.
 * Source: as conv2d_bwd_weight_plain; shaders/matmul_tiled.wgsl.
 */
export interface Conv2dBwdWeightTiled extends Same<typeof conv2d_bwd_weight_tiled_> {}
export const conv2d_bwd_weight_tiled: Conv2dBwdWeightTiled = conv2d_bwd_weight_tiled_;

const conv2d_finish_ = {
  name: 'conv2d_finish',
  entryPoint: 'main',
  bindings: {
    x: { binding: 0, access: 'read', element: 'RElem' },
    bias: { binding: 1, access: 'read', element: 'f32', optional: 'HAS_BIAS' },
    before: { binding: 2, access: 'read', element: 'RElem', optional: 'HAS_SLOPE' },
    residual: { binding: 3, access: 'read', element: 'RElem', optional: 'HAS_RESIDUAL' },
    out: { binding: 4, access: 'read_write', element: 'OElem' },
    pre: { binding: 5, access: 'read_write', element: 'OElem', optional: 'HAS_PRE' },
  },
  uniform: { binding: 6, size: 20, fields: {
    m: { type: 'u32', offset: 0 },
    n: { type: 'u32', offset: 4 },
    splits: { type: 'u32', offset: 8 },
    out_scale: { type: 'f32', offset: 12, else: 1, optional: 'SCALED' },
    residual_scale: { type: 'f32', offset: 16, else: 1, optional: 'HAS_RESIDUAL' },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
    ACT: { kind: 'const', type: 'u32', default: 0 },
    HAS_BIAS: { kind: 'const', type: 'bool', default: false },
    HAS_PRE: { kind: 'const', type: 'bool', default: false },
    SCALED: { kind: 'const', type: 'bool', default: false },
    HAS_SLOPE: { kind: 'const', type: 'bool', default: false },
    HAS_RESIDUAL: { kind: 'const', type: 'bool', default: false },
    VEC_N: { kind: 'const', type: 'bool', default: false },
    OElem: { kind: 'alias', type: 'type', default: 'array<f32, 1>' },
    RElem: { kind: 'alias', type: 'type', default: 'f32' },
  },
  workgroup: ['WG'],
  code: `







const WG: u32 = 256u;
const ACT: u32 = 0u;
const HAS_BIAS: bool = false;
const HAS_PRE: bool = false;
const SCALED: bool = false;
const HAS_SLOPE: bool = false;
const HAS_RESIDUAL: bool = false;
const VEC_N: bool = false;
alias OElem = array<f32, 1>;
alias RElem = f32;

alias OScalar = f32;

struct Dims {
m: u32,
n: u32,
splits: u32,
out_scale: f32,
residual_scale: f32,
}

@group(0) @binding(0) var<storage, read> x: array<RElem>;
@group(0) @binding(1) var<storage, read> bias: array<f32>;
@group(0) @binding(2) var<storage, read> before: array<RElem>;
@group(0) @binding(3) var<storage, read> residual: array<RElem>;
@group(0) @binding(4) var<storage, read_write> out: array<OElem>;
@group(0) @binding(5) var<storage, read_write> pre: array<OElem>;
@group(0) @binding(6) var<uniform> dims: Dims;

fn x_at(i: u32) -> vec4f { return vec4f(x[i]); }

fn x_four(at: u32, count: u32) -> vec4f {
if (VEC_N) {
return x_at(at / 4u);
}
let i = four_from(at, count);
return vec4f(x_at(i.x).x, x_at(i.y).x, x_at(i.z).x, x_at(i.w).x);
}

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let index = (wid.x + wid.y * groups.x) * WG + local;
let fours = (dims.n + 3u) / 4u;
let row = index / fours;
if (row >= dims.m) {
return;
}
let channel = index % fours * 4u;
let count = min(4u, dims.n - channel);
let at = row * dims.n + channel;
var sum = x_four(at, count);
for (var split = 1u; split < dims.splits; split++) {
sum += x_four(split * (dims.m * dims.n) + at, count);
}
finish_four(at, channel, count, sum);
}







fn before_at(i: u32) -> vec4f { return vec4f(before[i]); }
fn residual_at(i: u32) -> vec4f { return vec4f(residual[i]); }


fn four_from(at: u32, count: u32) -> vec4u {
return at + min(vec4u(0u, 1u, 2u, 3u), vec4u(count - 1u));
}

fn before_four(at: u32, count: u32) -> vec4f {
if (VEC_N) {
return before_at(at / 4u);
}
let i = four_from(at, count);
return vec4f(before_at(i.x).x, before_at(i.y).x, before_at(i.z).x, before_at(i.w).x);
}

fn residual_four(at: u32, count: u32) -> vec4f {
if (VEC_N) {
return residual_at(at / 4u);
}
let i = four_from(at, count);
return vec4f(residual_at(i.x).x, residual_at(i.y).x, residual_at(i.z).x, residual_at(i.w).x);
}


fn finish_four(at: u32, channel: u32, count: u32, sum: vec4f) {
var value = sum;
if (HAS_BIAS) {
let i = four_from(channel, count);
value += vec4f(bias[i.x], bias[i.y], bias[i.z], bias[i.w]);
}
if (HAS_PRE) { put_pre(at, count, value); }
if (ACT != 0u) {
value = vec4f(act(value.x), act(value.y), act(value.z), act(value.w));
}
if (SCALED) {
value *= dims.out_scale;
}
if (HAS_SLOPE) {
let v = dims.out_scale * before_four(at, count);
value *= vec4f(silu_grad(v.x), silu_grad(v.y), silu_grad(v.z), silu_grad(v.w));
}
if (HAS_RESIDUAL) {
value += dims.residual_scale * residual_four(at, count);
}
put_out(at, count, value);
}





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
























const STORE_WIDTH: u32 = select(1u, 4u, VEC_N);


fn put_pre(index: u32, count: u32, value: vec4f) {
for (var j = 0u; j < 4u; j += STORE_WIDTH) {
if (j < count) {
var part: OElem;
for (var c = 0u; c < STORE_WIDTH; c++) {
part[c] = OScalar(value[j + c]);
}
pre[(index + j) / STORE_WIDTH] = part;
}
}
}

fn put_out(index: u32, count: u32, value: vec4f) {
for (var j = 0u; j < 4u; j += STORE_WIDTH) {
if (j < count) {
var part: OElem;
for (var c = 0u; c < STORE_WIDTH; c++) {
part[c] = OScalar(value[j + c]);
}
out[(index + j) / STORE_WIDTH] = part;
}
}
}




const SQRT_2_OVER_PI: f32 = 0.7978845608028654;
const GELU_CUBIC: f32 = 0.044715;


const SQRT_2: f32 = 1.4142135623730951;


fn magnitude(x: f32, most: f32) -> f32 {
return between(abs(x), 0.0, most);
}


fn safe_tanh(x: f32) -> f32 {
return tanh(between(x, -10.0, 10.0));
}


fn gelu(x: f32) -> f32 {
return 0.5 * x * (1.0 + safe_tanh(SQRT_2_OVER_PI * (x + GELU_CUBIC * x * x * x)));
}








fn sigmoid(x: f32) -> f32 {
let e = exp(-magnitude(x, 200.0));
return select(e, 1.0, x >= 0.0) / (1.0 + e);
}








fn tanh_exact(x: f32) -> f32 {
let e = exp(-2.0 * magnitude(x, 100.0));
let far = (1.0 - e) / (1.0 + e);
let z = x * x;
let near = x + x * z * (-0.333332819422 + z * (0.133314422036 + z * (-0.0537397155531 + z * (0.0206390887954 - z * 0.00570498872745))));
return select(select(far, -far, x < 0.0), near, abs(x) < 0.625);
}









struct NormalTail {
above: f32,
exponential: f32,
}

fn normal_tail(x: f32) -> NormalTail {
let size = magnitude(x, 20.0);
let t = 1.0 / (1.0 + 0.235 * size);
let low = t * (0.09380543 + t * (0.09267475 + t * (0.09759892 + t * 0.03674156)));
let high = 0.17745271 + t * (-0.14311284 + t * (0.2086004 - t * 0.063760936));
let e = exp(-0.5 * size * size);
return NormalTail(e * (low + t * t * t * t * t * high), e);
}


fn gelu_erf(x: f32) -> f32 {
let tail = normal_tail(x);
return x * select(tail.above, 1.0 - tail.above, x >= 0.0);
}







fn erf(x: f32) -> f32 {
let z = x * x;
let near = x * (1.1283791 + z * (-0.37612325 + z * (0.1128018 + z * (-0.026711311 + z * (0.0049175513 - z * 0.0005631422)))));
let far = 1.0 - 2.0 * normal_tail(SQRT_2 * x).above;
return select(select(far, -far, x < 0.0), near, abs(x) < 1.0);
}






fn relu(x: f32) -> f32 {
return at_least(x, 0.0);
}





fn silu(x: f32) -> f32 {
return x * sigmoid(x);
}

fn silu_grad(x: f32) -> f32 {
let s = sigmoid(x);
return s * (1.0 + x * (1.0 - s));
}




fn is_nan(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}










fn at_least(x: f32, least: f32) -> f32 {
return select(max(x, least), x, is_nan(x));
}


fn between(x: f32, low: f32, high: f32) -> f32 {
return select(clamp(x, low, high), x, is_nan(x));
}` as string,
} as const satisfies ShaderSource;

/**
 * conv2d_finish: the second pass of a convolution that conv2d_matrix took in parts of k:
 * out = residual_scale residual + out_scale act(sum of the parts + bias), times the slope of SiLU at out_scale before.
 * Buffers, row-major f32: x [splits, m, n], n all groups' channels; bias [n]; before, residual, out, pre [m, n].
 * Grid: an invocation takes four neighbouring channels of a pixel.
 * Precision: f32, the parts in order.
 * Source: as conv2d_plain.
 */
export interface Conv2dFinish extends Same<typeof conv2d_finish_> {}
export const conv2d_finish: Conv2dFinish = conv2d_finish_;

const conv2d_matrix_ = {
  name: 'conv2d_matrix',
  entryPoint: 'main',
  bindings: {
    x: { binding: 0, access: 'read', element: 'XElem', holds: 'XStored' },
    x2: { binding: 1, access: 'read', element: 'XElem', holds: 'XStored', optional: 'CAT' },
    weight: { binding: 2, access: 'read', element: 'WElem', holds: 'WStored' },
    bias: { binding: 3, access: 'read', element: 'f32', optional: 'HAS_BIAS' },
    before: { binding: 4, access: 'read', element: 'RElem', optional: 'HAS_SLOPE' },
    residual: { binding: 5, access: 'read', element: 'RElem', optional: 'HAS_RESIDUAL' },
    out: { binding: 6, access: 'read_write', element: 'OElem' },
    pre: { binding: 7, access: 'read_write', element: 'OElem', optional: 'HAS_PRE' },
  },
  uniform: { binding: 8, size: 76, fields: {
    m: { type: 'u32', offset: 0 },
    n: { type: 'u32', offset: 4 },
    k: { type: 'u32', offset: 8 },
    groups: { type: 'u32', offset: 12, else: 1 },
    height: { type: 'u32', offset: 16 },
    width: { type: 'u32', offset: 20 },
    depth: { type: 'u32', offset: 24 },
    out_h: { type: 'u32', offset: 28 },
    out_w: { type: 'u32', offset: 32 },
    kernel_w: { type: 'u32', offset: 36 },
    stride: { type: 'u32', offset: 40, else: 1 },
    pad_h: { type: 'u32', offset: 44, else: 0 },
    pad_w: { type: 'u32', offset: 48, else: 0 },
    first: { type: 'u32', offset: 52, else: 0, optional: 'CAT' },
    scale: { type: 'f32', offset: 56, else: 1, optional: 'CAT' },
    scale2: { type: 'f32', offset: 60, else: 1, optional: 'CAT' },
    first_row: { type: 'u32', offset: 64, else: 0 },
    out_scale: { type: 'f32', offset: 68, else: 1, optional: 'SCALED' },
    residual_scale: { type: 'f32', offset: 72, else: 1, optional: 'HAS_RESIDUAL' },
  } },
  knobs: {
    TM: { kind: 'const', type: 'u32', default: 4 },
    TN: { kind: 'const', type: 'u32', default: 4 },
    TRANSPOSED: { kind: 'const', type: 'bool', default: false },
    STRIDED: { kind: 'const', type: 'bool', default: false },
    CAT: { kind: 'const', type: 'bool', default: false },
    DOUBLED: { kind: 'const', type: 'bool', default: false },
    SILU: { kind: 'const', type: 'bool', default: false },
    HALVES_X: { kind: 'const', type: 'bool', default: false },
    HALVES_W: { kind: 'const', type: 'bool', default: false },
    XStored: { kind: 'alias', type: 'type', default: 'f32' },
    WStored: { kind: 'alias', type: 'type', default: 'f32' },
    XElem: { kind: 'alias', type: 'type', default: 'vec4f' },
    WElem: { kind: 'alias', type: 'type', default: 'vec4f' },
    ACT: { kind: 'const', type: 'u32', default: 0 },
    HAS_BIAS: { kind: 'const', type: 'bool', default: false },
    HAS_PRE: { kind: 'const', type: 'bool', default: false },
    SCALED: { kind: 'const', type: 'bool', default: false },
    HAS_SLOPE: { kind: 'const', type: 'bool', default: false },
    HAS_RESIDUAL: { kind: 'const', type: 'bool', default: false },
    WHOLE: { kind: 'const', type: 'bool', default: false },
    SPLITS: { kind: 'const', type: 'u32', default: 1 },
    VEC_N: { kind: 'const', type: 'bool', default: false },
    OElem: { kind: 'alias', type: 'type', default: 'array<f32, 1>' },
    RElem: { kind: 'alias', type: 'type', default: 'f32' },
  },
  workgroup: [128],
  enables: ['f16', 'subgroups', 'chromium_experimental_subgroup_matrix'],
  code: `















enable f16;
enable subgroups;
enable chromium_experimental_subgroup_matrix;

const TM: u32 = 4u;
const TN: u32 = 4u;
const TRANSPOSED: bool = false;
const STRIDED: bool = false;
const CAT: bool = false;
const DOUBLED: bool = false;
const SILU: bool = false;
const HALVES_X: bool = false;
const HALVES_W: bool = false;
alias XStored = f32;
alias WStored = f32;
alias XElem = vec4f;
alias WElem = vec4f;
const ACT: u32 = 0u;
const HAS_BIAS: bool = false;
const HAS_PRE: bool = false;
const SCALED: bool = false;
const HAS_SLOPE: bool = false;
const HAS_RESIDUAL: bool = false;
const WHOLE: bool = false;
const SPLITS: u32 = 1u;
const VEC_N: bool = false;
alias OElem = array<f32, 1>;
alias RElem = f32;

alias OScalar = f32;
const TRANS_A: bool = false;
const TRANS_B: bool = true;

@group(0) @binding(0) var<storage, read> x: array<XElem>;
@group(0) @binding(1) var<storage, read> x2: array<XElem>;
@group(0) @binding(2) var<storage, read> weight: array<WElem>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> before: array<RElem>;
@group(0) @binding(5) var<storage, read> residual: array<RElem>;
@group(0) @binding(6) var<storage, read_write> out: array<OElem>;
@group(0) @binding(7) var<storage, read_write> pre: array<OElem>;
@group(0) @binding(8) var<uniform> dims: Dims;

const BY_TAP: bool = WHOLE && HALVES_X && !CAT && !SILU;


struct Part {
begin: u32,
end: u32,
}


struct FromA {
pixel: u32,
a0: Anchor,
a1: Anchor,
a2: Anchor,
a3: Anchor,
channel: u32,
by: Reciprocals,
part: Part,
}


struct FromB {
row: u32,
col: u32,
part: Part,
}

fn anchor_of_item(s: FromA, i: u32) -> Anchor {
if (i == 0u) {
return s.a0;
} else if (i == 1u) {
return s.a1;
} else if (i == 2u) {
return s.a2;
}
return s.a3;
}


var<private> tap_pixels: vec4i;
var<private> tap_end: u32;

fn first_of_item(s: FromA, i: u32, tap: Tap) -> i32 {
let place = place_of(anchor_of(s.pixel + i * A_LINES, dims.m, s.by), tap);
return select(-1, place * i32(dims.depth * dims.groups / 8u), place >= 0);
}

fn to_tap(s: FromA, k: u32) {
let tap = tap_of(k, s.by);
tap_end = k - tap.channel + dims.depth;
tap_pixels.x = first_of_item(s, 0u, tap);
tap_pixels.y = first_of_item(s, 1u, tap);
if (TM > 2u) {
tap_pixels.z = first_of_item(s, 2u, tap);
tap_pixels.w = first_of_item(s, 3u, tap);
}
}

fn tap_pixels_of(i: u32) -> i32 {
if (i == 0u) {
return tap_pixels.x;
} else if (i == 1u) {
return tap_pixels.y;
} else if (i == 2u) {
return tap_pixels.z;
}
return tap_pixels.w;
}



fn halves_by_tap(item: vec2u, i: u32, s: FromA, step: u32) -> vec4u {
let k = s.part.begin + step;
if (k >= s.part.end) {
return vec4u();
}
if (i == 0u && k >= tap_end) {
to_tap(s, k);
}
let first = tap_pixels_of(i);
if (first < 0) {
return vec4u();
}
return x_at(u32(first) + (s.channel + k + dims.depth - tap_end) / 8u + item.y);
}

fn halves_of_a(item: vec2u, i: u32, s: FromA, step: u32) -> vec4u {
if (BY_TAP) {
return halves_by_tap(item, i, s, step);
}
let k = s.part.begin + step + item.y * 8u;
if (k >= s.part.end) {
return vec4u();
}
let tap = tap_of(k, s.by);
let place = place_of(anchor_of_item(s, i), tap);
return halves_at(place, s.channel + tap.channel, dims.depth * dims.groups, dims.first);
}

fn weight_at(i: u32) -> vec4u { return bitcast<vec4u>(weight[i]); }

fn halves_of_b(item: vec2u, i: u32, s: FromB, step: u32) -> vec4u {
let col = s.col + item.x + i * B_LINES;
let k = s.part.begin + step + item.y * 8u;
if (col >= dims.n || k >= s.part.end) {
return vec4u();
}
let at = (s.row + col) * dims.k + k;
if (HALVES_W) {
return weight_at(at / 8u);
}
return halves(bitcast<vec4f>(weight_at(at / 4u)), bitcast<vec4f>(weight_at(at / 4u + 1u)));
}


fn finish(slice: u32, row: u32, col: u32, sum: vec4f) {
if (row >= dims.m || col >= dims.n) {
return;
}
var group = slice;
var line = row;
if (SPLITS > 1u) {
group = slice % dims.groups;
line += slice / dims.groups * dims.m;
}
let channel = group * dims.n + col;
finish_four(line * (dims.n * dims.groups) + channel, channel, min(4u, dims.n - col), sum);
}

@compute @workgroup_size(128)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
@builtin(subgroup_id) subgroup: u32,
@builtin(subgroup_invocation_id) lane: u32,
) {
let tiles_n = (dims.n + BN - 1u) / BN;
let tiles_m = (dims.m + BM - 1u) / BM;
let index = wid.x + wid.y * groups.x;
let slice = index / (tiles_n * tiles_m);
if (slice >= SPLITS * dims.groups) {
return;
}
var group = slice;
var part = Part(0u, dims.k);
if (SPLITS > 1u) {
group = slice % dims.groups;
let length = (dims.k + 32u * SPLITS - 1u) / (32u * SPLITS) * 32u;
part.begin = min(dims.k, slice / dims.groups * length);
part.end = min(dims.k, part.begin + length);
}
let tile = index % (tiles_n * tiles_m);
let row = (tile / tiles_n) * BM;
let col = (tile % tiles_n) * BN;

let by = reciprocals();
let fetched = row + item_of(local, true, BM).x;
var from_a = FromA();
from_a.channel = group * dims.depth;
from_a.by = by;
from_a.part = part;
if (BY_TAP) {
from_a.pixel = fetched;
} else {
from_a.a0 = anchor_of(fetched, dims.m, by);
from_a.a1 = anchor_of(fetched + A_LINES, dims.m, by);
from_a.a2 = anchor_of(fetched + 2u * A_LINES, dims.m, by);
from_a.a3 = anchor_of(fetched + 3u * A_LINES, dims.m, by);
}
let from_b = FromB(dims.first_row + group * dims.n, col, part);
let s = sums_of(local, subgroup, from_a, from_b, part.end - part.begin);
finish_tile(s, slice, subgroup, lane, row, col);
}



struct Dims {
m: u32,
n: u32,
k: u32,
groups: u32,
height: u32,
width: u32,
depth: u32,
out_h: u32,
out_w: u32,
kernel_w: u32,
stride: u32,
pad_h: u32,
pad_w: u32,
first: u32,
scale: f32,
scale2: f32,
first_row: u32,
out_scale: f32,
residual_scale: f32,
}






const OFFSET: u32 = 0x4000u;


struct Anchor {
base: u32,
corner: u32,
}


struct Tap {
row: i32,
col: i32,
channel: u32,
}


struct Reciprocals {
depth: f32,
kernel_w: f32,
area: f32,
out_w: f32,
}

fn reciprocals() -> Reciprocals {
return Reciprocals(
1.0 / f32(dims.depth),
1.0 / f32(dims.kernel_w),
1.0 / f32(dims.out_h * dims.out_w),
1.0 / f32(dims.out_w),
);
}


fn quotient(a: u32, b: u32, reciprocal: f32) -> u32 {
let q = u32(f32(a) * reciprocal);
let rest = bitcast<i32>(a - q * b);
return select(select(q, q + 1u, rest >= i32(b)), q - 1u, rest < 0);
}


fn sample_pixels() -> u32 {
return select(dims.height * dims.width, (dims.height / 2u) * (dims.width / 2u), DOUBLED);
}


fn anchor_of(pixel: u32, pixels: u32, by: Reciprocals) -> Anchor {
let sample = quotient(pixel, dims.out_h * dims.out_w, by.area);
let within = pixel - sample * (dims.out_h * dims.out_w);
let row = quotient(within, dims.out_w, by.out_w);
let at = vec2u(row, within - row * dims.out_w);
var corner = at * dims.stride - vec2u(dims.pad_h, dims.pad_w);
if (TRANSPOSED) {
corner = at + vec2u(dims.pad_h, dims.pad_w);
}
let packed = ((corner.x + OFFSET) << 16u) | (corner.y + OFFSET);
return Anchor(sample * sample_pixels(), select(0u, packed, pixel < pixels));
}


fn tap_of(k: u32, by: Reciprocals) -> Tap {
let tap = quotient(k, dims.depth, by.depth);
let row = quotient(tap, dims.kernel_w, by.kernel_w);
return Tap(i32(row), i32(tap - row * dims.kernel_w), k - tap * dims.depth);
}


fn place_of(anchor: Anchor, tap: Tap) -> i32 {
let corner = vec2i(i32(anchor.corner >> 16u), i32(anchor.corner & 0xffffu)) - i32(OFFSET);
var at = corner + vec2i(tap.row, tap.col);
if (TRANSPOSED) {
at = corner - vec2i(tap.row, tap.col);
}
var inside = at.x >= 0 && at.y >= 0;
if (TRANSPOSED && STRIDED) {
let stride = i32(dims.stride);
let down = at / stride;
inside = inside && all(down * stride == at);
at = down;
}
return select(-1, stored_at(anchor.base, at), inside && at.x < i32(dims.height) && at.y < i32(dims.width));
}


fn stored_at(base: u32, at: vec2i) -> i32 {
if (DOUBLED) {
return i32(base) + (at.x >> 1u) * i32(dims.width / 2u) + (at.y >> 1u);
}
return i32(base) + at.x * i32(dims.width) + at.y;
}







fn x_at(i: u32) -> vec4u { return bitcast<vec4u>(x[i]); }
fn x2_at(i: u32) -> vec4u { return bitcast<vec4u>(x2[i]); }

fn eight_of_x(at: u32) -> Eight {
if (HALVES_X) {
return eight_of(x_at(at / 8u));
}
return Eight(bitcast<vec4f>(x_at(at / 4u)), bitcast<vec4f>(x_at(at / 4u + 1u)));
}

fn eight_of_x2(at: u32) -> Eight {
if (HALVES_X) {
return eight_of(x2_at(at / 8u));
}
return Eight(bitcast<vec4f>(x2_at(at / 4u)), bitcast<vec4f>(x2_at(at / 4u + 1u)));
}

fn silu_of(v: vec4f) -> vec4f {
return vec4f(silu(v.x), silu(v.y), silu(v.z), silu(v.w));
}


fn halves_at(place: i32, channel: u32, channels: u32, first: u32) -> vec4u {
if (place < 0) {
return vec4u();
}
if (HALVES_X && !CAT && !SILU) {
return x_at((u32(place) * channels + channel) / 8u);
}
var v: Eight;
if (CAT) {
if (channel < first) {
v = eight_of_x(u32(place) * first + channel);
v = Eight(dims.scale * v.low, dims.scale * v.high);
} else {
v = eight_of_x2(u32(place) * (channels - first) + channel - first);
v = Eight(dims.scale2 * v.low, dims.scale2 * v.high);
}
} else {
v = eight_of_x(u32(place) * channels + channel);
}
if (SILU) {
v = Eight(silu_of(v.low), silu_of(v.high));
}
return halves(v.low, v.high);
}







fn before_at(i: u32) -> vec4f { return vec4f(before[i]); }
fn residual_at(i: u32) -> vec4f { return vec4f(residual[i]); }


fn four_from(at: u32, count: u32) -> vec4u {
return at + min(vec4u(0u, 1u, 2u, 3u), vec4u(count - 1u));
}

fn before_four(at: u32, count: u32) -> vec4f {
if (VEC_N) {
return before_at(at / 4u);
}
let i = four_from(at, count);
return vec4f(before_at(i.x).x, before_at(i.y).x, before_at(i.z).x, before_at(i.w).x);
}

fn residual_four(at: u32, count: u32) -> vec4f {
if (VEC_N) {
return residual_at(at / 4u);
}
let i = four_from(at, count);
return vec4f(residual_at(i.x).x, residual_at(i.y).x, residual_at(i.z).x, residual_at(i.w).x);
}


fn finish_four(at: u32, channel: u32, count: u32, sum: vec4f) {
var value = sum;
if (HAS_BIAS) {
let i = four_from(channel, count);
value += vec4f(bias[i.x], bias[i.y], bias[i.z], bias[i.w]);
}
if (HAS_PRE) { put_pre(at, count, value); }
if (ACT != 0u) {
value = vec4f(act(value.x), act(value.y), act(value.z), act(value.w));
}
if (SCALED) {
value *= dims.out_scale;
}
if (HAS_SLOPE) {
let v = dims.out_scale * before_four(at, count);
value *= vec4f(silu_grad(v.x), silu_grad(v.y), silu_grad(v.z), silu_grad(v.w));
}
if (HAS_RESIDUAL) {
value += dims.residual_scale * residual_four(at, count);
}
put_out(at, count, value);
}







fn sums_of(local: u32, subgroup: u32, from_a: FromA, from_b: FromB, length: u32) -> Sums {
let part_a = subgroup / 2u;
let part_b = 2u + subgroup % 2u;
let item_a = item_of(local, !TRANS_A, BM);
let item_b = item_of(local, TRANS_B, BN);
var s = Sums();
var next = fetch(item_a, item_b, from_a, from_b, 0u);
var after = fetch(item_a, item_b, from_a, from_b, BK);
for (var k0 = 0u; k0 < length; k0 += 2u * BK) {

stage(item_a, item_b, next);
workgroupBarrier();
next = fetch(item_a, item_b, from_a, from_b, k0 + 2u * BK);
s = multiply(multiply(s, part_a, part_b, 0u), part_a, part_b, 1u);
workgroupBarrier();
stage(item_a, item_b, after);
workgroupBarrier();
after = fetch(item_a, item_b, from_a, from_b, k0 + 3u * BK);
s = multiply(multiply(s, part_a, part_b, 0u), part_a, part_b, 1u);
workgroupBarrier();
}
return s;
}






fn finish_tile(s: Sums, slice: u32, subgroup: u32, lane: u32, row: u32, col: u32) {
let row_out = row + (subgroup / 2u) * 16u * TM;
let col_out = col + (subgroup % 2u) * 16u * TN + lane % (4u * TN) * 4u;
for (var i = 0u; i < TM; i++) {
put_sums(subgroup, s, i);
workgroupBarrier();
for (var x = 0u; x < 2u * TN; x++) {
let e = x * 32u + lane;
finish(slice, row_out + i * 16u + e / (4u * TN), col_out, quad_at(subgroup, e));
}
workgroupBarrier();
}
}




const SQRT_2_OVER_PI: f32 = 0.7978845608028654;
const GELU_CUBIC: f32 = 0.044715;


const SQRT_2: f32 = 1.4142135623730951;


fn magnitude(x: f32, most: f32) -> f32 {
return between(abs(x), 0.0, most);
}


fn safe_tanh(x: f32) -> f32 {
return tanh(between(x, -10.0, 10.0));
}


fn gelu(x: f32) -> f32 {
return 0.5 * x * (1.0 + safe_tanh(SQRT_2_OVER_PI * (x + GELU_CUBIC * x * x * x)));
}








fn sigmoid(x: f32) -> f32 {
let e = exp(-magnitude(x, 200.0));
return select(e, 1.0, x >= 0.0) / (1.0 + e);
}








fn tanh_exact(x: f32) -> f32 {
let e = exp(-2.0 * magnitude(x, 100.0));
let far = (1.0 - e) / (1.0 + e);
let z = x * x;
let near = x + x * z * (-0.333332819422 + z * (0.133314422036 + z * (-0.0537397155531 + z * (0.0206390887954 - z * 0.00570498872745))));
return select(select(far, -far, x < 0.0), near, abs(x) < 0.625);
}









struct NormalTail {
above: f32,
exponential: f32,
}

fn normal_tail(x: f32) -> NormalTail {
let size = magnitude(x, 20.0);
let t = 1.0 / (1.0 + 0.235 * size);
let low = t * (0.09380543 + t * (0.09267475 + t * (0.09759892 + t * 0.03674156)));
let high = 0.17745271 + t * (-0.14311284 + t * (0.2086004 - t * 0.063760936));
let e = exp(-0.5 * size * size);
return NormalTail(e * (low + t * t * t * t * t * high), e);
}


fn gelu_erf(x: f32) -> f32 {
let tail = normal_tail(x);
return x * select(tail.above, 1.0 - tail.above, x >= 0.0);
}







fn erf(x: f32) -> f32 {
let z = x * x;
let near = x * (1.1283791 + z * (-0.37612325 + z * (0.1128018 + z * (-0.026711311 + z * (0.0049175513 - z * 0.0005631422)))));
let far = 1.0 - 2.0 * normal_tail(SQRT_2 * x).above;
return select(select(far, -far, x < 0.0), near, abs(x) < 1.0);
}






fn relu(x: f32) -> f32 {
return at_least(x, 0.0);
}





fn silu(x: f32) -> f32 {
return x * sigmoid(x);
}

fn silu_grad(x: f32) -> f32 {
let s = sigmoid(x);
return s * (1.0 + x * (1.0 - s));
}



struct Eight {
low: vec4f,
high: vec4f,
}

fn eight_of(words: vec4u) -> Eight {
return Eight(
vec4f(unpack2x16float(words.x), unpack2x16float(words.y)),
vec4f(unpack2x16float(words.z), unpack2x16float(words.w)),
);
}


fn halves(low: vec4f, high: vec4f) -> vec4u {
return vec4u(pack2x16float(low.xy), pack2x16float(low.zw), pack2x16float(high.xy), pack2x16float(high.zw));
}





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
























const STORE_WIDTH: u32 = select(1u, 4u, VEC_N);


fn put_pre(index: u32, count: u32, value: vec4f) {
for (var j = 0u; j < 4u; j += STORE_WIDTH) {
if (j < count) {
var part: OElem;
for (var c = 0u; c < STORE_WIDTH; c++) {
part[c] = OScalar(value[j + c]);
}
pre[(index + j) / STORE_WIDTH] = part;
}
}
}

fn put_out(index: u32, count: u32, value: vec4f) {
for (var j = 0u; j < 4u; j += STORE_WIDTH) {
if (j < count) {
var part: OElem;
for (var c = 0u; c < STORE_WIDTH; c++) {
part[c] = OScalar(value[j + c]);
}
out[(index + j) / STORE_WIDTH] = part;
}
}
}









var<workgroup> parts: array<array<vec4u, PART>, 4>;


struct Fetched {
a0: vec4u,
a1: vec4u,
a2: vec4u,
a3: vec4u,
b0: vec4u,
b1: vec4u,
b2: vec4u,
b3: vec4u,
}

fn fetch(item_a: vec2u, item_b: vec2u, from_a: FromA, from_b: FromB, step: u32) -> Fetched {
var f = Fetched();
f.a0 = halves_of_a(item_a, 0u, from_a, step);
f.a1 = halves_of_a(item_a, 1u, from_a, step);
if (TM > 2u) {
f.a2 = halves_of_a(item_a, 2u, from_a, step);
f.a3 = halves_of_a(item_a, 3u, from_a, step);
}
f.b0 = halves_of_b(item_b, 0u, from_b, step);
f.b1 = halves_of_b(item_b, 1u, from_b, step);
if (TN > 2u) {
f.b2 = halves_of_b(item_b, 2u, from_b, step);
f.b3 = halves_of_b(item_b, 3u, from_b, step);
}
return f;
}

fn stage_a(item: vec2u, i: u32, value: vec4u) {
let place = place_a(item, i);
parts[place.x][place.y] = value;
}

fn stage_b(item: vec2u, i: u32, value: vec4u) {
let place = place_b(item, i);
parts[2u + place.x][place.y] = value;
}

fn stage(item_a: vec2u, item_b: vec2u, f: Fetched) {
stage_a(item_a, 0u, f.a0);
stage_a(item_a, 1u, f.a1);
if (TM > 2u) {
stage_a(item_a, 2u, f.a2);
stage_a(item_a, 3u, f.a3);
}
stage_b(item_b, 0u, f.b0);
stage_b(item_b, 1u, f.b1);
if (TN > 2u) {
stage_b(item_b, 2u, f.b2);
stage_b(item_b, 3u, f.b3);
}
}

fn left(part: u32, i: u32, kk: u32) -> Left {
return left_at(part, left_place(i, kk), A_LINE, TRANS_A);
}

fn right(part: u32, i: u32, kk: u32) -> Right {
return right_at(part, right_place(i, kk), B_LINE, TRANS_B);
}


struct Sums {
c00: Sum,
c01: Sum,
c02: Sum,
c03: Sum,
c10: Sum,
c11: Sum,
c12: Sum,
c13: Sum,
c20: Sum,
c21: Sum,
c22: Sum,
c23: Sum,
c30: Sum,
c31: Sum,
c32: Sum,
c33: Sum,
}


fn multiply(before: Sums, part_a: u32, part_b: u32, kk: u32) -> Sums {
var s = before;
let x0 = left(part_a, 0u, kk);
let x1 = left(part_a, 1u, kk);
var x2 = Left();
var x3 = Left();
if (TM > 2u) {
x2 = left(part_a, 2u, kk);
x3 = left(part_a, 3u, kk);
}
let y0 = right(part_b, 0u, kk);
let y1 = right(part_b, 1u, kk);
s.c00 = add_product(x0, y0, s.c00);
s.c01 = add_product(x0, y1, s.c01);
s.c10 = add_product(x1, y0, s.c10);
s.c11 = add_product(x1, y1, s.c11);
if (TM > 2u) {
s.c20 = add_product(x2, y0, s.c20);
s.c21 = add_product(x2, y1, s.c21);
s.c30 = add_product(x3, y0, s.c30);
s.c31 = add_product(x3, y1, s.c31);
}
if (TN > 2u) {
let y2 = right(part_b, 2u, kk);
let y3 = right(part_b, 3u, kk);
s.c02 = add_product(x0, y2, s.c02);
s.c03 = add_product(x0, y3, s.c03);
s.c12 = add_product(x1, y2, s.c12);
s.c13 = add_product(x1, y3, s.c13);
if (TM > 2u) {
s.c22 = add_product(x2, y2, s.c22);
s.c23 = add_product(x2, y3, s.c23);
s.c32 = add_product(x3, y2, s.c32);
s.c33 = add_product(x3, y3, s.c33);
}
}
return s;
}

const OUT_LINE: u32 = 4u * TN + 1u;


fn put_line(part: u32, c0: Sum, c1: Sum, c2: Sum, c3: Sum) {
put_sum(part, 0u, c0, OUT_LINE);
put_sum(part, 4u, c1, OUT_LINE);
if (TN > 2u) {
put_sum(part, 8u, c2, OUT_LINE);
put_sum(part, 12u, c3, OUT_LINE);
}
}

fn quad_at(part: u32, e: u32) -> vec4f {
return bitcast<vec4f>(parts[part][e / (4u * TN) * OUT_LINE + e % (4u * TN)]);
}


fn put_sums(part: u32, s: Sums, i: u32) {
if (i == 0u) {
put_line(part, s.c00, s.c01, s.c02, s.c03);
} else if (i == 1u) {
put_line(part, s.c10, s.c11, s.c12, s.c13);
} else if (i == 2u) {
put_line(part, s.c20, s.c21, s.c22, s.c23);
} else {
put_line(part, s.c30, s.c31, s.c32, s.c33);
}
}




fn is_nan(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}










fn at_least(x: f32, least: f32) -> f32 {
return select(max(x, least), x, is_nan(x));
}


fn between(x: f32, low: f32, high: f32) -> f32 {
return select(clamp(x, low, high), x, is_nan(x));
}


















alias Left = subgroup_matrix_left<f16, 16, 16>;
alias Right = subgroup_matrix_right<f16, 16, 16>;
alias Sum = subgroup_matrix_result<f32, 16, 16>;


fn left_at(part: u32, at: u32, line: u32, turned: bool) -> Left {
if (turned) {
return subgroupMatrixLoad<Left, col_major>(&parts[part], at, line);
}
return subgroupMatrixLoad<Left, row_major>(&parts[part], at, line);
}

fn right_at(part: u32, at: u32, line: u32, turned: bool) -> Right {
if (turned) {
return subgroupMatrixLoad<Right, col_major>(&parts[part], at, line);
}
return subgroupMatrixLoad<Right, row_major>(&parts[part], at, line);
}

fn add_product(x: Left, y: Right, sum: Sum) -> Sum {
return subgroupMatrixMultiplyAccumulate(x, y, sum);
}


fn put_sum(part: u32, at: u32, sum: Sum, line: u32) {
subgroupMatrixStore<row_major>(&parts[part], at, sum, line);
}










const BK: u32 = 32u;

const BM: u32 = 32u * TM;
const BN: u32 = 32u * TN;
const K_LINE: u32 = BK / 8u + 1u;
const A_LINE: u32 = select(K_LINE, 2u * TM + 1u, TRANS_A);
const B_LINE: u32 = select(2u * TN + 1u, K_LINE, TRANS_B);
const PART: u32 = 16u * max(TM, TN) * K_LINE + 4u;



fn item_of(local: u32, along_k: bool, side: u32) -> vec2u {
if (along_k) {
return vec2u((local / 32u) * 8u + (local / 8u) % 4u + (local / 4u) % 2u * 4u, local % 4u);
}
return vec2u(local / (side / 8u), local % (side / 8u));
}

const A_LINES: u32 = select(32u, 32u / TM, TRANS_A);
const B_LINES: u32 = select(32u / TN, 32u, TRANS_B);


fn place_a(item: vec2u, i: u32) -> vec2u {
if (TRANS_A) {
return vec2u(item.y / (2u * TM), (item.x + i * A_LINES) * A_LINE + item.y % (2u * TM));
}
return vec2u(i * A_LINES / (16u * TM), (item.x + i * A_LINES % (16u * TM)) * A_LINE + item.y);
}

fn place_b(item: vec2u, i: u32) -> vec2u {
if (TRANS_B) {
return vec2u(i * B_LINES / (16u * TN), (item.x + i * B_LINES % (16u * TN)) * B_LINE + item.y);
}
return vec2u(item.y / (2u * TN), (item.x + i * B_LINES) * B_LINE + item.y % (2u * TN));
}


fn left_place(i: u32, kk: u32) -> u32 {
return select(i * 16u * A_LINE + kk * 2u, kk * 16u * A_LINE + i * 2u, TRANS_A);
}

fn right_place(i: u32, kk: u32) -> u32 {
return select(kk * 16u * B_LINE + i * 2u, i * 16u * B_LINE + kk * 2u, TRANS_B);
}` as string,
} as const satisfies ShaderSource;

/**
 * conv2d_matrix: conv2d_plain's convolution, forward and by its input, on subgroup matrices: a product whose A are the windows of x, gathered
 * eight channels at a time as its tiles are fetched and stored nowhere, and whose B is weight. Tiles, staging and loop are those of matmul_matrix.
 * Buffers: as conv2d_plain, x and x2 f32 or f16, weight f32 or f16, all else f32. depth, and first, are multiples of 8, so that eight neighbours
 * of a window are of one tap, and of one of x, x2.
 * With SPLITS above 1 k is cut into parts, multiples of 32, and out are their sums [SPLITS, m, groups n], without an epilogue: conv2d_finish
 * adds them up, and has it. The last parts may be empty: zeros.
 * Grid: a workgroup of four subgroups of 32 makes 32 TM pixels x 32 TN channels, a subgroup 16 TM x 16 TN, folded over (part, group, tile).
 * Which pixels an invocation fetches stays the same: their places are found once, and in each step that of its tap, without a division.
 * Precision: operands are rounded to f16, products and sums f32 (a tensor core truncates as it adds); the epilogue in f32.
 * Source: as conv2d_plain; shaders/matmul_matrix.wgsl.
 */
export interface Conv2dMatrix extends Same<typeof conv2d_matrix_> {}
export const conv2d_matrix: Conv2dMatrix = conv2d_matrix_;

const conv2d_plain_ = {
  name: 'conv2d_plain',
  entryPoint: 'main',
  bindings: {
    x: { binding: 0, access: 'read', element: 'Elem' },
    x2: { binding: 1, access: 'read', element: 'Elem', optional: 'CAT' },
    weight: { binding: 2, access: 'read', element: 'Elem' },
    bias: { binding: 3, access: 'read', element: 'f32', optional: 'HAS_BIAS' },
    before: { binding: 4, access: 'read', element: 'f32', optional: 'HAS_SLOPE' },
    residual: { binding: 5, access: 'read', element: 'f32', optional: 'HAS_RESIDUAL' },
    out: { binding: 6, access: 'read_write', element: 'f32' },
    pre: { binding: 7, access: 'read_write', element: 'f32', optional: 'HAS_PRE' },
  },
  uniform: { binding: 8, size: 76, fields: {
    m: { type: 'u32', offset: 0 },
    n: { type: 'u32', offset: 4 },
    k: { type: 'u32', offset: 8 },
    groups: { type: 'u32', offset: 12, else: 1 },
    height: { type: 'u32', offset: 16 },
    width: { type: 'u32', offset: 20 },
    depth: { type: 'u32', offset: 24 },
    out_h: { type: 'u32', offset: 28 },
    out_w: { type: 'u32', offset: 32 },
    kernel_w: { type: 'u32', offset: 36 },
    stride: { type: 'u32', offset: 40, else: 1 },
    pad_h: { type: 'u32', offset: 44, else: 0 },
    pad_w: { type: 'u32', offset: 48, else: 0 },
    first: { type: 'u32', offset: 52, else: 0, optional: 'CAT' },
    scale: { type: 'f32', offset: 56, else: 1, optional: 'CAT' },
    scale2: { type: 'f32', offset: 60, else: 1, optional: 'CAT' },
    first_row: { type: 'u32', offset: 64, else: 0 },
    out_scale: { type: 'f32', offset: 68, else: 1, optional: 'SCALED' },
    residual_scale: { type: 'f32', offset: 72, else: 1, optional: 'HAS_RESIDUAL' },
  } },
  knobs: {
    TM: { kind: 'const', type: 'u32', default: 4 },
    TN: { kind: 'const', type: 'u32', default: 4 },
    WG_X: { kind: 'const', type: 'u32', default: 8 },
    WG_Y: { kind: 'const', type: 'u32', default: 8 },
    TRANSPOSED: { kind: 'const', type: 'bool', default: false },
    STRIDED: { kind: 'const', type: 'bool', default: false },
    CAT: { kind: 'const', type: 'bool', default: false },
    DOUBLED: { kind: 'const', type: 'bool', default: false },
    SILU: { kind: 'const', type: 'bool', default: false },
    VEC: { kind: 'const', type: 'bool', default: false },
    Elem: { kind: 'alias', type: 'type', default: 'f32' },
    ACT: { kind: 'const', type: 'u32', default: 0 },
    HAS_BIAS: { kind: 'const', type: 'bool', default: false },
    HAS_PRE: { kind: 'const', type: 'bool', default: false },
    SCALED: { kind: 'const', type: 'bool', default: false },
    HAS_SLOPE: { kind: 'const', type: 'bool', default: false },
    HAS_RESIDUAL: { kind: 'const', type: 'bool', default: false },
  },
  workgroup: ['WG_X', 'WG_Y'],
  code: `













const TM: u32 = 4u;
const TN: u32 = 4u;
const WG_X: u32 = 8u;
const WG_Y: u32 = 8u;
const TRANSPOSED: bool = false;
const STRIDED: bool = false;
const CAT: bool = false;
const DOUBLED: bool = false;
const SILU: bool = false;
const VEC: bool = false;
alias Elem = f32;
const ACT: u32 = 0u;
const HAS_BIAS: bool = false;
const HAS_PRE: bool = false;
const SCALED: bool = false;
const HAS_SLOPE: bool = false;
const HAS_RESIDUAL: bool = false;

@group(0) @binding(0) var<storage, read> x: array<Elem>;
@group(0) @binding(1) var<storage, read> x2: array<Elem>;
@group(0) @binding(2) var<storage, read> weight: array<Elem>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> before: array<f32>;
@group(0) @binding(5) var<storage, read> residual: array<f32>;
@group(0) @binding(6) var<storage, read_write> out: array<f32>;
@group(0) @binding(7) var<storage, read_write> pre: array<f32>;
@group(0) @binding(8) var<uniform> dims: Dims;

@compute @workgroup_size(WG_X, WG_Y)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_id) lid: vec3u,
) {
let tiles_n = (dims.n + TN * WG_X - 1u) / (TN * WG_X);
let tiles_m = (dims.m + TM * WG_Y - 1u) / (TM * WG_Y);
let index = wid.x + wid.y * groups.x;
let group = index / (tiles_n * tiles_m);
if (group >= dims.groups) {
return;
}
let tile = index % (tiles_n * tiles_m);
let row0 = (tile / tiles_n) * (TM * WG_Y) + lid.y * TM;
let col0 = (tile % tiles_n) * (TN * WG_X) + lid.x;

let by = reciprocals();
var anchors: array<Anchor, TM>;
for (var i = 0u; i < TM; i++) {
anchors[i] = anchor_of(min(row0 + i, dims.m - 1u), dims.m, by);
}

var rows: array<u32, TN>;
for (var j = 0u; j < TN; j++) {
rows[j] = ((dims.first_row + group * dims.n + min(col0 + j * WG_X, dims.n - 1u)) * dims.k) / WIDTH;
}

var acc: array<array<vec4f, TN>, TM>;
let taps = dims.k / dims.depth;
for (var tap = 0u; tap < taps; tap++) {
let row = tap / dims.kernel_w;
let at = Tap(i32(row), i32(tap - row * dims.kernel_w), 0u);
var places: array<i32, TM>;
for (var i = 0u; i < TM; i++) {
places[i] = place_of(anchors[i], at);
}
for (var c = 0u; c < dims.depth; c += WIDTH) {
var w: array<vec4f, TN>;
for (var j = 0u; j < TN; j++) {
w[j] = vec4f(weight[rows[j] + (tap * dims.depth + c) / WIDTH]);
}
for (var i = 0u; i < TM; i++) {
let value = channels_at(places[i], group * dims.depth + c);
for (var j = 0u; j < TN; j++) {
acc[i][j] += value * w[j];
}
}
}
}

for (var i = 0u; i < TM; i++) {
for (var j = 0u; j < TN; j++) {
let row = row0 + i;
let col = col0 + j * WG_X;
if (row < dims.m && col < dims.n) {
let channel = group * dims.n + col;
let at = row * (dims.n * dims.groups) + channel;
let sums = acc[i][j];
out[at] = finished(select(sums.x, (sums.x + sums.y) + (sums.z + sums.w), VEC), at, channel);
}
}
}
}



struct Dims {
m: u32,
n: u32,
k: u32,
groups: u32,
height: u32,
width: u32,
depth: u32,
out_h: u32,
out_w: u32,
kernel_w: u32,
stride: u32,
pad_h: u32,
pad_w: u32,
first: u32,
scale: f32,
scale2: f32,
first_row: u32,
out_scale: f32,
residual_scale: f32,
}








const WIDTH: u32 = select(1u, 4u, VEC);


fn x_at(i: u32) -> vec4f { return vec4f(x[i]); }
fn x2_at(i: u32) -> vec4f { return vec4f(x2[i]); }


fn channels_at(place: i32, channel: u32) -> vec4f {
if (place < 0) {
return vec4f();
}
let channels = dims.depth * dims.groups;
var value: vec4f;
if (CAT) {
if (channel < dims.first) {
value = dims.scale * x_at((u32(place) * dims.first + channel) / WIDTH);
} else {
value = dims.scale2 * x2_at((u32(place) * (channels - dims.first) + channel - dims.first) / WIDTH);
}
} else {
value = x_at((u32(place) * channels + channel) / WIDTH);
}
if (SILU) {
if (VEC) {
value = vec4f(silu(value.x), silu(value.y), silu(value.z), silu(value.w));
} else {
value = vec4f(silu(value.x));
}
}
return value;
}






fn finished(sum: f32, at: u32, channel: u32) -> f32 {
var value = sum;
if (HAS_BIAS) {
value += bias[channel];
}
if (HAS_PRE) {
pre[at] = value;
}
value = act(value);
if (SCALED) {
value *= dims.out_scale;
}
if (HAS_SLOPE) {
value *= silu_grad(dims.out_scale * before[at]);
}
if (HAS_RESIDUAL) {
value += dims.residual_scale * residual[at];
}
return value;
}




const SQRT_2_OVER_PI: f32 = 0.7978845608028654;
const GELU_CUBIC: f32 = 0.044715;


const SQRT_2: f32 = 1.4142135623730951;


fn magnitude(x: f32, most: f32) -> f32 {
return between(abs(x), 0.0, most);
}


fn safe_tanh(x: f32) -> f32 {
return tanh(between(x, -10.0, 10.0));
}


fn gelu(x: f32) -> f32 {
return 0.5 * x * (1.0 + safe_tanh(SQRT_2_OVER_PI * (x + GELU_CUBIC * x * x * x)));
}








fn sigmoid(x: f32) -> f32 {
let e = exp(-magnitude(x, 200.0));
return select(e, 1.0, x >= 0.0) / (1.0 + e);
}








fn tanh_exact(x: f32) -> f32 {
let e = exp(-2.0 * magnitude(x, 100.0));
let far = (1.0 - e) / (1.0 + e);
let z = x * x;
let near = x + x * z * (-0.333332819422 + z * (0.133314422036 + z * (-0.0537397155531 + z * (0.0206390887954 - z * 0.00570498872745))));
return select(select(far, -far, x < 0.0), near, abs(x) < 0.625);
}









struct NormalTail {
above: f32,
exponential: f32,
}

fn normal_tail(x: f32) -> NormalTail {
let size = magnitude(x, 20.0);
let t = 1.0 / (1.0 + 0.235 * size);
let low = t * (0.09380543 + t * (0.09267475 + t * (0.09759892 + t * 0.03674156)));
let high = 0.17745271 + t * (-0.14311284 + t * (0.2086004 - t * 0.063760936));
let e = exp(-0.5 * size * size);
return NormalTail(e * (low + t * t * t * t * t * high), e);
}


fn gelu_erf(x: f32) -> f32 {
let tail = normal_tail(x);
return x * select(tail.above, 1.0 - tail.above, x >= 0.0);
}







fn erf(x: f32) -> f32 {
let z = x * x;
let near = x * (1.1283791 + z * (-0.37612325 + z * (0.1128018 + z * (-0.026711311 + z * (0.0049175513 - z * 0.0005631422)))));
let far = 1.0 - 2.0 * normal_tail(SQRT_2 * x).above;
return select(select(far, -far, x < 0.0), near, abs(x) < 1.0);
}






fn relu(x: f32) -> f32 {
return at_least(x, 0.0);
}





fn silu(x: f32) -> f32 {
return x * sigmoid(x);
}

fn silu_grad(x: f32) -> f32 {
let s = sigmoid(x);
return s * (1.0 + x * (1.0 - s));
}






const OFFSET: u32 = 0x4000u;


struct Anchor {
base: u32,
corner: u32,
}


struct Tap {
row: i32,
col: i32,
channel: u32,
}


struct Reciprocals {
depth: f32,
kernel_w: f32,
area: f32,
out_w: f32,
}

fn reciprocals() -> Reciprocals {
return Reciprocals(
1.0 / f32(dims.depth),
1.0 / f32(dims.kernel_w),
1.0 / f32(dims.out_h * dims.out_w),
1.0 / f32(dims.out_w),
);
}


fn quotient(a: u32, b: u32, reciprocal: f32) -> u32 {
let q = u32(f32(a) * reciprocal);
let rest = bitcast<i32>(a - q * b);
return select(select(q, q + 1u, rest >= i32(b)), q - 1u, rest < 0);
}


fn sample_pixels() -> u32 {
return select(dims.height * dims.width, (dims.height / 2u) * (dims.width / 2u), DOUBLED);
}


fn anchor_of(pixel: u32, pixels: u32, by: Reciprocals) -> Anchor {
let sample = quotient(pixel, dims.out_h * dims.out_w, by.area);
let within = pixel - sample * (dims.out_h * dims.out_w);
let row = quotient(within, dims.out_w, by.out_w);
let at = vec2u(row, within - row * dims.out_w);
var corner = at * dims.stride - vec2u(dims.pad_h, dims.pad_w);
if (TRANSPOSED) {
corner = at + vec2u(dims.pad_h, dims.pad_w);
}
let packed = ((corner.x + OFFSET) << 16u) | (corner.y + OFFSET);
return Anchor(sample * sample_pixels(), select(0u, packed, pixel < pixels));
}









fn place_of(anchor: Anchor, tap: Tap) -> i32 {
let corner = vec2i(i32(anchor.corner >> 16u), i32(anchor.corner & 0xffffu)) - i32(OFFSET);
var at = corner + vec2i(tap.row, tap.col);
if (TRANSPOSED) {
at = corner - vec2i(tap.row, tap.col);
}
var inside = at.x >= 0 && at.y >= 0;
if (TRANSPOSED && STRIDED) {
let stride = i32(dims.stride);
let down = at / stride;
inside = inside && all(down * stride == at);
at = down;
}
return select(-1, stored_at(anchor.base, at), inside && at.x < i32(dims.height) && at.y < i32(dims.width));
}


fn stored_at(base: u32, at: vec2i) -> i32 {
if (DOUBLED) {
return i32(base) + (at.x >> 1u) * i32(dims.width / 2u) + (at.y >> 1u);
}
return i32(base) + at.x * i32(dims.width) + at.y;
}





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
























fn is_nan(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}










fn at_least(x: f32, least: f32) -> f32 {
return select(max(x, least), x, is_nan(x));
}


fn between(x: f32, low: f32, high: f32) -> f32 {
return select(clamp(x, low, high), x, is_nan(x));
}` as string,
} as const satisfies ShaderSource;

/**
 * conv2d_plain: out = residual_scale residual + out_scale act(conv(x, weight) + bias), of channel-last images, without stored windows; and
 * with TRANSPOSED its gradient by x.
 * Buffers f32: x [batch, height, width, channels] (see lib conv_source for what it may be instead); weight [groups n, kernel_h kernel_w depth],
 * taps in order, channels of a group innermost; out, pre, before, residual [batch, out_h, out_w, groups n]; bias [groups n].
 * With TRANSPOSED x is the gradient of the result, weight [channels read, kernel_h kernel_w, channels made], as its rows and channels
 * exchanged, of which those from first_row on are read, and stride and padding are the convolution's own.
 * Grid: TM pixels x TN channels an invocation, read straight from storage, WG_X x WG_Y invocations a workgroup, folded over (group, tile).
 * Precision: f32. The oracle of the tiled variant, and the path of CPU adapters: as matmul_plain, reads decide; with VEC an FMA of a vector
 * a read of a sixteenth of one.
 * Source: Chellapilla et al. 2006; the windows are read where they lie, as Chetlur et al. 2014.
 */
export interface Conv2dPlain extends Same<typeof conv2d_plain_> {}
export const conv2d_plain: Conv2dPlain = conv2d_plain_;

const conv2d_tiled_ = {
  name: 'conv2d_tiled',
  entryPoint: 'main',
  bindings: {
    x: { binding: 0, access: 'read', element: 'Elem' },
    x2: { binding: 1, access: 'read', element: 'Elem', optional: 'CAT' },
    weight: { binding: 2, access: 'read', element: 'Elem' },
    bias: { binding: 3, access: 'read', element: 'f32', optional: 'HAS_BIAS' },
    before: { binding: 4, access: 'read', element: 'RElem', optional: 'HAS_SLOPE' },
    residual: { binding: 5, access: 'read', element: 'RElem', optional: 'HAS_RESIDUAL' },
    out: { binding: 6, access: 'read_write', element: 'OElem' },
    pre: { binding: 7, access: 'read_write', element: 'OElem', optional: 'HAS_PRE' },
  },
  uniform: { binding: 8, size: 76, fields: {
    m: { type: 'u32', offset: 0 },
    n: { type: 'u32', offset: 4 },
    k: { type: 'u32', offset: 8 },
    groups: { type: 'u32', offset: 12, else: 1 },
    height: { type: 'u32', offset: 16 },
    width: { type: 'u32', offset: 20 },
    depth: { type: 'u32', offset: 24 },
    out_h: { type: 'u32', offset: 28 },
    out_w: { type: 'u32', offset: 32 },
    kernel_w: { type: 'u32', offset: 36 },
    stride: { type: 'u32', offset: 40, else: 1 },
    pad_h: { type: 'u32', offset: 44, else: 0 },
    pad_w: { type: 'u32', offset: 48, else: 0 },
    first: { type: 'u32', offset: 52, else: 0, optional: 'CAT' },
    scale: { type: 'f32', offset: 56, else: 1, optional: 'CAT' },
    scale2: { type: 'f32', offset: 60, else: 1, optional: 'CAT' },
    first_row: { type: 'u32', offset: 64, else: 0 },
    out_scale: { type: 'f32', offset: 68, else: 1, optional: 'SCALED' },
    residual_scale: { type: 'f32', offset: 72, else: 1, optional: 'HAS_RESIDUAL' },
  } },
  knobs: {
    QM: { kind: 'const', type: 'u32', default: 1 },
    QN: { kind: 'const', type: 'u32', default: 1 },
    TRANSPOSED: { kind: 'const', type: 'bool', default: false },
    STRIDED: { kind: 'const', type: 'bool', default: false },
    CAT: { kind: 'const', type: 'bool', default: false },
    DOUBLED: { kind: 'const', type: 'bool', default: false },
    SILU: { kind: 'const', type: 'bool', default: false },
    VEC: { kind: 'const', type: 'bool', default: false },
    Elem: { kind: 'alias', type: 'type', default: 'f32' },
    ACT: { kind: 'const', type: 'u32', default: 0 },
    HAS_BIAS: { kind: 'const', type: 'bool', default: false },
    HAS_PRE: { kind: 'const', type: 'bool', default: false },
    SCALED: { kind: 'const', type: 'bool', default: false },
    HAS_SLOPE: { kind: 'const', type: 'bool', default: false },
    HAS_RESIDUAL: { kind: 'const', type: 'bool', default: false },
    WHOLE: { kind: 'const', type: 'bool', default: false },
    VEC_N: { kind: 'const', type: 'bool', default: false },
    OElem: { kind: 'alias', type: 'type', default: 'array<f32, 1>' },
    RElem: { kind: 'alias', type: 'type', default: 'f32' },
    ROLLED: { kind: 'const', type: 'bool', default: false },
  },
  workgroup: [64],
  code: `










const QM: u32 = 1u;
const QN: u32 = 1u;
const TRANSPOSED: bool = false;
const STRIDED: bool = false;
const CAT: bool = false;
const DOUBLED: bool = false;
const SILU: bool = false;
const VEC: bool = false;
alias Elem = f32;
const ACT: u32 = 0u;
const HAS_BIAS: bool = false;
const HAS_PRE: bool = false;
const SCALED: bool = false;
const HAS_SLOPE: bool = false;
const HAS_RESIDUAL: bool = false;
const WHOLE: bool = false;
const VEC_N: bool = false;
alias OElem = array<f32, 1>;
alias RElem = f32;
const ROLLED: bool = false;

alias OScalar = f32;
const TRANS_A: bool = false;
const TRANS_B: bool = true;
const BK: u32 = 16u;
const SIDE: u32 = 8u;
const THREADS: u32 = 64u;
const BM: u32 = 4u * SIDE * QM;
const BN: u32 = 4u * SIDE * QN;
const ITEMS_A: u32 = BK * BM / 16u;
const ITEMS_B: u32 = BK * BN / 16u;
const TWICE: bool = ITEMS_A + ITEMS_B > THREADS;

@group(0) @binding(0) var<storage, read> x: array<Elem>;
@group(0) @binding(1) var<storage, read> x2: array<Elem>;
@group(0) @binding(2) var<storage, read> weight: array<Elem>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> before: array<RElem>;
@group(0) @binding(5) var<storage, read> residual: array<RElem>;
@group(0) @binding(6) var<storage, read_write> out: array<OElem>;
@group(0) @binding(7) var<storage, read_write> pre: array<OElem>;
@group(0) @binding(8) var<uniform> dims: Dims;

fn weight_at(i: u32) -> vec4f { return vec4f(weight[i]); }


struct Sources {
a0: Anchor,
a1: Anchor,
a2: Anchor,
a3: Anchor,
channel: u32,
weight: u32,
col: u32,
by: Reciprocals,
}


fn along_taps(anchor: Anchor, channel: u32, t0: Tap, t1: Tap, t2: Tap, t3: Tap) -> vec4f {
return vec4f(
channels_at(place_of(anchor, t0), channel + t0.channel).x,
channels_at(place_of(anchor, t1), channel + t1.channel).x,
channels_at(place_of(anchor, t2), channel + t2.channel).x,
channels_at(place_of(anchor, t3), channel + t3.channel).x,
);
}


fn fetch_rolled(s: Sources, k: u32) -> Fetched {
let anchors = array<Anchor, 4>(s.a0, s.a1, s.a2, s.a3);
var lines: array<vec4f, 4>;
for (var r = 0u; r < min(4u, 4u * dims.m); r++) {
for (var t = 0u; t < select(min(4u, dims.k - k), 1u, VEC); t++) {
let tap = tap_of(k + t, s.by);
let value = channels_at(place_of(anchors[r], tap), s.channel + tap.channel);
if (VEC) { lines[r] = value; } else { lines[r][t] = value.x; }
}
}
return Fetched(lines[0], lines[1], lines[2], lines[3]);
}


struct Cursor {
begin: u32,
end: u32,
places: vec4i,
}

var<private> cursor: Cursor;


fn fetch_whole(e: u32, s: Sources, k0: u32) -> Fetched {
if (k0 >= cursor.end) {
let tap = tap_of(k0, s.by);
cursor.begin = k0 - tap.channel;
cursor.end = cursor.begin + dims.depth;
cursor.places = vec4i(place_of(s.a0, tap), place_of(s.a1, tap), place_of(s.a2, tap), place_of(s.a3, tap));
}
let channel = s.channel + k0 - cursor.begin + (e % (BK / 4u)) * 4u;
return Fetched(
channels_at(cursor.places.x, channel),
channels_at(cursor.places.y, channel),
channels_at(cursor.places.z, channel),
channels_at(cursor.places.w, channel),
);
}


fn fetch_a(e: u32, s: Sources, k0: u32) -> Fetched {
let k = k0 + (e % (BK / 4u)) * 4u;
if (k >= dims.k) {
return Fetched();
}
if (WHOLE) {

if (DOUBLED && TRANSPOSED && STRIDED) {
return Fetched();
}
return fetch_whole(e, s, k0);
}
if (ROLLED) {
return fetch_rolled(s, k);
}
if (VEC) {
let tap = tap_of(k, s.by);
let channel = s.channel + tap.channel;
return Fetched(
channels_at(place_of(s.a0, tap), channel),
channels_at(place_of(s.a1, tap), channel),
channels_at(place_of(s.a2, tap), channel),
channels_at(place_of(s.a3, tap), channel),
);
}
let last = dims.k - 1u;
let t0 = tap_of(k, s.by);
let t1 = tap_of(min(k + 1u, last), s.by);
let t2 = tap_of(min(k + 2u, last), s.by);
let t3 = tap_of(min(k + 3u, last), s.by);
let live = vec4u(k, k + 1u, k + 2u, k + 3u) < vec4u(dims.k);
return Fetched(
select(vec4f(), along_taps(s.a0, s.channel, t0, t1, t2, t3), live),
select(vec4f(), along_taps(s.a1, s.channel, t0, t1, t2, t3), live),
select(vec4f(), along_taps(s.a2, s.channel, t0, t1, t2, t3), live),
select(vec4f(), along_taps(s.a3, s.channel, t0, t1, t2, t3), live),
);
}


fn weights_of(first: u32, col: u32, k: u32) -> vec4f {
var v = vec4f();
let at = (first + col) * dims.k + k;
if (col < dims.n && k < dims.k) {
if (VEC) {
v = weight_at(at / 4u);
} else {
v.x = weight_at(at).x;
if (k + 1u < dims.k) { v.y = weight_at(at + 1u).x; }
if (k + 2u < dims.k) { v.z = weight_at(at + 2u).x; }
if (k + 3u < dims.k) { v.w = weight_at(at + 3u).x; }
}
}
return v;
}


fn fetch_b(e: u32, s: Sources, k0: u32) -> Fetched {
let col = s.col + (e / (BK / 4u)) * 4u;
let k = k0 + (e % (BK / 4u)) * 4u;
return Fetched(
weights_of(s.weight, col, k),
weights_of(s.weight, col + 1u, k),
weights_of(s.weight, col + 2u, k),
weights_of(s.weight, col + 3u, k),
);
}


fn finish(group: u32, row: u32, col: u32, sum: vec4f) {
if (row < dims.m && col < dims.n) {
let channel = group * dims.n + col;
finish_four(row * (dims.n * dims.groups) + channel, channel, min(4u, dims.n - col), sum);
}
}

fn finish_block(sums: Block, group: u32, row: u32, col: u32) {
finish(group, row, col, sums.r0);
finish(group, row + 1u, col, sums.r1);
finish(group, row + 2u, col, sums.r2);
finish(group, row + 3u, col, sums.r3);
}

@compute @workgroup_size(64)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let tiles_n = (dims.n + BN - 1u) / BN;
let tiles_m = (dims.m + BM - 1u) / BM;
let index = wid.x + wid.y * groups.x;
let group = index / (tiles_n * tiles_m);
if (group >= dims.groups) {
return;
}
let tile = index % (tiles_n * tiles_m);
let row_base = (tile / tiles_n) * BM;
let col_base = (tile % tiles_n) * BN;

let by = reciprocals();
let fetched = row_base + (local / (BK / 4u)) * 4u;
let sources = Sources(
anchor_of(fetched, dims.m, by),
anchor_of(fetched + 1u, dims.m, by),
anchor_of(fetched + 2u, dims.m, by),
anchor_of(fetched + 3u, dims.m, by),
group * dims.depth,
dims.first_row + group * dims.n,
col_base,
by,
);
let at = place(local);
var s = sums_of(local, at, sources, 0u, dims.k);
finish_all(&s, group, row_base + at.y * 4u, col_base + at.x * 4u);
}



struct Dims {
m: u32,
n: u32,
k: u32,
groups: u32,
height: u32,
width: u32,
depth: u32,
out_h: u32,
out_w: u32,
kernel_w: u32,
stride: u32,
pad_h: u32,
pad_w: u32,
first: u32,
scale: f32,
scale2: f32,
first_row: u32,
out_scale: f32,
residual_scale: f32,
}








const WIDTH: u32 = select(1u, 4u, VEC);


fn x_at(i: u32) -> vec4f { return vec4f(x[i]); }
fn x2_at(i: u32) -> vec4f { return vec4f(x2[i]); }


fn channels_at(place: i32, channel: u32) -> vec4f {
if (place < 0) {
return vec4f();
}
let channels = dims.depth * dims.groups;
var value: vec4f;
if (CAT) {
if (channel < dims.first) {
value = dims.scale * x_at((u32(place) * dims.first + channel) / WIDTH);
} else {
value = dims.scale2 * x2_at((u32(place) * (channels - dims.first) + channel - dims.first) / WIDTH);
}
} else {
value = x_at((u32(place) * channels + channel) / WIDTH);
}
if (SILU) {
if (VEC) {
value = vec4f(silu(value.x), silu(value.y), silu(value.z), silu(value.w));
} else {
value = vec4f(silu(value.x));
}
}
return value;
}







fn before_at(i: u32) -> vec4f { return vec4f(before[i]); }
fn residual_at(i: u32) -> vec4f { return vec4f(residual[i]); }


fn four_from(at: u32, count: u32) -> vec4u {
return at + min(vec4u(0u, 1u, 2u, 3u), vec4u(count - 1u));
}

fn before_four(at: u32, count: u32) -> vec4f {
if (VEC_N) {
return before_at(at / 4u);
}
let i = four_from(at, count);
return vec4f(before_at(i.x).x, before_at(i.y).x, before_at(i.z).x, before_at(i.w).x);
}

fn residual_four(at: u32, count: u32) -> vec4f {
if (VEC_N) {
return residual_at(at / 4u);
}
let i = four_from(at, count);
return vec4f(residual_at(i.x).x, residual_at(i.y).x, residual_at(i.z).x, residual_at(i.w).x);
}


fn finish_four(at: u32, channel: u32, count: u32, sum: vec4f) {
var value = sum;
if (HAS_BIAS) {
let i = four_from(channel, count);
value += vec4f(bias[i.x], bias[i.y], bias[i.z], bias[i.w]);
}
if (HAS_PRE) { put_pre(at, count, value); }
if (ACT != 0u) {
value = vec4f(act(value.x), act(value.y), act(value.z), act(value.w));
}
if (SCALED) {
value *= dims.out_scale;
}
if (HAS_SLOPE) {
let v = dims.out_scale * before_four(at, count);
value *= vec4f(silu_grad(v.x), silu_grad(v.y), silu_grad(v.z), silu_grad(v.w));
}
if (HAS_RESIDUAL) {
value += dims.residual_scale * residual_four(at, count);
}
put_out(at, count, value);
}








fn sums_of(local: u32, at: vec2u, sources: Sources, begin: u32, end: u32) -> Sums {
var s = Sums();
var next = Fetched();
var next2 = Fetched();
if (!ROLLED) {
next = fetch_first(local, sources, begin);
if (TWICE) { next2 = fetch_second(local, sources, begin); }
}
for (var k0 = begin; k0 < end; k0 += BK) {
if (ROLLED) {
next = fetch_first(local, sources, k0);
if (TWICE) { next2 = fetch_second(local, sources, k0); }
}
stage_first(local, next);
if (TWICE) { stage_second(local, next2); }
workgroupBarrier();
let after = k0 + BK;
if (!ROLLED) {
next = fetch_first(local, sources, after);
if (TWICE) { next2 = fetch_second(local, sources, after); }
}
four_steps(&s, 0u, at);
four_steps(&s, 4u, at);
four_steps(&s, 8u, at);
four_steps(&s, 12u, at);
workgroupBarrier();
}
return s;
}


fn finish_all(s: ptr<function, Sums>, slice: u32, row: u32, col: u32) {
for (var i = 0u; i < block_count(); i++) {
finish_block(block_of(s, i), slice, row + block_row(i), col + block_col(i));
}
}




const SQRT_2_OVER_PI: f32 = 0.7978845608028654;
const GELU_CUBIC: f32 = 0.044715;


const SQRT_2: f32 = 1.4142135623730951;


fn magnitude(x: f32, most: f32) -> f32 {
return between(abs(x), 0.0, most);
}


fn safe_tanh(x: f32) -> f32 {
return tanh(between(x, -10.0, 10.0));
}


fn gelu(x: f32) -> f32 {
return 0.5 * x * (1.0 + safe_tanh(SQRT_2_OVER_PI * (x + GELU_CUBIC * x * x * x)));
}








fn sigmoid(x: f32) -> f32 {
let e = exp(-magnitude(x, 200.0));
return select(e, 1.0, x >= 0.0) / (1.0 + e);
}








fn tanh_exact(x: f32) -> f32 {
let e = exp(-2.0 * magnitude(x, 100.0));
let far = (1.0 - e) / (1.0 + e);
let z = x * x;
let near = x + x * z * (-0.333332819422 + z * (0.133314422036 + z * (-0.0537397155531 + z * (0.0206390887954 - z * 0.00570498872745))));
return select(select(far, -far, x < 0.0), near, abs(x) < 0.625);
}









struct NormalTail {
above: f32,
exponential: f32,
}

fn normal_tail(x: f32) -> NormalTail {
let size = magnitude(x, 20.0);
let t = 1.0 / (1.0 + 0.235 * size);
let low = t * (0.09380543 + t * (0.09267475 + t * (0.09759892 + t * 0.03674156)));
let high = 0.17745271 + t * (-0.14311284 + t * (0.2086004 - t * 0.063760936));
let e = exp(-0.5 * size * size);
return NormalTail(e * (low + t * t * t * t * t * high), e);
}


fn gelu_erf(x: f32) -> f32 {
let tail = normal_tail(x);
return x * select(tail.above, 1.0 - tail.above, x >= 0.0);
}







fn erf(x: f32) -> f32 {
let z = x * x;
let near = x * (1.1283791 + z * (-0.37612325 + z * (0.1128018 + z * (-0.026711311 + z * (0.0049175513 - z * 0.0005631422)))));
let far = 1.0 - 2.0 * normal_tail(SQRT_2 * x).above;
return select(select(far, -far, x < 0.0), near, abs(x) < 1.0);
}






fn relu(x: f32) -> f32 {
return at_least(x, 0.0);
}





fn silu(x: f32) -> f32 {
return x * sigmoid(x);
}

fn silu_grad(x: f32) -> f32 {
let s = sigmoid(x);
return s * (1.0 + x * (1.0 - s));
}






const OFFSET: u32 = 0x4000u;


struct Anchor {
base: u32,
corner: u32,
}


struct Tap {
row: i32,
col: i32,
channel: u32,
}


struct Reciprocals {
depth: f32,
kernel_w: f32,
area: f32,
out_w: f32,
}

fn reciprocals() -> Reciprocals {
return Reciprocals(
1.0 / f32(dims.depth),
1.0 / f32(dims.kernel_w),
1.0 / f32(dims.out_h * dims.out_w),
1.0 / f32(dims.out_w),
);
}


fn quotient(a: u32, b: u32, reciprocal: f32) -> u32 {
let q = u32(f32(a) * reciprocal);
let rest = bitcast<i32>(a - q * b);
return select(select(q, q + 1u, rest >= i32(b)), q - 1u, rest < 0);
}


fn sample_pixels() -> u32 {
return select(dims.height * dims.width, (dims.height / 2u) * (dims.width / 2u), DOUBLED);
}


fn anchor_of(pixel: u32, pixels: u32, by: Reciprocals) -> Anchor {
let sample = quotient(pixel, dims.out_h * dims.out_w, by.area);
let within = pixel - sample * (dims.out_h * dims.out_w);
let row = quotient(within, dims.out_w, by.out_w);
let at = vec2u(row, within - row * dims.out_w);
var corner = at * dims.stride - vec2u(dims.pad_h, dims.pad_w);
if (TRANSPOSED) {
corner = at + vec2u(dims.pad_h, dims.pad_w);
}
let packed = ((corner.x + OFFSET) << 16u) | (corner.y + OFFSET);
return Anchor(sample * sample_pixels(), select(0u, packed, pixel < pixels));
}


fn tap_of(k: u32, by: Reciprocals) -> Tap {
let tap = quotient(k, dims.depth, by.depth);
let row = quotient(tap, dims.kernel_w, by.kernel_w);
return Tap(i32(row), i32(tap - row * dims.kernel_w), k - tap * dims.depth);
}


fn place_of(anchor: Anchor, tap: Tap) -> i32 {
let corner = vec2i(i32(anchor.corner >> 16u), i32(anchor.corner & 0xffffu)) - i32(OFFSET);
var at = corner + vec2i(tap.row, tap.col);
if (TRANSPOSED) {
at = corner - vec2i(tap.row, tap.col);
}
var inside = at.x >= 0 && at.y >= 0;
if (TRANSPOSED && STRIDED) {
let stride = i32(dims.stride);
let down = at / stride;
inside = inside && all(down * stride == at);
at = down;
}
return select(-1, stored_at(anchor.base, at), inside && at.x < i32(dims.height) && at.y < i32(dims.width));
}


fn stored_at(base: u32, at: vec2i) -> i32 {
if (DOUBLED) {
return i32(base) + (at.x >> 1u) * i32(dims.width / 2u) + (at.y >> 1u);
}
return i32(base) + at.x * i32(dims.width) + at.y;
}





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
























const STORE_WIDTH: u32 = select(1u, 4u, VEC_N);


fn put_pre(index: u32, count: u32, value: vec4f) {
for (var j = 0u; j < 4u; j += STORE_WIDTH) {
if (j < count) {
var part: OElem;
for (var c = 0u; c < STORE_WIDTH; c++) {
part[c] = OScalar(value[j + c]);
}
pre[(index + j) / STORE_WIDTH] = part;
}
}
}

fn put_out(index: u32, count: u32, value: vec4f) {
for (var j = 0u; j < 4u; j += STORE_WIDTH) {
if (j < count) {
var part: OElem;
for (var c = 0u; c < STORE_WIDTH; c++) {
part[c] = OScalar(value[j + c]);
}
out[(index + j) / STORE_WIDTH] = part;
}
}
}






var<workgroup> tile_a: array<array<vec4f, BM / 4u>, BK>;
var<workgroup> tile_b: array<array<vec4f, BN / 4u>, BK>;



struct Fetched {
v0: vec4f,
v1: vec4f,
v2: vec4f,
v3: vec4f,
}


fn swizzle(quad: u32, kk: u32) -> u32 {
return quad ^ ((kk / 2u) & 6u);
}


fn stage_a(e: u32, f: Fetched) {
if (TRANS_A) {
let kk = e / (BM / 4u);
let quad = e % (BM / 4u);
tile_a[kk][quad] = f.v0;
tile_a[kk + BK / 4u][quad] = f.v1;
tile_a[kk + 2u * (BK / 4u)][quad] = f.v2;
tile_a[kk + 3u * (BK / 4u)][quad] = f.v3;
} else {
let turned = transpose(mat4x4f(f.v0, f.v1, f.v2, f.v3));
let kk = (e % (BK / 4u)) * 4u;
let quad = swizzle(e / (BK / 4u), kk);
tile_a[kk][quad] = turned[0];
tile_a[kk + 1u][quad] = turned[1];
tile_a[kk + 2u][quad] = turned[2];
tile_a[kk + 3u][quad] = turned[3];
}
}

fn stage_b(e: u32, f: Fetched) {
if (TRANS_B) {
let turned = transpose(mat4x4f(f.v0, f.v1, f.v2, f.v3));
let kk = (e % (BK / 4u)) * 4u;
let quad = swizzle(e / (BK / 4u), kk);
tile_b[kk][quad] = turned[0];
tile_b[kk + 1u][quad] = turned[1];
tile_b[kk + 2u][quad] = turned[2];
tile_b[kk + 3u][quad] = turned[3];
} else {
let kk = e / (BN / 4u);
let quad = e % (BN / 4u);
tile_b[kk][quad] = f.v0;
tile_b[kk + BK / 4u][quad] = f.v1;
tile_b[kk + 2u * (BK / 4u)][quad] = f.v2;
tile_b[kk + 3u * (BK / 4u)][quad] = f.v3;
}
}


fn fetch_first(local: u32, sources: Sources, k0: u32) -> Fetched {
if (ITEMS_A >= THREADS || local < ITEMS_A) {
return fetch_a(local, sources, k0);
}
return fetch_b(local - ITEMS_A, sources, k0);
}

fn fetch_second(local: u32, sources: Sources, k0: u32) -> Fetched {
let e = local + THREADS - ITEMS_A;
if (e < ITEMS_B) {
return fetch_b(e, sources, k0);
}
return Fetched();
}

fn stage_first(local: u32, f: Fetched) {
if (ITEMS_A >= THREADS || local < ITEMS_A) {
stage_a(local, f);
} else {
stage_b(local - ITEMS_A, f);
}
}

fn stage_second(local: u32, f: Fetched) {
let e = local + THREADS - ITEMS_A;
if (e < ITEMS_B) {
stage_b(e, f);
}
}






struct Block {
r0: vec4f,
r1: vec4f,
r2: vec4f,
r3: vec4f,
}






struct Sums {
b00: Block,
b01: Block,
b10: Block,
b11: Block,
}



fn block_count() -> u32 {
return min(QM * QN, max(dims.m, dims.n));
}


fn block_of(s: ptr<function, Sums>, i: u32) -> Block {
var block = (*s).b00;
if (QN > 1u && i == 1u) { block = (*s).b01; }
if (QM > 1u && i == QN) { block = (*s).b10; }
if (QM > 1u && QN > 1u && i == 3u) { block = (*s).b11; }
return block;
}


fn block_row(i: u32) -> u32 {
return 4u * SIDE * (i / QN);
}

fn block_col(i: u32) -> u32 {
return 4u * SIDE * (i % QN);
}



fn step(s: ptr<function, Sums>, kk: u32, at: vec2u) {
let at_a = select(swizzle(at.y, kk), at.y, TRANS_A);
let at_b = select(at.x, swizzle(at.x, kk), TRANS_B);
let a0 = tile_a[kk][at_a];
let b0 = tile_b[kk][at_b];
(*s).b00.r0 += a0.x * b0;
(*s).b00.r1 += a0.y * b0;
(*s).b00.r2 += a0.z * b0;
(*s).b00.r3 += a0.w * b0;
if (QN > 1u) {
let b1 = tile_b[kk][at_b + SIDE];
(*s).b01.r0 += a0.x * b1;
(*s).b01.r1 += a0.y * b1;
(*s).b01.r2 += a0.z * b1;
(*s).b01.r3 += a0.w * b1;
}
if (QM > 1u) {
let a1 = tile_a[kk][at_a + SIDE];
(*s).b10.r0 += a1.x * b0;
(*s).b10.r1 += a1.y * b0;
(*s).b10.r2 += a1.z * b0;
(*s).b10.r3 += a1.w * b0;
if (QN > 1u) {
let b1 = tile_b[kk][at_b + SIDE];
(*s).b11.r0 += a1.x * b1;
(*s).b11.r1 += a1.y * b1;
(*s).b11.r2 += a1.z * b1;
(*s).b11.r3 += a1.w * b1;
}
}
}

fn four_steps(s: ptr<function, Sums>, kk: u32, at: vec2u) {
step(s, kk, at);
step(s, kk + 1u, at);
step(s, kk + 2u, at);
step(s, kk + 3u, at);
}



fn place(local: u32) -> vec2u {
let lane = local % 32u;
let block = local / 32u;
let within = vec2u((lane & 1u) + ((lane >> 1u) & 2u) + ((lane >> 2u) & 4u), ((lane >> 1u) & 1u) + ((lane >> 2u) & 2u));
return vec2u(within.x, within.y + 4u * block);
}




fn is_nan(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}










fn at_least(x: f32, least: f32) -> f32 {
return select(max(x, least), x, is_nan(x));
}


fn between(x: f32, low: f32, high: f32) -> f32 {
return select(clamp(x, low, high), x, is_nan(x));
}` as string,
} as const satisfies ShaderSource;

/**
 * conv2d_tiled: the GPU variant of conv2d_plain, with the same buffers and dims: a product whose A are the windows of x, made as its tiles
 * are fetched, and whose B is weight. Tiles, staging and inner loop are those of matmul_tiled.
 * Grid: a workgroup of 8 x 8 makes 32 QM pixels x 32 QN channels, folded over (group, tile). Which pixels an invocation fetches stays the
 * same: their places are found once, and in each step that of its taps, without a division; with WHOLE only where a tap ends.
 * Precision: f32, k summed in order.
 * Source: as conv2d_plain; shaders/matmul_tiled.wgsl.
 */
export interface Conv2dTiled extends Same<typeof conv2d_tiled_> {}
export const conv2d_tiled: Conv2dTiled = conv2d_tiled_;

const conv_halves_ = {
  name: 'conv_halves',
  entryPoint: 'main',
  bindings: {
    x: { binding: 0, access: 'read', element: 'vec4f' },
    x2: { binding: 1, access: 'read', element: 'vec4f', optional: 'CAT' },
    out: { binding: 2, access: 'read_write', element: 'vec4u', holds: 'OStored' },
  },
  uniform: { binding: 3, size: 20, fields: {
    pixels: { type: 'u32', offset: 0 },
    depth: { type: 'u32', offset: 4 },
    first: { type: 'u32', offset: 8, else: 0, optional: 'CAT' },
    scale: { type: 'f32', offset: 12, else: 1, optional: 'CAT' },
    scale2: { type: 'f32', offset: 16, else: 1, optional: 'CAT' },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
    CAT: { kind: 'const', type: 'bool', default: false },
    SILU: { kind: 'const', type: 'bool', default: false },
    OStored: { kind: 'alias', type: 'type', default: 'f16' },
  },
  workgroup: ['WG'],
  code: `







const WG: u32 = 256u;
const CAT: bool = false;
const SILU: bool = false;
alias OStored = f16;

const HALVES_X: bool = false;

struct Dims {
pixels: u32,
depth: u32,
first: u32,
scale: f32,
scale2: f32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> x2: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4u>;
@group(0) @binding(3) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let at = (wid.x + wid.y * groups.x) * WG + local;
let each = dims.depth / 8u;
if (at < dims.pixels * each) {
let pixel = at / each;
out[at] = halves_at(i32(pixel), (at - pixel * each) * 8u, dims.depth, dims.first);
}
}







fn x_at(i: u32) -> vec4u { return bitcast<vec4u>(x[i]); }
fn x2_at(i: u32) -> vec4u { return bitcast<vec4u>(x2[i]); }

fn eight_of_x(at: u32) -> Eight {
if (HALVES_X) {
return eight_of(x_at(at / 8u));
}
return Eight(bitcast<vec4f>(x_at(at / 4u)), bitcast<vec4f>(x_at(at / 4u + 1u)));
}

fn eight_of_x2(at: u32) -> Eight {
if (HALVES_X) {
return eight_of(x2_at(at / 8u));
}
return Eight(bitcast<vec4f>(x2_at(at / 4u)), bitcast<vec4f>(x2_at(at / 4u + 1u)));
}

fn silu_of(v: vec4f) -> vec4f {
return vec4f(silu(v.x), silu(v.y), silu(v.z), silu(v.w));
}


fn halves_at(place: i32, channel: u32, channels: u32, first: u32) -> vec4u {
if (place < 0) {
return vec4u();
}
if (HALVES_X && !CAT && !SILU) {
return x_at((u32(place) * channels + channel) / 8u);
}
var v: Eight;
if (CAT) {
if (channel < first) {
v = eight_of_x(u32(place) * first + channel);
v = Eight(dims.scale * v.low, dims.scale * v.high);
} else {
v = eight_of_x2(u32(place) * (channels - first) + channel - first);
v = Eight(dims.scale2 * v.low, dims.scale2 * v.high);
}
} else {
v = eight_of_x(u32(place) * channels + channel);
}
if (SILU) {
v = Eight(silu_of(v.low), silu_of(v.high));
}
return halves(v.low, v.high);
}











fn magnitude(x: f32, most: f32) -> f32 {
return between(abs(x), 0.0, most);
}


















fn sigmoid(x: f32) -> f32 {
let e = exp(-magnitude(x, 200.0));
return select(e, 1.0, x >= 0.0) / (1.0 + e);
}






































































fn silu(x: f32) -> f32 {
return x * sigmoid(x);
}








struct Eight {
low: vec4f,
high: vec4f,
}

fn eight_of(words: vec4u) -> Eight {
return Eight(
vec4f(unpack2x16float(words.x), unpack2x16float(words.y)),
vec4f(unpack2x16float(words.z), unpack2x16float(words.w)),
);
}


fn halves(low: vec4f, high: vec4f) -> vec4u {
return vec4u(pack2x16float(low.xy), pack2x16float(low.zw), pack2x16float(high.xy), pack2x16float(high.zw));
}




fn is_nan(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}















fn between(x: f32, low: f32, high: f32) -> f32 {
return select(clamp(x, low, high), x, is_nan(x));
}` as string,
} as const satisfies ShaderSource;

/**
 * conv_halves: what a convolution reads, as halves that many of its tiles read again: out[pixel] = x, or scale x and scale2 x2 side by side, or
 * the SiLU of it.
 * Buffers: x [pixels, first], x2 [pixels, depth - first] f32 (without CAT x [pixels, depth]); out f16 [pixels, depth]. depth and first are
 * multiples of 8.
 * Grid: an invocation makes eight neighbouring channels; WG a workgroup.
 * Precision: f32, rounded to f16 once; a number past the range of f16 becomes infinite.
 */
export interface ConvHalves extends Same<typeof conv_halves_> {}
export const conv_halves: ConvHalves = conv_halves_;

const copy_columns_ = {
  name: 'copy_columns',
  entryPoint: 'main',
  bindings: {
    source: { binding: 0, access: 'read', element: 'f32' },
    out: { binding: 1, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 2, size: 24, fields: {
    rows: { type: 'u32', offset: 0 },
    cols: { type: 'u32', offset: 4 },
    from_stride: { type: 'u32', offset: 8 },
    from_offset: { type: 'u32', offset: 12 },
    to_stride: { type: 'u32', offset: 16 },
    to_offset: { type: 'u32', offset: 20 },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
  },
  workgroup: ['WG'],
  code: `






const WG: u32 = 256u;

struct Dims {
rows: u32,
cols: u32,
from_stride: u32,
from_offset: u32,
to_stride: u32,
to_offset: u32,
}

@group(0) @binding(0) var<storage, read> source: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let first = (wid.x + wid.y * groups.x) * (4u * WG) + local;
for (var i = 0u; i < 4u; i++) {
let at = first + i * WG;
if (at < dims.rows * dims.cols) {
let row = at / dims.cols;
let col = at % dims.cols;
out[row * dims.to_stride + dims.to_offset + col] = source[row * dims.from_stride + dims.from_offset + col];
}
}
}` as string,
} as const satisfies ShaderSource;

/**
 * copy_columns: some columns of a matrix into some columns of another: rows side by side, or one part of them.
 * out[r, to_offset + c] = source[r, from_offset + c] for c < cols
 * Buffers f32: source [rows, from_stride], out [rows, to_stride]; other columns of out are left as they are.
 * Grid: one invocation an element, 4 of them a workgroup apart, so that neighbours copy neighbours.
 * Precision: exact.
 * Source: concatenation along the last axis, and with the roles of the two changed its backward.
 */
export interface CopyColumns extends Same<typeof copy_columns_> {}
export const copy_columns: CopyColumns = copy_columns_;

const cross_entropy_bwd_ = {
  name: 'cross_entropy_bwd',
  entryPoint: 'main',
  bindings: {
    logits: { binding: 0, access: 'read', element: 'f32' },
    labels: { binding: 1, access: 'read', element: 'u32', optional: 'LABELS' },
    targets: { binding: 2, access: 'read', element: 'f32', optional: 'SOFT' },
    stats: { binding: 3, access: 'read', element: 'f32' },
    dloss: { binding: 4, access: 'read', element: 'f32' },
    dlogits: { binding: 5, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 6, size: 16, fields: {
    rows: { type: 'u32', offset: 0 },
    cols: { type: 'u32', offset: 4 },
    smoothing: { type: 'f32', offset: 8, else: 0 },
    ignore_index: { type: 'u32', offset: 12, else: 0, optional: 'IGNORES' },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
    LABELS: { kind: 'const', type: 'bool', default: true },
    SOFT: { kind: 'const', type: 'bool', default: false },
    IGNORES: { kind: 'const', type: 'bool', default: false },
    PER: { kind: 'const', type: 'u32', default: 4 },
  },
  workgroup: ['WG'],
  code: `






const WG: u32 = 256u;
const LABELS: bool = true;
const SOFT: bool = false;
const IGNORES: bool = false;
const PER: u32 = 4u;

struct Dims {
rows: u32,
cols: u32,
smoothing: f32,
ignore_index: u32,
}

@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> labels: array<u32>;
@group(0) @binding(2) var<storage, read> targets: array<f32>;
@group(0) @binding(3) var<storage, read> stats: array<f32>;
@group(0) @binding(4) var<storage, read> dloss: array<f32>;
@group(0) @binding(5) var<storage, read_write> dlogits: array<f32>;
@group(0) @binding(6) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let first = (wid.x + wid.y * groups.x) * (WG * PER) + local;
for (var i = 0u; i < PER; i++) {
let at = first + i * WG;
if (at < dims.rows * dims.cols) {
let row = at / dims.cols;
var weight = dims.smoothing / f32(dims.cols);
var ignored = false;
if (SOFT) {
weight += (1.0 - dims.smoothing) * targets[at];
}
if (LABELS) {
let label = labels[row];
weight += select(0.0, 1.0 - dims.smoothing, label == at % dims.cols);
ignored = IGNORES && label == dims.ignore_index;
}
let slope = (exp(logits[at] - stats[row * 2u]) * stats[row * 2u + 1u] - weight) * dloss[row];
dlogits[at] = select(slope, 0.0, ignored);
}
}
}` as string,
} as const satisfies ShaderSource;

/**
 * cross_entropy_bwd: dlogits[r, c] = (exp(logits[r, c] - stats[r, 0]) stats[r, 1] - w[r, c]) dloss[r], with the weights w and the stats of
 * cross_entropy_fwd; rows that it ignores get 0. Targets are constants: they get no gradient.
 * Buffers, row-major f32: logits, dlogits [rows, cols], stats [rows, 2], dloss [rows]; labels u32 [rows], or with SOFT targets [rows, cols].
 * Grid: WG invocations a workgroup, PER elements an invocation, a workgroup apart, so that neighbours touch neighbours.
 * Precision: f32.
 * Source: the derivative of shaders/cross_entropy_fwd.wgsl.
 */
export interface CrossEntropyBwd extends Same<typeof cross_entropy_bwd_> {}
export const cross_entropy_bwd: CrossEntropyBwd = cross_entropy_bwd_;

const cross_entropy_fwd_ = {
  name: 'cross_entropy_fwd',
  entryPoint: 'main',
  bindings: {
    logits: { binding: 0, access: 'read', element: 'f32' },
    labels: { binding: 1, access: 'read', element: 'u32', optional: 'LABELS' },
    targets: { binding: 2, access: 'read', element: 'f32', optional: 'SOFT' },
    loss: { binding: 3, access: 'read_write', element: 'f32' },
    stats: { binding: 4, access: 'read_write', element: 'f32', optional: 'HAS_STATS' },
  },
  uniform: { binding: 5, size: 16, fields: {
    rows: { type: 'u32', offset: 0 },
    cols: { type: 'u32', offset: 4 },
    smoothing: { type: 'f32', offset: 8, else: 0 },
    ignore_index: { type: 'u32', offset: 12, else: 0, optional: 'IGNORES' },
  } },
  knobs: {
    LANES: { kind: 'const', type: 'u32', default: 64, halves: true },
    ROWS: { kind: 'const', type: 'u32', default: 4, halves: true },
    LABELS: { kind: 'const', type: 'bool', default: true },
    SOFT: { kind: 'const', type: 'bool', default: false },
    IGNORES: { kind: 'const', type: 'bool', default: false },
    HAS_STATS: { kind: 'const', type: 'bool', default: true },
  },
  workgroup: ['LANES', 'ROWS'],
  code: `














const LANES: u32 = 64u;
const ROWS: u32 = 4u;
const LABELS: bool = true;
const SOFT: bool = false;
const IGNORES: bool = false;
const HAS_STATS: bool = true;

alias Summed = f32;

struct Dims {
rows: u32,
cols: u32,
smoothing: f32,
ignore_index: u32,
}

@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> labels: array<u32>;
@group(0) @binding(2) var<storage, read> targets: array<f32>;
@group(0) @binding(3) var<storage, read_write> loss: array<f32>;
@group(0) @binding(4) var<storage, read_write> stats: array<f32>;
@group(0) @binding(5) var<uniform> dims: Dims;

fn number(at: u32) -> f32 {
return logits[at];
}

@compute @workgroup_size(LANES, ROWS)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_id) lid: vec3u,
) {
let row = row_of(wid, groups, lid);
let base = row.base;
let end = row.end;
let all = lanes_exponentials(row_exponentials(base, end, lid.x), lid.x, lid.y);
let largest = if_summed(all.y, all.x);
let log_sum = if_summed(all.y, log(all.y));

var value = 0.0;
var weight = 1.0;
if (SOFT || dims.smoothing > 0.0) {
let each = dims.smoothing / f32(dims.cols);
var sums = Runs();
var weights = Runs();
for (var first = lid.x; first < end; first += RUN * LANES) {
var run = 0.0;
var run_weights = 0.0;
for (var c = first; c < min(end, first + RUN * LANES); c += LANES) {
var w = each;
if (SOFT) {
w += (1.0 - dims.smoothing) * targets[base + c];
run_weights += w;
}
run += w * (largest - logits[base + c] + log_sum);
}
add_run(&sums, run);
add_run(&weights, run_weights);
}
value = lanes_sum(sum_of(sums), lid.x, lid.y);
if (SOFT) {
weight = lanes_sum(sum_of(weights), lid.x, lid.y);
}
}
if (!row.live || lid.x != 0u) {
return;
}
var out = vec3f(value, largest, if_summed(all.y, weight / all.y));
if (LABELS) {
let label = labels[row.index];
let known = label < dims.cols;
out.x += (1.0 - dims.smoothing) * (largest - logits[base + select(0u, label, known)] + log_sum);
if (!known) {
out = vec3f(if_summed(0.0, 0.0));
}
if (IGNORES && label == dims.ignore_index) {
out = vec3f(0.0);
}
}
loss[row.index] = out.x;
if (HAS_STATS) {
stats[row.index * 2u] = out.y;
stats[row.index * 2u + 1u] = out.z;
}
}









const LOWEST: f32 = -3.4028234e38;

var<workgroup> lane_exponentials: array<vec2f, LANES * ROWS>;


fn minus_infinity() -> f32 {
var bits = 0xff800000u;
return bitcast<f32>(bits);
}


fn if_summed(sum: f32, value: f32) -> f32 {
var nan_bits = 0x7fc00000u;
return select(bitcast<f32>(nan_bits), value, sum > 0.0 && is_finite(sum));
}


fn exponentials(z: vec4f, largest: f32) -> vec4f {
return select(exp(z - largest), z, are_nan(z) | (bitcast<vec4u>(z) == vec4u(0x7f800000u)));
}


fn four(base: u32, c: u32, end: u32) -> vec4f {
let quad = quad_of(base, c, end);
let at = quad.at;
return select(vec4f(minus_infinity()), vec4f(number(at.x), number(at.y), number(at.z), number(at.w)), quad.live);
}

fn largest_of(z: vec4f) -> f32 {
return max(max(z.x, z.y), max(z.z, z.w));
}

fn row_exponentials(base: u32, end: u32, lane: u32) -> vec2f {
var largest = LOWEST;
var sums = Runs();
for (var first = lane; first < end; first += RUN * LANES) {
var run = Summed();
for (var c = first; c < min(end, first + RUN * LANES); c += 4u * LANES) {
let z = four(base, c, end);
let top = largest_of(z);
if (top > largest) {
let shrunk = exp(largest - top);
run *= shrunk;
sums.block *= shrunk;
sums.total *= shrunk;
largest = top;
}
let e = exponentials(z, largest);
run += (e.x + e.y) + (e.z + e.w);
}
add_run(&sums, run);
}
return vec2f(largest, sum_of(sums));
}

fn both_exponentials(a: vec2f, b: vec2f) -> vec2f {
let largest = max(a.x, b.x);
return vec2f(largest, a.y * exp(a.x - largest) + b.y * exp(b.x - largest));
}


fn lanes_exponentials(own: vec2f, lane: u32, row: u32) -> vec2f {
if (LANES == 1u) {
return own;
}
let base = row * LANES;
lane_exponentials[base + lane] = own;
workgroupBarrier();
for (var stride = LANES / 2u; stride > 0u; stride /= 2u) {
if (lane < stride) {
lane_exponentials[base + lane] = both_exponentials(lane_exponentials[base + lane], lane_exponentials[base + lane + stride]);
}
workgroupBarrier();
}
return lane_exponentials[base];
}





var<workgroup> lane_partials: array<f32, LANES * ROWS>;

fn lanes_sum(value: f32, lane: u32, row: u32) -> f32 {
if (LANES == 1u) {
return value;
}
let base = row * LANES;
lane_partials[base + lane] = value;
workgroupBarrier();
for (var stride = LANES / 2u; stride > 0u; stride /= 2u) {
if (lane < stride) {
lane_partials[base + lane] += lane_partials[base + lane + stride];
}
workgroupBarrier();
}
let total = lane_partials[base];
workgroupBarrier();
return total;
}




struct Row {
index: u32,
live: bool,
base: u32,
end: u32,
}

fn row_of(wid: vec3u, groups: vec3u, lid: vec3u) -> Row {
let row = (wid.x + wid.y * groups.x) * ROWS + lid.y;
let live = row < dims.rows;
return Row(row, live, select(0u, row, live) * dims.cols, select(0u, dims.cols, live));
}





const RUN: u32 = 256u;

struct Runs {
total: Summed,
block: Summed,
count: u32,
}

fn add_run(runs: ptr<function, Runs>, run: Summed) {
(*runs).block += run;
(*runs).count++;
if ((*runs).count % RUN == 0u) {
(*runs).total += (*runs).block;
(*runs).block = Summed();
}
}

fn sum_of(runs: Runs) -> Summed {
return runs.total + runs.block;
}








fn are_nan(x: vec4f) -> vec4<bool> {
return (bitcast<vec4u>(x) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u);
}

fn is_finite(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u;
}


























struct Quad {
at: vec4u,
live: vec4<bool>,
}


fn quad_of(base: u32, c: u32, end: u32) -> Quad {
let at = vec4u(c, c + LANES, c + 2u * LANES, c + 3u * LANES);
return Quad(base + min(at, vec4u(max(end, 1u) - 1u)), at < vec4u(end));
}` as string,
} as const satisfies ShaderSource;

/**
 * cross_entropy_fwd: loss = sum over c of w[c] (largest - z[c] + log(sum of exp(z - largest))) along rows of logits z. The weights w are
 * those of a label, 1 - smoothing on it and smoothing / cols on every class, or with SOFT those of targets,
 * (1 - smoothing) target + smoothing / cols.
 * Buffers, row-major f32: logits [rows, cols], loss [rows]; stats [rows, 2] = (largest, sum of w / sum of exponentials) for the backward;
 * labels u32 [rows], or with SOFT targets [rows, cols].
 * A label that is no class makes loss and gradient of its row NaN; with IGNORES the label ignore_index makes them 0, whatever the logits.
 * A row of logits that holds a NaN or +infinity, or nothing but -infinity, is NaN.
 * Grid: ROWS rows a workgroup, LANES invocations a row; neighbours read neighbouring columns. LANES = 1 runs without barriers. Logits are
 * read once, twice with smoothing or targets.
 * Precision: f32; sums of runs.
 * Source: Szegedy et al. 2016 (smoothing); as torch.nn.functional.cross_entropy with reduction none.
 */
export interface CrossEntropyFwd extends Same<typeof cross_entropy_fwd_> {}
export const cross_entropy_fwd: CrossEntropyFwd = cross_entropy_fwd_;

const dadapt_distance_ = {
  name: 'dadapt_distance',
  entryPoint: 'main',
  bindings: {
    partial: { binding: 0, access: 'read', element: 'f32' },
    hyper: { binding: 1, access: 'read', element: 'f32' },
    distance: { binding: 2, access: 'read_write', element: 'f32' },
    clip: { binding: 3, access: 'read', element: 'f32' },
  },
  uniform: { binding: 4, size: 4, fields: {
    groups: { type: 'u32', offset: 0 },
  } },
  knobs: {
    LANES: { kind: 'const', type: 'u32', default: 256, halves: true },
  },
  workgroup: ['LANES'],
  code: `









const LANES: u32 = 256u;
const ROWS: u32 = 1u;

struct Dims {
groups: u32,
}

@group(0) @binding(0) var<storage, read> partial: array<f32>;
@group(0) @binding(1) var<storage, read> hyper: array<f32>;
@group(0) @binding(2) var<storage, read_write> distance: array<f32>;
@group(0) @binding(3) var<storage, read> clip: array<f32>;
@group(0) @binding(4) var<uniform> dims: Dims;

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_id) lid: vec3u) {
var products = 0.0;
var lengths = 0.0;
for (var i = lid.x; i < dims.groups; i += LANES) {
products += partial[i * 2u];
lengths += partial[i * 2u + 1u];
}
products = lanes_sum(products, lid.x, 0u);
lengths = lanes_sum(lengths, lid.x, 0u);
if (lid.x != 0u || clip[3] == 1.0) {
return;
}
let d = distance[0];
let numerator = hyper[6] * distance[1] + hyper[7] * hyper[0] * d * products;
var next = d;
if (lengths > 0.0 || is_nan(lengths)) {
next = at_least(numerator / (hyper[7] * lengths), d);
}
distance[0] = next;
distance[1] = numerator;
distance[2] = d;
distance[3] = 0.0;
}





var<workgroup> lane_partials: array<f32, LANES * ROWS>;

fn lanes_sum(value: f32, lane: u32, row: u32) -> f32 {
if (LANES == 1u) {
return value;
}
let base = row * LANES;
lane_partials[base + lane] = value;
workgroupBarrier();
for (var stride = LANES / 2u; stride > 0u; stride /= 2u) {
if (lane < stride) {
lane_partials[base + lane] += lane_partials[base + lane + stride];
}
workgroupBarrier();
}
let total = lane_partials[base];
workgroupBarrier();
return total;
}




fn is_nan(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}










fn at_least(x: f32, least: f32) -> f32 {
return select(max(x, least), x, is_nan(x));
}` as string,
} as const satisfies ShaderSource;

/**
 * dadapt_distance: the new estimate d of the distance to the solution, from all partial sums of dadapt_moments.
 * n = r n + (1 - r) lr d sum(products);  d' = max(d, n / ((1 - r) sum(lengths)))  with r = sqrt(b2)
 * Buffers f32: partial [groups, 2]; hyper [8] of dadapt_moments; distance [4] = (d, n, the d of this step's moments, 0), updated;
 * clip [4] of shaders/clip_scale.wgsl: a step that is held changes nothing.
 * Grid: one workgroup of LANES invocations.
 * Precision: f32, in one fixed order.
 * Source: Defazio & Mishchenko 2023 (D-adaptation, Adam form), without a bound on d's growth.
 */
export interface DadaptDistance extends Same<typeof dadapt_distance_> {}
export const dadapt_distance: DadaptDistance = dadapt_distance_;

const dadapt_moments_ = {
  name: 'dadapt_moments',
  entryPoint: 'main',
  bindings: {
    grad: { binding: 0, access: 'read', element: 'vec4f' },
    m: { binding: 1, access: 'read_write', element: 'vec4f' },
    v: { binding: 2, access: 'read_write', element: 'vec4f' },
    s: { binding: 3, access: 'read_write', element: 'vec4f' },
    clip: { binding: 4, access: 'read', element: 'f32' },
    hyper: { binding: 5, access: 'read', element: 'f32' },
    distance: { binding: 6, access: 'read', element: 'f32' },
    partial: { binding: 7, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 8, size: 8, fields: {
    count: { type: 'u32', offset: 0 },
    partial_offset: { type: 'u32', offset: 4, else: 0 },
  } },
  knobs: {
    LANES: { kind: 'const', type: 'u32', default: 256, halves: true },
    ROWS: { kind: 'const', type: 'u32', default: 1, halves: true },
    PER_GROUP: { kind: 'const', type: 'u32', default: 4096 },
    MAX_GROUPS: { kind: 'const', type: 'u32', default: 1024 },
  },
  workgroup: ['LANES', 'ROWS'],
  code: `












const LANES: u32 = 256u;
const ROWS: u32 = 1u;
const PER_GROUP: u32 = 4096u;
const MAX_GROUPS: u32 = 1024u;

alias Summed = vec4f;

struct Dims {
count: u32,
partial_offset: u32,
}

@group(0) @binding(0) var<storage, read> grad: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> m: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> v: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> s: array<vec4f>;
@group(0) @binding(4) var<storage, read> clip: array<f32>;
@group(0) @binding(5) var<storage, read> hyper: array<f32>;
@group(0) @binding(6) var<storage, read> distance: array<f32>;
@group(0) @binding(7) var<storage, read_write> partial: array<f32>;
@group(0) @binding(8) var<uniform> dims: Dims;

@compute @workgroup_size(LANES, ROWS)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) workgroups: vec3u,
@builtin(local_invocation_id) lid: vec3u,
) {
let group = (wid.x + wid.y * workgroups.x) * ROWS + lid.y;
let groups = min(MAX_GROUPS, (dims.count + PER_GROUP - 1u) / PER_GROUP);
let live = group < groups;
let end = select(0u, (dims.count + 3u) / 4u, live && clip[3] != 1.0);
let size = hyper[0] * distance[0];
let step = groups * LANES;
var product_sums = Runs();
var length_sums = Runs();
for (var first = group * LANES + lid.x; first < end; first += RUN * step) {
var product_run = Summed();
var length_run = Summed();
for (var i = first; i < min(end, first + RUN * step); i += step) {
let inside = live_elements(i, dims.count);
let g = clean_gradient(grad[i], clip[0]);
let old_m = m[i];
let old_v = v[i];
let old_s = s[i];
let new_s = hyper[6] * old_s + hyper[7] * size * g;
product_run += select(vec4f(0.0), g * old_s / (sqrt(old_v) + hyper[5]), inside);
length_run += select(vec4f(0.0), abs(new_s), inside);
m[i] = select(old_m, hyper[1] * old_m + hyper[2] * size * g, inside);
v[i] = select(old_v, hyper[3] * old_v + hyper[4] * g * g, inside);
s[i] = select(old_s, new_s, inside);
}
add_run(&product_sums, product_run);
add_run(&length_sums, length_run);
}
let products = sum_of(product_sums);
let lengths = sum_of(length_sums);
let product = lanes_sum((products.x + products.y) + (products.z + products.w), lid.x, lid.y);
let length = lanes_sum((lengths.x + lengths.y) + (lengths.z + lengths.w), lid.x, lid.y);
if (live && lid.x == 0u) {
partial[(dims.partial_offset + group) * 2u] = product;
partial[(dims.partial_offset + group) * 2u + 1u] = length;
}
}





var<workgroup> lane_partials: array<f32, LANES * ROWS>;

fn lanes_sum(value: f32, lane: u32, row: u32) -> f32 {
if (LANES == 1u) {
return value;
}
let base = row * LANES;
lane_partials[base + lane] = value;
workgroupBarrier();
for (var stride = LANES / 2u; stride > 0u; stride /= 2u) {
if (lane < stride) {
lane_partials[base + lane] += lane_partials[base + lane + stride];
}
workgroupBarrier();
}
let total = lane_partials[base];
workgroupBarrier();
return total;
}




fn clean_gradient(raw: vec4f, scale: f32) -> vec4f {
let broken = (bitcast<vec4u>(raw) & vec4u(0x7f800000u)) == vec4u(0x7f800000u);
return select(raw * scale, vec4f(0.0), broken);
}


fn live_elements(i: u32, count: u32) -> vec4<bool> {
return vec4u(i * 4u) + vec4u(0u, 1u, 2u, 3u) < vec4u(count);
}





const RUN: u32 = 256u;

struct Runs {
total: Summed,
block: Summed,
count: u32,
}

fn add_run(runs: ptr<function, Runs>, run: Summed) {
(*runs).block += run;
(*runs).count++;
if ((*runs).count % RUN == 0u) {
(*runs).total += (*runs).block;
(*runs).block = Summed();
}
}

fn sum_of(runs: Runs) -> Summed {
return runs.total + runs.block;
}` as string,
} as const satisfies ShaderSource;

/**
 * dadapt_moments: the first half of a step of D-adapted Adam over a flat buffer: moments, and what the new distance is made from.
 * partial = (sum g s / (sqrt(v) + eps), sum |s'|) with the old s and v;
 * m = b1 m + (1 - b1) lr d g;  v = b2 v + (1 - b2) g^2;  s' = r s + (1 - r) lr d g  with r = sqrt(b2)
 * Buffers f32: grad [count]; m, v, s [count] updated; clip [4] of shaders/clip_scale.wgsl; hyper [8] = (lr, b1, 1 - b1, b2, 1 - b2, eps, r, 1 - r);
 * distance [4], d first; partial [groups, 2] from group partial_offset on. Flat buffers are padded to whole vec4s.
 * Grid: groups = min(MAX_GROUPS, ceil(count / PER_GROUP)) of LANES invocations, ROWS groups a workgroup; group g takes every
 * groups-th run of LANES vec4s from the g-th on.
 * Precision: f32. A non-finite gradient counts as 0.
 * Source: Defazio & Mishchenko 2023 (D-adaptation, Adam form, without bias correction).
 */
export interface DadaptMoments extends Same<typeof dadapt_moments_> {}
export const dadapt_moments: DadaptMoments = dadapt_moments_;

const dadapt_step_ = {
  name: 'dadapt_step',
  entryPoint: 'main',
  bindings: {
    param: { binding: 0, access: 'read_write', element: 'vec4f' },
    m: { binding: 1, access: 'read', element: 'vec4f' },
    v: { binding: 2, access: 'read', element: 'vec4f' },
    hyper: { binding: 3, access: 'read', element: 'f32' },
    distance: { binding: 4, access: 'read', element: 'f32' },
    clip: { binding: 5, access: 'read', element: 'f32' },
  },
  uniform: { binding: 6, size: 4, fields: {
    count: { type: 'u32', offset: 0 },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
  },
  workgroup: ['WG'],
  code: `







const WG: u32 = 256u;

struct Dims {
count: u32,
}

@group(0) @binding(0) var<storage, read_write> param: array<vec4f>;
@group(0) @binding(1) var<storage, read> m: array<vec4f>;
@group(0) @binding(2) var<storage, read> v: array<vec4f>;
@group(0) @binding(3) var<storage, read> hyper: array<f32>;
@group(0) @binding(4) var<storage, read> distance: array<f32>;
@group(0) @binding(5) var<storage, read> clip: array<f32>;
@group(0) @binding(6) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let i = (wid.x + wid.y * groups.x) * WG + local;
if (i >= (dims.count + 3u) / 4u || clip[3] == 1.0) {
return;
}
let p = param[i];
let decayed = p - hyper[1] * distance[2] * p;
param[i] = select(p, decayed - m[i] / (sqrt(v[i]) + hyper[0]), live_elements(i, dims.count));
}










fn live_elements(i: u32, count: u32) -> vec4<bool> {
return vec4u(i * 4u) + vec4u(0u, 1u, 2u, 3u) < vec4u(count);
}` as string,
} as const satisfies ShaderSource;

/**
 * dadapt_step: the second half of a step of D-adapted Adam: p = (1 - decay d) p - m / (sqrt(v) + eps), d that of the moments.
 * Buffers f32: param [count] updated; m, v [count]; hyper [2] = (eps, lr wd); distance [4] of dadapt_distance; clip [4] of
 * clip_scale: a step that is held changes nothing. Flat buffers are padded to whole vec4s; elements past count keep their values.
 * Grid: one vec4 an invocation, WG invocations a workgroup.
 * Precision: f32.
 * Source: Defazio & Mishchenko 2023 (D-adaptation, Adam form, decoupled decay).
 */
export interface DadaptStep extends Same<typeof dadapt_step_> {}
export const dadapt_step: DadaptStep = dadapt_step_;

const dropout_ = {
  name: 'dropout',
  entryPoint: 'main',
  bindings: {
    key: { binding: 0, access: 'read', element: 'u32' },
    x: { binding: 1, access: 'read', element: 'f32' },
    out: { binding: 2, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 3, size: 16, fields: {
    count: { type: 'u32', offset: 0 },
    first: { type: 'u32', offset: 4, else: 0 },
    layer: { type: 'u32', offset: 8, else: 0 },
    rate: { type: 'f32', offset: 12 },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
  },
  workgroup: ['WG'],
  code: `







const WG: u32 = 256u;

struct Dims {
count: u32,
first: u32,
layer: u32,
rate: f32,
}

@group(0) @binding(0) var<storage, read> key: array<u32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_id) lid: vec3u,
) {
let draw = dims.first / 4u + (wid.x + wid.y * groups.x) * WG + lid.x;
let words = philox(vec4u(draw, dims.layer, key[2], key[3]), vec2u(key[0], key[1]));
let scale = 1.0 / (1.0 - dims.rate);
for (var i = 0u; i < 4u; i++) {
let at = draw * 4u + i - dims.first;
if (at < dims.count) {
let number = f32(words[i] >> 8u) * 5.9604644775390625e-8;
out[at] = select(0.0, x[at] * scale, number >= dims.rate);
}
}
}











fn mul_hi(a: u32, b: u32) -> u32 {
let a_lo = a & 0xffffu;
let a_hi = a >> 16u;
let b_lo = b & 0xffffu;
let b_hi = b >> 16u;
let middle = a_hi * b_lo + ((a_lo * b_lo) >> 16u);
let other = a_lo * b_hi + (middle & 0xffffu);
return a_hi * b_hi + (middle >> 16u) + (other >> 16u);
}

fn philox(counter: vec4u, key: vec2u) -> vec4u {
var c = counter;
var k = key;
for (var round = 0u; round < 10u; round++) {
c = vec4u(
mul_hi(0xcd9e8d57u, c.z) ^ c.y ^ k.x,
0xcd9e8d57u * c.z,
mul_hi(0xd2511f53u, c.x) ^ c.w ^ k.y,
0xd2511f53u * c.x,
);
k += vec2u(0x9e3779b9u, 0xbb67ae85u);
}
return c;
}` as string,
} as const satisfies ShaderSource;

/**
 * dropout: out[i] = x[i] / (1 - rate) where number first + i of (seed, stream, step, layer) is at least rate, else 0; so too of a gradient:
 * the mask is not stored but drawn again, from a key that is data.
 * Buffers: key [4] u32 = (seed, stream, step_lo, step_hi); x, out [count] f32.
 * Grid: four elements of one block of numbers an invocation. first + count <= 2^32.
 * Precision: f32. The layer is the second word of the counter (lib philox): the stream is dropout's alone.
 * Source: Srivastava et al. 2014; Salmon et al. 2011 (Philox).
 */
export interface Dropout extends Same<typeof dropout_> {}
export const dropout: Dropout = dropout_;

const ema_ = {
  name: 'ema',
  entryPoint: 'main',
  bindings: {
    average: { binding: 0, access: 'read_write', element: 'vec4f' },
    param: { binding: 1, access: 'read', element: 'vec4f' },
    decay: { binding: 2, access: 'read', element: 'f32' },
    clip: { binding: 3, access: 'read', element: 'f32', optional: 'GUARDED' },
  },
  uniform: { binding: 4, size: 4, fields: {
    count: { type: 'u32', offset: 0 },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
    GUARDED: { kind: 'const', type: 'bool', default: false },
  },
  workgroup: ['WG'],
  code: `







const WG: u32 = 256u;
const GUARDED: bool = false;

struct Dims {
count: u32,
}

@group(0) @binding(0) var<storage, read_write> average: array<vec4f>;
@group(0) @binding(1) var<storage, read> param: array<vec4f>;
@group(0) @binding(2) var<storage, read> decay: array<f32>;
@group(0) @binding(3) var<storage, read> clip: array<f32>;
@group(0) @binding(4) var<uniform> dims: Dims;

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
let p = param[i];
let old = average[i];
if (GUARDED && clip[3] == 1.0) {
return;
}
let mixed = select(old + (1.0 - decay[0]) * (p - old), p, vec4<bool>(decay[0] == 0.0));
let live = vec4u(i * 4u) + vec4u(0u, 1u, 2u, 3u) < vec4u(dims.count);
average[i] = select(old, mixed, live);
}` as string,
} as const satisfies ShaderSource;

/**
 * ema: average = decay average + (1 - decay) param, in place, written as average + (1 - decay) (param - average): exact where
 * they are equal; decay 0 copies exactly.
 * Buffers f32: average [count] updated, param [count], decay [1]; where GUARDED clip [4] of
 * shaders/clip_scale.wgsl: a step that is held changes nothing. Flat buffers are padded to whole vec4s, so that four elements
 * are one access; elements past count keep their values.
 * Grid: one vec4 an invocation, WG invocations a workgroup.
 * Precision: f32. 1 - decay is exact for the decay given, but a decay near 1 is itself rounded: .9999 to a rate of 1.0002e-4.
 */
export interface Ema extends Same<typeof ema_> {}
export const ema: Ema = ema_;

const embedding_bwd_ = {
  name: 'embedding_bwd',
  entryPoint: 'main',
  bindings: {
    index: { binding: 0, access: 'read', element: 'u32' },
    dout: { binding: 1, access: 'read', element: 'f32' },
    dtable: { binding: 2, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 3, size: 12, fields: {
    rows: { type: 'u32', offset: 0 },
    cols: { type: 'u32', offset: 4 },
    count: { type: 'u32', offset: 8 },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
  },
  workgroup: ['WG'],
  code: `







const WG: u32 = 256u;

alias Summed = f32;

struct Dims {
rows: u32,
cols: u32,
count: u32,
}

@group(0) @binding(0) var<storage, read> index: array<u32>;
@group(0) @binding(1) var<storage, read> dout: array<f32>;
@group(0) @binding(2) var<storage, read_write> dtable: array<f32>;
@group(0) @binding(3) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let at = (wid.x + wid.y * groups.x) * WG + local;
if (at >= dims.rows * dims.cols) {
return;
}
let row = at / dims.cols;
let col = at - row * dims.cols;
var sums = Runs();
for (var first = 0u; first < dims.count; first += RUN) {
var run = 0.0;
for (var b = first; b < min(dims.count, first + RUN); b++) {
if (index[b] == row) {
run += dout[b * dims.cols + col];
}
}
add_run(&sums, run);
}
dtable[at] = sum_of(sums);
}





const RUN: u32 = 256u;

struct Runs {
total: Summed,
block: Summed,
count: u32,
}

fn add_run(runs: ptr<function, Runs>, run: Summed) {
(*runs).block += run;
(*runs).count++;
if ((*runs).count % RUN == 0u) {
(*runs).total += (*runs).block;
(*runs).block = Summed();
}
}

fn sum_of(runs: Runs) -> Summed {
return runs.total + runs.block;
}` as string,
} as const satisfies ShaderSource;

/**
 * embedding_bwd: dtable[k, c] = sum over the items b with index[b] = k of dout[b, c], in the order of b.
 * Buffers: index [count] u32, dout [count, cols] f32, dtable [rows, cols] f32, written whole.
 * Grid: one invocation an element of dtable, which walks all items: no atomics, the same bits each time. Meant for class
 * tables and batches, count up to some thousands.
 * Precision: f32, sums of runs.
 * Source: the derivative of shaders/embedding_fwd.wgsl.
 */
export interface EmbeddingBwd extends Same<typeof embedding_bwd_> {}
export const embedding_bwd: EmbeddingBwd = embedding_bwd_;

const embedding_fwd_ = {
  name: 'embedding_fwd',
  entryPoint: 'main',
  bindings: {
    table: { binding: 0, access: 'read', element: 'f32' },
    index: { binding: 1, access: 'read', element: 'u32' },
    out: { binding: 2, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 3, size: 12, fields: {
    rows: { type: 'u32', offset: 0 },
    cols: { type: 'u32', offset: 4 },
    count: { type: 'u32', offset: 8 },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
  },
  workgroup: ['WG'],
  code: `




const WG: u32 = 256u;

struct Dims {
rows: u32,
cols: u32,
count: u32,
}

@group(0) @binding(0) var<storage, read> table: array<f32>;
@group(0) @binding(1) var<storage, read> index: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let at = (wid.x + wid.y * groups.x) * WG + local;
if (at >= dims.count * dims.cols) {
return;
}
let item = at / dims.cols;
let row = index[item];
if (row < dims.rows) {
out[at] = table[row * dims.cols + at - item * dims.cols];
} else {
var nan_bits = 0x7fc00000u;
out[at] = bitcast<f32>(nan_bits);
}
}` as string,
} as const satisfies ShaderSource;

/**
 * embedding_fwd: out[b, c] = table[index[b], c]; NaN where the index is past the table, so that a wrong label shows.
 * Buffers: table [rows, cols] f32, index [count] u32, out [count, cols] f32.
 * Grid: one invocation an element of out, WG a workgroup.
 * Precision: exact.
 */
export interface EmbeddingFwd extends Same<typeof embedding_fwd_> {}
export const embedding_fwd: EmbeddingFwd = embedding_fwd_;

const exchange_ = {
  name: 'exchange',
  entryPoint: 'main',
  bindings: {
    x: { binding: 0, access: 'read', element: 'f32' },
    out: { binding: 1, access: 'read_write', element: 'OScalar' },
  },
  uniform: { binding: 2, size: 16, fields: {
    m: { type: 'u32', offset: 0 },
    n: { type: 'u32', offset: 4 },
    taps: { type: 'u32', offset: 8 },
    groups: { type: 'u32', offset: 12, else: 1 },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
    OScalar: { kind: 'alias', type: 'type', default: 'f32' },
  },
  workgroup: ['WG'],
  code: `






const WG: u32 = 256u;
const SIDE: u32 = 16u;
alias OScalar = f32;

struct Dims {
m: u32,
n: u32,
taps: u32,
groups: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<OScalar>;
@group(0) @binding(2) var<uniform> dims: Dims;

var<workgroup> square: array<array<f32, SIDE + 1u>, SIDE>;

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let across = (dims.n + SIDE - 1u) / SIDE;
let down = (dims.m + SIDE - 1u) / SIDE;
let index = wid.x + wid.y * groups.x;
let slice = index / (across * down);
let tap = slice % dims.taps;
let base = slice / dims.taps * dims.m * dims.taps * dims.n;
let live = slice < dims.taps * dims.groups;
let m0 = (index / across % down) * SIDE;
let n0 = (index % across) * SIDE;
for (var row = local / SIDE; row < SIDE; row += WG / SIDE) {
let at = vec2u(m0 + row, n0 + local % SIDE);
if (live && at.x < dims.m && at.y < dims.n) {
square[row][local % SIDE] = x[base + (at.x * dims.taps + tap) * dims.n + at.y];
}
}
workgroupBarrier();
for (var row = local / SIDE; row < SIDE; row += WG / SIDE) {
let at = vec2u(m0 + local % SIDE, n0 + row);
if (live && at.x < dims.m && at.y < dims.n) {
out[base + (at.y * dims.taps + tap) * dims.m + at.x] = OScalar(square[local % SIDE][row]);
}
}
}` as string,
} as const satisfies ShaderSource;

/**
 * exchange: out[group, n, tap, m] = x[group, m, tap, n]: weights of a convolution with rows and channels exchanged, as its gradient by what
 * it reads needs them.
 * Buffers: x f32 [groups, m, taps, n], out f32 or f16 [groups, n, taps, m].
 * Grid: a workgroup of WG turns squares of SIDE x SIDE through workgroup memory, so that reads and writes are contiguous; folded over
 * (group, tap, square).
 * Precision: exact, or rounded to f16 once.
 */
export interface Exchange extends Same<typeof exchange_> {}
export const exchange: Exchange = exchange_;

const filter_down_ = {
  name: 'filter_down',
  entryPoint: 'main',
  bindings: {
    x: { binding: 0, access: 'read', element: 'f32' },
    out: { binding: 1, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 2, size: 64, fields: {
    batch: { type: 'u32', offset: 0 },
    height: { type: 'u32', offset: 4 },
    width: { type: 'u32', offset: 8 },
    large_h: { type: 'u32', offset: 12 },
    large_w: { type: 'u32', offset: 16 },
    channels: { type: 'u32', offset: 20 },
    before: { type: 'u32', offset: 24, else: 0 },
    scale: { type: 'f32', offset: 28, else: 1 },
    tap0: { type: 'f32', offset: 32 },
    tap1: { type: 'f32', offset: 36 },
    tap2: { type: 'f32', offset: 40, else: 0 },
    tap3: { type: 'f32', offset: 44, else: 0 },
    tap4: { type: 'f32', offset: 48, else: 0 },
    tap5: { type: 'f32', offset: 52, else: 0 },
    tap6: { type: 'f32', offset: 56, else: 0 },
    tap7: { type: 'f32', offset: 60, else: 0 },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
    LENGTH: { kind: 'const', type: 'u32', default: 2 },
  },
  workgroup: ['WG'],
  code: `







const WG: u32 = 256u;
const LENGTH: u32 = 2u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let at = (wid.x + wid.y * groups.x) * WG + local;
if (at >= dims.batch * dims.height * dims.width * dims.channels) {
return;
}
let channel = at % dims.channels;
let pixel = at / dims.channels;
let col = i32(2u * (pixel % dims.width)) - i32(dims.before);
let row = i32(2u * ((pixel / dims.width) % dims.height)) - i32(dims.before);
let base = (pixel / (dims.width * dims.height)) * (dims.large_h * dims.large_w);
var total = 0.0;
for (var a = 0u; a < LENGTH; a++) {
let y = row + i32(a);
for (var b = 0u; b < LENGTH; b++) {
let z = col + i32(b);
if (y >= 0 && z >= 0 && y < i32(dims.large_h) && z < i32(dims.large_w)) {
total += tap(a) * tap(b) * x[(base + u32(y) * dims.large_w + u32(z)) * dims.channels + channel];
}
}
}
out[at] = dims.scale * total;
}




struct Dims {
batch: u32,
height: u32,
width: u32,
large_h: u32,
large_w: u32,
channels: u32,
before: u32,
scale: f32,
tap0: f32,
tap1: f32,
tap2: f32,
tap3: f32,
tap4: f32,
tap5: f32,
tap6: f32,
tap7: f32,
}

fn tap(i: u32) -> f32 {
switch i {
case 0u: { return dims.tap0; }
case 1u: { return dims.tap1; }
case 2u: { return dims.tap2; }
case 3u: { return dims.tap3; }
case 4u: { return dims.tap4; }
case 5u: { return dims.tap5; }
case 6u: { return dims.tap6; }
default: { return dims.tap7; }
}
}` as string,
} as const satisfies ShaderSource;

/**
 * filter_down: images filtered and halved: out[i] = scale sum of tap[a] x[2 i + a - before], along rows and along columns, 0 outside.
 * Buffers f32, channel-last: x [batch, large_h, large_w, channels] -> out [batch, height, width, channels].
 * Dims: LENGTH taps, by which rows are filtered and by which columns.
 * Grid: an element of out an invocation; neighbours read neighbouring channels.
 * Precision: f32.
 * Source: Karras et al. 2022 (EDM, resampling filters); depth-wise, with stride 2.
 */
export interface FilterDown extends Same<typeof filter_down_> {}
export const filter_down: FilterDown = filter_down_;

const filter_up_ = {
  name: 'filter_up',
  entryPoint: 'main',
  bindings: {
    x: { binding: 0, access: 'read', element: 'f32' },
    out: { binding: 1, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 2, size: 64, fields: {
    batch: { type: 'u32', offset: 0 },
    height: { type: 'u32', offset: 4 },
    width: { type: 'u32', offset: 8 },
    large_h: { type: 'u32', offset: 12 },
    large_w: { type: 'u32', offset: 16 },
    channels: { type: 'u32', offset: 20 },
    before: { type: 'u32', offset: 24, else: 0 },
    scale: { type: 'f32', offset: 28, else: 1 },
    tap0: { type: 'f32', offset: 32 },
    tap1: { type: 'f32', offset: 36 },
    tap2: { type: 'f32', offset: 40, else: 0 },
    tap3: { type: 'f32', offset: 44, else: 0 },
    tap4: { type: 'f32', offset: 48, else: 0 },
    tap5: { type: 'f32', offset: 52, else: 0 },
    tap6: { type: 'f32', offset: 56, else: 0 },
    tap7: { type: 'f32', offset: 60, else: 0 },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
    LENGTH: { kind: 'const', type: 'u32', default: 2 },
  },
  workgroup: ['WG'],
  code: `







const WG: u32 = 256u;
const LENGTH: u32 = 2u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let at = (wid.x + wid.y * groups.x) * WG + local;
if (at >= dims.batch * dims.large_h * dims.large_w * dims.channels) {
return;
}
let channel = at % dims.channels;
let pixel = at / dims.channels;
let col = i32(pixel % dims.large_w + dims.before);
let row = i32((pixel / dims.large_w) % dims.large_h + dims.before);
let base = (pixel / (dims.large_w * dims.large_h)) * (dims.height * dims.width);
var total = 0.0;
for (var a = u32(row) & 1u; a < LENGTH; a += 2u) {
let y = (row - i32(a)) >> 1u;
for (var b = u32(col) & 1u; b < LENGTH; b += 2u) {
let z = (col - i32(b)) >> 1u;
if (y >= 0 && z >= 0 && y < i32(dims.height) && z < i32(dims.width)) {
total += tap(a) * tap(b) * x[(base + u32(y) * dims.width + u32(z)) * dims.channels + channel];
}
}
}
out[at] = dims.scale * total;
}




struct Dims {
batch: u32,
height: u32,
width: u32,
large_h: u32,
large_w: u32,
channels: u32,
before: u32,
scale: f32,
tap0: f32,
tap1: f32,
tap2: f32,
tap3: f32,
tap4: f32,
tap5: f32,
tap6: f32,
tap7: f32,
}

fn tap(i: u32) -> f32 {
switch i {
case 0u: { return dims.tap0; }
case 1u: { return dims.tap1; }
case 2u: { return dims.tap2; }
case 3u: { return dims.tap3; }
case 4u: { return dims.tap4; }
case 5u: { return dims.tap5; }
case 6u: { return dims.tap6; }
default: { return dims.tap7; }
}
}` as string,
} as const satisfies ShaderSource;

/**
 * filter_up: the transpose of filter_down: out[2 i + a - before] += scale tap[a] x[i], along rows and along columns.
 * Buffers f32, channel-last: x [batch, height, width, channels] -> out [batch, large_h, large_w, channels].
 * Dims: LENGTH taps, by which rows are filtered and by which columns.
 * Grid: an element of out an invocation; neighbours read neighbouring channels.
 * Precision: f32.
 * Source: Karras et al. 2022 (EDM, resampling filters); the transpose of shaders/filter_down.wgsl.
 */
export interface FilterUp extends Same<typeof filter_up_> {}
export const filter_up: FilterUp = filter_up_;

const fold_ = {
  name: 'fold',
  entryPoint: 'main',
  bindings: {
    rows: { binding: 0, access: 'read', element: 'f32' },
    x: { binding: 1, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 2, size: 44, fields: {
    batch: { type: 'u32', offset: 0 },
    height: { type: 'u32', offset: 4 },
    width: { type: 'u32', offset: 8 },
    channels: { type: 'u32', offset: 12 },
    kernel_h: { type: 'u32', offset: 16 },
    kernel_w: { type: 'u32', offset: 20 },
    stride: { type: 'u32', offset: 24 },
    pad_h: { type: 'u32', offset: 28 },
    pad_w: { type: 'u32', offset: 32 },
    out_h: { type: 'u32', offset: 36 },
    out_w: { type: 'u32', offset: 40 },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
  },
  workgroup: ['WG'],
  code: `






const WG: u32 = 256u;

@group(0) @binding(0) var<storage, read> rows: array<f32>;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let at = (wid.x + wid.y * groups.x) * WG + local;
if (at >= dims.batch * dims.height * dims.width * dims.channels) {
return;
}
let channel = at % dims.channels;
let pixel = at / dims.channels;
let col = pixel % dims.width;
let row = (pixel / dims.width) % dims.height;
let sample = pixel / (dims.width * dims.height);
let over_rows = covering(row, dims.pad_h, dims.kernel_h, dims.out_h);
let over_cols = covering(col, dims.pad_w, dims.kernel_w, dims.out_w);
var total = 0.0;
for (var r = over_rows.x; r < over_rows.y; r++) {
for (var c = over_cols.x; c < over_cols.y; c++) {
let inside = (row + dims.pad_h - r * dims.stride) * dims.kernel_w + (col + dims.pad_w - c * dims.stride);
let window = (sample * dims.out_h + r) * dims.out_w + c;
total += rows[(window * dims.kernel_h * dims.kernel_w + inside) * dims.channels + channel];
}
}
x[at] = total;
}



struct Dims {
batch: u32,
height: u32,
width: u32,
channels: u32,
kernel_h: u32,
kernel_w: u32,
stride: u32,
pad_h: u32,
pad_w: u32,
out_h: u32,
out_w: u32,
}







fn covering(at: u32, padding: u32, size: u32, outputs: u32) -> vec2u {
let reach = at + padding;
let first = select(0u, (reach - size) / dims.stride + 1u, reach >= size);
return vec2u(first, min(outputs, reach / dims.stride + 1u));
}` as string,
} as const satisfies ShaderSource;

/**
 * fold: the backward of unfold: each pixel is the sum of its copies in all windows that cover it.
 * Buffers f32: rows [batch out_h out_w, kernel_h kernel_w channels]; x [batch, height, width, channels].
 * Grid: one invocation an element of x, which gathers, so that there are no atomics; neighbours read neighbouring channels.
 * Precision: f32, summed in the order of the windows.
 * Source: the transpose of shaders/unfold.wgsl.
 */
export interface Fold extends Same<typeof fold_> {}
export const fold: Fold = fold_;

const gated_residual_bwd_gate_ = {
  name: 'gated_residual_bwd_gate',
  entryPoint: 'main',
  bindings: {
    dy: { binding: 0, access: 'read', element: 'Elem' },
    h: { binding: 1, access: 'read', element: 'Elem' },
    dmodulation: { binding: 2, access: 'read_write', element: 'f32' },
    modulation: { binding: 4, access: 'read', element: 'f32', optional: 'HAS_DH' },
    dh: { binding: 5, access: 'read_write', element: 'OElem', optional: 'HAS_DH' },
  },
  uniform: { binding: 3, size: 20, fields: {
    rows: { type: 'u32', offset: 0 },
    cols: { type: 'u32', offset: 4 },
    mod_rows: { type: 'u32', offset: 8 },
    mod_stride: { type: 'u32', offset: 12 },
    gate_offset: { type: 'u32', offset: 16 },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
    LANES: { kind: 'const', type: 'u32', default: 8 },
    LANES_FROM: { kind: 'const', type: 'u32', default: 32 },
    VEC: { kind: 'const', type: 'bool', default: false },
    HAS_DH: { kind: 'const', type: 'bool', default: false },
    Scalar: { kind: 'alias', type: 'type', default: 'f32' },
    Elem: { kind: 'alias', type: 'type', default: 'f32' },
    OElem: { kind: 'alias', type: 'type', default: 'array<f32, 1>' },
    Summed: { kind: 'alias', type: 'type', default: 'f32' },
  },
  workgroup: ['WG'],
  code: `










const WG: u32 = 256u;
const LANES: u32 = 8u;
const LANES_FROM: u32 = 32u;
const VEC: bool = false;
const HAS_DH: bool = false;
alias Scalar = f32;
alias Elem = f32;
alias OElem = array<f32, 1>;
alias Summed = f32;

const VEC_MOD: bool = false;

struct Dims {
rows: u32,
cols: u32,
mod_rows: u32,
mod_stride: u32,
gate_offset: u32,
}

@group(0) @binding(0) var<storage, read> dy: array<Elem>;
@group(0) @binding(1) var<storage, read> h: array<Elem>;
@group(0) @binding(2) var<storage, read_write> dmodulation: array<f32>;
@group(0) @binding(3) var<uniform> dims: Dims;
@group(0) @binding(4) var<storage, read> modulation: array<f32>;
@group(0) @binding(5) var<storage, read_write> dh: array<OElem>;

var<private> gate: vec4f;


fn term(row: u32, col: u32) -> Summed {
let at = row * (dims.cols / WIDTH) + col;
let slope = Summed(dy[at]);
if (HAS_DH) { dh[at] = element(gate * vec4f(slope)); }
return slope * Summed(h[at]);
}

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let p = column_part(wid.x + wid.y * groups.x, local, dims.cols / WIDTH, dims.mod_rows);
let at = p.part * dims.mod_stride + dims.gate_offset + WIDTH * p.col;
if (HAS_DH && p.live) { gate = gate_of(at); }
let sum = column_total(p, local, dims.mod_rows);
if (p.owner) {
let all = vec4f(sum);
dmodulation[at] += all.x;
if (VEC) {
dmodulation[at + 1u] += all.y;
dmodulation[at + 2u] += all.z;
dmodulation[at + 3u] += all.w;
}
}
}








var<workgroup> column_partials: array<Summed, WG>;


fn column_lanes(rows: u32) -> u32 {
return select(LANES, 1u, rows < LANES_FROM);
}



fn column_sum(value: Summed, local: u32, lanes: u32) -> Summed {
if (LANES == 1u || lanes == 1u) {
return value;
}
column_partials[local] = value;
workgroupBarrier();
for (var stride = WG / 2u; stride >= WG / lanes; stride /= 2u) {
if (local < stride) {
column_partials[local] += column_partials[local + stride];
}
workgroupBarrier();
}
return column_partials[local];
}


struct ColumnPart {
part: u32,
col: u32,
begin: u32,
end: u32,
live: bool,
owner: bool,
}


fn column_tiles(cols: u32, rows: u32) -> u32 {
let width = WG / column_lanes(rows);
return (cols + width - 1u) / width;
}

fn column_part(group: u32, local: u32, cols: u32, rows: u32) -> ColumnPart {
let width = WG / column_lanes(rows);
let tiles = column_tiles(cols, rows);
let part = group / tiles;
let col = (group % tiles) * width + local % width;
let begin = min(part * rows, dims.rows);
let end = begin + min(rows, dims.rows - begin);
let live = col < cols && begin < end;
return ColumnPart(part, col, begin, end, live, live && local < width);
}


fn column_total(p: ColumnPart, local: u32, rows: u32) -> Summed {
let lanes = column_lanes(rows);
var sums = Runs();
if (p.live) {
let length = 4u * RUN * lanes;
for (var first = p.begin + local / (WG / lanes); first < p.end; first += length) {
let stop = min(p.end, first + length);
var row = first;
var run = Summed();
for (; row + 3u * lanes < stop; row += 4u * lanes) {
run += (term(row, p.col) + term(row + lanes, p.col)) + (term(row + 2u * lanes, p.col) + term(row + 3u * lanes, p.col));
}
for (; row < stop; row += lanes) {
run += term(row, p.col);
}
add_run(&sums, run);
}
}
return column_sum(sum_of(sums), local, lanes);
}





const WIDTH: u32 = select(1u, 4u, VEC);
const SECOND: u32 = select(0u, 1u, VEC);
const THIRD: u32 = select(0u, 2u, VEC);
const FOURTH: u32 = select(0u, 3u, VEC);

fn element(value: vec4f) -> OElem {
var one: OElem;
one[0] = Scalar(value.x);
if (VEC) {
one[SECOND] = Scalar(value.y);
one[THIRD] = Scalar(value.z);
one[FOURTH] = Scalar(value.w);
}
return one;
}




fn mod_at(i: u32) -> vec4f { return vec4f(modulation[i]); }


fn gate_of(at: u32) -> vec4f {
if (VEC_MOD) {
return mod_at(at / 4u);
}
if (VEC) {
return vec4f(mod_at(at).x, mod_at(at + 1u).x, mod_at(at + 2u).x, mod_at(at + 3u).x);
}
return mod_at(at);
}





const RUN: u32 = 256u;

struct Runs {
total: Summed,
block: Summed,
count: u32,
}

fn add_run(runs: ptr<function, Runs>, run: Summed) {
(*runs).block += run;
(*runs).count++;
if ((*runs).count % RUN == 0u) {
(*runs).total += (*runs).block;
(*runs).block = Summed();
}
}

fn sum_of(runs: Runs) -> Summed {
return runs.total + runs.block;
}` as string,
} as const satisfies ShaderSource;

/**
 * gated_residual_bwd_gate: dgate += sum over the mod_rows rows of a modulation row of dy * h, and, with HAS_DH, dh = gate * dy in one reading.
 * Buffers, row-major f32: dy, h, dh [rows, cols]; dmodulation [ceil(rows / mod_rows), mod_stride], ADDED to at gate_offset + c: the
 * caller zeroes it, and several kernels add into columns of their own; modulation [same], gate of column c at gate_offset + c.
 * Grid: columns are single ones or, with VEC, fours of neighbours. A workgroup sums WG columns of one modulation row, or WG / LANES columns
 * where mod_rows is at least LANES_FROM, LANES invocations a column (lib column_lanes).
 * Precision: f32, in one fixed order: no atomics; dy, h and dh may be stored as f16.
 * Source: the derivatives of shaders/gated_residual_fwd.wgsl by the gate and by h.
 */
export interface GatedResidualBwdGate extends Same<typeof gated_residual_bwd_gate_> {}
export const gated_residual_bwd_gate: GatedResidualBwdGate = gated_residual_bwd_gate_;

const gated_residual_bwd_h_ = {
  name: 'gated_residual_bwd_h',
  entryPoint: 'main',
  bindings: {
    dy: { binding: 0, access: 'read', element: 'Elem' },
    modulation: { binding: 1, access: 'read', element: 'Mod' },
    dh: { binding: 2, access: 'read_write', element: 'OElem' },
  },
  uniform: { binding: 3, size: 20, fields: {
    rows: { type: 'u32', offset: 0 },
    cols: { type: 'u32', offset: 4 },
    mod_rows: { type: 'u32', offset: 8 },
    mod_stride: { type: 'u32', offset: 12 },
    gate_offset: { type: 'u32', offset: 16 },
  } },
  knobs: {
    ROWS: { kind: 'const', type: 'u32', default: 4, halves: true },
    PER: { kind: 'const', type: 'u32', default: 8 },
    VEC: { kind: 'const', type: 'bool', default: false },
    VEC_MOD: { kind: 'const', type: 'bool', default: false },
    Scalar: { kind: 'alias', type: 'type', default: 'f32' },
    Elem: { kind: 'alias', type: 'type', default: 'f32' },
    OElem: { kind: 'alias', type: 'type', default: 'array<f32, 1>' },
    Mod: { kind: 'alias', type: 'type', default: 'f32' },
  },
  workgroup: [64, 'ROWS'],
  code: `







const ROWS: u32 = 4u;
const PER: u32 = 8u;
const VEC: bool = false;
const VEC_MOD: bool = false;
alias Scalar = f32;
alias Elem = f32;
alias OElem = array<f32, 1>;
alias Mod = f32;

struct Dims {
rows: u32,
cols: u32,
mod_rows: u32,
mod_stride: u32,
gate_offset: u32,
}

@group(0) @binding(0) var<storage, read> dy: array<Elem>;
@group(0) @binding(1) var<storage, read> modulation: array<Mod>;
@group(0) @binding(2) var<storage, read_write> dh: array<OElem>;
@group(0) @binding(3) var<uniform> dims: Dims;

@compute @workgroup_size(64, ROWS)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_id) lid: vec3u,
) {
let cols = dims.cols / WIDTH;
let tiles = (cols + 63u) / 64u;
let group = wid.x + wid.y * groups.x;
let col = (group % tiles) * 64u + lid.x;
let begin = ((group / tiles) * ROWS + lid.y) * PER;
if (col >= cols || begin >= dims.rows) {
return;
}
let end = min(begin + PER, dims.rows);
var gate_at = (begin / dims.mod_rows) * dims.mod_stride + dims.gate_offset + WIDTH * col;
var left = dims.mod_rows - begin % dims.mod_rows;
var gate = gate_of(gate_at);
for (var row = begin; row < end; row++) {
if (left == 0u) {
left = dims.mod_rows;
gate_at += dims.mod_stride;
gate = gate_of(gate_at);
}
left--;
let at = row * cols + col;
dh[at] = element(gate * vec4f(vec4<Scalar>(dy[at])));
}
}





const WIDTH: u32 = select(1u, 4u, VEC);
const SECOND: u32 = select(0u, 1u, VEC);
const THIRD: u32 = select(0u, 2u, VEC);
const FOURTH: u32 = select(0u, 3u, VEC);

fn element(value: vec4f) -> OElem {
var one: OElem;
one[0] = Scalar(value.x);
if (VEC) {
one[SECOND] = Scalar(value.y);
one[THIRD] = Scalar(value.z);
one[FOURTH] = Scalar(value.w);
}
return one;
}




fn mod_at(i: u32) -> vec4f { return vec4f(modulation[i]); }


fn gate_of(at: u32) -> vec4f {
if (VEC_MOD) {
return mod_at(at / 4u);
}
if (VEC) {
return vec4f(mod_at(at).x, mod_at(at + 1u).x, mod_at(at + 2u).x, mod_at(at + 3u).x);
}
return mod_at(at);
}` as string,
} as const satisfies ShaderSource;

/**
 * gated_residual_bwd_h: dh = gate * dy.
 * Buffers, row-major f32: dy, dh [rows, cols]; modulation [ceil(rows / mod_rows), mod_stride], gate of column c at gate_offset + c.
 * Grid: as gated_residual_fwd.
 * Precision: f32; dy and dh may be stored as f16.
 * Source: the derivative of shaders/gated_residual_fwd.wgsl by h.
 */
export interface GatedResidualBwdH extends Same<typeof gated_residual_bwd_h_> {}
export const gated_residual_bwd_h: GatedResidualBwdH = gated_residual_bwd_h_;

const gated_residual_fwd_ = {
  name: 'gated_residual_fwd',
  entryPoint: 'main',
  bindings: {
    x: { binding: 0, access: 'read', element: 'Elem' },
    h: { binding: 1, access: 'read', element: 'Elem' },
    modulation: { binding: 2, access: 'read', element: 'Mod' },
    y: { binding: 3, access: 'read_write', element: 'OElem' },
  },
  uniform: { binding: 4, size: 20, fields: {
    rows: { type: 'u32', offset: 0 },
    cols: { type: 'u32', offset: 4 },
    mod_rows: { type: 'u32', offset: 8 },
    mod_stride: { type: 'u32', offset: 12 },
    gate_offset: { type: 'u32', offset: 16 },
  } },
  knobs: {
    ROWS: { kind: 'const', type: 'u32', default: 4, halves: true },
    PER: { kind: 'const', type: 'u32', default: 8 },
    VEC: { kind: 'const', type: 'bool', default: false },
    VEC_MOD: { kind: 'const', type: 'bool', default: false },
    Scalar: { kind: 'alias', type: 'type', default: 'f32' },
    Elem: { kind: 'alias', type: 'type', default: 'f32' },
    OElem: { kind: 'alias', type: 'type', default: 'array<f32, 1>' },
    Mod: { kind: 'alias', type: 'type', default: 'f32' },
  },
  workgroup: [64, 'ROWS'],
  code: `








const ROWS: u32 = 4u;
const PER: u32 = 8u;
const VEC: bool = false;
const VEC_MOD: bool = false;
alias Scalar = f32;
alias Elem = f32;
alias OElem = array<f32, 1>;
alias Mod = f32;

struct Dims {
rows: u32,
cols: u32,
mod_rows: u32,
mod_stride: u32,
gate_offset: u32,
}

@group(0) @binding(0) var<storage, read> x: array<Elem>;
@group(0) @binding(1) var<storage, read> h: array<Elem>;
@group(0) @binding(2) var<storage, read> modulation: array<Mod>;
@group(0) @binding(3) var<storage, read_write> y: array<OElem>;
@group(0) @binding(4) var<uniform> dims: Dims;

@compute @workgroup_size(64, ROWS)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_id) lid: vec3u,
) {
let cols = dims.cols / WIDTH;
let tiles = (cols + 63u) / 64u;
let group = wid.x + wid.y * groups.x;
let col = (group % tiles) * 64u + lid.x;
let begin = ((group / tiles) * ROWS + lid.y) * PER;
if (col >= cols || begin >= dims.rows) {
return;
}
let end = min(begin + PER, dims.rows);
var gate_at = (begin / dims.mod_rows) * dims.mod_stride + dims.gate_offset + WIDTH * col;
var left = dims.mod_rows - begin % dims.mod_rows;
var gate = gate_of(gate_at);
for (var row = begin; row < end; row++) {
if (left == 0u) {
left = dims.mod_rows;
gate_at += dims.mod_stride;
gate = gate_of(gate_at);
}
left--;
let at = row * cols + col;
y[at] = element(vec4f(vec4<Scalar>(x[at])) + gate * vec4f(vec4<Scalar>(h[at])));
}
}





const WIDTH: u32 = select(1u, 4u, VEC);
const SECOND: u32 = select(0u, 1u, VEC);
const THIRD: u32 = select(0u, 2u, VEC);
const FOURTH: u32 = select(0u, 3u, VEC);

fn element(value: vec4f) -> OElem {
var one: OElem;
one[0] = Scalar(value.x);
if (VEC) {
one[SECOND] = Scalar(value.y);
one[THIRD] = Scalar(value.z);
one[FOURTH] = Scalar(value.w);
}
return one;
}




fn mod_at(i: u32) -> vec4f { return vec4f(modulation[i]); }


fn gate_of(at: u32) -> vec4f {
if (VEC_MOD) {
return mod_at(at / 4u);
}
if (VEC) {
return vec4f(mod_at(at).x, mod_at(at + 1u).x, mod_at(at + 2u).x, mod_at(at + 3u).x);
}
return mod_at(at);
}` as string,
} as const satisfies ShaderSource;

/**
 * gated_residual_fwd: y = x + gate * h, the gate per sample or per token.
 * Buffers, row-major f32: x, h, y [rows, cols]; modulation [ceil(rows / mod_rows), mod_stride], gate of column c at gate_offset + c.
 * Grid: a workgroup covers 64 columns, or with VEC 64 fours of them, of ROWS * PER rows, an invocation PER neighbouring rows of one:
 * neighbours touch neighbouring columns, no element costs a division, and the gate stays in a register until its rows end.
 * Precision: f32; x, h and y may be stored as f16.
 * Source: Peebles & Xie 2023 (adaLN-Zero).
 */
export interface GatedResidualFwd extends Same<typeof gated_residual_fwd_> {}
export const gated_residual_fwd: GatedResidualFwd = gated_residual_fwd_;

const grad_stats_ = {
  name: 'grad_stats',
  entryPoint: 'main',
  bindings: {
    grad: { binding: 0, access: 'read', element: 'vec4f' },
    partial: { binding: 1, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 2, size: 8, fields: {
    count: { type: 'u32', offset: 0 },
    partial_offset: { type: 'u32', offset: 4, else: 0 },
  } },
  knobs: {
    LANES: { kind: 'const', type: 'u32', default: 256, halves: true },
    ROWS: { kind: 'const', type: 'u32', default: 1, halves: true },
    PER_GROUP: { kind: 'const', type: 'u32', default: 4096 },
    MAX_GROUPS: { kind: 'const', type: 'u32', default: 1024 },
  },
  workgroup: ['LANES', 'ROWS'],
  code: `








const LANES: u32 = 256u;
const ROWS: u32 = 1u;
const PER_GROUP: u32 = 4096u;
const MAX_GROUPS: u32 = 1024u;

alias Summed = vec4f;

struct Dims {
count: u32,
partial_offset: u32,
}

@group(0) @binding(0) var<storage, read> grad: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> partial: array<f32>;
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(LANES, ROWS)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) workgroups: vec3u,
@builtin(local_invocation_id) lid: vec3u,
) {
let group = (wid.x + wid.y * workgroups.x) * ROWS + lid.y;
let groups = min(MAX_GROUPS, (dims.count + PER_GROUP - 1u) / PER_GROUP);
let live = group < groups;
let end = select(0u, (dims.count + 3u) / 4u, live);
let step = groups * LANES;
var sums = Runs();
var bad = vec4f(0.0);
for (var first = group * LANES + lid.x; first < end; first += RUN * step) {
var run = Summed();
for (var i = first; i < min(end, first + RUN * step); i += step) {
let inside = vec4u(i * 4u) + vec4u(0u, 1u, 2u, 3u) < vec4u(dims.count);
let g = select(vec4f(0.0), grad[i], inside);
run += g * g;
bad += select(vec4f(0.0), vec4f(1.0), (bitcast<vec4u>(g) & vec4u(0x7f800000u)) == vec4u(0x7f800000u));
}
add_run(&sums, run);
}
let squares = sum_of(sums);
let sum = lanes_sum((squares.x + squares.y) + (squares.z + squares.w), lid.x, lid.y);
let count = lanes_sum((bad.x + bad.y) + (bad.z + bad.w), lid.x, lid.y);
if (live && lid.x == 0u) {
partial[(dims.partial_offset + group) * 2u] = sum;
partial[(dims.partial_offset + group) * 2u + 1u] = count;
}
}





var<workgroup> lane_partials: array<f32, LANES * ROWS>;

fn lanes_sum(value: f32, lane: u32, row: u32) -> f32 {
if (LANES == 1u) {
return value;
}
let base = row * LANES;
lane_partials[base + lane] = value;
workgroupBarrier();
for (var stride = LANES / 2u; stride > 0u; stride /= 2u) {
if (lane < stride) {
lane_partials[base + lane] += lane_partials[base + lane + stride];
}
workgroupBarrier();
}
let total = lane_partials[base];
workgroupBarrier();
return total;
}





const RUN: u32 = 256u;

struct Runs {
total: Summed,
block: Summed,
count: u32,
}

fn add_run(runs: ptr<function, Runs>, run: Summed) {
(*runs).block += run;
(*runs).count++;
if ((*runs).count % RUN == 0u) {
(*runs).total += (*runs).block;
(*runs).block = Summed();
}
}

fn sum_of(runs: Runs) -> Summed {
return runs.total + runs.block;
}` as string,
} as const satisfies ShaderSource;

/**
 * grad_stats: partial sums of the squares of the gradients, and the number of non-finite ones.
 * Buffers f32: grad [count], padded to whole vec4s; partial [groups, 2] = (sum of squares, non-finite count), from group
 * partial_offset on.
 * Grid: groups = min(MAX_GROUPS, ceil(count / PER_GROUP)) of LANES invocations, ROWS groups a workgroup. Group g takes every
 * groups-th run of LANES vec4s from the g-th on, so that neighbours read neighbours and the sums stay few whatever the count.
 * Precision: f32. A non-finite gradient makes its sum non-finite, as it must make the norm; the count says so by integer bits.
 */
export interface GradStats extends Same<typeof grad_stats_> {}
export const grad_stats: GradStats = grad_stats_;

const group_norm_bwd_means_ = {
  name: 'group_norm_bwd_means',
  entryPoint: 'main',
  bindings: {
    sums: { binding: 0, access: 'read', element: 'f32' },
    weight: { binding: 1, access: 'read', element: 'f32' },
    means: { binding: 2, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 3, size: 16, fields: {
    batch: { type: 'u32', offset: 0 },
    cols: { type: 'u32', offset: 4 },
    pixels: { type: 'u32', offset: 8 },
    groups: { type: 'u32', offset: 12 },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 64, halves: true },
  },
  workgroup: ['WG'],
  code: `





const WG: u32 = 64u;

struct Dims {
batch: u32,
cols: u32,
pixels: u32,
groups: u32,
}

@group(0) @binding(0) var<storage, read> sums: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> means: array<f32>;
@group(0) @binding(3) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let row = (wid.x + wid.y * groups.x) * WG + local;
if (row >= dims.batch * dims.groups) {
return;
}
let width = dims.cols / dims.groups;
let first = (row % dims.groups) * width;
let base = (row / dims.groups) * 2u * dims.cols;
var total = vec2f();
for (var c = first; c < first + width; c++) {
total += weight[c] * vec2f(sums[base + c], sums[base + dims.cols + c]);
}
total /= f32(dims.pixels) * f32(width);
means[2u * row] = total.x;
means[2u * row + 1u] = total.y;
}` as string,
} as const satisfies ShaderSource;

/**
 * group_norm_bwd_means: of each sample's groups, the means of weight g and of weight g xhat, from their sums by channel.
 * Buffers f32: sums [batch, 2, cols]; weight [cols]; means [batch, groups, 2].
 * Grid: a (sample, group) an invocation: channels of a group are few.
 * Precision: f32.
 * Source: the derivative of shaders/group_norm_fwd.wgsl.
 */
export interface GroupNormBwdMeans extends Same<typeof group_norm_bwd_means_> {}
export const group_norm_bwd_means: GroupNormBwdMeans = group_norm_bwd_means_;

const group_norm_bwd_sums_ = {
  name: 'group_norm_bwd_sums',
  entryPoint: 'main',
  bindings: {
    x: { binding: 0, access: 'read', element: 'f32' },
    dy: { binding: 1, access: 'read', element: 'f32' },
    stats: { binding: 2, access: 'read', element: 'f32' },
    weight: { binding: 3, access: 'read', element: 'f32', optional: 'SILU' },
    bias: { binding: 4, access: 'read', element: 'f32', optional: 'SILU' },
    partial: { binding: 5, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 6, size: 20, fields: {
    rows: { type: 'u32', offset: 0 },
    cols: { type: 'u32', offset: 4 },
    pixels: { type: 'u32', offset: 8 },
    groups: { type: 'u32', offset: 12 },
    chunk_rows: { type: 'u32', offset: 16 },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
    LANES: { kind: 'const', type: 'u32', default: 8 },
    LANES_FROM: { kind: 'const', type: 'u32', default: 64 },
    SILU: { kind: 'const', type: 'bool', default: false },
  },
  workgroup: ['WG'],
  code: `








const WG: u32 = 256u;
const LANES: u32 = 8u;
const LANES_FROM: u32 = 64u;
const SILU: bool = false;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> stats: array<f32>;
@group(0) @binding(3) var<storage, read> weight: array<f32>;
@group(0) @binding(4) var<storage, read> bias: array<f32>;
@group(0) @binding(5) var<storage, read_write> partial: array<f32>;
@group(0) @binding(6) var<uniform> dims: Dims;

fn term(row: u32, col: u32) -> Summed {
let at = row * dims.cols + col;
let group = (row / dims.pixels) * dims.groups + col / (dims.cols / dims.groups);
let xhat = (x[at] - stats[2u * group]) * stats[2u * group + 1u];
var g = dy[at];
if (SILU) {
g *= silu_grad(xhat * weight[col] + bias[col]);
}
return vec2f(g, g * xhat);
}

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let p = column_part(wid.x + wid.y * groups.x, local, dims.cols, dims.chunk_rows);
let sum = column_total(p, local, dims.chunk_rows);
if (p.owner) {
let at = 2u * p.part * dims.cols + p.col;
partial[at] = sum.x;
partial[at + dims.cols] = sum.y;
}
}











fn magnitude(x: f32, most: f32) -> f32 {
return between(abs(x), 0.0, most);
}


















fn sigmoid(x: f32) -> f32 {
let e = exp(-magnitude(x, 200.0));
return select(e, 1.0, x >= 0.0) / (1.0 + e);
}










































































fn silu_grad(x: f32) -> f32 {
let s = sigmoid(x);
return s * (1.0 + x * (1.0 - s));
}





alias Summed = vec2f;

struct Dims {
rows: u32,
cols: u32,
pixels: u32,
groups: u32,
chunk_rows: u32,
}




fn is_nan(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}















fn between(x: f32, low: f32, high: f32) -> f32 {
return select(clamp(x, low, high), x, is_nan(x));
}




















var<workgroup> column_partials: array<Summed, WG>;


fn column_lanes(rows: u32) -> u32 {
return select(LANES, 1u, rows < LANES_FROM);
}



fn column_sum(value: Summed, local: u32, lanes: u32) -> Summed {
if (LANES == 1u || lanes == 1u) {
return value;
}
column_partials[local] = value;
workgroupBarrier();
for (var stride = WG / 2u; stride >= WG / lanes; stride /= 2u) {
if (local < stride) {
column_partials[local] += column_partials[local + stride];
}
workgroupBarrier();
}
return column_partials[local];
}


struct ColumnPart {
part: u32,
col: u32,
begin: u32,
end: u32,
live: bool,
owner: bool,
}


fn column_tiles(cols: u32, rows: u32) -> u32 {
let width = WG / column_lanes(rows);
return (cols + width - 1u) / width;
}

fn column_part(group: u32, local: u32, cols: u32, rows: u32) -> ColumnPart {
let width = WG / column_lanes(rows);
let tiles = column_tiles(cols, rows);
let part = group / tiles;
let col = (group % tiles) * width + local % width;
let begin = min(part * rows, dims.rows);
let end = begin + min(rows, dims.rows - begin);
let live = col < cols && begin < end;
return ColumnPart(part, col, begin, end, live, live && local < width);
}


fn column_total(p: ColumnPart, local: u32, rows: u32) -> Summed {
let lanes = column_lanes(rows);
var sums = Runs();
if (p.live) {
let length = 4u * RUN * lanes;
for (var first = p.begin + local / (WG / lanes); first < p.end; first += length) {
let stop = min(p.end, first + length);
var row = first;
var run = Summed();
for (; row + 3u * lanes < stop; row += 4u * lanes) {
run += (term(row, p.col) + term(row + lanes, p.col)) + (term(row + 2u * lanes, p.col) + term(row + 3u * lanes, p.col));
}
for (; row < stop; row += lanes) {
run += term(row, p.col);
}
add_run(&sums, run);
}
}
return column_sum(sum_of(sums), local, lanes);
}





const RUN: u32 = 256u;

struct Runs {
total: Summed,
block: Summed,
count: u32,
}

fn add_run(runs: ptr<function, Runs>, run: Summed) {
(*runs).block += run;
(*runs).count++;
if ((*runs).count % RUN == 0u) {
(*runs).total += (*runs).block;
(*runs).block = Summed();
}
}

fn sum_of(runs: Runs) -> Summed {
return runs.total + runs.block;
}` as string,
} as const satisfies ShaderSource;

/**
 * group_norm_bwd_sums: of each channel and part of an image's pixels, the sums of g and of g xhat, g = dy, carried back through SiLU where
 * there was one: of a batch the gradients by bias and weight.
 * Buffers f32: x, dy [rows, cols]; stats [batch, groups, 2]; weight, bias [cols]; partial [rows / chunk_rows, 2, cols].
 * Grid: as group_norm_sums.
 * Precision: f32; sums of runs.
 * Source: the derivative of shaders/group_norm_fwd.wgsl.
 */
export interface GroupNormBwdSums extends Same<typeof group_norm_bwd_sums_> {}
export const group_norm_bwd_sums: GroupNormBwdSums = group_norm_bwd_sums_;

const group_norm_bwd_x_ = {
  name: 'group_norm_bwd_x',
  entryPoint: 'main',
  bindings: {
    x: { binding: 0, access: 'read', element: 'f32' },
    dy: { binding: 1, access: 'read', element: 'f32' },
    stats: { binding: 2, access: 'read', element: 'f32' },
    means: { binding: 3, access: 'read', element: 'f32' },
    weight: { binding: 4, access: 'read', element: 'f32' },
    bias: { binding: 5, access: 'read', element: 'f32', optional: 'SILU' },
    prior: { binding: 6, access: 'read', element: 'f32', optional: 'HAS_PRIOR' },
    dx: { binding: 7, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 8, size: 16, fields: {
    rows: { type: 'u32', offset: 0 },
    cols: { type: 'u32', offset: 4 },
    pixels: { type: 'u32', offset: 8 },
    groups: { type: 'u32', offset: 12 },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
    PER: { kind: 'const', type: 'u32', default: 4 },
    SILU: { kind: 'const', type: 'bool', default: false },
    HAS_PRIOR: { kind: 'const', type: 'bool', default: false },
  },
  workgroup: ['WG'],
  code: `







const WG: u32 = 256u;
const PER: u32 = 4u;
const SILU: bool = false;
const HAS_PRIOR: bool = false;

struct Dims {
rows: u32,
cols: u32,
pixels: u32,
groups: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> stats: array<f32>;
@group(0) @binding(3) var<storage, read> means: array<f32>;
@group(0) @binding(4) var<storage, read> weight: array<f32>;
@group(0) @binding(5) var<storage, read> bias: array<f32>;
@group(0) @binding(6) var<storage, read> prior: array<f32>;
@group(0) @binding(7) var<storage, read_write> dx: array<f32>;
@group(0) @binding(8) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let first = (wid.x + wid.y * groups.x) * (WG * PER) + local;
for (var i = 0u; i < PER; i++) {
let at = first + i * WG;
if (at < dims.rows * dims.cols) {
let row = at / dims.cols;
let col = at - row * dims.cols;
let group = (row / dims.pixels) * dims.groups + col / (dims.cols / dims.groups);
let rstd = stats[2u * group + 1u];
let xhat = (x[at] - stats[2u * group]) * rstd;
var g = dy[at];
if (SILU) {
g *= silu_grad(xhat * weight[col] + bias[col]);
}
var value = rstd * (weight[col] * g - means[2u * group] - xhat * means[2u * group + 1u]);
if (HAS_PRIOR) {
value += prior[at];
}
dx[at] = value;
}
}
}











fn magnitude(x: f32, most: f32) -> f32 {
return between(abs(x), 0.0, most);
}


















fn sigmoid(x: f32) -> f32 {
let e = exp(-magnitude(x, 200.0));
return select(e, 1.0, x >= 0.0) / (1.0 + e);
}










































































fn silu_grad(x: f32) -> f32 {
let s = sigmoid(x);
return s * (1.0 + x * (1.0 - s));
}




fn is_nan(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}















fn between(x: f32, low: f32, high: f32) -> f32 {
return select(clamp(x, low, high), x, is_nan(x));
}` as string,
} as const satisfies ShaderSource;

/**
 * group_norm_bwd_x: the gradient of group_norm_fwd by x, plus a gradient that arrived before:
 * dx = prior + rstd (weight g - means.x - xhat means.y), g = dy, carried back through SiLU where there was one.
 * Buffers f32: x, dy, prior, dx [rows, cols]; stats, means [batch, groups, 2]; weight, bias [cols].
 * Grid: as group_norm_fwd.
 * Precision: f32.
 * Source: the derivative of shaders/group_norm_fwd.wgsl.
 */
export interface GroupNormBwdX extends Same<typeof group_norm_bwd_x_> {}
export const group_norm_bwd_x: GroupNormBwdX = group_norm_bwd_x_;

const group_norm_fwd_ = {
  name: 'group_norm_fwd',
  entryPoint: 'main',
  bindings: {
    x: { binding: 0, access: 'read', element: 'f32' },
    stats: { binding: 1, access: 'read', element: 'f32' },
    weight: { binding: 2, access: 'read', element: 'f32' },
    bias: { binding: 3, access: 'read', element: 'f32' },
    y: { binding: 4, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 5, size: 16, fields: {
    rows: { type: 'u32', offset: 0 },
    cols: { type: 'u32', offset: 4 },
    pixels: { type: 'u32', offset: 8 },
    groups: { type: 'u32', offset: 12 },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
    PER: { kind: 'const', type: 'u32', default: 4 },
    SILU: { kind: 'const', type: 'bool', default: false },
  },
  workgroup: ['WG'],
  code: `






const WG: u32 = 256u;
const PER: u32 = 4u;
const SILU: bool = false;

struct Dims {
rows: u32,
cols: u32,
pixels: u32,
groups: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> stats: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@group(0) @binding(5) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let first = (wid.x + wid.y * groups.x) * (WG * PER) + local;
for (var i = 0u; i < PER; i++) {
let at = first + i * WG;
if (at < dims.rows * dims.cols) {
let row = at / dims.cols;
let col = at - row * dims.cols;
let group = (row / dims.pixels) * dims.groups + col / (dims.cols / dims.groups);
var value = (x[at] - stats[2u * group]) * stats[2u * group + 1u] * weight[col] + bias[col];
if (SILU) {
value = silu(value);
}
y[at] = value;
}
}
}











fn magnitude(x: f32, most: f32) -> f32 {
return between(abs(x), 0.0, most);
}


















fn sigmoid(x: f32) -> f32 {
let e = exp(-magnitude(x, 200.0));
return select(e, 1.0, x >= 0.0) / (1.0 + e);
}






































































fn silu(x: f32) -> f32 {
return x * sigmoid(x);
}









fn is_nan(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}















fn between(x: f32, low: f32, high: f32) -> f32 {
return select(clamp(x, low, high), x, is_nan(x));
}` as string,
} as const satisfies ShaderSource;

/**
 * group_norm_fwd: y = xhat weight + bias, or SiLU of that, xhat = (x - mean) rstd with mean and rstd of the sample's group of channels.
 * Buffers f32: x, y [rows, cols], channel-last images of `pixels` rows each; stats [batch, groups, 2]; weight, bias [cols].
 * Grid: PER elements an invocation, a workgroup apart, so that neighbours touch neighbours.
 * Precision: f32.
 * Source: Wu & He 2018.
 */
export interface GroupNormFwd extends Same<typeof group_norm_fwd_> {}
export const group_norm_fwd: GroupNormFwd = group_norm_fwd_;

const group_norm_stats_ = {
  name: 'group_norm_stats',
  entryPoint: 'main',
  bindings: {
    partial: { binding: 0, access: 'read', element: 'f32' },
    stats: { binding: 1, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 2, size: 24, fields: {
    batch: { type: 'u32', offset: 0 },
    cols: { type: 'u32', offset: 4 },
    pixels: { type: 'u32', offset: 8 },
    groups: { type: 'u32', offset: 12 },
    chunk_rows: { type: 'u32', offset: 16 },
    eps: { type: 'f32', offset: 20 },
  } },
  knobs: {
    LANES: { kind: 'const', type: 'u32', default: 64, halves: true },
    ROWS: { kind: 'const', type: 'u32', default: 4, halves: true },
  },
  workgroup: ['LANES', 'ROWS'],
  code: `








const LANES: u32 = 64u;
const ROWS: u32 = 4u;

alias Summed = f32;

struct Dims {
batch: u32,
cols: u32,
pixels: u32,
groups: u32,
chunk_rows: u32,
eps: f32,
}

@group(0) @binding(0) var<storage, read> partial: array<f32>;
@group(0) @binding(1) var<storage, read_write> stats: array<f32>;
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(LANES, ROWS)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_id) lid: vec3u,
) {
let row = (wid.x + wid.y * groups.x) * ROWS + lid.y;
let live = row < dims.batch * dims.groups;
let width = dims.cols / dims.groups;
let parts = dims.pixels / dims.chunk_rows;
let end = select(0u, parts * width, live);
let base = select(0u, (row / dims.groups) * parts * 2u * dims.cols + (row % dims.groups) * width, live);
var sums = Runs();
for (var first = lid.x; first < end; first += RUN * LANES) {
var run = 0.0;
for (var i = first; i < min(end, first + RUN * LANES); i += LANES) {
run += partial[base + i / width * 2u * dims.cols + i % width];
}
add_run(&sums, run);
}
let mean = lanes_sum(sum_of(sums), lid.x, lid.y) / f32(parts * width);
var squares = Runs();
for (var first = lid.x; first < end; first += RUN * LANES) {
var run = 0.0;
for (var i = first; i < min(end, first + RUN * LANES); i += LANES) {
let at = base + i / width * 2u * dims.cols + i % width;
let d = partial[at] - mean;
run += partial[at + dims.cols] + f32(dims.chunk_rows) * d * d;
}
add_run(&squares, run);
}
let variance = lanes_sum(sum_of(squares), lid.x, lid.y) / (f32(dims.pixels) * f32(width));
if (live && lid.x == 0u) {
stats[2u * row] = mean;
stats[2u * row + 1u] = inverse_root(variance + dims.eps);
}
}





var<workgroup> lane_partials: array<f32, LANES * ROWS>;

fn lanes_sum(value: f32, lane: u32, row: u32) -> f32 {
if (LANES == 1u) {
return value;
}
let base = row * LANES;
lane_partials[base + lane] = value;
workgroupBarrier();
for (var stride = LANES / 2u; stride > 0u; stride /= 2u) {
if (lane < stride) {
lane_partials[base + lane] += lane_partials[base + lane + stride];
}
workgroupBarrier();
}
let total = lane_partials[base];
workgroupBarrier();
return total;
}





const RUN: u32 = 256u;

struct Runs {
total: Summed,
block: Summed,
count: u32,
}

fn add_run(runs: ptr<function, Runs>, run: Summed) {
(*runs).block += run;
(*runs).count++;
if ((*runs).count % RUN == 0u) {
(*runs).total += (*runs).block;
(*runs).block = Summed();
}
}

fn sum_of(runs: Runs) -> Summed {
return runs.total + runs.block;
}












fn is_finite(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u;
}


















fn inverse_root(x: f32) -> f32 {
var nan_bits = 0x7fc00000u;
return select(bitcast<f32>(nan_bits), 1.0 / sqrt(x), is_finite(x));
}` as string,
} as const satisfies ShaderSource;

/**
 * group_norm_stats: mean and 1 / sqrt(variance + eps) of each sample's groups of channels, from the means and squared distances of parts.
 * Buffers f32: partial [batch parts, 2, cols] of group_norm_sums, parts = pixels / chunk_rows; stats [batch, groups, 2].
 * Grid: ROWS (sample, group) a workgroup, LANES invocations each. LANES = 1 runs without barriers.
 * Precision: f32; the parts are of one size, so the mean is that of their means.
 * Source: Chan et al. 1983 (merging of variances).
 */
export interface GroupNormStats extends Same<typeof group_norm_stats_> {}
export const group_norm_stats: GroupNormStats = group_norm_stats_;

const group_norm_sums_ = {
  name: 'group_norm_sums',
  entryPoint: 'main',
  bindings: {
    x: { binding: 0, access: 'read', element: 'f32' },
    partial: { binding: 1, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 2, size: 20, fields: {
    rows: { type: 'u32', offset: 0 },
    cols: { type: 'u32', offset: 4 },
    pixels: { type: 'u32', offset: 8 },
    groups: { type: 'u32', offset: 12 },
    chunk_rows: { type: 'u32', offset: 16 },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
    LANES: { kind: 'const', type: 'u32', default: 8 },
    LANES_FROM: { kind: 'const', type: 'u32', default: 64 },
  },
  workgroup: ['WG'],
  code: `






const WG: u32 = 256u;
const LANES: u32 = 8u;
const LANES_FROM: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> partial: array<f32>;
@group(0) @binding(2) var<uniform> dims: Dims;

fn term(row: u32, col: u32) -> Summed {
let d = x[row * dims.cols + col] - x[(row / dims.chunk_rows) * dims.chunk_rows * dims.cols + col];
return vec2f(d, d * d);
}

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let p = column_part(wid.x + wid.y * groups.x, local, dims.cols, dims.chunk_rows);
let sum = column_total(p, local, dims.chunk_rows);
if (p.owner) {
let mean = sum.x / f32(dims.chunk_rows);
let at = 2u * p.part * dims.cols + p.col;
partial[at] = x[p.begin * dims.cols + p.col] + mean;
partial[at + dims.cols] = at_least(sum.y - sum.x * mean, 0.0);
}
}





alias Summed = vec2f;

struct Dims {
rows: u32,
cols: u32,
pixels: u32,
groups: u32,
chunk_rows: u32,
}




fn is_nan(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}










fn at_least(x: f32, least: f32) -> f32 {
return select(max(x, least), x, is_nan(x));
}

























var<workgroup> column_partials: array<Summed, WG>;


fn column_lanes(rows: u32) -> u32 {
return select(LANES, 1u, rows < LANES_FROM);
}



fn column_sum(value: Summed, local: u32, lanes: u32) -> Summed {
if (LANES == 1u || lanes == 1u) {
return value;
}
column_partials[local] = value;
workgroupBarrier();
for (var stride = WG / 2u; stride >= WG / lanes; stride /= 2u) {
if (local < stride) {
column_partials[local] += column_partials[local + stride];
}
workgroupBarrier();
}
return column_partials[local];
}


struct ColumnPart {
part: u32,
col: u32,
begin: u32,
end: u32,
live: bool,
owner: bool,
}


fn column_tiles(cols: u32, rows: u32) -> u32 {
let width = WG / column_lanes(rows);
return (cols + width - 1u) / width;
}

fn column_part(group: u32, local: u32, cols: u32, rows: u32) -> ColumnPart {
let width = WG / column_lanes(rows);
let tiles = column_tiles(cols, rows);
let part = group / tiles;
let col = (group % tiles) * width + local % width;
let begin = min(part * rows, dims.rows);
let end = begin + min(rows, dims.rows - begin);
let live = col < cols && begin < end;
return ColumnPart(part, col, begin, end, live, live && local < width);
}


fn column_total(p: ColumnPart, local: u32, rows: u32) -> Summed {
let lanes = column_lanes(rows);
var sums = Runs();
if (p.live) {
let length = 4u * RUN * lanes;
for (var first = p.begin + local / (WG / lanes); first < p.end; first += length) {
let stop = min(p.end, first + length);
var row = first;
var run = Summed();
for (; row + 3u * lanes < stop; row += 4u * lanes) {
run += (term(row, p.col) + term(row + lanes, p.col)) + (term(row + 2u * lanes, p.col) + term(row + 3u * lanes, p.col));
}
for (; row < stop; row += lanes) {
run += term(row, p.col);
}
add_run(&sums, run);
}
}
return column_sum(sum_of(sums), local, lanes);
}





const RUN: u32 = 256u;

struct Runs {
total: Summed,
block: Summed,
count: u32,
}

fn add_run(runs: ptr<function, Runs>, run: Summed) {
(*runs).block += run;
(*runs).count++;
if ((*runs).count % RUN == 0u) {
(*runs).total += (*runs).block;
(*runs).block = Summed();
}
}

fn sum_of(runs: Runs) -> Summed {
return runs.total + runs.block;
}` as string,
} as const satisfies ShaderSource;

/**
 * group_norm_sums: of each channel and part of an image's pixels, mean and summed squared distance from it: group_norm_stats merges them.
 * Buffers f32: x [rows, cols], channel-last images; partial [rows / chunk_rows, 2, cols].
 * Grid: a workgroup sums WG columns of one part, or WG / LANES columns, LANES invocations each, of parts of LANES_FROM pixels (lib column_lanes).
 * Precision: f32; distances are from the part's first pixel, so that a large mean does not cancel.
 */
export interface GroupNormSums extends Same<typeof group_norm_sums_> {}
export const group_norm_sums: GroupNormSums = group_norm_sums_;

const init_parameters_ = {
  name: 'init_parameters',
  entryPoint: 'main',
  bindings: {
    rules: { binding: 0, access: 'read', element: 'u32' },
    out: { binding: 1, access: 'read_write', element: 'vec4f' },
  },
  uniform: { binding: 2, size: 16, fields: {
    count: { type: 'u32', offset: 0 },
    parameters: { type: 'u32', offset: 4 },
    seed: { type: 'u32', offset: 8 },
    stream: { type: 'u32', offset: 12 },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
  },
  workgroup: ['WG'],
  code: `








const WG: u32 = 256u;

const UNIFORM: u32 = 1u;
const NORMAL: u32 = 2u;
const RULE: u32 = 5u;

struct Dims {
count: u32,
parameters: u32,
seed: u32,
stream: u32,
}

@group(0) @binding(0) var<storage, read> rules: array<u32>;
@group(0) @binding(1) var<storage, read_write> out: array<vec4f>;
@group(0) @binding(2) var<uniform> dims: Dims;


fn parameter_of(element: u32) -> u32 {
var low = 0u;
var high = dims.parameters;
while (high - low > 1u) {
let middle = (low + high) / 2u;
if (rules[middle * RULE] <= element) {
low = middle;
} else {
high = middle;
}
}
return low;
}

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let quad = (wid.x + wid.y * groups.x) * WG + local;
if (quad >= (dims.count + 3u) / 4u) {
return;
}
let rule = parameter_of(quad * 4u) * RULE;
let at = quad * 4u - rules[rule];
let kind = rules[rule + 2u];
let step = rules[rule + 4u];
let key = vec2u(dims.seed, dims.stream);
var u = vec4f(1.0);
if (kind == UNIFORM) {
let words = philox(vec4u(at / 4u, PHILOX_USE_WORDS, step, 0u), key) >> vec4u(8u);
u = vec4f(vec4i(words) - vec4i(8388608)) * 1.1920928955078125e-7;
} else if (kind == NORMAL) {
let low = philox(vec4u(at / 2u, PHILOX_USE_NORMAL, step, 0u), key);
let high = philox(vec4u(at / 2u + 1u, PHILOX_USE_NORMAL, step, 0u), key);
u = vec4f(normal_from(low.x, low.y), normal_from(low.z, low.w), normal_from(high.x, high.y), normal_from(high.z, high.w));
}
let live = vec4u(at) + vec4u(0u, 1u, 2u, 3u) < vec4u(rules[rule + 1u]);
out[quad] = select(vec4f(0.0), u * bitcast<f32>(rules[rule + 3u]), live);
}











const NORMAL_TABLE = array<u32, 192>(
362111247u, 422173128u, 109724757u, 72143702u, 29748665u, 7267838u,
617586772u, 325831962u, 111750036u, 62941226u, 27865959u, 6316966u,
823622520u, 272677436u, 104400700u, 57647811u, 25718691u, 5828758u,
1000044525u, 238227159u, 96750567u, 53429938u, 23911062u, 5425495u,
1156350762u, 213738030u, 90043085u, 49915734u, 22391689u, 5086281u,
1297915309u, 195251608u, 84328764u, 46944503u, 21101393u, 4797691u,
1428111133u, 180694486u, 79458332u, 44402675u, 19993236u, 4549380u,
1549211812u, 168866940u, 75273342u, 42204008u, 19031162u, 4333429u,
1662832109u, 159022467u, 71641687u, 40282534u, 18187552u, 4143770u,
1770165694u, 150670076u, 68459354u, 38587536u, 17441125u, 3975723u,
1872123312u, 143472371u, 65645460u, 37079695u, 16775327u, 3825639u,
1969417890u, 137189125u, 63136937u, 35728214u, 16177140u, 3690644u,
2062619477u, 131644203u, 60884196u, 34508694u, 15636209u, 3568449u,
2152192086u, 126705230u, 58847837u, 33401590u, 15144206u, 3457207u,
2238519211u, 122270607u, 56996220u, 32391080u, 14694363u, 3355416u,
2321921990u, 118260923u, 55303663u, 31464218u, 14281125u, 3261840u,
2402672445u, 114613121u, 53749116u, 30610316u, 13899889u, 3175454u,
2481003325u, 111276423u, 52315157u, 29820468u, 13546809u, 3095401u,
2557115559u, 108209434u, 50987245u, 29087195u, 13218645u, 3020957u,
2631184000u, 105378033u, 49753143u, 28404167u, 12912650u, 2951507u,
2703361896u, 102753817u, 48602476u, 27765988u, 12626474u, 2886526u,
2773784430u, 100312926u, 47526387u, 27168031u, 12358100u, 2825562u,
2842571556u, 98035156u, 46517266u, 26606302u, 12105781u, 2768223u,
2909830275u, 95903272u, 45568535u, 26077334u, 11868002u, 2714169u,
2975656511u, 93902472u, 44674478u, 25578102u, 11643434u, 2663101u,
3040136637u, 92019961u, 43830100u, 25105957u, 11430913u, 2614758u,
3103348752u, 90244621u, 43031018u, 24658562u, 11229413u, 2568909u,
3165363743u, 88566732u, 42273366u, 24233853u, 11038022u, 2525348u,
3226246181u, 86977764u, 41553721u, 23829996u, 10855934u, 2483894u,
3286055076u, 85470188u, 40869040u, 23445357u, 10682425u, 2444384u,
3344844523u, 84037336u, 40216609u, 23078473u, 10516849u, 2406672u,
3402664255u, 82673276u, 39593996u, 22728033u, 10358625u, 2370627u,
);

fn normal_from(hi: u32, lo: u32) -> f32 {
let octave = countLeadingZeros(hi & 0x7fffffffu) - 1u;

let kept = min(octave + 2u, 31u);
let t = select((hi << kept) | (lo >> (32u - kept)), lo, octave >= 30u);
let row = octave * 6u;
var z = NORMAL_TABLE[row + 5u];
for (var i = 5u; i > 0u; i--) {
z = NORMAL_TABLE[row + i - 1u] - mul_hi(z, t);
}
let rounded = i32((z + 128u) >> 8u);
return f32(select(rounded, -rounded, hi >= 0x80000000u)) * 4.76837158203125e-7;
}







const PHILOX_USE_WORDS: u32 = 0u;
const PHILOX_USE_NORMAL: u32 = 1u;


fn mul_hi(a: u32, b: u32) -> u32 {
let a_lo = a & 0xffffu;
let a_hi = a >> 16u;
let b_lo = b & 0xffffu;
let b_hi = b >> 16u;
let middle = a_hi * b_lo + ((a_lo * b_lo) >> 16u);
let other = a_lo * b_hi + (middle & 0xffffu);
return a_hi * b_hi + (middle >> 16u) + (other >> 16u);
}

fn philox(counter: vec4u, key: vec2u) -> vec4u {
var c = counter;
var k = key;
for (var round = 0u; round < 10u; round++) {
c = vec4u(
mul_hi(0xcd9e8d57u, c.z) ^ c.y ^ k.x,
0xcd9e8d57u * c.z,
mul_hi(0xd2511f53u, c.x) ^ c.w ^ k.y,
0xd2511f53u * c.x,
);
k += vec2u(0x9e3779b9u, 0xbb67ae85u);
}
return c;
}` as string,
} as const satisfies ShaderSource;

/**
 * init_parameters: starting values of a flat buffer of parameters, each a function of (seed, stream, parameter, place in it).
 * x = scale u, with u = 1 (constant), uniform in [-1, 1) or standard normal, as the parameter's rule says; 0 in the gaps.
 * Buffers: rules [parameters, 5] u32 = (first element of the buffer, elements, kind, the bits of scale f32, step of the stream);
 * in rising order, each first one a multiple of 4; out f32 [count], padded to whole vec4s.
 * Grid: four elements an invocation, WG invocations a workgroup.
 * Precision: u is exact, the product rounded once: the same bits on every adapter and the host (src/nn/init.ts).
 * Source: Salmon et al. 2011 (Philox); lib/normal.wgsl.
 */
export interface InitParameters extends Same<typeof init_parameters_> {}
export const init_parameters: InitParameters = init_parameters_;

const label_mix_bwd_ = {
  name: 'label_mix_bwd',
  entryPoint: 'main',
  bindings: {
    dout: { binding: 0, access: 'read', element: 'f32' },
    y: { binding: 1, access: 'read', element: 'u32' },
    de: { binding: 2, access: 'read_write', element: 'f32' },
    dweight: { binding: 3, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 4, size: 20, fields: {
    count: { type: 'u32', offset: 0 },
    cols: { type: 'u32', offset: 4 },
    classes: { type: 'u32', offset: 8 },
    own: { type: 'f32', offset: 12, else: 1 },
    scale: { type: 'f32', offset: 16, else: 1 },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
  },
  workgroup: ['WG'],
  code: `






const WG: u32 = 256u;

struct Dims {
count: u32,
cols: u32,
classes: u32,
own: f32,
scale: f32,
}

@group(0) @binding(0) var<storage, read> dout: array<f32>;
@group(0) @binding(1) var<storage, read> y: array<u32>;
@group(0) @binding(2) var<storage, read_write> de: array<f32>;
@group(0) @binding(3) var<storage, read_write> dweight: array<f32>;
@group(0) @binding(4) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let at = (wid.x + wid.y * groups.x) * WG + local;
if (at < dims.count * dims.cols) {
de[at] = dout[at] * select(1.0, dims.own, y[at / dims.cols] < dims.classes);
}
if (at < dims.cols * dims.classes) {
var total = 0.0;
for (var b = 0u; b < dims.count; b++) {
if (y[b] == at % dims.classes) {
total += dout[b * dims.cols + at / dims.classes];
}
}
dweight[at] = dims.scale * total;
}
}` as string,
} as const satisfies ShaderSource;

/**
 * label_mix_bwd: the gradients of label_mix_fwd: de[b] = own dout[b], or dout[b] at the null label; dweight[c, k] = scale sum of dout[b, c]
 * over the samples of label k.
 * Buffers: dout, de [count, cols] f32; y [count] u32; dweight [cols, classes] f32, written whole.
 * Grid: an element of de and of dweight an invocation, which walks the batch for the latter: there are no atomics.
 * Precision: f32.
 * Source: the derivative of shaders/label_mix_fwd.wgsl.
 */
export interface LabelMixBwd extends Same<typeof label_mix_bwd_> {}
export const label_mix_bwd: LabelMixBwd = label_mix_bwd_;

const label_mix_fwd_ = {
  name: 'label_mix_fwd',
  entryPoint: 'main',
  bindings: {
    e: { binding: 0, access: 'read', element: 'f32' },
    weight: { binding: 1, access: 'read', element: 'f32' },
    y: { binding: 2, access: 'read', element: 'u32' },
    out: { binding: 3, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 4, size: 20, fields: {
    count: { type: 'u32', offset: 0 },
    cols: { type: 'u32', offset: 4 },
    classes: { type: 'u32', offset: 8 },
    own: { type: 'f32', offset: 12, else: 1 },
    scale: { type: 'f32', offset: 16, else: 1 },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
  },
  workgroup: ['WG'],
  code: `





const WG: u32 = 256u;

struct Dims {
count: u32,
cols: u32,
classes: u32,
own: f32,
scale: f32,
}

@group(0) @binding(0) var<storage, read> e: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read> y: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;
@group(0) @binding(4) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let at = (wid.x + wid.y * groups.x) * WG + local;
if (at >= dims.count * dims.cols) {
return;
}
let label = y[at / dims.cols];
let mixed = dims.own * e[at] + dims.scale * weight[(at % dims.cols) * dims.classes + min(label, dims.classes - 1u)];
out[at] = select(e[at], mixed, label < dims.classes);
}` as string,
} as const satisfies ShaderSource;

/**
 * label_mix_fwd: an embedding with that of a label: out[b] = own e[b] + scale W[:, y_b], and e[b] itself where y_b is the null label,
 * `classes`, or above.
 * Buffers: e, out [count, cols] f32; weight [cols, classes] f32; y [count] u32.
 * Grid: an element of out an invocation.
 * Precision: f32.
 */
export interface LabelMixFwd extends Same<typeof label_mix_fwd_> {}
export const label_mix_fwd: LabelMixFwd = label_mix_fwd_;

const largest_ = {
  name: 'largest',
  entryPoint: 'main',
  bindings: {
    x: { binding: 0, access: 'read', element: 'Elem' },
    out: { binding: 1, access: 'read_write', element: 'u32' },
    places: { binding: 3, access: 'read', element: 'vec2u', optional: 'HAS_PLACES' },
  },
  uniform: { binding: 2, size: 8, fields: {
    count: { type: 'u32', offset: 0 },
    tensors: { type: 'u32', offset: 4, else: 1, optional: 'HAS_PLACES' },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
    PARTS: { kind: 'const', type: 'u32', default: 128 },
    VEC: { kind: 'const', type: 'bool', default: false },
    HAS_PLACES: { kind: 'const', type: 'bool', default: false },
    Elem: { kind: 'alias', type: 'type', default: 'u32' },
  },
  workgroup: ['WG'],
  code: `




const WG: u32 = 256u;
const PARTS: u32 = 128u;
const VEC: bool = false;
const HAS_PLACES: bool = false;
alias Elem = u32;

const WIDTH: u32 = select(1u, 4u, VEC);

struct Dims {
count: u32,
tensors: u32,
}

@group(0) @binding(0) var<storage, read> x: array<Elem>;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;
@group(0) @binding(2) var<uniform> dims: Dims;
@group(0) @binding(3) var<storage, read> places: array<vec2u>;

var<workgroup> found: array<u32, WG>;

fn bits(i: u32) -> vec4u {
return vec4<u32>(x[i]) & vec4u(0x7fffffffu);
}

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let group = wid.x + wid.y * groups.x;
let tensor = group / PARTS;
if (tensor >= dims.tensors) {
return;
}
var place = vec2u(0u, dims.count);
if (HAS_PLACES) {
place = places[tensor];
}
let end = (place.x + place.y + WIDTH - 1u) / WIDTH;
let turn = PARTS * WG;
var i = place.x / WIDTH + group % PARTS * WG + local;
var most = vec4u();
for (; i + 3u * turn < end; i += 4u * turn) {
most = max(most, max(max(bits(i), bits(i + turn)), max(bits(i + 2u * turn), bits(i + 3u * turn))));
}
for (; i < end; i += turn) {
most = max(most, bits(i));
}
found[local] = max(max(most.x, most.y), max(most.z, most.w));
workgroupBarrier();
for (var half = WG / 2u; half > 0u; half /= 2u) {
if (local < half) {
found[local] = max(found[local], found[local + half]);
}
workgroupBarrier();
}
if (local == 0u) {
out[group] = found[0];
}
}` as string,
} as const satisfies ShaderSource;

/**
 * largest: the bits of the largest magnitude of each of PARTS parts of x [count] into out [PARTS], as matmul_f32x3 reads them. Bits of
 * magnitudes are ordered as the magnitudes are, with infinity and then NaN above all numbers.
 * HAS_PLACES: of several tensors in x, whose first element and count are a row of places [tensors, 2] each; out [tensors, PARTS].
 * Grid: a workgroup of WG a part, tensor by tensor; the parts take turns, WG elements at a time. Precision: exact.
 */
export interface Largest extends Same<typeof largest_> {}
export const largest: Largest = largest_;

const lincomb_ = {
  name: 'lincomb',
  entryPoint: 'main',
  bindings: {
    u0: { binding: 0, access: 'read', element: 'f32' },
    u1: { binding: 1, access: 'read', element: 'f32', optional: 'HAS_U1' },
    u2: { binding: 2, access: 'read', element: 'f32', optional: 'HAS_U2' },
    u3: { binding: 3, access: 'read', element: 'f32', optional: 'HAS_U3' },
    coefs: { binding: 4, access: 'read', element: 'f32' },
    out: { binding: 5, access: 'read_write', element: 'f32' },
    origin: { binding: 6, access: 'read', element: 'f32', optional: 'CLAMPED' },
  },
  uniform: { binding: 7, size: 36, fields: {
    batch: { type: 'u32', offset: 0 },
    n: { type: 'u32', offset: 4 },
    coef_stride: { type: 'u32', offset: 8, else: 0 },
    coef_offset: { type: 'u32', offset: 12, else: 0 },
    offset0: { type: 'u32', offset: 16, else: 0 },
    offset1: { type: 'u32', offset: 20, else: 0 },
    offset2: { type: 'u32', offset: 24, else: 0 },
    offset3: { type: 'u32', offset: 28, else: 0 },
    out_offset: { type: 'u32', offset: 32, else: 0 },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
    COUNT: { kind: 'const', type: 'u32', default: 2 },
    HAS_U1: { kind: 'const', type: 'bool', default: true },
    HAS_U2: { kind: 'const', type: 'bool', default: false },
    HAS_U3: { kind: 'const', type: 'bool', default: false },
    CLAMPED: { kind: 'const', type: 'bool', default: false },
  },
  workgroup: ['WG'],
  code: `








const WG: u32 = 256u;
const COUNT: u32 = 2u;
const HAS_U1: bool = true;
const HAS_U2: bool = false;
const HAS_U3: bool = false;
const CLAMPED: bool = false;

struct Dims {
batch: u32,
n: u32,
coef_stride: u32,
coef_offset: u32,
offset0: u32,
offset1: u32,
offset2: u32,
offset3: u32,
out_offset: u32,
}

@group(0) @binding(0) var<storage, read> u0: array<f32>;
@group(0) @binding(1) var<storage, read> u1: array<f32>;
@group(0) @binding(2) var<storage, read> u2: array<f32>;
@group(0) @binding(3) var<storage, read> u3: array<f32>;
@group(0) @binding(4) var<storage, read> coefs: array<f32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;
@group(0) @binding(6) var<storage, read> origin: array<f32>;
@group(0) @binding(7) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let per_sample = (dims.n + 4u * WG - 1u) / (4u * WG);
let group = wid.x + wid.y * groups.x;
let sample = group / per_sample;
if (sample >= dims.batch) {
return;
}
let first = (group % per_sample) * (4u * WG) + local;
let c = sample * dims.coef_stride + dims.coef_offset;
let base = sample * dims.n;
for (var j = 0u; j < 4u; j++) {
let i = first + j * WG;
if (i < dims.n) {
var sum = coefs[c] * u0[dims.offset0 + base + i];
if (COUNT > 1u) {
sum += coefs[c + 1u] * u1[dims.offset1 + base + i];
}
if (COUNT > 2u) {
sum += coefs[c + 2u] * u2[dims.offset2 + base + i];
}
if (COUNT > 3u) {
sum += coefs[c + 3u] * u3[dims.offset3 + base + i];
}
if (CLAMPED) {
sum = origin[base + i] + coefs[c + COUNT] * between(sum, -1.0, 1.0);
}
out[dims.out_offset + base + i] = sum;
}
}
}




fn is_nan(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}















fn between(x: f32, low: f32, high: f32) -> f32 {
return select(clamp(x, low, high), x, is_nan(x));
}` as string,
} as const satisfies ShaderSource;

/**
 * lincomb: out[b, i] = sum over k of coefs[b, k] * u_k[b, i]: per-sample combinations of up to four tensors.
 * With CLAMPED, out[b, i] = origin[b, i] + coefs[b, COUNT] * clamp(that sum, -1, 1), a correction of bounded size.
 * Buffers f32: coefs: coefficient k of sample b at b * coef_stride + coef_offset + k (stride 0: one set for all samples);
 * u_k: sample b starts at offset_k + b * n; out: at out_offset + b * n; origin at b * n. One buffer may serve several u_k and origin.
 * Grid: WG invocations a workgroup, 4 elements of one sample an invocation, a workgroup apart.
 * Precision: f32.
 * Source: the paths and targets of UCGM (arXiv 2505.07447) are all of this form.
 */
export interface Lincomb extends Same<typeof lincomb_> {}
export const lincomb: Lincomb = lincomb_;

const linear_attention_apply_ = {
  name: 'linear_attention_apply',
  entryPoint: 'main',
  bindings: {
    qkv: { binding: 0, access: 'read', element: 'f32' },
    state: { binding: 1, access: 'read', element: 'f32' },
    out: { binding: 2, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 3, size: 20, fields: {
    batch: { type: 'u32', offset: 0 },
    n: { type: 'u32', offset: 4 },
    heads: { type: 'u32', offset: 8 },
    dim: { type: 'u32', offset: 12 },
    eps: { type: 'f32', offset: 16 },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
  },
  workgroup: ['WG'],
  code: `






const WG: u32 = 256u;

struct Dims {
batch: u32,
n: u32,
heads: u32,
dim: u32,
eps: f32,
}

@group(0) @binding(0) var<storage, read> qkv: array<f32>;
@group(0) @binding(1) var<storage, read> state: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let at = (wid.x + wid.y * groups.x) * WG + local;
if (at >= dims.batch * dims.n * dims.heads * dims.dim) {
return;
}
let i = at % dims.dim;
let head = at / dims.dim;
let token = head / dims.heads;
let from_q = token * 3u * dims.heads * dims.dim + head % dims.heads * 3u * dims.dim;
let from_state = (token / dims.n * dims.heads + head % dims.heads) * (dims.dim + 1u) * dims.dim;
var above = 0.0;
var below = 0.0;
for (var j = 0u; j < dims.dim; j++) {
let query = at_least(qkv[from_q + j], 0.0);
above += state[from_state + i * dims.dim + j] * query;
below += state[from_state + dims.dim * dims.dim + j] * query;
}
out[at] = above / (below + dims.eps);
}




fn is_nan(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}










fn at_least(x: f32, least: f32) -> f32 {
return select(max(x, least), x, is_nan(x));
}` as string,
} as const satisfies ShaderSource;

/**
 * linear_attention_apply: out_i = sum_j state[i, j] relu(q_j) / (sum_j state[dim, j] relu(q_j) + eps) of each token and head.
 * Buffers f32: qkv [batch, n, 3 heads dim] as in linear_attention_state; state [batch, heads, dim + 1, dim]; out [batch, n, heads dim].
 * Grid: an element of out an invocation.
 * Precision: f32.
 * Source: as shaders/linear_attention_state.wgsl.
 */
export interface LinearAttentionApply extends Same<typeof linear_attention_apply_> {}
export const linear_attention_apply: LinearAttentionApply = linear_attention_apply_;

const linear_attention_bwd_out_ = {
  name: 'linear_attention_bwd_out',
  entryPoint: 'main',
  bindings: {
    qkv: { binding: 0, access: 'read', element: 'f32' },
    state: { binding: 1, access: 'read', element: 'f32' },
    out: { binding: 2, access: 'read', element: 'f32' },
    dy: { binding: 3, access: 'read', element: 'f32' },
    dabove: { binding: 4, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 5, size: 20, fields: {
    batch: { type: 'u32', offset: 0 },
    n: { type: 'u32', offset: 4 },
    heads: { type: 'u32', offset: 8 },
    dim: { type: 'u32', offset: 12 },
    eps: { type: 'f32', offset: 16 },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 64, halves: true },
  },
  workgroup: ['WG'],
  code: `








const WG: u32 = 64u;

struct Dims {
batch: u32,
n: u32,
heads: u32,
dim: u32,
eps: f32,
}

@group(0) @binding(0) var<storage, read> qkv: array<f32>;
@group(0) @binding(1) var<storage, read> state: array<f32>;
@group(0) @binding(2) var<storage, read> out: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read_write> dabove: array<f32>;
@group(0) @binding(5) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let head = (wid.x + wid.y * groups.x) * WG + local;
if (head >= dims.batch * dims.n * dims.heads) {
return;
}
let token = head / dims.heads;
let from_q = token * 3u * dims.heads * dims.dim + head % dims.heads * 3u * dims.dim;
let from_state = ((token / dims.n * dims.heads + head % dims.heads) * (dims.dim + 1u) + dims.dim) * dims.dim;
var below = dims.eps;
var along = 0.0;
for (var j = 0u; j < dims.dim; j++) {
below += state[from_state + j] * at_least(qkv[from_q + j], 0.0);
along += dy[head * dims.dim + j] * out[head * dims.dim + j];
}
let factor = inverse(below);
for (var i = 0u; i < dims.dim; i++) {
dabove[head * (dims.dim + 1u) + i] = dy[head * dims.dim + i] * factor;
}
dabove[head * (dims.dim + 1u) + dims.dim] = -along * factor;
}




fn is_nan(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}





fn is_finite(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u;
}


fn at_least(x: f32, least: f32) -> f32 {
return select(max(x, least), x, is_nan(x));
}







fn inverse(x: f32) -> f32 {
var nan_bits = 0x7fc00000u;
return select(bitcast<f32>(nan_bits), 1.0 / x, is_finite(x));
}` as string,
} as const satisfies ShaderSource;

/**
 * linear_attention_bwd_out: what a gradient of out is to numerator and denominator: with d = sum_j state[dim, j] relu(q_j) + eps,
 * dabove_i = dy_i / d, and dabove_dim = -sum_i dy_i out_i / d, of each token and head.
 * Buffers f32: qkv [batch, n, 3 heads dim] as in linear_attention_state; state [batch, heads, dim + 1, dim]; out, dy [batch, n, heads dim];
 * dabove [batch, n, heads, dim + 1].
 * Grid: a head of a token an invocation.
 * Precision: f32.
 * Source: the derivative of shaders/linear_attention_apply.wgsl.
 */
export interface LinearAttentionBwdOut extends Same<typeof linear_attention_bwd_out_> {}
export const linear_attention_bwd_out: LinearAttentionBwdOut = linear_attention_bwd_out_;

const linear_attention_bwd_qkv_ = {
  name: 'linear_attention_bwd_qkv',
  entryPoint: 'main',
  bindings: {
    qkv: { binding: 0, access: 'read', element: 'f32' },
    state: { binding: 1, access: 'read', element: 'f32' },
    dabove: { binding: 2, access: 'read', element: 'f32' },
    dstate: { binding: 3, access: 'read', element: 'f32' },
    dqkv: { binding: 4, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 5, size: 16, fields: {
    batch: { type: 'u32', offset: 0 },
    n: { type: 'u32', offset: 4 },
    heads: { type: 'u32', offset: 8 },
    dim: { type: 'u32', offset: 12 },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
  },
  workgroup: ['WG'],
  code: `









const WG: u32 = 256u;

struct Dims {
batch: u32,
n: u32,
heads: u32,
dim: u32,
}

@group(0) @binding(0) var<storage, read> qkv: array<f32>;
@group(0) @binding(1) var<storage, read> state: array<f32>;
@group(0) @binding(2) var<storage, read> dabove: array<f32>;
@group(0) @binding(3) var<storage, read> dstate: array<f32>;
@group(0) @binding(4) var<storage, read_write> dqkv: array<f32>;
@group(0) @binding(5) var<uniform> dims: Dims;


fn slope(x: f32) -> f32 {
return select(x, relu_grad(x), is_finite(x));
}

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let at = (wid.x + wid.y * groups.x) * WG + local;
let dim = dims.dim;
if (at >= dims.batch * dims.n * dims.heads * 3u * dim) {
return;
}
let c = at % dim;
let part = at / dim % 3u;
let head = at / (3u * dim);
let base = head * 3u * dim;
let from_state = (head / dims.heads / dims.n * dims.heads + head % dims.heads) * (dim + 1u) * dim;
var total = 0.0;
if (part == 0u) {
for (var i = 0u; i <= dim; i++) {
total += dabove[head * (dim + 1u) + i] * state[from_state + i * dim + c];
}
total *= slope(qkv[at]);
} else if (part == 1u) {
total = dstate[from_state + dim * dim + c];
for (var i = 0u; i < dim; i++) {
total += qkv[base + 2u * dim + i] * dstate[from_state + i * dim + c];
}
total *= slope(qkv[at]);
} else {
for (var j = 0u; j < dim; j++) {
total += dstate[from_state + c * dim + j] * relu(qkv[base + dim + j]);
}
}
dqkv[at] = total;
}


































































































fn relu(x: f32) -> f32 {
return at_least(x, 0.0);
}

fn relu_grad(x: f32) -> f32 {
return select(select(0.0, 1.0, x > 0.0), x, is_nan(x));
}













fn is_nan(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}





fn is_finite(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u;
}


fn at_least(x: f32, least: f32) -> f32 {
return select(max(x, least), x, is_nan(x));
}` as string,
} as const satisfies ShaderSource;

/**
 * linear_attention_bwd_qkv: the gradient of ReLU linear attention by queries, keys and values of each head, from those by numerators and
 * denominators, dabove, and by the state: dq_j = [q_j > 0] sum_i dabove_i state[i, j]; dk_j = [k_j > 0] sum_i (v_i, or 1) dstate[i, j];
 * dv_i = sum_j dstate[i, j] relu(k_j).
 * Buffers f32: qkv, dqkv [batch, n, 3 heads dim] as in linear_attention_state; state, dstate [batch, heads, dim + 1, dim]; dabove [batch, n,
 * heads, dim + 1].
 * Grid: an element of dqkv an invocation.
 * Precision: f32.
 * Source: the derivative of shaders/linear_attention_state.wgsl and shaders/linear_attention_apply.wgsl.
 */
export interface LinearAttentionBwdQkv extends Same<typeof linear_attention_bwd_qkv_> {}
export const linear_attention_bwd_qkv: LinearAttentionBwdQkv = linear_attention_bwd_qkv_;

const linear_attention_bwd_state_ = {
  name: 'linear_attention_bwd_state',
  entryPoint: 'main',
  bindings: {
    qkv: { binding: 0, access: 'read', element: 'f32' },
    dabove: { binding: 1, access: 'read', element: 'f32' },
    dstate: { binding: 2, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 3, size: 20, fields: {
    batch: { type: 'u32', offset: 0 },
    n: { type: 'u32', offset: 4 },
    heads: { type: 'u32', offset: 8 },
    dim: { type: 'u32', offset: 12 },
    chunk: { type: 'u32', offset: 16, else: 'n' },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
  },
  workgroup: ['WG'],
  code: `







const WG: u32 = 256u;

struct Dims {
batch: u32,
n: u32,
heads: u32,
dim: u32,
chunk: u32,
}

@group(0) @binding(0) var<storage, read> qkv: array<f32>;
@group(0) @binding(1) var<storage, read> dabove: array<f32>;
@group(0) @binding(2) var<storage, read_write> dstate: array<f32>;
@group(0) @binding(3) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let at = (wid.x + wid.y * groups.x) * WG + local;
let size = (dims.dim + 1u) * dims.dim;
let head = at / size;
let begin = head / (dims.batch * dims.heads) * dims.chunk;
if (begin >= dims.n) {
return;
}
let j = at % dims.dim;
let i = at / dims.dim % (dims.dim + 1u);
let first = head / dims.heads % dims.batch * dims.n;
let own = head % dims.heads;
var total = 0.0;
for (var m = first + begin; m < first + min(dims.n, begin + dims.chunk); m++) {
let query = at_least(qkv[m * 3u * dims.heads * dims.dim + own * 3u * dims.dim + j], 0.0);
total += query * dabove[(m * dims.heads + own) * (dims.dim + 1u) + i];
}
dstate[at] = total;
}




fn is_nan(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}










fn at_least(x: f32, least: f32) -> f32 {
return select(max(x, least), x, is_nan(x));
}` as string,
} as const satisfies ShaderSource;

/**
 * linear_attention_bwd_state: dstate[i, j] = sum over tokens of dabove_i relu(q_j), of each head.
 * Buffers f32: qkv [batch, n, 3 heads dim] as in linear_attention_state; dabove [batch, n, heads, dim + 1]; dstate [parts, batch, heads,
 * dim + 1, dim], parts = ceil(n / chunk), to be added up.
 * Grid: an element of dstate an invocation, which walks the tokens of its part; neighbours read neighbouring q.
 * Precision: f32.
 * Source: the derivative of shaders/linear_attention_apply.wgsl.
 */
export interface LinearAttentionBwdState extends Same<typeof linear_attention_bwd_state_> {}
export const linear_attention_bwd_state: LinearAttentionBwdState = linear_attention_bwd_state_;

const linear_attention_state_ = {
  name: 'linear_attention_state',
  entryPoint: 'main',
  bindings: {
    qkv: { binding: 0, access: 'read', element: 'f32' },
    state: { binding: 1, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 2, size: 20, fields: {
    batch: { type: 'u32', offset: 0 },
    n: { type: 'u32', offset: 4 },
    heads: { type: 'u32', offset: 8 },
    dim: { type: 'u32', offset: 12 },
    chunk: { type: 'u32', offset: 16, else: 'n' },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
  },
  workgroup: ['WG'],
  code: `








const WG: u32 = 256u;

struct Dims {
batch: u32,
n: u32,
heads: u32,
dim: u32,
chunk: u32,
}

@group(0) @binding(0) var<storage, read> qkv: array<f32>;
@group(0) @binding(1) var<storage, read_write> state: array<f32>;
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let at = (wid.x + wid.y * groups.x) * WG + local;
let size = (dims.dim + 1u) * dims.dim;
let head = at / size;
let part = head / (dims.batch * dims.heads);
let begin = part * dims.chunk;
if (begin >= dims.n) {
return;
}
let j = at % dims.dim;
let i = at / dims.dim % (dims.dim + 1u);
let sample = head / dims.heads % dims.batch;
let width = 3u * dims.heads * dims.dim;
let first = sample * dims.n * width + head % dims.heads * 3u * dims.dim;
var total = 0.0;
for (var m = begin; m < min(dims.n, begin + dims.chunk); m++) {
let base = first + m * width;
let key = at_least(qkv[base + dims.dim + j], 0.0);
total += key * select(1.0, qkv[base + 2u * dims.dim + min(i, dims.dim - 1u)], i < dims.dim);
}
state[at] = total;
}




fn is_nan(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}










fn at_least(x: f32, least: f32) -> f32 {
return select(max(x, least), x, is_nan(x));
}` as string,
} as const satisfies ShaderSource;

/**
 * linear_attention_state: state[i, j] = sum over tokens of (v_i, or 1 where i = dim) relu(k_j), of each head: all that ReLU linear attention
 * keeps of keys and values.
 * Buffers f32: qkv [batch, n, 3 heads dim], each head's 3 dim channels together: q, k, v; state [parts, batch, heads, dim + 1, dim], parts =
 * ceil(n / chunk), to be added up.
 * Grid: an element of state an invocation, which walks the tokens of its part; neighbours read neighbouring k.
 * Precision: f32.
 * Source: Katharopoulos et al. 2020; Cai et al. 2023 (EfficientViT), as DC-AE has it.
 */
export interface LinearAttentionState extends Same<typeof linear_attention_state_> {}
export const linear_attention_state: LinearAttentionState = linear_attention_state_;

const lion_step_ = {
  name: 'lion_step',
  entryPoint: 'main',
  bindings: {
    param: { binding: 0, access: 'read_write', element: 'vec4f' },
    grad: { binding: 1, access: 'read', element: 'vec4f' },
    m: { binding: 2, access: 'read_write', element: 'vec4f' },
    hyper: { binding: 3, access: 'read', element: 'f32' },
    clip: { binding: 4, access: 'read', element: 'f32' },
    scales: { binding: 5, access: 'read', element: 'f32', optional: 'CAUTIOUS' },
    owners: { binding: 6, access: 'read', element: 'u32', optional: 'CAUTIOUS' },
  },
  uniform: { binding: 7, size: 8, fields: {
    count: { type: 'u32', offset: 0 },
    tensors: { type: 'u32', offset: 4, else: 0, optional: 'CAUTIOUS' },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
    CAUTIOUS: { kind: 'const', type: 'bool', default: false },
  },
  workgroup: ['WG'],
  code: `










const WG: u32 = 256u;
const CAUTIOUS: bool = false;

struct Dims {
count: u32,
tensors: u32,
}

@group(0) @binding(0) var<storage, read_write> param: array<vec4f>;
@group(0) @binding(1) var<storage, read> grad: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> m: array<vec4f>;
@group(0) @binding(3) var<storage, read> hyper: array<f32>;
@group(0) @binding(4) var<storage, read> clip: array<f32>;
@group(0) @binding(5) var<storage, read> scales: array<f32>;
@group(0) @binding(6) var<storage, read> owners: array<u32>;
@group(0) @binding(7) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let i = (wid.x + wid.y * groups.x) * WG + local;
if (i >= (dims.count + 3u) / 4u || clip[3] == 1.0) {
return;
}
let p = param[i];
let old_m = m[i];
let g = clean_gradient(grad[i], clip[0]);
let mixed = hyper[1] * old_m + hyper[2] * g;
let broken = (bitcast<vec4u>(mixed) & vec4u(0x7f800000u)) == vec4u(0x7f800000u);
var update = select(sign(mixed), mixed, broken);
if (CAUTIOUS) {
update = cautious(update, g, i);
}
let new_p = p - hyper[5] * p - hyper[0] * update;
let new_m = hyper[3] * old_m + hyper[4] * g;
let live = live_elements(i, dims.count);
m[i] = select(old_m, new_m, live);
param[i] = select(p, new_p, live);
}




fn clean_gradient(raw: vec4f, scale: f32) -> vec4f {
let broken = (bitcast<vec4u>(raw) & vec4u(0x7f800000u)) == vec4u(0x7f800000u);
return select(raw * scale, vec4f(0.0), broken);
}


fn live_elements(i: u32, count: u32) -> vec4<bool> {
return vec4u(i * 4u) + vec4u(0u, 1u, 2u, 3u) < vec4u(count);
}




fn cautious(update: vec4f, g: vec4f, i: u32) -> vec4f {
return select(update * scales[owners[i / 16u]], vec4f(0.0), update * g <= vec4f(0.0));
}` as string,
} as const satisfies ShaderSource;

/**
 * lion_step: one update of Lion, or of its cautious form, over a flat buffer, in place.
 * g = finite(grad) * clip scale;  p = (1 - lr wd) p - lr sign(b1 m + (1 - b1) g);  m = b2 m + (1 - b2) g
 * Buffers f32: param, m [count] updated; grad [count]; clip [4] of shaders/clip_scale.wgsl;
 * hyper [6] = (lr, b1, 1 - b1, b2, 1 - b2, lr wd);
 * scales [tensors] and owners [ceil(count / 64)] u32 of shaders/cautious_scale.wgsl, where CAUTIOUS. Flat buffers are padded to whole vec4s; elements past count keep their values.
 * Grid: one vec4 an invocation, WG invocations a workgroup.
 * Precision: f32. A non-finite gradient counts as 0.
 * Source: Chen et al. 2023 (Lion); Liang et al. 2024 (cautious optimisers).
 */
export interface LionStep extends Same<typeof lion_step_> {}
export const lion_step: LionStep = lion_step_;

const loss_bwd_ = {
  name: 'loss_bwd',
  entryPoint: 'main',
  bindings: {
    prediction: { binding: 0, access: 'read', element: 'f32' },
    target_value: { binding: 1, access: 'read', element: 'f32' },
    root: { binding: 2, access: 'read', element: 'f32' },
    weights: { binding: 3, access: 'read', element: 'f32' },
    dprediction: { binding: 4, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 5, size: 16, fields: {
    batch: { type: 'u32', offset: 0 },
    channels: { type: 'u32', offset: 4 },
    pixels: { type: 'u32', offset: 8 },
    mean_of: { type: 'u32', offset: 12, else: 'batch' },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
    COSINE: { kind: 'const', type: 'bool', default: false },
  },
  workgroup: ['WG'],
  code: `








const WG: u32 = 256u;
const COSINE: bool = false;

struct Dims {
batch: u32,
channels: u32,
pixels: u32,
mean_of: u32,
}

@group(0) @binding(0) var<storage, read> prediction: array<f32>;
@group(0) @binding(1) var<storage, read> target_value: array<f32>;
@group(0) @binding(2) var<storage, read> root: array<f32>;
@group(0) @binding(3) var<storage, read> weights: array<f32>;
@group(0) @binding(4) var<storage, read_write> dprediction: array<f32>;
@group(0) @binding(5) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let at = (wid.x + wid.y * groups.x) * WG + local;
if (at >= dims.batch * dims.pixels) {
return;
}
let sample = at / dims.pixels;
let base = sample * dims.channels * dims.pixels + at % dims.pixels;
let weight = weights[sample] / f32(dims.mean_of);
let r = root[sample];
var by_root = 0.0;
if (r > 0.0 || is_nan(r)) {
by_root = weight / (r * f32(dims.channels * dims.pixels));
}
var to_t = 0.0;
var to_p = 0.0;
if (COSINE) {
var dot_pt = 0.0;
var squares_p = 0.0;
var squares_t = 0.0;
for (var channel = 0u; channel < dims.channels; channel++) {
let p = prediction[base + channel * dims.pixels];
let t = target_value[base + channel * dims.pixels];
dot_pt += p * t;
squares_p += p * p;
squares_t += t * t;
}
let norm_p = at_least(sqrt(squares_p), 1e-8);
let norm_t = at_least(sqrt(squares_t), 1e-8);
let scale = weight / f32(dims.pixels);
to_t = scale / (norm_p * norm_t);
if (norm_p > 1e-8 || is_nan(norm_p)) {
to_p = scale * dot_pt / (norm_t * norm_p * squares_p);
}
}
for (var channel = 0u; channel < dims.channels; channel++) {
let i = base + channel * dims.pixels;
let p = prediction[i];
let t = target_value[i];
dprediction[i] = by_root * (p - t) - to_t * t + to_p * p;
}
}




fn is_nan(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}










fn at_least(x: f32, least: f32) -> f32 {
return select(max(x, least), x, is_nan(x));
}` as string,
} as const satisfies ShaderSource;

/**
 * loss_bwd: the gradient of sum over b of weights[b] per_sample[b] / mean_of by the prediction.
 * RMSE part: (p - t) / (root numel), 0 where root is 0. Cosine part, a pixel: -(t/|t| - cos p/|p|) / (|p| pixels); a clamped
 * norm is a constant.
 * Buffers f32: prediction, target_value, dprediction [batch, channels, pixels]; root, weights [batch].
 * Grid: one invocation a pixel of a sample (all its channels), WG a workgroup.
 * Precision: f32.
 * Source: the derivative of shaders/loss_fwd.wgsl.
 */
export interface LossBwd extends Same<typeof loss_bwd_> {}
export const loss_bwd: LossBwd = loss_bwd_;

const loss_fwd_ = {
  name: 'loss_fwd',
  entryPoint: 'main',
  bindings: {
    prediction: { binding: 0, access: 'read', element: 'f32' },
    target_value: { binding: 1, access: 'read', element: 'f32' },
    per_sample: { binding: 2, access: 'read_write', element: 'f32' },
    root: { binding: 3, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 4, size: 20, fields: {
    batch: { type: 'u32', offset: 0 },
    channels: { type: 'u32', offset: 4 },
    pixels: { type: 'u32', offset: 8 },
    c: { type: 'f32', offset: 12 },
    power: { type: 'f32', offset: 16, else: 0 },
  } },
  knobs: {
    LANES: { kind: 'const', type: 'u32', default: 256, halves: true },
    COSINE: { kind: 'const', type: 'bool', default: false },
    SQUARED: { kind: 'const', type: 'bool', default: false },
    POWERED: { kind: 'const', type: 'bool', default: false },
  },
  workgroup: ['LANES'],
  code: `











const LANES: u32 = 256u;
const ROWS: u32 = 1u;
const COSINE: bool = false;
const SQUARED: bool = false;
const POWERED: bool = false;

alias Summed = vec2f;

struct Dims {
batch: u32,
channels: u32,
pixels: u32,
c: f32,
power: f32,
}

@group(0) @binding(0) var<storage, read> prediction: array<f32>;
@group(0) @binding(1) var<storage, read> target_value: array<f32>;
@group(0) @binding(2) var<storage, read_write> per_sample: array<f32>;
@group(0) @binding(3) var<storage, read_write> root: array<f32>;
@group(0) @binding(4) var<uniform> dims: Dims;


fn integral(mse: f32) -> f32 {
let rest = 1.0 - dims.power;
if (rest == 0.0) {
return log(1.0 + mse / dims.c);
}
return (pow(mse + dims.c, rest) - pow(dims.c, rest)) / rest;
}

@compute @workgroup_size(LANES)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_id) lid: vec3u,
) {
let sample = wid.x + wid.y * groups.x;
let live = sample < dims.batch;
let base = select(0u, sample, live) * dims.channels * dims.pixels;
let end = select(0u, dims.pixels, live);
var sums = Runs();
for (var first = lid.x; first < end; first += RUN * LANES) {
var run = Summed();
for (var pixel = first; pixel < min(end, first + RUN * LANES); pixel += LANES) {
var squares = 0.0;
var dot_pt = 0.0;
var norm_p = 0.0;
var norm_t = 0.0;
for (var channel = 0u; channel < dims.channels; channel++) {
let p = prediction[base + channel * dims.pixels + pixel];
let t = target_value[base + channel * dims.pixels + pixel];
squares += (p - t) * (p - t);
dot_pt += p * t;
norm_p += p * p;
norm_t += t * t;
}
run.x += squares;
if (COSINE) {
run.y += 1.0 - dot_pt / (at_least(sqrt(norm_p), 1e-8) * at_least(sqrt(norm_t), 1e-8));
}
}
add_run(&sums, run);
}
let sum = sum_of(sums);
let mse = lanes_sum(sum.x, lid.x, 0u) / f32(dims.channels * dims.pixels);
var value = 0.0;
if (COSINE) {
value = lanes_sum(sum.y, lid.x, 0u) / f32(dims.pixels);
}
if (live && lid.x == 0u) {
if (SQUARED) {
root[sample] = 0.5;
per_sample[sample] = value + mse;
return;
}
if (POWERED) {
root[sample] = mse;
per_sample[sample] = value + mse;
if (is_finite(mse)) {
root[sample] = 0.5 * pow(mse + dims.c, dims.power);
per_sample[sample] = value + integral(mse);
}
return;
}
let r = sqrt(mse + dims.c * dims.c);
root[sample] = r;
var distance = r;
if (r > 0.0 && is_finite(r)) {
distance = mse / (r + dims.c);
}
per_sample[sample] = value + distance;
}
}





var<workgroup> lane_partials: array<f32, LANES * ROWS>;

fn lanes_sum(value: f32, lane: u32, row: u32) -> f32 {
if (LANES == 1u) {
return value;
}
let base = row * LANES;
lane_partials[base + lane] = value;
workgroupBarrier();
for (var stride = LANES / 2u; stride > 0u; stride /= 2u) {
if (lane < stride) {
lane_partials[base + lane] += lane_partials[base + lane + stride];
}
workgroupBarrier();
}
let total = lane_partials[base];
workgroupBarrier();
return total;
}





const RUN: u32 = 256u;

struct Runs {
total: Summed,
block: Summed,
count: u32,
}

fn add_run(runs: ptr<function, Runs>, run: Summed) {
(*runs).block += run;
(*runs).count++;
if ((*runs).count % RUN == 0u) {
(*runs).total += (*runs).block;
(*runs).block = Summed();
}
}

fn sum_of(runs: Runs) -> Summed {
return runs.total + runs.block;
}




fn is_nan(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}





fn is_finite(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u;
}


fn at_least(x: f32, least: f32) -> f32 {
return select(max(x, least), x, is_nan(x));
}` as string,
} as const satisfies ShaderSource;

/**
 * loss_fwd: per sample, root - c with root = sqrt(mean((p - t)^2) + c^2); c = 0 is the RMSE. With SQUARED the mean square
 * itself, and a root of 1/2, with which loss_bwd's slope (p - t) / (root numel) is that of the square. With POWERED the integral of
 * (mse + c)^-power from 0 to mse, and root = (mse + c)^power / 2: the slope is that of the square, weighted by (mse + c)^-power. With
 * COSINE, plus the mean over pixels of 1 - cos(p, t) over channels, each norm clamped at 1e-8.
 * Buffers f32: prediction, target_value [batch, channels, pixels]; per_sample, root [batch].
 * Grid: LANES invocations a sample, one sample a workgroup; neighbours read neighbouring pixels.
 * Precision: f32; root - c is taken as mse / (root + c), which does not cancel.
 * Source: UCGM (arXiv 2505.07447), the training loss; pseudo-Huber: Song & Dhariwal 2023; the power: Geng et al. 2025 (MeanFlow).
 */
export interface LossFwd extends Same<typeof loss_fwd_> {}
export const loss_fwd: LossFwd = loss_fwd_;

const loss_total_ = {
  name: 'loss_total',
  entryPoint: 'main',
  bindings: {
    per_sample: { binding: 0, access: 'read', element: 'f32' },
    weights: { binding: 1, access: 'read', element: 'f32' },
    total: { binding: 2, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 3, size: 12, fields: {
    batch: { type: 'u32', offset: 0 },
    slot: { type: 'u32', offset: 4 },
    slots: { type: 'u32', offset: 8 },
  } },
  knobs: {
    LANES: { kind: 'const', type: 'u32', default: 256, halves: true },
  },
  workgroup: ['LANES'],
  code: `






const LANES: u32 = 256u;
const ROWS: u32 = 1u;

alias Summed = f32;

struct Dims {
batch: u32,
slot: u32,
slots: u32,
}

@group(0) @binding(0) var<storage, read> per_sample: array<f32>;
@group(0) @binding(1) var<storage, read> weights: array<f32>;
@group(0) @binding(2) var<storage, read_write> total: array<f32>;
@group(0) @binding(3) var<uniform> dims: Dims;

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_id) lid: vec3u) {
var sums = Runs();
for (var first = lid.x; first < dims.batch; first += RUN * LANES) {
var run = 0.0;
for (var b = first; b < min(dims.batch, first + RUN * LANES); b += LANES) {
run += weights[b] * per_sample[b];
}
add_run(&sums, run);
}
let sum = lanes_sum(sum_of(sums), lid.x, 0u);
if (lid.x == 0u) {
total[dims.slot] = sum / f32(dims.batch);
}
}





var<workgroup> lane_partials: array<f32, LANES * ROWS>;

fn lanes_sum(value: f32, lane: u32, row: u32) -> f32 {
if (LANES == 1u) {
return value;
}
let base = row * LANES;
lane_partials[base + lane] = value;
workgroupBarrier();
for (var stride = LANES / 2u; stride > 0u; stride /= 2u) {
if (lane < stride) {
lane_partials[base + lane] += lane_partials[base + lane + stride];
}
workgroupBarrier();
}
let total = lane_partials[base];
workgroupBarrier();
return total;
}





const RUN: u32 = 256u;

struct Runs {
total: Summed,
block: Summed,
count: u32,
}

fn add_run(runs: ptr<function, Runs>, run: Summed) {
(*runs).block += run;
(*runs).count++;
if ((*runs).count % RUN == 0u) {
(*runs).total += (*runs).block;
(*runs).block = Summed();
}
}

fn sum_of(runs: Runs) -> Summed {
return runs.total + runs.block;
}` as string,
} as const satisfies ShaderSource;

/**
 * loss_total: total[slot] = sum over b of weights[b] per_sample[b] / batch.
 * Buffers f32: per_sample, weights [batch]; total [slots].
 * Grid: one workgroup of LANES invocations.
 * Precision: f32, in one fixed order.
 */
export interface LossTotal extends Same<typeof loss_total_> {}
export const loss_total: LossTotal = loss_total_;

const matmul_f32x3_ = {
  name: 'matmul_f32x3',
  entryPoint: 'main',
  bindings: {
    a: { binding: 0, access: 'read', element: 'AElem' },
    b: { binding: 1, access: 'read', element: 'BElem' },
    bias: { binding: 2, access: 'read', element: 'f32', optional: 'HAS_BIAS' },
    gate: { binding: 3, access: 'read', element: 'f32', optional: 'HAS_GATE' },
    residual: { binding: 4, access: 'read', element: 'RElem', optional: 'HAS_RESIDUAL' },
    out: { binding: 5, access: 'read_write', element: 'OElem' },
    pre: { binding: 6, access: 'read_write', element: 'OElem', optional: 'HAS_PRE' },
    ranges: { binding: 8, access: 'read', element: 'u32' },
  },
  uniform: { binding: 7, size: 44, fields: {
    m: { type: 'u32', offset: 0 },
    n: { type: 'u32', offset: 4 },
    k: { type: 'u32', offset: 8 },
    batch: { type: 'u32', offset: 12, else: 1 },
    k_chunk: { type: 'u32', offset: 16, else: 'k' },
    gate_rows: { type: 'u32', offset: 20, else: 1, optional: 'HAS_GATE' },
    gate_stride: { type: 'u32', offset: 24, else: 0, optional: 'HAS_GATE' },
    gate_offset: { type: 'u32', offset: 28, else: 0, optional: 'HAS_GATE' },
    residual_rows: { type: 'u32', offset: 32, else: 1, optional: 'HAS_RESIDUAL' },
    range_a: { type: 'u32', offset: 36, else: 0 },
    range_b: { type: 'u32', offset: 40, else: 1 },
  } },
  knobs: {
    TRANS_A: { kind: 'const', type: 'bool', default: false },
    TRANS_B: { kind: 'const', type: 'bool', default: false },
    VEC_A: { kind: 'const', type: 'bool', default: false },
    VEC_B: { kind: 'const', type: 'bool', default: false },
    VEC_N: { kind: 'const', type: 'bool', default: false },
    AElem: { kind: 'alias', type: 'type', default: 'f32' },
    BElem: { kind: 'alias', type: 'type', default: 'f32' },
    OScalar: { kind: 'alias', type: 'type', default: 'f32' },
    RElem: { kind: 'alias', type: 'type', default: 'f32' },
    OElem: { kind: 'alias', type: 'type', default: 'array<f32, 1>' },
    A_EACH: { kind: 'const', type: 'u32', default: 1 },
    A_OF: { kind: 'const', type: 'u32', default: 0 },
    B_EACH: { kind: 'const', type: 'u32', default: 1 },
    B_OF: { kind: 'const', type: 'u32', default: 0 },
    ACT: { kind: 'const', type: 'u32', default: 0 },
    HAS_BIAS: { kind: 'const', type: 'bool', default: false },
    HAS_GATE: { kind: 'const', type: 'bool', default: false },
    HAS_RESIDUAL: { kind: 'const', type: 'bool', default: false },
    HAS_PRE: { kind: 'const', type: 'bool', default: false },
  },
  workgroup: [128],
  enables: ['f16', 'subgroups', 'chromium_experimental_subgroup_matrix'],
  code: `



















enable f16;
enable subgroups;
enable chromium_experimental_subgroup_matrix;

const TRANS_A: bool = false;
const TRANS_B: bool = false;
const VEC_A: bool = false;
const VEC_B: bool = false;
const VEC_N: bool = false;
alias AElem = f32;
alias BElem = f32;
alias OScalar = f32;
alias RElem = f32;
alias OElem = array<f32, 1>;
const A_EACH: u32 = 1u;
const A_OF: u32 = 0u;
const B_EACH: u32 = 1u;
const B_OF: u32 = 0u;
const ACT: u32 = 0u;
const HAS_BIAS: bool = false;
const HAS_GATE: bool = false;
const HAS_RESIDUAL: bool = false;
const HAS_PRE: bool = false;

const TM: u32 = 2u;
const TN: u32 = 2u;
const GLU: bool = false;
const WORDS_A: bool = false;
const WORDS_B: bool = false;
alias AScalar = f32;
alias BScalar = f32;
const LEAST_HALF: f32 = 0.00006103515625;
const LOW: f32 = 2048.0;

struct Dims {
m: u32,
n: u32,
k: u32,
batch: u32,
k_chunk: u32,
gate_rows: u32,
gate_stride: u32,
gate_offset: u32,
residual_rows: u32,
range_a: u32,
range_b: u32,
}

@group(0) @binding(0) var<storage, read> a: array<AElem>;
@group(0) @binding(1) var<storage, read> b: array<BElem>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> gate: array<f32>;
@group(0) @binding(4) var<storage, read> residual: array<RElem>;
@group(0) @binding(5) var<storage, read_write> out: array<OElem>;
@group(0) @binding(6) var<storage, read_write> pre: array<OElem>;
@group(0) @binding(7) var<uniform> dims: Dims;
@group(0) @binding(8) var<storage, read> ranges: array<u32>;

var<workgroup> parts: array<array<vec4u, PART>, 8>;
var<workgroup> largest: array<atomic<u32>, 2>;
var<workgroup> magnitudes: vec2u;


struct Fetched {
a0: Read,
a1: Read,
b0: Read,
b1: Read,
}

fn fetch(item_a: vec2u, item_b: vec2u, from_a: Source, from_b: Source, step: u32) -> Fetched {
return Fetched(
fetch_a(item_a, 0u, from_a, step),
fetch_a(item_a, 1u, from_a, step),
fetch_b(item_b, 0u, from_b, step),
fetch_b(item_b, 1u, from_b, step),
);
}



fn rounded(x: vec4f) -> vec4f {
let near = bitcast<vec4f>((bitcast<vec4u>(x) + 0x1000u) & vec4u(0xffffe000u));
return select(near, vec4f(), abs(x) < vec4f(LEAST_HALF));
}

fn stage_eight(part: u32, at: u32, f: Read, scale: f32) {
let low = f.low * scale;
let high = f.high * scale;
let h_low = rounded(low);
let h_high = rounded(high);
parts[part][at] = halves(h_low, h_high);
parts[part + 4u][at] = halves((low - h_low) * LOW, (high - h_high) * LOW);
}

fn stage_a(item: vec2u, i: u32, f: Read, scale: f32) {
let place = place_a(item, i);
stage_eight(place.x, place.y, f, scale);
}

fn stage_b(item: vec2u, i: u32, f: Read, scale: f32) {
let place = place_b(item, i);
stage_eight(2u + place.x, place.y, f, scale);
}

fn stage(item_a: vec2u, item_b: vec2u, f: Fetched, scales: vec2f) {
stage_a(item_a, 0u, f.a0, scales.x);
stage_a(item_a, 1u, f.a1, scales.x);
stage_b(item_b, 0u, f.b0, scales.y);
stage_b(item_b, 1u, f.b1, scales.y);
}

struct Sums {
c00: Sum,
c01: Sum,
c10: Sum,
c11: Sum,
}

fn add_products(before: Sums, x0: Left, x1: Left, y0: Right, y1: Right) -> Sums {
return Sums(
add_product(x0, y0, before.c00),
add_product(x0, y1, before.c01),
add_product(x1, y0, before.c10),
add_product(x1, y1, before.c11),
);
}

fn left(part: u32, i: u32, kk: u32) -> Left {
return left_at(part, left_place(i, kk), A_LINE, TRANS_A);
}

fn right(part: u32, i: u32, kk: u32) -> Right {
return right_at(part, right_place(i, kk), B_LINE, TRANS_B);
}


struct Both {
high: Sums,
low: Sums,
}


fn multiply_16(before: Both, part_a: u32, part_b: u32, kk: u32) -> Both {
var s = before;
let x0 = left(part_a, 0u, kk);
let x1 = left(part_a, 1u, kk);
let y0 = right(part_b, 0u, kk);
let y1 = right(part_b, 1u, kk);
s.low = add_products(s.low, left(part_a + 4u, 0u, kk), left(part_a + 4u, 1u, kk), y0, y1);
s.low = add_products(s.low, x0, x1, right(part_b + 4u, 0u, kk), right(part_b + 4u, 1u, kk));
s.high = add_products(s.high, x0, x1, y0, y1);
return s;
}

fn multiply(before: Both, part_a: u32, part_b: u32) -> Both {
return multiply_16(multiply_16(before, part_a, part_b, 0u), part_a, part_b, 1u);
}

const OUT_LINE: u32 = 4u * TN + 1u;


struct Totals {
t00: vec4f,
t01: vec4f,
t02: vec4f,
t03: vec4f,
t10: vec4f,
t11: vec4f,
t12: vec4f,
t13: vec4f,
}

fn quad_at(part: u32, x: u32, lane: u32) -> vec4f {
let e = x * 32u + lane;
return bitcast<vec4f>(parts[part][e / (4u * TN) * OUT_LINE + e % (4u * TN)]);
}



fn add_up(before: Totals, s: Sums, factor: f32, part: u32, lane: u32) -> Totals {
var t = before;
put_sum(part, 0u, s.c00, OUT_LINE);
put_sum(part, 4u, s.c01, OUT_LINE);
put_sum(part + 4u, 0u, s.c10, OUT_LINE);
put_sum(part + 4u, 4u, s.c11, OUT_LINE);
workgroupBarrier();
t.t00 += factor * quad_at(part, 0u, lane);
t.t01 += factor * quad_at(part, 1u, lane);
t.t02 += factor * quad_at(part, 2u, lane);
t.t03 += factor * quad_at(part, 3u, lane);
t.t10 += factor * quad_at(part + 4u, 0u, lane);
t.t11 += factor * quad_at(part + 4u, 1u, lane);
t.t12 += factor * quad_at(part + 4u, 2u, lane);
t.t13 += factor * quad_at(part + 4u, 3u, lane);
workgroupBarrier();
return t;
}


fn exponent_of(bits: u32) -> i32 {
return select(clamp(14 - (i32(bits >> 23u) - 127), -126, 126), 0, bits == 0u);
}

fn power_of_two(e: i32) -> f32 {
return bitcast<f32>(u32(e + 127) << 23u);
}


fn ranges_of(local: u32) -> vec2u {
atomicMax(&largest[0], ranges[dims.range_a * THREADS + local]);
atomicMax(&largest[1], ranges[dims.range_b * THREADS + local]);
workgroupBarrier();
if (local == 0u) {
magnitudes = vec2u(atomicLoad(&largest[0]), atomicLoad(&largest[1]));
}
return workgroupUniformLoad(&magnitudes);
}

fn number_of_a(at: u32) -> f32 {
if (VEC_A) {
return a_at(at / 4u)[at % 4u];
}
return a_at(at).x;
}

fn number_of_b(at: u32) -> f32 {
if (VEC_B) {
return b_at(at / 4u)[at % 4u];
}
return b_at(at).x;
}


fn summed(row: u32, col: u32, from_a: Source, from_b: Source, k_begin: u32, k_end: u32) -> vec4f {
var sum = vec4f();
let r = min(row, dims.m - 1u);
let c = min(vec4u(col, col + 1u, col + 2u, col + 3u), vec4u(dims.n - 1u));
for (var k = k_begin; k < k_end; k++) {
let x = number_of_a(from_a.base + select(r * dims.k + k, k * dims.m + r, TRANS_A));
let at = from_b.base + select(k * dims.n + c, c * dims.k + k, vec4<bool>(TRANS_B));
sum += x * vec4f(number_of_b(at.x), number_of_b(at.y), number_of_b(at.z), number_of_b(at.w));
}
return sum;
}

@compute @workgroup_size(128)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
@builtin(subgroup_id) subgroup: u32,
@builtin(subgroup_invocation_id) lane: u32,
) {
let tile = product_place(wid, groups, BM, BN, dims.n);
if (!tile.live) {
return;
}
let from_a = source_a(tile.from_a, tile.row, tile.k_begin, tile.k_end);
let from_b = source_b(tile.from_b, tile.col, tile.k_begin, tile.k_end);
let row_out = tile.row + (subgroup / 2u) * 16u * TM + lane / (4u * TN);
let col_out = tile.col + (subgroup % 2u) * 16u * TN + lane % (4u * TN) * 4u;
let range = ranges_of(local);

if (max(range.x, range.y) >= 0x7f800000u) {
for (var quad = 0u; quad < 8u; quad++) {
let row = row_out + quad * 4u;
let sum = summed(row, col_out, from_a, from_b, tile.k_begin, tile.k_end);
finish(tile.slice, tile.batch, row, col_out, sum, column_from(row, col_out));
}
return;
}

let exponents = vec2i(exponent_of(range.x), exponent_of(range.y));
let scales = vec2f(power_of_two(exponents.x), power_of_two(exponents.y));
let part_a = subgroup / 2u;
let part_b = 2u + subgroup % 2u;
let item_a = item_of(local, !TRANS_A, BM);
let item_b = item_of(local, TRANS_B, BN);
var s = Both();
var t = Totals();
var next = fetch(item_a, item_b, from_a, from_b, 0u);
var after = fetch(item_a, item_b, from_a, from_b, BK);
for (var k0 = 0u; k0 < tile.k_end - tile.k_begin; k0 += 2u * BK) {

stage(item_a, item_b, next, scales);
workgroupBarrier();
next = fetch(item_a, item_b, from_a, from_b, k0 + 2u * BK);
s = multiply(s, part_a, part_b);
workgroupBarrier();
stage(item_a, item_b, after, scales);
workgroupBarrier();
after = fetch(item_a, item_b, from_a, from_b, k0 + 3u * BK);
s = multiply(s, part_a, part_b);
workgroupBarrier();
t = add_up(t, s.high, 1.0, subgroup, lane);
s.high = Sums();
}
t = add_up(t, s.low, 1.0 / LOW, subgroup, lane);

let back = -(exponents.x + exponents.y);
let half = back / 2;
let first = power_of_two(half);
let second = power_of_two(back - half);
let column = column_from(row_out, col_out);
finish(tile.slice, tile.batch, row_out, col_out, t.t00 * first * second, column);
finish(tile.slice, tile.batch, row_out + 4u, col_out, t.t01 * first * second, column_at(column, row_out + 4u, col_out, 32u));
finish(tile.slice, tile.batch, row_out + 8u, col_out, t.t02 * first * second, column_at(column, row_out + 8u, col_out, 32u));
finish(tile.slice, tile.batch, row_out + 12u, col_out, t.t03 * first * second, column_at(column, row_out + 12u, col_out, 32u));
finish(tile.slice, tile.batch, row_out + 16u, col_out, t.t10 * first * second, column_at(column, row_out + 16u, col_out, 32u));
finish(tile.slice, tile.batch, row_out + 20u, col_out, t.t11 * first * second, column_at(column, row_out + 20u, col_out, 32u));
finish(tile.slice, tile.batch, row_out + 24u, col_out, t.t12 * first * second, column_at(column, row_out + 24u, col_out, 32u));
finish(tile.slice, tile.batch, row_out + 28u, col_out, t.t13 * first * second, column_at(column, row_out + 28u, col_out, 32u));
}





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

























struct ProductPlace {
live: bool,
slice: u32,
batch: u32,
row: u32,
col: u32,
k_begin: u32,
k_end: u32,
from_a: u32,
from_b: u32,
}


fn product_place(wid: vec3u, groups: vec3u, rows: u32, cols: u32, width: u32) -> ProductPlace {
let tiles_n = (width + cols - 1u) / cols;
let tiles_m = (dims.m + rows - 1u) / rows;
let group = wid.x + wid.y * groups.x;
let slice = group / (tiles_n * tiles_m);
let tile = group % (tiles_n * tiles_m);
let splits = (dims.k + dims.k_chunk - 1u) / dims.k_chunk;
let batch = slice % dims.batch;
let k_begin = slice / dims.batch * dims.k_chunk;
return ProductPlace(
slice < splits * dims.batch,
slice,
batch,
tile / tiles_n * rows,
tile % tiles_n * cols,
k_begin,
min(dims.k, k_begin + dims.k_chunk),
shared_matrix(batch, A_EACH, A_OF) * dims.m * dims.k,
shared_matrix(batch, B_EACH, B_OF) * dims.k * dims.n,
);
}






alias Left = subgroup_matrix_left<f16, 16, 16>;
alias Right = subgroup_matrix_right<f16, 16, 16>;
alias Sum = subgroup_matrix_result<f32, 16, 16>;


fn left_at(part: u32, at: u32, line: u32, turned: bool) -> Left {
if (turned) {
return subgroupMatrixLoad<Left, col_major>(&parts[part], at, line);
}
return subgroupMatrixLoad<Left, row_major>(&parts[part], at, line);
}

fn right_at(part: u32, at: u32, line: u32, turned: bool) -> Right {
if (turned) {
return subgroupMatrixLoad<Right, col_major>(&parts[part], at, line);
}
return subgroupMatrixLoad<Right, row_major>(&parts[part], at, line);
}

fn add_product(x: Left, y: Right, sum: Sum) -> Sum {
return subgroupMatrixMultiplyAccumulate(x, y, sum);
}


fn put_sum(part: u32, at: u32, sum: Sum, line: u32) {
subgroupMatrixStore<row_major>(&parts[part], at, sum, line);
}














struct Read {
words: vec4u,
low: vec4f,
high: vec4f,
}


fn a_at(i: u32) -> vec4<AScalar> { return vec4<AScalar>(a[i]); }
fn b_at(i: u32) -> vec4<BScalar> { return vec4<BScalar>(b[i]); }


struct Source {
base: u32,
length: u32,
lines: u32,
end: u32,
line: u32,
along: u32,
}

fn source_a(base: u32, row: u32, k_begin: u32, k_end: u32) -> Source {
if (TRANS_A) {
return Source(base, dims.m, k_end, dims.m, k_begin, row);
}
return Source(base, dims.k, dims.m, k_end, row, k_begin);
}

fn source_b(base: u32, col: u32, k_begin: u32, k_end: u32) -> Source {
if (TRANS_B) {
return Source(base, dims.k, dims.n, k_end, col, k_begin);
}
return Source(base, dims.n, k_end, dims.n, k_begin, col);
}


fn fetch_a(item: vec2u, i: u32, source: Source, step: u32) -> Read {
let line = source.line + item.x + i * A_LINES + select(0u, step, TRANS_A);
let along = source.along + item.y * 8u + select(step, 0u, TRANS_A);
let at = source.base + line * source.length + along;
var f = Read();
if (line < source.lines && along < source.end) {
if (WORDS_A) {
f.words = vec4u(a_at(at / 8u));
} else if (VEC_A) {
f.low = vec4f(a_at(at / 4u));
f.high = vec4f(a_at(at / 4u + 1u));
} else {
let last = source.end - along - 1u;
f.low = vec4f(f32(a_at(at).x), f32(a_at(at + min(1u, last)).x), f32(a_at(at + min(2u, last)).x), f32(a_at(at + min(3u, last)).x));
f.high = vec4f(f32(a_at(at + min(4u, last)).x), f32(a_at(at + min(5u, last)).x), f32(a_at(at + min(6u, last)).x), f32(a_at(at + min(7u, last)).x));
f.low = select(vec4f(), f.low, vec4u(0u, 1u, 2u, 3u) <= vec4u(last));
f.high = select(vec4f(), f.high, vec4u(4u, 5u, 6u, 7u) <= vec4u(last));
}
}
return f;
}


fn apart_b(i: u32) -> u32 {
return select(0u, dims.n / 2u - 16u * TN, GLU && i * B_LINES >= 16u * TN);
}

fn fetch_b(item: vec2u, i: u32, source: Source, step: u32) -> Read {
let line = source.line + item.x + i * B_LINES + apart_b(i) + select(step, 0u, TRANS_B);
let along = source.along + item.y * 8u + select(0u, step, TRANS_B);
let at = source.base + line * source.length + along;
var f = Read();
if (line < source.lines && along < source.end) {
if (WORDS_B) {
f.words = vec4u(b_at(at / 8u));
} else if (VEC_B) {
f.low = vec4f(b_at(at / 4u));
f.high = vec4f(b_at(at / 4u + 1u));
} else {
let last = source.end - along - 1u;
f.low = vec4f(f32(b_at(at).x), f32(b_at(at + min(1u, last)).x), f32(b_at(at + min(2u, last)).x), f32(b_at(at + min(3u, last)).x));
f.high = vec4f(f32(b_at(at + min(4u, last)).x), f32(b_at(at + min(5u, last)).x), f32(b_at(at + min(6u, last)).x), f32(b_at(at + min(7u, last)).x));
f.low = select(vec4f(), f.low, vec4u(0u, 1u, 2u, 3u) <= vec4u(last));
f.high = select(vec4f(), f.high, vec4u(4u, 5u, 6u, 7u) <= vec4u(last));
}
}
return f;
}







fn residual_at(i: u32) -> vec4f { return vec4f(vec4<OScalar>(residual[i])); }


fn bias_from(col: u32) -> vec4f {
let c = columns_from(col);
return vec4f(bias[c.x], bias[c.y], bias[c.z], bias[c.w]);
}


fn gate_from(row: u32, col: u32) -> vec4f {
let at = (min(row, dims.m - 1u) / dims.gate_rows) * dims.gate_stride + dims.gate_offset;
let c = at + columns_from(col);
return vec4f(gate[c.x], gate[c.y], gate[c.z], gate[c.w]);
}


fn columns_from(col: u32) -> vec4u {
return min(col + vec4u(0u, 1u, 2u, 3u), vec4u(dims.n - 1u));
}


struct Column {
bias: vec4f,
gate: vec4f,
}


fn column_from(row: u32, col: u32) -> Column {
var column = Column(vec4f(), vec4f(1.0));
if (HAS_BIAS) { column.bias = bias_from(col); }
if (HAS_GATE) { column.gate = gate_from(row, col); }
return column;
}


fn column_at(first: Column, row: u32, col: u32, rows: u32) -> Column {
var column = first;
if (HAS_GATE && dims.gate_rows % rows != 0u) { column.gate = gate_from(row, col); }
return column;
}


fn finish(slice: u32, batch: u32, row: u32, col: u32, sum: vec4f, column: Column) {
if (row < dims.m && col < dims.n) {
let index = (slice * dims.m + row) * dims.n + col;
var value = sum;
let count = min(4u, dims.n - col);
if (HAS_BIAS) { value += column.bias; }
if (HAS_PRE) { put_pre(index, count, value); }
if (ACT != 0u) {
value = vec4f(act(value.x), act(value.y), act(value.z), act(value.w));
}
if (HAS_GATE) { value *= column.gate; }
if (HAS_RESIDUAL) {
var own = row;
if (dims.residual_rows < dims.m) { own %= dims.residual_rows; }
let at = (batch * dims.residual_rows + own) * dims.n + col;
if (VEC_N) {
value += residual_at(at / 4u);
} else {
value.x += residual_at(at).x;
if (count > 1u) { value.y += residual_at(at + 1u).x; }
if (count > 2u) { value.z += residual_at(at + 2u).x; }
if (count > 3u) { value.w += residual_at(at + 3u).x; }
}
}
put_out(index, count, value);
}
}




const SQRT_2_OVER_PI: f32 = 0.7978845608028654;
const GELU_CUBIC: f32 = 0.044715;


const SQRT_2: f32 = 1.4142135623730951;


fn magnitude(x: f32, most: f32) -> f32 {
return between(abs(x), 0.0, most);
}


fn safe_tanh(x: f32) -> f32 {
return tanh(between(x, -10.0, 10.0));
}


fn gelu(x: f32) -> f32 {
return 0.5 * x * (1.0 + safe_tanh(SQRT_2_OVER_PI * (x + GELU_CUBIC * x * x * x)));
}








fn sigmoid(x: f32) -> f32 {
let e = exp(-magnitude(x, 200.0));
return select(e, 1.0, x >= 0.0) / (1.0 + e);
}








fn tanh_exact(x: f32) -> f32 {
let e = exp(-2.0 * magnitude(x, 100.0));
let far = (1.0 - e) / (1.0 + e);
let z = x * x;
let near = x + x * z * (-0.333332819422 + z * (0.133314422036 + z * (-0.0537397155531 + z * (0.0206390887954 - z * 0.00570498872745))));
return select(select(far, -far, x < 0.0), near, abs(x) < 0.625);
}









struct NormalTail {
above: f32,
exponential: f32,
}

fn normal_tail(x: f32) -> NormalTail {
let size = magnitude(x, 20.0);
let t = 1.0 / (1.0 + 0.235 * size);
let low = t * (0.09380543 + t * (0.09267475 + t * (0.09759892 + t * 0.03674156)));
let high = 0.17745271 + t * (-0.14311284 + t * (0.2086004 - t * 0.063760936));
let e = exp(-0.5 * size * size);
return NormalTail(e * (low + t * t * t * t * t * high), e);
}


fn gelu_erf(x: f32) -> f32 {
let tail = normal_tail(x);
return x * select(tail.above, 1.0 - tail.above, x >= 0.0);
}







fn erf(x: f32) -> f32 {
let z = x * x;
let near = x * (1.1283791 + z * (-0.37612325 + z * (0.1128018 + z * (-0.026711311 + z * (0.0049175513 - z * 0.0005631422)))));
let far = 1.0 - 2.0 * normal_tail(SQRT_2 * x).above;
return select(select(far, -far, x < 0.0), near, abs(x) < 1.0);
}






fn relu(x: f32) -> f32 {
return at_least(x, 0.0);
}





fn silu(x: f32) -> f32 {
return x * sigmoid(x);
}










fn shared_matrix(i: u32, each: u32, count: u32) -> u32 {
return select(i / each, i / each % max(count, 1u), count > 0u);
}





const BK: u32 = 32u;
const THREADS: u32 = 128u;
const BM: u32 = 32u * TM;
const BN: u32 = 32u * TN;
const K_LINE: u32 = BK / 8u + 1u;
const A_LINE: u32 = select(K_LINE, 2u * TM + 1u, TRANS_A);
const B_LINE: u32 = select(2u * TN + 1u, K_LINE, TRANS_B);
const PART: u32 = 16u * max(TM, TN) * K_LINE + 4u;



fn item_of(local: u32, along_k: bool, side: u32) -> vec2u {
if (along_k) {
return vec2u((local / 32u) * 8u + (local / 8u) % 4u + (local / 4u) % 2u * 4u, local % 4u);
}
return vec2u(local / (side / 8u), local % (side / 8u));
}

const A_LINES: u32 = select(32u, 32u / TM, TRANS_A);
const B_LINES: u32 = select(32u / TN, 32u, TRANS_B);


fn place_a(item: vec2u, i: u32) -> vec2u {
if (TRANS_A) {
return vec2u(item.y / (2u * TM), (item.x + i * A_LINES) * A_LINE + item.y % (2u * TM));
}
return vec2u(i * A_LINES / (16u * TM), (item.x + i * A_LINES % (16u * TM)) * A_LINE + item.y);
}

fn place_b(item: vec2u, i: u32) -> vec2u {
if (TRANS_B) {
return vec2u(i * B_LINES / (16u * TN), (item.x + i * B_LINES % (16u * TN)) * B_LINE + item.y);
}
return vec2u(item.y / (2u * TN), (item.x + i * B_LINES) * B_LINE + item.y % (2u * TN));
}


fn left_place(i: u32, kk: u32) -> u32 {
return select(i * 16u * A_LINE + kk * 2u, kk * 16u * A_LINE + i * 2u, TRANS_A);
}

fn right_place(i: u32, kk: u32) -> u32 {
return select(kk * 16u * B_LINE + i * 2u, i * 16u * B_LINE + kk * 2u, TRANS_B);
}
















fn halves(low: vec4f, high: vec4f) -> vec4u {
return vec4u(pack2x16float(low.xy), pack2x16float(low.zw), pack2x16float(high.xy), pack2x16float(high.zw));
}




const STORE_WIDTH: u32 = select(1u, 4u, VEC_N);


fn put_pre(index: u32, count: u32, value: vec4f) {
for (var j = 0u; j < 4u; j += STORE_WIDTH) {
if (j < count) {
var part: OElem;
for (var c = 0u; c < STORE_WIDTH; c++) {
part[c] = OScalar(value[j + c]);
}
pre[(index + j) / STORE_WIDTH] = part;
}
}
}

fn put_out(index: u32, count: u32, value: vec4f) {
for (var j = 0u; j < 4u; j += STORE_WIDTH) {
if (j < count) {
var part: OElem;
for (var c = 0u; c < STORE_WIDTH; c++) {
part[c] = OScalar(value[j + c]);
}
out[(index + j) / STORE_WIDTH] = part;
}
}
}




fn is_nan(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}










fn at_least(x: f32, least: f32) -> f32 {
return select(max(x, least), x, is_nan(x));
}


fn between(x: f32, low: f32, high: f32) -> f32 {
return select(clamp(x, low, high), x, is_nan(x));
}` as string,
} as const satisfies ShaderSource;

/**
 * matmul_f32x3: out = residual + gate * act(op(A) op(B) + bias), batched, to f32 accuracy by three products of halves on subgroup matrices;
 * a variant of matmul_tiled with the same buffers and dims, and `ranges`.
 * Buffers, row-major (batch outermost), f32 but where it says otherwise:
 * a [batch, m, k] ([batch, k, m] when TRANS_A), b [batch, k, n] ([batch, n, k] when TRANS_B), fewer where the batch shares matrices (lib
 * shared_matrix)
 * ranges [..., 128]: the bits of the largest magnitudes of 128 parts of some tensors (largest.wgsl), a's at range_a, b's at range_b
 * out [splits * batch, m, n], pre [same] = the value before act; bias [n]; residual [batch, residual_rows, n]; gate as in matmul_tiled
 * Split over k: split s sums k in [s * k_chunk, (s + 1) * k_chunk) into out[s * batch + i]; the caller adds the splits. k_chunk >= k: one split.
 * Grid: a workgroup of four subgroups of 32 makes 64 x 64 outputs, a subgroup 32 x 32. Folded over (split, batch, tile).
 * Operands are scaled by powers of two, so that the largest of each is near 2^14, and taken as x = h + l / 2048, halves both: 22 bits and a sign
 * each. Ah Bh goes to one sum, Al Bh + Ah Bl to another, which comes in at the end, 2048 times smaller. A tensor core truncates as it adds: every
 * two steps the first sum goes through workgroup memory into f32 registers (an H100 is 1e-6 off for 256 of k and numbers of one sign, FMA
 * 3e-7). Where a range is no finite number, all is summed by FMA instead.
 * Precision: as f32 sums, or better; the epilogue in f32.
 * Source: Ootomo and Yokota 2022, "Recovering single precision accuracy from Tensor Cores while surpassing the FP32 theoretical peak performance".
 */
export interface MatmulF32x3 extends Same<typeof matmul_f32x3_> {}
export const matmul_f32x3: MatmulF32x3 = matmul_f32x3_;

const matmul_matrix_ = {
  name: 'matmul_matrix',
  entryPoint: 'main',
  bindings: {
    a: { binding: 0, access: 'read', element: 'AElem', holds: 'AStored' },
    b: { binding: 1, access: 'read', element: 'BElem', holds: 'BStored' },
    bias: { binding: 2, access: 'read', element: 'f32', optional: 'HAS_BIAS' },
    gate: { binding: 3, access: 'read', element: 'f32', optional: 'HAS_GATE' },
    residual: { binding: 4, access: 'read', element: 'RElem', optional: 'HAS_RESIDUAL' },
    out: { binding: 5, access: 'read_write', element: 'OElem' },
    pre: { binding: 6, access: 'read_write', element: 'OElem', optional: 'HAS_PRE' },
    sums: { binding: 8, access: 'read_write', element: 'f32', optional: 'HAS_SUMS' },
  },
  uniform: { binding: 7, size: 36, fields: {
    m: { type: 'u32', offset: 0 },
    n: { type: 'u32', offset: 4 },
    k: { type: 'u32', offset: 8 },
    batch: { type: 'u32', offset: 12, else: 1 },
    k_chunk: { type: 'u32', offset: 16, else: 'k' },
    gate_rows: { type: 'u32', offset: 20, else: 1, optional: 'HAS_GATE' },
    gate_stride: { type: 'u32', offset: 24, else: 0, optional: 'HAS_GATE' },
    gate_offset: { type: 'u32', offset: 28, else: 0, optional: 'HAS_GATE' },
    residual_rows: { type: 'u32', offset: 32, else: 1, optional: 'HAS_RESIDUAL' },
  } },
  knobs: {
    TM: { kind: 'const', type: 'u32', default: 4 },
    TN: { kind: 'const', type: 'u32', default: 4 },
    TRANS_A: { kind: 'const', type: 'bool', default: false },
    TRANS_B: { kind: 'const', type: 'bool', default: false },
    VEC_A: { kind: 'const', type: 'bool', default: false },
    VEC_B: { kind: 'const', type: 'bool', default: false },
    VEC_N: { kind: 'const', type: 'bool', default: false },
    WORDS_A: { kind: 'const', type: 'bool', default: false },
    WORDS_B: { kind: 'const', type: 'bool', default: false },
    AStored: { kind: 'alias', type: 'type', default: 'f32' },
    BStored: { kind: 'alias', type: 'type', default: 'f32' },
    AScalar: { kind: 'alias', type: 'type', default: 'f32' },
    BScalar: { kind: 'alias', type: 'type', default: 'f32' },
    AElem: { kind: 'alias', type: 'type', default: 'f32' },
    BElem: { kind: 'alias', type: 'type', default: 'f32' },
    OScalar: { kind: 'alias', type: 'type', default: 'f32' },
    RElem: { kind: 'alias', type: 'type', default: 'f32' },
    OElem: { kind: 'alias', type: 'type', default: 'array<f32, 1>' },
    A_EACH: { kind: 'const', type: 'u32', default: 1 },
    A_OF: { kind: 'const', type: 'u32', default: 0 },
    B_EACH: { kind: 'const', type: 'u32', default: 1 },
    B_OF: { kind: 'const', type: 'u32', default: 0 },
    ACT: { kind: 'const', type: 'u32', default: 0 },
    HAS_BIAS: { kind: 'const', type: 'bool', default: false },
    HAS_GATE: { kind: 'const', type: 'bool', default: false },
    HAS_RESIDUAL: { kind: 'const', type: 'bool', default: false },
    HAS_PRE: { kind: 'const', type: 'bool', default: false },
    HAS_SUMS: { kind: 'const', type: 'bool', default: false },
    GLU: { kind: 'const', type: 'bool', default: false },
  },
  workgroup: [128],
  enables: ['f16', 'subgroups', 'chromium_experimental_subgroup_matrix'],
  code: `




















enable f16;
enable subgroups;
enable chromium_experimental_subgroup_matrix;

const TM: u32 = 4u;
const TN: u32 = 4u;
const TRANS_A: bool = false;
const TRANS_B: bool = false;
const VEC_A: bool = false;
const VEC_B: bool = false;
const VEC_N: bool = false;
const WORDS_A: bool = false;
const WORDS_B: bool = false;
alias AStored = f32;
alias BStored = f32;
alias AScalar = f32;
alias BScalar = f32;
alias AElem = f32;
alias BElem = f32;
alias OScalar = f32;
alias RElem = f32;
alias OElem = array<f32, 1>;
const A_EACH: u32 = 1u;
const A_OF: u32 = 0u;
const B_EACH: u32 = 1u;
const B_OF: u32 = 0u;
const ACT: u32 = 0u;
const HAS_BIAS: bool = false;
const HAS_GATE: bool = false;
const HAS_RESIDUAL: bool = false;
const HAS_PRE: bool = false;
const HAS_SUMS: bool = false;
const GLU: bool = false;

struct Dims {
m: u32,
n: u32,
k: u32,
batch: u32,
k_chunk: u32,
gate_rows: u32,
gate_stride: u32,
gate_offset: u32,
residual_rows: u32,
}

@group(0) @binding(0) var<storage, read> a: array<AElem>;
@group(0) @binding(1) var<storage, read> b: array<BElem>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> gate: array<f32>;
@group(0) @binding(4) var<storage, read> residual: array<RElem>;
@group(0) @binding(5) var<storage, read_write> out: array<OElem>;
@group(0) @binding(6) var<storage, read_write> pre: array<OElem>;
@group(0) @binding(7) var<uniform> dims: Dims;
@group(0) @binding(8) var<storage, read_write> sums: array<f32>;

alias FromA = Source;
alias FromB = Source;

fn halves_of_a(item: vec2u, i: u32, source: Source, step: u32) -> vec4u {
let f = fetch_a(item, i, source, step);
if (WORDS_A) {
return f.words;
}
return halves(f.low, f.high);
}

fn halves_of_b(item: vec2u, i: u32, source: Source, step: u32) -> vec4u {
let f = fetch_b(item, i, source, step);
if (WORDS_B) {
return f.words;
}
return halves(f.low, f.high);
}

fn plus(a: Eight, b: Eight) -> Eight {
return Eight(a.low + b.low, a.high + b.high);
}


fn fetched_sum(f: Fetched) -> Eight {
let two = plus(eight_of(f.a0), eight_of(f.a1));
if (TM > 2u) {
return plus(two, plus(eight_of(f.a2), eight_of(f.a3)));
}
return two;
}


fn write_sums(local: u32, slice: u32, row_base: u32, eight: Eight) {
parts[local / 64u][local % 64u * 2u] = bitcast<vec4u>(eight.low);
parts[local / 64u][local % 64u * 2u + 1u] = bitcast<vec4u>(eight.high);
workgroupBarrier();
let quads = BM / 4u;
let row = row_base + local * 4u;
if (local < quads) {
var total = vec4f();
for (var i = local / 2u; i < THREADS; i += BM / 8u) {
total += bitcast<vec4f>(parts[i / 64u][i % 64u * 2u + local % 2u]);
}
let at = slice * dims.m + row;
if (row < dims.m) { sums[at] = total.x; }
if (row + 1u < dims.m) { sums[at + 1u] = total.y; }
if (row + 2u < dims.m) { sums[at + 2u] = total.z; }
if (row + 3u < dims.m) { sums[at + 3u] = total.w; }
}
workgroupBarrier();
}

@compute @workgroup_size(128)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
@builtin(subgroup_id) subgroup: u32,
@builtin(subgroup_invocation_id) lane: u32,
) {
let tile = product_place(wid, groups, BM, select(BN, BN / 2u, GLU), select(dims.n, dims.n / 2u, GLU));
if (!tile.live) {
return;
}
let from_a = source_a(tile.from_a, tile.row, tile.k_begin, tile.k_end);
let from_b = source_b(tile.from_b, tile.col, tile.k_begin, tile.k_end);
let part_a = subgroup / 2u;
let part_b = 2u + subgroup % 2u;

let item_a = item_of(local, !TRANS_A, BM);
let item_b = item_of(local, TRANS_B, BN);
let summing = HAS_SUMS && tile.col == 0u;
var eight = Eight();
var s = Sums();
var next = fetch(item_a, item_b, from_a, from_b, 0u);
var after = fetch(item_a, item_b, from_a, from_b, BK);
for (var k0 = 0u; k0 < tile.k_end - tile.k_begin; k0 += 2u * BK) {

stage(item_a, item_b, next);
if (summing) {
eight = plus(eight, fetched_sum(next));
}
workgroupBarrier();
next = fetch(item_a, item_b, from_a, from_b, k0 + 2u * BK);
s = multiply(multiply(s, part_a, part_b, 0u), part_a, part_b, 1u);
workgroupBarrier();
stage(item_a, item_b, after);
if (summing) {
eight = plus(eight, fetched_sum(after));
}
workgroupBarrier();
after = fetch(item_a, item_b, from_a, from_b, k0 + 3u * BK);
s = multiply(multiply(s, part_a, part_b, 0u), part_a, part_b, 1u);
workgroupBarrier();
}

if (summing) { write_sums(local, tile.slice, tile.row, eight); }
let row_out = tile.row + (subgroup / 2u) * 16u * TM;
let quad = lane % (4u * TN);
let col_out = tile.col + select((subgroup % 2u) * 16u * TN, 0u, GLU) + quad * 4u;
let part = subgroup / 2u * 2u;
for (var i = 0u; i < TM; i++) {
put_sums(subgroup, s, i);
workgroupBarrier();
let row_first = row_out + i * 16u;
if (GLU) {
let biases = glu_bias(col_out);
for (var x = 0u; x < TN; x++) {
let e = x * 64u + subgroup % 2u * 32u + lane;
finish_glu(tile.batch, row_first + e / (4u * TN), col_out, quad_at(part, e), quad_at(part + 1u, e), biases);
}
} else {
let first = column_from(row_first, col_out);
for (var x = 0u; x < 2u * TN; x++) {
let e = x * 32u + lane;
let row = row_first + e / (4u * TN);
finish(tile.slice, tile.batch, row, col_out, quad_at(subgroup, e), column_at(first, row, col_out, 16u));
}
}
workgroupBarrier();
}
}





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

























struct ProductPlace {
live: bool,
slice: u32,
batch: u32,
row: u32,
col: u32,
k_begin: u32,
k_end: u32,
from_a: u32,
from_b: u32,
}


fn product_place(wid: vec3u, groups: vec3u, rows: u32, cols: u32, width: u32) -> ProductPlace {
let tiles_n = (width + cols - 1u) / cols;
let tiles_m = (dims.m + rows - 1u) / rows;
let group = wid.x + wid.y * groups.x;
let slice = group / (tiles_n * tiles_m);
let tile = group % (tiles_n * tiles_m);
let splits = (dims.k + dims.k_chunk - 1u) / dims.k_chunk;
let batch = slice % dims.batch;
let k_begin = slice / dims.batch * dims.k_chunk;
return ProductPlace(
slice < splits * dims.batch,
slice,
batch,
tile / tiles_n * rows,
tile % tiles_n * cols,
k_begin,
min(dims.k, k_begin + dims.k_chunk),
shared_matrix(batch, A_EACH, A_OF) * dims.m * dims.k,
shared_matrix(batch, B_EACH, B_OF) * dims.k * dims.n,
);
}









struct Read {
words: vec4u,
low: vec4f,
high: vec4f,
}


fn a_at(i: u32) -> vec4<AScalar> { return vec4<AScalar>(a[i]); }
fn b_at(i: u32) -> vec4<BScalar> { return vec4<BScalar>(b[i]); }


struct Source {
base: u32,
length: u32,
lines: u32,
end: u32,
line: u32,
along: u32,
}

fn source_a(base: u32, row: u32, k_begin: u32, k_end: u32) -> Source {
if (TRANS_A) {
return Source(base, dims.m, k_end, dims.m, k_begin, row);
}
return Source(base, dims.k, dims.m, k_end, row, k_begin);
}

fn source_b(base: u32, col: u32, k_begin: u32, k_end: u32) -> Source {
if (TRANS_B) {
return Source(base, dims.k, dims.n, k_end, col, k_begin);
}
return Source(base, dims.n, k_end, dims.n, k_begin, col);
}


fn fetch_a(item: vec2u, i: u32, source: Source, step: u32) -> Read {
let line = source.line + item.x + i * A_LINES + select(0u, step, TRANS_A);
let along = source.along + item.y * 8u + select(step, 0u, TRANS_A);
let at = source.base + line * source.length + along;
var f = Read();
if (line < source.lines && along < source.end) {
if (WORDS_A) {
f.words = vec4u(a_at(at / 8u));
} else if (VEC_A) {
f.low = vec4f(a_at(at / 4u));
f.high = vec4f(a_at(at / 4u + 1u));
} else {
let last = source.end - along - 1u;
f.low = vec4f(f32(a_at(at).x), f32(a_at(at + min(1u, last)).x), f32(a_at(at + min(2u, last)).x), f32(a_at(at + min(3u, last)).x));
f.high = vec4f(f32(a_at(at + min(4u, last)).x), f32(a_at(at + min(5u, last)).x), f32(a_at(at + min(6u, last)).x), f32(a_at(at + min(7u, last)).x));
f.low = select(vec4f(), f.low, vec4u(0u, 1u, 2u, 3u) <= vec4u(last));
f.high = select(vec4f(), f.high, vec4u(4u, 5u, 6u, 7u) <= vec4u(last));
}
}
return f;
}


fn apart_b(i: u32) -> u32 {
return select(0u, dims.n / 2u - 16u * TN, GLU && i * B_LINES >= 16u * TN);
}

fn fetch_b(item: vec2u, i: u32, source: Source, step: u32) -> Read {
let line = source.line + item.x + i * B_LINES + apart_b(i) + select(step, 0u, TRANS_B);
let along = source.along + item.y * 8u + select(0u, step, TRANS_B);
let at = source.base + line * source.length + along;
var f = Read();
if (line < source.lines && along < source.end) {
if (WORDS_B) {
f.words = vec4u(b_at(at / 8u));
} else if (VEC_B) {
f.low = vec4f(b_at(at / 4u));
f.high = vec4f(b_at(at / 4u + 1u));
} else {
let last = source.end - along - 1u;
f.low = vec4f(f32(b_at(at).x), f32(b_at(at + min(1u, last)).x), f32(b_at(at + min(2u, last)).x), f32(b_at(at + min(3u, last)).x));
f.high = vec4f(f32(b_at(at + min(4u, last)).x), f32(b_at(at + min(5u, last)).x), f32(b_at(at + min(6u, last)).x), f32(b_at(at + min(7u, last)).x));
f.low = select(vec4f(), f.low, vec4u(0u, 1u, 2u, 3u) <= vec4u(last));
f.high = select(vec4f(), f.high, vec4u(4u, 5u, 6u, 7u) <= vec4u(last));
}
}
return f;
}









var<workgroup> parts: array<array<vec4u, PART>, 4>;


struct Fetched {
a0: vec4u,
a1: vec4u,
a2: vec4u,
a3: vec4u,
b0: vec4u,
b1: vec4u,
b2: vec4u,
b3: vec4u,
}

fn fetch(item_a: vec2u, item_b: vec2u, from_a: FromA, from_b: FromB, step: u32) -> Fetched {
var f = Fetched();
f.a0 = halves_of_a(item_a, 0u, from_a, step);
f.a1 = halves_of_a(item_a, 1u, from_a, step);
if (TM > 2u) {
f.a2 = halves_of_a(item_a, 2u, from_a, step);
f.a3 = halves_of_a(item_a, 3u, from_a, step);
}
f.b0 = halves_of_b(item_b, 0u, from_b, step);
f.b1 = halves_of_b(item_b, 1u, from_b, step);
if (TN > 2u) {
f.b2 = halves_of_b(item_b, 2u, from_b, step);
f.b3 = halves_of_b(item_b, 3u, from_b, step);
}
return f;
}

fn stage_a(item: vec2u, i: u32, value: vec4u) {
let place = place_a(item, i);
parts[place.x][place.y] = value;
}

fn stage_b(item: vec2u, i: u32, value: vec4u) {
let place = place_b(item, i);
parts[2u + place.x][place.y] = value;
}

fn stage(item_a: vec2u, item_b: vec2u, f: Fetched) {
stage_a(item_a, 0u, f.a0);
stage_a(item_a, 1u, f.a1);
if (TM > 2u) {
stage_a(item_a, 2u, f.a2);
stage_a(item_a, 3u, f.a3);
}
stage_b(item_b, 0u, f.b0);
stage_b(item_b, 1u, f.b1);
if (TN > 2u) {
stage_b(item_b, 2u, f.b2);
stage_b(item_b, 3u, f.b3);
}
}

fn left(part: u32, i: u32, kk: u32) -> Left {
return left_at(part, left_place(i, kk), A_LINE, TRANS_A);
}

fn right(part: u32, i: u32, kk: u32) -> Right {
return right_at(part, right_place(i, kk), B_LINE, TRANS_B);
}


struct Sums {
c00: Sum,
c01: Sum,
c02: Sum,
c03: Sum,
c10: Sum,
c11: Sum,
c12: Sum,
c13: Sum,
c20: Sum,
c21: Sum,
c22: Sum,
c23: Sum,
c30: Sum,
c31: Sum,
c32: Sum,
c33: Sum,
}


fn multiply(before: Sums, part_a: u32, part_b: u32, kk: u32) -> Sums {
var s = before;
let x0 = left(part_a, 0u, kk);
let x1 = left(part_a, 1u, kk);
var x2 = Left();
var x3 = Left();
if (TM > 2u) {
x2 = left(part_a, 2u, kk);
x3 = left(part_a, 3u, kk);
}
let y0 = right(part_b, 0u, kk);
let y1 = right(part_b, 1u, kk);
s.c00 = add_product(x0, y0, s.c00);
s.c01 = add_product(x0, y1, s.c01);
s.c10 = add_product(x1, y0, s.c10);
s.c11 = add_product(x1, y1, s.c11);
if (TM > 2u) {
s.c20 = add_product(x2, y0, s.c20);
s.c21 = add_product(x2, y1, s.c21);
s.c30 = add_product(x3, y0, s.c30);
s.c31 = add_product(x3, y1, s.c31);
}
if (TN > 2u) {
let y2 = right(part_b, 2u, kk);
let y3 = right(part_b, 3u, kk);
s.c02 = add_product(x0, y2, s.c02);
s.c03 = add_product(x0, y3, s.c03);
s.c12 = add_product(x1, y2, s.c12);
s.c13 = add_product(x1, y3, s.c13);
if (TM > 2u) {
s.c22 = add_product(x2, y2, s.c22);
s.c23 = add_product(x2, y3, s.c23);
s.c32 = add_product(x3, y2, s.c32);
s.c33 = add_product(x3, y3, s.c33);
}
}
return s;
}

const OUT_LINE: u32 = 4u * TN + 1u;


fn put_line(part: u32, c0: Sum, c1: Sum, c2: Sum, c3: Sum) {
put_sum(part, 0u, c0, OUT_LINE);
put_sum(part, 4u, c1, OUT_LINE);
if (TN > 2u) {
put_sum(part, 8u, c2, OUT_LINE);
put_sum(part, 12u, c3, OUT_LINE);
}
}

fn quad_at(part: u32, e: u32) -> vec4f {
return bitcast<vec4f>(parts[part][e / (4u * TN) * OUT_LINE + e % (4u * TN)]);
}


fn put_sums(part: u32, s: Sums, i: u32) {
if (i == 0u) {
put_line(part, s.c00, s.c01, s.c02, s.c03);
} else if (i == 1u) {
put_line(part, s.c10, s.c11, s.c12, s.c13);
} else if (i == 2u) {
put_line(part, s.c20, s.c21, s.c22, s.c23);
} else {
put_line(part, s.c30, s.c31, s.c32, s.c33);
}
}







fn residual_at(i: u32) -> vec4f { return vec4f(vec4<OScalar>(residual[i])); }


fn bias_from(col: u32) -> vec4f {
let c = columns_from(col);
return vec4f(bias[c.x], bias[c.y], bias[c.z], bias[c.w]);
}


fn gate_from(row: u32, col: u32) -> vec4f {
let at = (min(row, dims.m - 1u) / dims.gate_rows) * dims.gate_stride + dims.gate_offset;
let c = at + columns_from(col);
return vec4f(gate[c.x], gate[c.y], gate[c.z], gate[c.w]);
}


fn columns_from(col: u32) -> vec4u {
return min(col + vec4u(0u, 1u, 2u, 3u), vec4u(dims.n - 1u));
}


struct Column {
bias: vec4f,
gate: vec4f,
}


fn column_from(row: u32, col: u32) -> Column {
var column = Column(vec4f(), vec4f(1.0));
if (HAS_BIAS) { column.bias = bias_from(col); }
if (HAS_GATE) { column.gate = gate_from(row, col); }
return column;
}


fn column_at(first: Column, row: u32, col: u32, rows: u32) -> Column {
var column = first;
if (HAS_GATE && dims.gate_rows % rows != 0u) { column.gate = gate_from(row, col); }
return column;
}


fn finish(slice: u32, batch: u32, row: u32, col: u32, sum: vec4f, column: Column) {
if (row < dims.m && col < dims.n) {
let index = (slice * dims.m + row) * dims.n + col;
var value = sum;
let count = min(4u, dims.n - col);
if (HAS_BIAS) { value += column.bias; }
if (HAS_PRE) { put_pre(index, count, value); }
if (ACT != 0u) {
value = vec4f(act(value.x), act(value.y), act(value.z), act(value.w));
}
if (HAS_GATE) { value *= column.gate; }
if (HAS_RESIDUAL) {
var own = row;
if (dims.residual_rows < dims.m) { own %= dims.residual_rows; }
let at = (batch * dims.residual_rows + own) * dims.n + col;
if (VEC_N) {
value += residual_at(at / 4u);
} else {
value.x += residual_at(at).x;
if (count > 1u) { value.y += residual_at(at + 1u).x; }
if (count > 2u) { value.z += residual_at(at + 2u).x; }
if (count > 3u) { value.w += residual_at(at + 3u).x; }
}
}
put_out(index, count, value);
}
}








struct Halves {
x1: vec4f,
x2: vec4f,
}

fn glu_bias(col: u32) -> Halves {
if (HAS_BIAS) { return Halves(bias_from(col), bias_from(dims.n / 2u + col)); }
return Halves();
}

fn finish_glu(batch: u32, row: u32, col: u32, sum1: vec4f, sum2: vec4f, biases: Halves) {
let hidden = dims.n / 2u;
if (row < dims.m && col < hidden) {
let x1 = sum1 + biases.x1;
let x2 = sum2 + biases.x2;
let count = min(4u, hidden - col);
let line = batch * dims.m + row;
if (HAS_PRE) {
put_pre(line * dims.n + col, count, x1);
put_pre(line * dims.n + hidden + col, count, x2);
}
put_out(line * hidden + col, count, vec4f(silu(x1.x), silu(x1.y), silu(x1.z), silu(x1.w)) * x2);
}
}




const SQRT_2_OVER_PI: f32 = 0.7978845608028654;
const GELU_CUBIC: f32 = 0.044715;


const SQRT_2: f32 = 1.4142135623730951;


fn magnitude(x: f32, most: f32) -> f32 {
return between(abs(x), 0.0, most);
}


fn safe_tanh(x: f32) -> f32 {
return tanh(between(x, -10.0, 10.0));
}


fn gelu(x: f32) -> f32 {
return 0.5 * x * (1.0 + safe_tanh(SQRT_2_OVER_PI * (x + GELU_CUBIC * x * x * x)));
}








fn sigmoid(x: f32) -> f32 {
let e = exp(-magnitude(x, 200.0));
return select(e, 1.0, x >= 0.0) / (1.0 + e);
}








fn tanh_exact(x: f32) -> f32 {
let e = exp(-2.0 * magnitude(x, 100.0));
let far = (1.0 - e) / (1.0 + e);
let z = x * x;
let near = x + x * z * (-0.333332819422 + z * (0.133314422036 + z * (-0.0537397155531 + z * (0.0206390887954 - z * 0.00570498872745))));
return select(select(far, -far, x < 0.0), near, abs(x) < 0.625);
}









struct NormalTail {
above: f32,
exponential: f32,
}

fn normal_tail(x: f32) -> NormalTail {
let size = magnitude(x, 20.0);
let t = 1.0 / (1.0 + 0.235 * size);
let low = t * (0.09380543 + t * (0.09267475 + t * (0.09759892 + t * 0.03674156)));
let high = 0.17745271 + t * (-0.14311284 + t * (0.2086004 - t * 0.063760936));
let e = exp(-0.5 * size * size);
return NormalTail(e * (low + t * t * t * t * t * high), e);
}


fn gelu_erf(x: f32) -> f32 {
let tail = normal_tail(x);
return x * select(tail.above, 1.0 - tail.above, x >= 0.0);
}







fn erf(x: f32) -> f32 {
let z = x * x;
let near = x * (1.1283791 + z * (-0.37612325 + z * (0.1128018 + z * (-0.026711311 + z * (0.0049175513 - z * 0.0005631422)))));
let far = 1.0 - 2.0 * normal_tail(SQRT_2 * x).above;
return select(select(far, -far, x < 0.0), near, abs(x) < 1.0);
}






fn relu(x: f32) -> f32 {
return at_least(x, 0.0);
}





fn silu(x: f32) -> f32 {
return x * sigmoid(x);
}










fn shared_matrix(i: u32, each: u32, count: u32) -> u32 {
return select(i / each, i / each % max(count, 1u), count > 0u);
}





const BK: u32 = 32u;
const THREADS: u32 = 128u;
const BM: u32 = 32u * TM;
const BN: u32 = 32u * TN;
const K_LINE: u32 = BK / 8u + 1u;
const A_LINE: u32 = select(K_LINE, 2u * TM + 1u, TRANS_A);
const B_LINE: u32 = select(2u * TN + 1u, K_LINE, TRANS_B);
const PART: u32 = 16u * max(TM, TN) * K_LINE + 4u;



fn item_of(local: u32, along_k: bool, side: u32) -> vec2u {
if (along_k) {
return vec2u((local / 32u) * 8u + (local / 8u) % 4u + (local / 4u) % 2u * 4u, local % 4u);
}
return vec2u(local / (side / 8u), local % (side / 8u));
}

const A_LINES: u32 = select(32u, 32u / TM, TRANS_A);
const B_LINES: u32 = select(32u / TN, 32u, TRANS_B);


fn place_a(item: vec2u, i: u32) -> vec2u {
if (TRANS_A) {
return vec2u(item.y / (2u * TM), (item.x + i * A_LINES) * A_LINE + item.y % (2u * TM));
}
return vec2u(i * A_LINES / (16u * TM), (item.x + i * A_LINES % (16u * TM)) * A_LINE + item.y);
}

fn place_b(item: vec2u, i: u32) -> vec2u {
if (TRANS_B) {
return vec2u(i * B_LINES / (16u * TN), (item.x + i * B_LINES % (16u * TN)) * B_LINE + item.y);
}
return vec2u(item.y / (2u * TN), (item.x + i * B_LINES) * B_LINE + item.y % (2u * TN));
}


fn left_place(i: u32, kk: u32) -> u32 {
return select(i * 16u * A_LINE + kk * 2u, kk * 16u * A_LINE + i * 2u, TRANS_A);
}

fn right_place(i: u32, kk: u32) -> u32 {
return select(kk * 16u * B_LINE + i * 2u, i * 16u * B_LINE + kk * 2u, TRANS_B);
}



struct Eight {
low: vec4f,
high: vec4f,
}

fn eight_of(words: vec4u) -> Eight {
return Eight(
vec4f(unpack2x16float(words.x), unpack2x16float(words.y)),
vec4f(unpack2x16float(words.z), unpack2x16float(words.w)),
);
}


fn halves(low: vec4f, high: vec4f) -> vec4u {
return vec4u(pack2x16float(low.xy), pack2x16float(low.zw), pack2x16float(high.xy), pack2x16float(high.zw));
}






alias Left = subgroup_matrix_left<f16, 16, 16>;
alias Right = subgroup_matrix_right<f16, 16, 16>;
alias Sum = subgroup_matrix_result<f32, 16, 16>;


fn left_at(part: u32, at: u32, line: u32, turned: bool) -> Left {
if (turned) {
return subgroupMatrixLoad<Left, col_major>(&parts[part], at, line);
}
return subgroupMatrixLoad<Left, row_major>(&parts[part], at, line);
}

fn right_at(part: u32, at: u32, line: u32, turned: bool) -> Right {
if (turned) {
return subgroupMatrixLoad<Right, col_major>(&parts[part], at, line);
}
return subgroupMatrixLoad<Right, row_major>(&parts[part], at, line);
}

fn add_product(x: Left, y: Right, sum: Sum) -> Sum {
return subgroupMatrixMultiplyAccumulate(x, y, sum);
}


fn put_sum(part: u32, at: u32, sum: Sum, line: u32) {
subgroupMatrixStore<row_major>(&parts[part], at, sum, line);
}









const STORE_WIDTH: u32 = select(1u, 4u, VEC_N);


fn put_pre(index: u32, count: u32, value: vec4f) {
for (var j = 0u; j < 4u; j += STORE_WIDTH) {
if (j < count) {
var part: OElem;
for (var c = 0u; c < STORE_WIDTH; c++) {
part[c] = OScalar(value[j + c]);
}
pre[(index + j) / STORE_WIDTH] = part;
}
}
}

fn put_out(index: u32, count: u32, value: vec4f) {
for (var j = 0u; j < 4u; j += STORE_WIDTH) {
if (j < count) {
var part: OElem;
for (var c = 0u; c < STORE_WIDTH; c++) {
part[c] = OScalar(value[j + c]);
}
out[(index + j) / STORE_WIDTH] = part;
}
}
}




fn is_nan(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}










fn at_least(x: f32, least: f32) -> f32 {
return select(max(x, least), x, is_nan(x));
}


fn between(x: f32, low: f32, high: f32) -> f32 {
return select(clamp(x, low, high), x, is_nan(x));
}` as string,
} as const satisfies ShaderSource;

/**
 * matmul_matrix: out = residual + gate * act(op(A) op(B) + bias), batched; the variant of matmul_tiled for devices that multiply matrices, with
 * the same buffers and dims.
 * Buffers, row-major (batch outermost):
 * a [batch, m, k] ([batch, k, m] when TRANS_A), b [batch, k, n] ([batch, n, k] when TRANS_B), fewer where the batch shares matrices (lib
 * shared_matrix), each f32 or f16
 * out [splits * batch, m, n], pre [same] = the value before act, for the backward of a fused activation or gate
 * bias [n]; residual [batch, residual_rows, n], row r reads row r % residual_rows (m for a plain residual, N for a position table)
 * gate: row r reads gate[(r / gate_rows) * gate_stride + gate_offset + col]
 * sums [splits * batch, m] = the sums of A's rows over k, as rounded, as bias gradients need: the first column of tiles takes them on the way
 * GLU: the columns of B are x1 [n / 2], then x2 [n / 2]; out [batch, m, n / 2] = silu(x1 + bias) * (x2 + bias), pre [batch, m, n] both
 * factors' linear maps. Of two subgroups side by side one makes the columns of x1, the other those of x2 beside them; each finishes half of both.
 * Split over k: split s sums k in [s * k_chunk, (s + 1) * k_chunk) into out[s * batch + i]; the caller adds the splits. k_chunk >= k: one split.
 * Grid: a workgroup of four subgroups of 32 makes 32 TM x 32 TN outputs, a subgroup 16 TM x 16 TN. Folded over (split, batch, tile).
 * Sums leave by workgroup memory, 16 rows of a subgroup at a time, for the epilogue.
 * Precision: operands are rounded to f16, products and sums f32 (a tensor core truncates as it adds); the epilogue in f32.
 */
export interface MatmulMatrix extends Same<typeof matmul_matrix_> {}
export const matmul_matrix: MatmulMatrix = matmul_matrix_;

const matmul_plain_ = {
  name: 'matmul_plain',
  entryPoint: 'main',
  bindings: {
    a: { binding: 0, access: 'read', element: 'AElem' },
    b: { binding: 1, access: 'read', element: 'BElem' },
    bias: { binding: 2, access: 'read', element: 'f32', optional: 'HAS_BIAS' },
    gate: { binding: 3, access: 'read', element: 'f32', optional: 'HAS_GATE' },
    residual: { binding: 4, access: 'read', element: 'OScalar', optional: 'HAS_RESIDUAL' },
    out: { binding: 5, access: 'read_write', element: 'OScalar' },
    pre: { binding: 6, access: 'read_write', element: 'OScalar', optional: 'HAS_PRE' },
  },
  uniform: { binding: 7, size: 36, fields: {
    m: { type: 'u32', offset: 0 },
    n: { type: 'u32', offset: 4 },
    k: { type: 'u32', offset: 8 },
    batch: { type: 'u32', offset: 12, else: 1 },
    k_chunk: { type: 'u32', offset: 16, else: 'k' },
    gate_rows: { type: 'u32', offset: 20, else: 1, optional: 'HAS_GATE' },
    gate_stride: { type: 'u32', offset: 24, else: 0, optional: 'HAS_GATE' },
    gate_offset: { type: 'u32', offset: 28, else: 0, optional: 'HAS_GATE' },
    residual_rows: { type: 'u32', offset: 32, else: 1, optional: 'HAS_RESIDUAL' },
  } },
  knobs: {
    TM: { kind: 'const', type: 'u32', default: 4 },
    TN: { kind: 'const', type: 'u32', default: 4 },
    WG_X: { kind: 'const', type: 'u32', default: 8 },
    WG_Y: { kind: 'const', type: 'u32', default: 8 },
    TRANS_A: { kind: 'const', type: 'bool', default: false },
    TRANS_B: { kind: 'const', type: 'bool', default: false },
    VEC_A: { kind: 'const', type: 'bool', default: false },
    VEC_B: { kind: 'const', type: 'bool', default: false },
    AScalar: { kind: 'alias', type: 'type', default: 'f32' },
    BScalar: { kind: 'alias', type: 'type', default: 'f32' },
    AElem: { kind: 'alias', type: 'type', default: 'f32' },
    BElem: { kind: 'alias', type: 'type', default: 'f32' },
    OScalar: { kind: 'alias', type: 'type', default: 'f32' },
    A_EACH: { kind: 'const', type: 'u32', default: 1 },
    A_OF: { kind: 'const', type: 'u32', default: 0 },
    B_EACH: { kind: 'const', type: 'u32', default: 1 },
    B_OF: { kind: 'const', type: 'u32', default: 0 },
    ACT: { kind: 'const', type: 'u32', default: 0 },
    HAS_BIAS: { kind: 'const', type: 'bool', default: false },
    HAS_GATE: { kind: 'const', type: 'bool', default: false },
    HAS_RESIDUAL: { kind: 'const', type: 'bool', default: false },
    HAS_PRE: { kind: 'const', type: 'bool', default: false },
    RUNS: { kind: 'const', type: 'bool', default: false },
  },
  workgroup: ['WG_X', 'WG_Y'],
  code: `
















const TM: u32 = 4u;
const TN: u32 = 4u;
const WG_X: u32 = 8u;
const WG_Y: u32 = 8u;
const TRANS_A: bool = false;
const TRANS_B: bool = false;
const VEC_A: bool = false;
const VEC_B: bool = false;
alias AScalar = f32;
alias BScalar = f32;
alias AElem = f32;
alias BElem = f32;
alias OScalar = f32;
const A_EACH: u32 = 1u;
const A_OF: u32 = 0u;
const B_EACH: u32 = 1u;
const B_OF: u32 = 0u;
const ACT: u32 = 0u;
const HAS_BIAS: bool = false;
const HAS_GATE: bool = false;
const HAS_RESIDUAL: bool = false;
const HAS_PRE: bool = false;
const RUNS: bool = false;

const RUN: u32 = 2048u;
const TQ: u32 = TN / 4u;
const BANDS: u32 = (TM + 3u) / 4u;


alias Sums = array<array<vec4f, 4>, 16>;


struct Columns {
q0: vec4f,
q1: vec4f,
q2: vec4f,
q3: vec4f,
}

struct Dims {
m: u32,
n: u32,
k: u32,
batch: u32,
k_chunk: u32,
gate_rows: u32,
gate_stride: u32,
gate_offset: u32,
residual_rows: u32,
}

@group(0) @binding(0) var<storage, read> a: array<AElem>;
@group(0) @binding(1) var<storage, read> b: array<BElem>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> gate: array<f32>;
@group(0) @binding(4) var<storage, read> residual: array<OScalar>;
@group(0) @binding(5) var<storage, read_write> out: array<OScalar>;
@group(0) @binding(6) var<storage, read_write> pre: array<OScalar>;
@group(0) @binding(7) var<uniform> dims: Dims;


fn a_at(i: u32) -> vec4f { return vec4f(vec4<AScalar>(a[i])); }
fn b_at(i: u32) -> vec4f { return vec4f(vec4<BScalar>(b[i])); }


alias Starts = array<u32, 16>;


fn row_at(start: u32, kk: u32) -> f32 { return a_at(start + kk * select(1u, dims.m, TRANS_A)).x; }


fn column_at(start: u32, kk: u32) -> f32 { return b_at(start + kk * select(dims.n, 1u, TRANS_B)).x; }


fn columns_at(starts: ptr<function, Starts>, col: u32, kk: u32) -> vec4f {
let first = (*starts)[col];
if (VEC_B) {
return b_at(first + kk * (dims.n / 4u));
}
return vec4f(
column_at(first, kk),
column_at((*starts)[col + 1u], kk),
column_at((*starts)[col + 2u], kk),
column_at((*starts)[col + 3u], kk),
);
}


fn add_row(s: ptr<function, Sums>, row: u32, x: f32, columns: Columns) {
(*s)[row][0] += x * columns.q0;
if (TQ > 1u) { (*s)[row][1] += x * columns.q1; }
if (TQ > 2u) { (*s)[row][2] += x * columns.q2; }
if (TQ > 3u) { (*s)[row][3] += x * columns.q3; }
}


fn add_rows(s: ptr<function, Sums>, starts: ptr<function, Starts>, row: u32, kk: u32, columns: Columns) {
let first = (*starts)[row];
if (VEC_A) {
let x = a_at(first + kk * (dims.m / 4u));
add_row(s, row, x.x, columns);
add_row(s, row + 1u, x.y, columns);
add_row(s, row + 2u, x.z, columns);
add_row(s, row + 3u, x.w, columns);
return;
}
add_row(s, row, row_at(first, kk), columns);
if (TM > 1u) { add_row(s, row + 1u, row_at((*starts)[row + 1u], kk), columns); }
if (TM > 2u) { add_row(s, row + 2u, row_at((*starts)[row + 2u], kk), columns); }
if (TM > 3u) { add_row(s, row + 3u, row_at((*starts)[row + 3u], kk), columns); }
}

@compute @workgroup_size(WG_X, WG_Y)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_id) lid: vec3u,
) {
let place = product_place(wid, groups, TM * WG_Y, TN * WG_X, dims.n);
if (!place.live) {
return;
}
let slice = place.slice;
let batch = place.batch;
let k_begin = place.k_begin;
let k_end = place.k_end;
let row0 = place.row + lid.y * TM;
let col0 = place.col + 4u * lid.x;


var a_starts = Starts();
var b_starts = Starts();
for (var i = 0u; i < TM; i++) {
let row = min(row0 + i, dims.m - 1u);
a_starts[i] = (place.from_a + row * select(dims.k, 1u, TRANS_A)) / select(1u, 4u, VEC_A);
}
for (var j = 0u; j < TN; j++) {
let col = min(col0 + j / 4u * 4u * WG_X + j % 4u, dims.n - 1u);
b_starts[j] = (place.from_b + col * select(1u, dims.k, TRANS_B)) / select(1u, 4u, VEC_B);
}

var sums = Sums();
var total = Sums();
for (var kk = k_begin; kk < k_end; kk++) {
var columns = Columns();
columns.q0 = columns_at(&b_starts, 0u, kk);
if (TQ > 1u) { columns.q1 = columns_at(&b_starts, 4u, kk); }
if (TQ > 2u) { columns.q2 = columns_at(&b_starts, 8u, kk); }
if (TQ > 3u) { columns.q3 = columns_at(&b_starts, 12u, kk); }
add_rows(&sums, &a_starts, 0u, kk, columns);
if (BANDS > 1u) { add_rows(&sums, &a_starts, 4u, kk, columns); }
if (BANDS > 2u) { add_rows(&sums, &a_starts, 8u, kk, columns); }
if (BANDS > 3u) { add_rows(&sums, &a_starts, 12u, kk, columns); }
if (RUNS && (kk + 1u - k_begin) % RUN == 0u) {
for (var i = 0u; i < TM; i++) {
for (var q = 0u; q < TQ; q++) {
total[i][q] += sums[i][q];
}
}
sums = Sums();
}
}

for (var i = 0u; i < TM; i++) {
for (var q = 0u; q < TQ; q++) {
for (var j = 0u; j < 4u; j++) {
let row = row0 + i;
let col = col0 + q * 4u * WG_X + j;
if (row < dims.m && col < dims.n) {
let index = (slice * dims.m + row) * dims.n + col;
var value = sums[i][q][j];
if (RUNS) {
value += total[i][q][j];
}
if (HAS_BIAS) {
value += bias[col];
}
if (HAS_PRE) {
pre[index] = OScalar(value);
}
value = act(value);
if (HAS_GATE) {
value *= gate[(row / dims.gate_rows) * dims.gate_stride + dims.gate_offset + col];
}
if (HAS_RESIDUAL) {
value += f32(residual[(batch * dims.residual_rows + row % dims.residual_rows) * dims.n + col]);
}
out[index] = OScalar(value);
}
}
}
}
}





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

























struct ProductPlace {
live: bool,
slice: u32,
batch: u32,
row: u32,
col: u32,
k_begin: u32,
k_end: u32,
from_a: u32,
from_b: u32,
}


fn product_place(wid: vec3u, groups: vec3u, rows: u32, cols: u32, width: u32) -> ProductPlace {
let tiles_n = (width + cols - 1u) / cols;
let tiles_m = (dims.m + rows - 1u) / rows;
let group = wid.x + wid.y * groups.x;
let slice = group / (tiles_n * tiles_m);
let tile = group % (tiles_n * tiles_m);
let splits = (dims.k + dims.k_chunk - 1u) / dims.k_chunk;
let batch = slice % dims.batch;
let k_begin = slice / dims.batch * dims.k_chunk;
return ProductPlace(
slice < splits * dims.batch,
slice,
batch,
tile / tiles_n * rows,
tile % tiles_n * cols,
k_begin,
min(dims.k, k_begin + dims.k_chunk),
shared_matrix(batch, A_EACH, A_OF) * dims.m * dims.k,
shared_matrix(batch, B_EACH, B_OF) * dims.k * dims.n,
);
}




const SQRT_2_OVER_PI: f32 = 0.7978845608028654;
const GELU_CUBIC: f32 = 0.044715;


const SQRT_2: f32 = 1.4142135623730951;


fn magnitude(x: f32, most: f32) -> f32 {
return between(abs(x), 0.0, most);
}


fn safe_tanh(x: f32) -> f32 {
return tanh(between(x, -10.0, 10.0));
}


fn gelu(x: f32) -> f32 {
return 0.5 * x * (1.0 + safe_tanh(SQRT_2_OVER_PI * (x + GELU_CUBIC * x * x * x)));
}








fn sigmoid(x: f32) -> f32 {
let e = exp(-magnitude(x, 200.0));
return select(e, 1.0, x >= 0.0) / (1.0 + e);
}








fn tanh_exact(x: f32) -> f32 {
let e = exp(-2.0 * magnitude(x, 100.0));
let far = (1.0 - e) / (1.0 + e);
let z = x * x;
let near = x + x * z * (-0.333332819422 + z * (0.133314422036 + z * (-0.0537397155531 + z * (0.0206390887954 - z * 0.00570498872745))));
return select(select(far, -far, x < 0.0), near, abs(x) < 0.625);
}









struct NormalTail {
above: f32,
exponential: f32,
}

fn normal_tail(x: f32) -> NormalTail {
let size = magnitude(x, 20.0);
let t = 1.0 / (1.0 + 0.235 * size);
let low = t * (0.09380543 + t * (0.09267475 + t * (0.09759892 + t * 0.03674156)));
let high = 0.17745271 + t * (-0.14311284 + t * (0.2086004 - t * 0.063760936));
let e = exp(-0.5 * size * size);
return NormalTail(e * (low + t * t * t * t * t * high), e);
}


fn gelu_erf(x: f32) -> f32 {
let tail = normal_tail(x);
return x * select(tail.above, 1.0 - tail.above, x >= 0.0);
}







fn erf(x: f32) -> f32 {
let z = x * x;
let near = x * (1.1283791 + z * (-0.37612325 + z * (0.1128018 + z * (-0.026711311 + z * (0.0049175513 - z * 0.0005631422)))));
let far = 1.0 - 2.0 * normal_tail(SQRT_2 * x).above;
return select(select(far, -far, x < 0.0), near, abs(x) < 1.0);
}






fn relu(x: f32) -> f32 {
return at_least(x, 0.0);
}





fn silu(x: f32) -> f32 {
return x * sigmoid(x);
}










fn shared_matrix(i: u32, each: u32, count: u32) -> u32 {
return select(i / each, i / each % max(count, 1u), count > 0u);
}




fn is_nan(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}










fn at_least(x: f32, least: f32) -> f32 {
return select(max(x, least), x, is_nan(x));
}


fn between(x: f32, low: f32, high: f32) -> f32 {
return select(clamp(x, low, high), x, is_nan(x));
}` as string,
} as const satisfies ShaderSource;

/**
 * matmul_plain: out = residual + gate * act(op(A) op(B) + bias), batched; op is the identity or a transpose.
 * Buffers, row-major (batch outermost):
 * a [batch, m, k] ([batch, k, m] when TRANS_A), b [batch, k, n] ([batch, n, k] when TRANS_B), fewer where the batch shares matrices (lib
 * shared_matrix)
 * out [splits * batch, m, n], pre [same] = the value before act, for the backward of a fused activation or gate
 * bias [n]; residual [batch, residual_rows, n], row r reads row r % residual_rows (m for a plain residual, N for a position table)
 * gate: row r reads gate[(r / gate_rows) * gate_stride + gate_offset + col]
 * Split over k: split s sums k in [s * k_chunk, (s + 1) * k_chunk) into out[s * batch + i]; the caller adds the splits. k_chunk >= k: one split.
 * Grid: TM rows x TN columns an invocation, read straight from storage, WG_X x WG_Y invocations a workgroup, folded over (split, batch, tile).
 * Precision: sums and the epilogue in f32; a, b and out, pre, residual may be stored as f16. The oracle of the tiled variant, and the fast path
 * on CPU adapters. llvmpipe turns a storage read inside a loop into a branch a lane and a word, whether or not the lanes agree on the
 * address, so the reads an FMA decide: 16 x 16 outputs an invocation read 32 words for 256 FMAs, and a vec4f read costs less than four f32
 * reads. A step of k is written out: what a loop indexes SwiftShader reads and writes a lane at a time, a sixth to a tenth as fast. Sums stay
 * arrays: named, which keeps them in registers as far as there are any, llvmpipe takes 1.3 to 2 times as long for 16 x 16.
 */
export interface MatmulPlain extends Same<typeof matmul_plain_> {}
export const matmul_plain: MatmulPlain = matmul_plain_;

const matmul_tiled_ = {
  name: 'matmul_tiled',
  entryPoint: 'main',
  bindings: {
    a: { binding: 0, access: 'read', element: 'AElem' },
    b: { binding: 1, access: 'read', element: 'BElem' },
    bias: { binding: 2, access: 'read', element: 'f32', optional: 'HAS_BIAS' },
    gate: { binding: 3, access: 'read', element: 'f32', optional: 'HAS_GATE' },
    residual: { binding: 4, access: 'read', element: 'RElem', optional: 'HAS_RESIDUAL' },
    out: { binding: 5, access: 'read_write', element: 'OElem' },
    pre: { binding: 6, access: 'read_write', element: 'OElem', optional: 'HAS_PRE' },
    sums: { binding: 8, access: 'read_write', element: 'f32', optional: 'HAS_SUMS' },
  },
  uniform: { binding: 7, size: 36, fields: {
    m: { type: 'u32', offset: 0 },
    n: { type: 'u32', offset: 4 },
    k: { type: 'u32', offset: 8 },
    batch: { type: 'u32', offset: 12, else: 1 },
    k_chunk: { type: 'u32', offset: 16, else: 'k' },
    gate_rows: { type: 'u32', offset: 20, else: 1, optional: 'HAS_GATE' },
    gate_stride: { type: 'u32', offset: 24, else: 0, optional: 'HAS_GATE' },
    gate_offset: { type: 'u32', offset: 28, else: 0, optional: 'HAS_GATE' },
    residual_rows: { type: 'u32', offset: 32, else: 1, optional: 'HAS_RESIDUAL' },
  } },
  knobs: {
    QM: { kind: 'const', type: 'u32', default: 1 },
    QN: { kind: 'const', type: 'u32', default: 1 },
    TRANS_A: { kind: 'const', type: 'bool', default: false },
    TRANS_B: { kind: 'const', type: 'bool', default: false },
    VEC_A: { kind: 'const', type: 'bool', default: false },
    VEC_B: { kind: 'const', type: 'bool', default: false },
    VEC_N: { kind: 'const', type: 'bool', default: false },
    AScalar: { kind: 'alias', type: 'type', default: 'f32' },
    BScalar: { kind: 'alias', type: 'type', default: 'f32' },
    AElem: { kind: 'alias', type: 'type', default: 'f32' },
    BElem: { kind: 'alias', type: 'type', default: 'f32' },
    OScalar: { kind: 'alias', type: 'type', default: 'f32' },
    RElem: { kind: 'alias', type: 'type', default: 'f32' },
    OElem: { kind: 'alias', type: 'type', default: 'array<f32, 1>' },
    A_EACH: { kind: 'const', type: 'u32', default: 1 },
    A_OF: { kind: 'const', type: 'u32', default: 0 },
    B_EACH: { kind: 'const', type: 'u32', default: 1 },
    B_OF: { kind: 'const', type: 'u32', default: 0 },
    ACT: { kind: 'const', type: 'u32', default: 0 },
    HAS_BIAS: { kind: 'const', type: 'bool', default: false },
    HAS_GATE: { kind: 'const', type: 'bool', default: false },
    HAS_RESIDUAL: { kind: 'const', type: 'bool', default: false },
    HAS_PRE: { kind: 'const', type: 'bool', default: false },
    GLU: { kind: 'const', type: 'bool', default: false },
    HAS_SUMS: { kind: 'const', type: 'bool', default: false },
    RUNS: { kind: 'const', type: 'bool', default: false },
  },
  workgroup: [64],
  code: `


























const QM: u32 = 1u;
const QN: u32 = 1u;
const TRANS_A: bool = false;
const TRANS_B: bool = false;
const VEC_A: bool = false;
const VEC_B: bool = false;
const VEC_N: bool = false;
alias AScalar = f32;
alias BScalar = f32;
alias AElem = f32;
alias BElem = f32;
alias OScalar = f32;
alias RElem = f32;
alias OElem = array<f32, 1>;
const A_EACH: u32 = 1u;
const A_OF: u32 = 0u;
const B_EACH: u32 = 1u;
const B_OF: u32 = 0u;
const ACT: u32 = 0u;
const HAS_BIAS: bool = false;
const HAS_GATE: bool = false;
const HAS_RESIDUAL: bool = false;
const HAS_PRE: bool = false;
const GLU: bool = false;
const HAS_SUMS: bool = false;
const RUNS: bool = false;

const RUN: u32 = 2048u;
const BK: u32 = 16u;
const SIDE: u32 = 8u;
const THREADS: u32 = 64u;
const BM: u32 = 4u * SIDE * QM;
const BN: u32 = 4u * SIDE * QN;
const BN_OUT: u32 = select(BN, BN / 2u, GLU);
const ITEMS_A: u32 = BK * BM / 16u;
const ITEMS_B: u32 = BK * BN / 16u;
const TWICE: bool = ITEMS_A + ITEMS_B > THREADS;

struct Dims {
m: u32,
n: u32,
k: u32,
batch: u32,
k_chunk: u32,
gate_rows: u32,
gate_stride: u32,
gate_offset: u32,
residual_rows: u32,
}

@group(0) @binding(0) var<storage, read> a: array<AElem>;
@group(0) @binding(1) var<storage, read> b: array<BElem>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> gate: array<f32>;
@group(0) @binding(4) var<storage, read> residual: array<RElem>;
@group(0) @binding(5) var<storage, read_write> out: array<OElem>;
@group(0) @binding(6) var<storage, read_write> pre: array<OElem>;
@group(0) @binding(7) var<uniform> dims: Dims;
@group(0) @binding(8) var<storage, read_write> sums: array<f32>;


fn a_at(i: u32) -> vec4f { return vec4f(vec4<AScalar>(a[i])); }
fn b_at(i: u32) -> vec4f { return vec4f(vec4<BScalar>(b[i])); }


fn b_column(col_base: u32, within: u32) -> u32 {
if (GLU && within >= BN / 2u) {
return dims.n / 2u + col_base + within - BN / 2u;
}
return col_base + within;
}


fn write_sums(local: u32, slice: u32, row_base: u32, own: vec4f) {
let quads = BM / 4u;
if (local < ITEMS_A) { tile_a[local / quads][local % quads] = own; }
workgroupBarrier();
if (local >= quads) {
return;
}
let total = (tile_a[0][local] + tile_a[1][local]) + (tile_a[2][local] + tile_a[3][local]);
let row = row_base + local * 4u;
let at = slice * dims.m + row;
if (row < dims.m) { sums[at] = total.x; }
if (row + 1u < dims.m) { sums[at + 1u] = total.y; }
if (row + 2u < dims.m) { sums[at + 2u] = total.z; }
if (row + 3u < dims.m) { sums[at + 3u] = total.w; }
}

fn finish_block(sums: Block, slice: u32, batch: u32, row: u32, col: u32) {
let first = column_from(row, col);
finish(slice, batch, row, col, sums.r0, first);
finish(slice, batch, row + 1u, col, sums.r1, column_at(first, row + 1u, col, 4u));
finish(slice, batch, row + 2u, col, sums.r2, column_at(first, row + 2u, col, 4u));
finish(slice, batch, row + 3u, col, sums.r3, column_at(first, row + 3u, col, 4u));
}

fn finish_glu_block(x1: Block, x2: Block, batch: u32, row: u32, col: u32) {
let biases = glu_bias(col);
finish_glu(batch, row, col, x1.r0, x2.r0, biases);
finish_glu(batch, row + 1u, col, x1.r1, x2.r1, biases);
finish_glu(batch, row + 2u, col, x1.r2, x2.r2, biases);
finish_glu(batch, row + 3u, col, x1.r3, x2.r3, biases);
}

@compute @workgroup_size(64)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let tile = product_place(wid, groups, BM, BN_OUT, select(dims.n, dims.n / 2u, GLU));
if (!tile.live) {
return;
}

var s = Sums();
var a_sums = vec4f();
var runs_before = Block();
let at = place(local);
let sources = Sources(tile.from_a, tile.from_b, tile.row, tile.col, tile.k_end);
var next = fetch_first(local, sources, tile.k_begin);
var next2 = Fetched();
if (TWICE) { next2 = fetch_second(local, sources, tile.k_begin); }
for (var k0 = tile.k_begin; k0 < tile.k_end; k0 += BK) {
if (HAS_SUMS) { a_sums += (next.v0 + next.v1) + (next.v2 + next.v3); }
stage_first(local, next);
if (TWICE) { stage_second(local, next2); }
workgroupBarrier();
let after = k0 + BK;
next = fetch_first(local, sources, after);
if (TWICE) { next2 = fetch_second(local, sources, after); }
four_steps(&s, 0u, at);
four_steps(&s, 4u, at);
four_steps(&s, 8u, at);
four_steps(&s, 12u, at);
workgroupBarrier();
if (RUNS && (after - tile.k_begin) % RUN == 0u) {
runs_before = sum_of(runs_before, s.b00);
s.b00 = Block();
}
}
if (RUNS) { s.b00 = sum_of(runs_before, s.b00); }

if (HAS_SUMS && tile.col == 0u) { write_sums(local, tile.slice, tile.row, a_sums); }
let row = tile.row + at.y * 4u;
let col = tile.col + at.x * 4u;
for (var i = 0u; i < block_count(); i++) {
if (GLU) {
if (i % QN == 0u) { finish_glu_block(block_of(&s, i), block_of(&s, i + 1u), tile.batch, row + block_row(i), col); }
} else {
finish_block(block_of(&s, i), tile.slice, tile.batch, row + block_row(i), col + block_col(i));
}
}
}





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

























struct ProductPlace {
live: bool,
slice: u32,
batch: u32,
row: u32,
col: u32,
k_begin: u32,
k_end: u32,
from_a: u32,
from_b: u32,
}


fn product_place(wid: vec3u, groups: vec3u, rows: u32, cols: u32, width: u32) -> ProductPlace {
let tiles_n = (width + cols - 1u) / cols;
let tiles_m = (dims.m + rows - 1u) / rows;
let group = wid.x + wid.y * groups.x;
let slice = group / (tiles_n * tiles_m);
let tile = group % (tiles_n * tiles_m);
let splits = (dims.k + dims.k_chunk - 1u) / dims.k_chunk;
let batch = slice % dims.batch;
let k_begin = slice / dims.batch * dims.k_chunk;
return ProductPlace(
slice < splits * dims.batch,
slice,
batch,
tile / tiles_n * rows,
tile % tiles_n * cols,
k_begin,
min(dims.k, k_begin + dims.k_chunk),
shared_matrix(batch, A_EACH, A_OF) * dims.m * dims.k,
shared_matrix(batch, B_EACH, B_OF) * dims.k * dims.n,
);
}






fn a_along_k(base: u32, row: u32, k0: u32, k_end: u32) -> vec4f {
var v = vec4f();
let at = base + row * dims.k + k0;
if (row < dims.m && k0 < k_end) {
if (VEC_A) {
v = a_at(at / 4u);
} else {
v.x = a_at(at).x;
if (k0 + 1u < k_end) { v.y = a_at(at + 1u).x; }
if (k0 + 2u < k_end) { v.z = a_at(at + 2u).x; }
if (k0 + 3u < k_end) { v.w = a_at(at + 3u).x; }
}
}
return v;
}


fn a_along_m(base: u32, row0: u32, k0: u32, k_end: u32) -> vec4f {
var v = vec4f();
let at = base + k0 * dims.m + row0;
if (row0 < dims.m && k0 < k_end) {
if (VEC_A) {
v = a_at(at / 4u);
} else {
v.x = a_at(at).x;
if (row0 + 1u < dims.m) { v.y = a_at(at + 1u).x; }
if (row0 + 2u < dims.m) { v.z = a_at(at + 2u).x; }
if (row0 + 3u < dims.m) { v.w = a_at(at + 3u).x; }
}
}
return v;
}


fn b_along_k(base: u32, col: u32, k0: u32, k_end: u32) -> vec4f {
var v = vec4f();
let at = base + col * dims.k + k0;
if (col < dims.n && k0 < k_end) {
if (VEC_B) {
v = b_at(at / 4u);
} else {
v.x = b_at(at).x;
if (k0 + 1u < k_end) { v.y = b_at(at + 1u).x; }
if (k0 + 2u < k_end) { v.z = b_at(at + 2u).x; }
if (k0 + 3u < k_end) { v.w = b_at(at + 3u).x; }
}
}
return v;
}


fn b_along_n(base: u32, col0: u32, k0: u32, k_end: u32) -> vec4f {
var v = vec4f();
let at = base + k0 * dims.n + col0;
if (col0 < dims.n && k0 < k_end) {
if (VEC_B) {
v = b_at(at / 4u);
} else {
v.x = b_at(at).x;
if (col0 + 1u < dims.n) { v.y = b_at(at + 1u).x; }
if (col0 + 2u < dims.n) { v.z = b_at(at + 2u).x; }
if (col0 + 3u < dims.n) { v.w = b_at(at + 3u).x; }
}
}
return v;
}


struct Sources {
a: u32,
b: u32,
row: u32,
col: u32,
k_end: u32,
}


fn fetch_a(e: u32, s: Sources, k0: u32) -> Fetched {
if (TRANS_A) {
let row = s.row + (e % (BM / 4u)) * 4u;
let k = k0 + e / (BM / 4u);
return Fetched(
a_along_m(s.a, row, k, s.k_end),
a_along_m(s.a, row, k + BK / 4u, s.k_end),
a_along_m(s.a, row, k + 2u * (BK / 4u), s.k_end),
a_along_m(s.a, row, k + 3u * (BK / 4u), s.k_end),
);
}
let row = s.row + (e / (BK / 4u)) * 4u;
let k = k0 + (e % (BK / 4u)) * 4u;
return Fetched(
a_along_k(s.a, row, k, s.k_end),
a_along_k(s.a, row + 1u, k, s.k_end),
a_along_k(s.a, row + 2u, k, s.k_end),
a_along_k(s.a, row + 3u, k, s.k_end),
);
}

fn fetch_b(e: u32, s: Sources, k0: u32) -> Fetched {
if (TRANS_B) {
let col = b_column(s.col, (e / (BK / 4u)) * 4u);
let k = k0 + (e % (BK / 4u)) * 4u;
return Fetched(
b_along_k(s.b, col, k, s.k_end),
b_along_k(s.b, col + 1u, k, s.k_end),
b_along_k(s.b, col + 2u, k, s.k_end),
b_along_k(s.b, col + 3u, k, s.k_end),
);
}
let col = s.col + (e % (BN / 4u)) * 4u;
let k = k0 + e / (BN / 4u);
return Fetched(
b_along_n(s.b, col, k, s.k_end),
b_along_n(s.b, col, k + BK / 4u, s.k_end),
b_along_n(s.b, col, k + 2u * (BK / 4u), s.k_end),
b_along_n(s.b, col, k + 3u * (BK / 4u), s.k_end),
);
}






struct Block {
r0: vec4f,
r1: vec4f,
r2: vec4f,
r3: vec4f,
}

fn sum_of(x: Block, y: Block) -> Block {
return Block(x.r0 + y.r0, x.r1 + y.r1, x.r2 + y.r2, x.r3 + y.r3);
}


struct Sums {
b00: Block,
b01: Block,
b10: Block,
b11: Block,
}



fn block_count() -> u32 {
return min(QM * QN, max(dims.m, dims.n));
}


fn block_of(s: ptr<function, Sums>, i: u32) -> Block {
var block = (*s).b00;
if (QN > 1u && i == 1u) { block = (*s).b01; }
if (QM > 1u && i == QN) { block = (*s).b10; }
if (QM > 1u && QN > 1u && i == 3u) { block = (*s).b11; }
return block;
}


fn block_row(i: u32) -> u32 {
return 4u * SIDE * (i / QN);
}

fn block_col(i: u32) -> u32 {
return 4u * SIDE * (i % QN);
}



fn step(s: ptr<function, Sums>, kk: u32, at: vec2u) {
let at_a = select(swizzle(at.y, kk), at.y, TRANS_A);
let at_b = select(at.x, swizzle(at.x, kk), TRANS_B);
let a0 = tile_a[kk][at_a];
let b0 = tile_b[kk][at_b];
(*s).b00.r0 += a0.x * b0;
(*s).b00.r1 += a0.y * b0;
(*s).b00.r2 += a0.z * b0;
(*s).b00.r3 += a0.w * b0;
if (QN > 1u) {
let b1 = tile_b[kk][at_b + SIDE];
(*s).b01.r0 += a0.x * b1;
(*s).b01.r1 += a0.y * b1;
(*s).b01.r2 += a0.z * b1;
(*s).b01.r3 += a0.w * b1;
}
if (QM > 1u) {
let a1 = tile_a[kk][at_a + SIDE];
(*s).b10.r0 += a1.x * b0;
(*s).b10.r1 += a1.y * b0;
(*s).b10.r2 += a1.z * b0;
(*s).b10.r3 += a1.w * b0;
if (QN > 1u) {
let b1 = tile_b[kk][at_b + SIDE];
(*s).b11.r0 += a1.x * b1;
(*s).b11.r1 += a1.y * b1;
(*s).b11.r2 += a1.z * b1;
(*s).b11.r3 += a1.w * b1;
}
}
}

fn four_steps(s: ptr<function, Sums>, kk: u32, at: vec2u) {
step(s, kk, at);
step(s, kk + 1u, at);
step(s, kk + 2u, at);
step(s, kk + 3u, at);
}



fn place(local: u32) -> vec2u {
let lane = local % 32u;
let block = local / 32u;
let within = vec2u((lane & 1u) + ((lane >> 1u) & 2u) + ((lane >> 2u) & 4u), ((lane >> 1u) & 1u) + ((lane >> 2u) & 2u));
return vec2u(within.x, within.y + 4u * block);
}







fn residual_at(i: u32) -> vec4f { return vec4f(vec4<OScalar>(residual[i])); }


fn bias_from(col: u32) -> vec4f {
let c = columns_from(col);
return vec4f(bias[c.x], bias[c.y], bias[c.z], bias[c.w]);
}


fn gate_from(row: u32, col: u32) -> vec4f {
let at = (min(row, dims.m - 1u) / dims.gate_rows) * dims.gate_stride + dims.gate_offset;
let c = at + columns_from(col);
return vec4f(gate[c.x], gate[c.y], gate[c.z], gate[c.w]);
}


fn columns_from(col: u32) -> vec4u {
return min(col + vec4u(0u, 1u, 2u, 3u), vec4u(dims.n - 1u));
}


struct Column {
bias: vec4f,
gate: vec4f,
}


fn column_from(row: u32, col: u32) -> Column {
var column = Column(vec4f(), vec4f(1.0));
if (HAS_BIAS) { column.bias = bias_from(col); }
if (HAS_GATE) { column.gate = gate_from(row, col); }
return column;
}


fn column_at(first: Column, row: u32, col: u32, rows: u32) -> Column {
var column = first;
if (HAS_GATE && dims.gate_rows % rows != 0u) { column.gate = gate_from(row, col); }
return column;
}


fn finish(slice: u32, batch: u32, row: u32, col: u32, sum: vec4f, column: Column) {
if (row < dims.m && col < dims.n) {
let index = (slice * dims.m + row) * dims.n + col;
var value = sum;
let count = min(4u, dims.n - col);
if (HAS_BIAS) { value += column.bias; }
if (HAS_PRE) { put_pre(index, count, value); }
if (ACT != 0u) {
value = vec4f(act(value.x), act(value.y), act(value.z), act(value.w));
}
if (HAS_GATE) { value *= column.gate; }
if (HAS_RESIDUAL) {
var own = row;
if (dims.residual_rows < dims.m) { own %= dims.residual_rows; }
let at = (batch * dims.residual_rows + own) * dims.n + col;
if (VEC_N) {
value += residual_at(at / 4u);
} else {
value.x += residual_at(at).x;
if (count > 1u) { value.y += residual_at(at + 1u).x; }
if (count > 2u) { value.z += residual_at(at + 2u).x; }
if (count > 3u) { value.w += residual_at(at + 3u).x; }
}
}
put_out(index, count, value);
}
}








struct Halves {
x1: vec4f,
x2: vec4f,
}

fn glu_bias(col: u32) -> Halves {
if (HAS_BIAS) { return Halves(bias_from(col), bias_from(dims.n / 2u + col)); }
return Halves();
}

fn finish_glu(batch: u32, row: u32, col: u32, sum1: vec4f, sum2: vec4f, biases: Halves) {
let hidden = dims.n / 2u;
if (row < dims.m && col < hidden) {
let x1 = sum1 + biases.x1;
let x2 = sum2 + biases.x2;
let count = min(4u, hidden - col);
let line = batch * dims.m + row;
if (HAS_PRE) {
put_pre(line * dims.n + col, count, x1);
put_pre(line * dims.n + hidden + col, count, x2);
}
put_out(line * hidden + col, count, vec4f(silu(x1.x), silu(x1.y), silu(x1.z), silu(x1.w)) * x2);
}
}




const SQRT_2_OVER_PI: f32 = 0.7978845608028654;
const GELU_CUBIC: f32 = 0.044715;


const SQRT_2: f32 = 1.4142135623730951;


fn magnitude(x: f32, most: f32) -> f32 {
return between(abs(x), 0.0, most);
}


fn safe_tanh(x: f32) -> f32 {
return tanh(between(x, -10.0, 10.0));
}


fn gelu(x: f32) -> f32 {
return 0.5 * x * (1.0 + safe_tanh(SQRT_2_OVER_PI * (x + GELU_CUBIC * x * x * x)));
}








fn sigmoid(x: f32) -> f32 {
let e = exp(-magnitude(x, 200.0));
return select(e, 1.0, x >= 0.0) / (1.0 + e);
}








fn tanh_exact(x: f32) -> f32 {
let e = exp(-2.0 * magnitude(x, 100.0));
let far = (1.0 - e) / (1.0 + e);
let z = x * x;
let near = x + x * z * (-0.333332819422 + z * (0.133314422036 + z * (-0.0537397155531 + z * (0.0206390887954 - z * 0.00570498872745))));
return select(select(far, -far, x < 0.0), near, abs(x) < 0.625);
}









struct NormalTail {
above: f32,
exponential: f32,
}

fn normal_tail(x: f32) -> NormalTail {
let size = magnitude(x, 20.0);
let t = 1.0 / (1.0 + 0.235 * size);
let low = t * (0.09380543 + t * (0.09267475 + t * (0.09759892 + t * 0.03674156)));
let high = 0.17745271 + t * (-0.14311284 + t * (0.2086004 - t * 0.063760936));
let e = exp(-0.5 * size * size);
return NormalTail(e * (low + t * t * t * t * t * high), e);
}


fn gelu_erf(x: f32) -> f32 {
let tail = normal_tail(x);
return x * select(tail.above, 1.0 - tail.above, x >= 0.0);
}







fn erf(x: f32) -> f32 {
let z = x * x;
let near = x * (1.1283791 + z * (-0.37612325 + z * (0.1128018 + z * (-0.026711311 + z * (0.0049175513 - z * 0.0005631422)))));
let far = 1.0 - 2.0 * normal_tail(SQRT_2 * x).above;
return select(select(far, -far, x < 0.0), near, abs(x) < 1.0);
}






fn relu(x: f32) -> f32 {
return at_least(x, 0.0);
}





fn silu(x: f32) -> f32 {
return x * sigmoid(x);
}










fn shared_matrix(i: u32, each: u32, count: u32) -> u32 {
return select(i / each, i / each % max(count, 1u), count > 0u);
}






var<workgroup> tile_a: array<array<vec4f, BM / 4u>, BK>;
var<workgroup> tile_b: array<array<vec4f, BN / 4u>, BK>;



struct Fetched {
v0: vec4f,
v1: vec4f,
v2: vec4f,
v3: vec4f,
}


fn swizzle(quad: u32, kk: u32) -> u32 {
return quad ^ ((kk / 2u) & 6u);
}


fn stage_a(e: u32, f: Fetched) {
if (TRANS_A) {
let kk = e / (BM / 4u);
let quad = e % (BM / 4u);
tile_a[kk][quad] = f.v0;
tile_a[kk + BK / 4u][quad] = f.v1;
tile_a[kk + 2u * (BK / 4u)][quad] = f.v2;
tile_a[kk + 3u * (BK / 4u)][quad] = f.v3;
} else {
let turned = transpose(mat4x4f(f.v0, f.v1, f.v2, f.v3));
let kk = (e % (BK / 4u)) * 4u;
let quad = swizzle(e / (BK / 4u), kk);
tile_a[kk][quad] = turned[0];
tile_a[kk + 1u][quad] = turned[1];
tile_a[kk + 2u][quad] = turned[2];
tile_a[kk + 3u][quad] = turned[3];
}
}

fn stage_b(e: u32, f: Fetched) {
if (TRANS_B) {
let turned = transpose(mat4x4f(f.v0, f.v1, f.v2, f.v3));
let kk = (e % (BK / 4u)) * 4u;
let quad = swizzle(e / (BK / 4u), kk);
tile_b[kk][quad] = turned[0];
tile_b[kk + 1u][quad] = turned[1];
tile_b[kk + 2u][quad] = turned[2];
tile_b[kk + 3u][quad] = turned[3];
} else {
let kk = e / (BN / 4u);
let quad = e % (BN / 4u);
tile_b[kk][quad] = f.v0;
tile_b[kk + BK / 4u][quad] = f.v1;
tile_b[kk + 2u * (BK / 4u)][quad] = f.v2;
tile_b[kk + 3u * (BK / 4u)][quad] = f.v3;
}
}


fn fetch_first(local: u32, sources: Sources, k0: u32) -> Fetched {
if (ITEMS_A >= THREADS || local < ITEMS_A) {
return fetch_a(local, sources, k0);
}
return fetch_b(local - ITEMS_A, sources, k0);
}

fn fetch_second(local: u32, sources: Sources, k0: u32) -> Fetched {
let e = local + THREADS - ITEMS_A;
if (e < ITEMS_B) {
return fetch_b(e, sources, k0);
}
return Fetched();
}

fn stage_first(local: u32, f: Fetched) {
if (ITEMS_A >= THREADS || local < ITEMS_A) {
stage_a(local, f);
} else {
stage_b(local - ITEMS_A, f);
}
}

fn stage_second(local: u32, f: Fetched) {
let e = local + THREADS - ITEMS_A;
if (e < ITEMS_B) {
stage_b(e, f);
}
}




const STORE_WIDTH: u32 = select(1u, 4u, VEC_N);


fn put_pre(index: u32, count: u32, value: vec4f) {
for (var j = 0u; j < 4u; j += STORE_WIDTH) {
if (j < count) {
var part: OElem;
for (var c = 0u; c < STORE_WIDTH; c++) {
part[c] = OScalar(value[j + c]);
}
pre[(index + j) / STORE_WIDTH] = part;
}
}
}

fn put_out(index: u32, count: u32, value: vec4f) {
for (var j = 0u; j < 4u; j += STORE_WIDTH) {
if (j < count) {
var part: OElem;
for (var c = 0u; c < STORE_WIDTH; c++) {
part[c] = OScalar(value[j + c]);
}
out[(index + j) / STORE_WIDTH] = part;
}
}
}




fn is_nan(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}










fn at_least(x: f32, least: f32) -> f32 {
return select(max(x, least), x, is_nan(x));
}


fn between(x: f32, low: f32, high: f32) -> f32 {
return select(clamp(x, low, high), x, is_nan(x));
}` as string,
} as const satisfies ShaderSource;

/**
 * matmul_tiled: out = residual + gate * act(op(A) op(B) + bias), batched; the GPU variant of matmul_plain, with the same buffers and dims.
 * Buffers, row-major (batch outermost):
 * a [batch, m, k] ([batch, k, m] when TRANS_A), b [batch, k, n] ([batch, n, k] when TRANS_B), fewer where the batch shares matrices (lib
 * shared_matrix)
 * out [splits * batch, m, n], pre [same] = the value before act, for the backward of a fused activation or gate
 * bias [n]; residual [batch, residual_rows, n], row r reads row r % residual_rows (m for a plain residual, N for a position table)
 * gate: row r reads gate[(r / gate_rows) * gate_stride + gate_offset + col]
 * sums [splits * batch, m] = the sums of A's rows over k, as bias gradients need: the first column of tiles takes them on the way
 * GLU: the columns of B are x1 [n / 2], then x2 [n / 2]; out [batch, m, n / 2] = silu(x1 + bias) * (x2 + bias), pre [batch, m, n] both
 * factors' linear maps. An invocation's second block of columns is that of x2 beside x1's.
 * Split over k: split s sums k in [s * k_chunk, (s + 1) * k_chunk) into out[s * batch + i]; the caller adds the splits. k_chunk >= k: one split.
 * Grid: a workgroup of 8 x 8 makes 32 QM x 32 QN outputs; invocation (x, y) has QM x QN blocks of 4 x 4, 32 apart, so that neighbours
 * read neighbouring vec4s of workgroup memory. Folded over (split, batch, tile). Small workgroups, several a multiprocessor, wait for
 * each other at no barrier and end one by one: 64 x 64 outputs by 64 invocations beat 128 x 128 by 256.
 * Each step stages BK of k in workgroup memory, k outermost, while the step after is already on its way into registers, in items of four
 * vec4s: BM items are A's, then BN are B's. An operand that lies along k in storage is transposed in registers, 4 x 4 at a time; its vec4s
 * are swizzled so that those writes meet no bank twice. The steps of k are written out: a driver that keeps them a loop takes a quarter longer.
 * Sums and fetched numbers are named, not arrays: an array of vec4s that a loop indexes went to local memory on an NVIDIA driver, and
 * 128 x 128 tiles made 2 TFLOP/s instead of tens.
 * Precision: sums and the epilogue in f32, k summed in order, or in runs with RUNS; a, b and out, pre, residual may be stored as f16.
 */
export interface MatmulTiled extends Same<typeof matmul_tiled_> {}
export const matmul_tiled: MatmulTiled = matmul_tiled_;

const muon_momentum_ = {
  name: 'muon_momentum',
  entryPoint: 'main',
  bindings: {
    grad: { binding: 0, access: 'read', element: 'vec4f' },
    m: { binding: 1, access: 'read_write', element: 'vec4f' },
    clip: { binding: 2, access: 'read', element: 'f32' },
    hyper: { binding: 3, access: 'read', element: 'f32' },
    x: { binding: 4, access: 'read_write', element: 'f32' },
    partial: { binding: 5, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 6, size: 12, fields: {
    count: { type: 'u32', offset: 0 },
    x_offset: { type: 'u32', offset: 4, else: 0 },
    partial_offset: { type: 'u32', offset: 8, else: 0 },
  } },
  knobs: {
    LANES: { kind: 'const', type: 'u32', default: 256, halves: true },
    ROWS: { kind: 'const', type: 'u32', default: 1, halves: true },
    PER_GROUP: { kind: 'const', type: 'u32', default: 4096 },
    MAX_GROUPS: { kind: 'const', type: 'u32', default: 1024 },
  },
  workgroup: ['LANES', 'ROWS'],
  code: `











const LANES: u32 = 256u;
const ROWS: u32 = 1u;
const PER_GROUP: u32 = 4096u;
const MAX_GROUPS: u32 = 1024u;

alias Summed = vec4f;

struct Dims {
count: u32,
x_offset: u32,
partial_offset: u32,
}

@group(0) @binding(0) var<storage, read> grad: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> m: array<vec4f>;
@group(0) @binding(2) var<storage, read> clip: array<f32>;
@group(0) @binding(3) var<storage, read> hyper: array<f32>;
@group(0) @binding(4) var<storage, read_write> x: array<f32>;
@group(0) @binding(5) var<storage, read_write> partial: array<f32>;
@group(0) @binding(6) var<uniform> dims: Dims;

@compute @workgroup_size(LANES, ROWS)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) workgroups: vec3u,
@builtin(local_invocation_id) lid: vec3u,
) {
let group = (wid.x + wid.y * workgroups.x) * ROWS + lid.y;
let groups = min(MAX_GROUPS, (dims.count + PER_GROUP - 1u) / PER_GROUP);
let inside = group < groups;
let end = select(0u, (dims.count + 3u) / 4u, inside);
let step = groups * LANES;
let held = clip[3] == 1.0;
var sums = Runs();
for (var first = group * LANES + lid.x; first < end; first += RUN * step) {
var run = Summed();
for (var i = first; i < min(end, first + RUN * step); i += step) {
let g = clean_gradient(grad[i], clip[0]);
let old = m[i];
let new_m = hyper[0] * old + hyper[1] * g;
let update = hyper[1] * g + hyper[0] * new_m;
let live = live_elements(i, dims.count);
if (!held) {
m[i] = select(old, new_m, live);
}
let own = select(vec4f(), update, live);
run += own * own;
for (var k = 0u; k < min(4u, dims.count - 4u * i); k++) {
x[dims.x_offset + 4u * i + k] = update[k];
}
}
add_run(&sums, run);
}
let squares = sum_of(sums);
let sum = lanes_sum((squares.x + squares.y) + (squares.z + squares.w), lid.x, lid.y);
if (inside && lid.x == 0u) {
partial[dims.partial_offset + group] = sum;
}
}




fn clean_gradient(raw: vec4f, scale: f32) -> vec4f {
let broken = (bitcast<vec4u>(raw) & vec4u(0x7f800000u)) == vec4u(0x7f800000u);
return select(raw * scale, vec4f(0.0), broken);
}


fn live_elements(i: u32, count: u32) -> vec4<bool> {
return vec4u(i * 4u) + vec4u(0u, 1u, 2u, 3u) < vec4u(count);
}





var<workgroup> lane_partials: array<f32, LANES * ROWS>;

fn lanes_sum(value: f32, lane: u32, row: u32) -> f32 {
if (LANES == 1u) {
return value;
}
let base = row * LANES;
lane_partials[base + lane] = value;
workgroupBarrier();
for (var stride = LANES / 2u; stride > 0u; stride /= 2u) {
if (lane < stride) {
lane_partials[base + lane] += lane_partials[base + lane + stride];
}
workgroupBarrier();
}
let total = lane_partials[base];
workgroupBarrier();
return total;
}





const RUN: u32 = 256u;

struct Runs {
total: Summed,
block: Summed,
count: u32,
}

fn add_run(runs: ptr<function, Runs>, run: Summed) {
(*runs).block += run;
(*runs).count++;
if ((*runs).count % RUN == 0u) {
(*runs).total += (*runs).block;
(*runs).block = Summed();
}
}

fn sum_of(runs: Runs) -> Summed {
return runs.total + runs.block;
}` as string,
} as const satisfies ShaderSource;

/**
 * muon_momentum: the momentum of one matrix, and what Muon makes orthogonal of it: Nesterov's average of momentum and gradient.
 * g = finite(grad) * clip scale;  m = b m + (1 - b) g;  x = (1 - b) g + b m
 * Buffers f32: grad [count]; m [count] updated; clip [4] of shaders/clip_scale.wgsl; hyper [4] = (b, 1 - b, lr, lr wd);
 * x: written from x_offset on, without padding, so that matrices of one shape lie side by side; partial: sums of squares of x, from
 * partial_offset on, one a group. grad and m are padded to whole vec4s; elements past count keep their values.
 * Grid: groups = min(MAX_GROUPS, ceil(count / PER_GROUP)) of LANES invocations, ROWS groups a workgroup; see shaders/grad_stats.wgsl.
 * Precision: f32; sums of runs. A non-finite gradient counts as 0. In a step that is held m stays.
 * Source: Jordan et al. 2024 (Muon), muon_update of muon.py.
 */
export interface MuonMomentum extends Same<typeof muon_momentum_> {}
export const muon_momentum: MuonMomentum = muon_momentum_;

const muon_scale_ = {
  name: 'muon_scale',
  entryPoint: 'main',
  bindings: {
    partial: { binding: 0, access: 'read', element: 'f32' },
    scales: { binding: 1, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 2, size: 8, fields: {
    matrices: { type: 'u32', offset: 0 },
    groups: { type: 'u32', offset: 4 },
  } },
  knobs: {
    LANES: { kind: 'const', type: 'u32', default: 64, halves: true },
  },
  workgroup: ['LANES'],
  code: `








const LANES: u32 = 64u;
const ROWS: u32 = 1u;

struct Dims {
matrices: u32,
groups: u32,
}

@group(0) @binding(0) var<storage, read> partial: array<f32>;
@group(0) @binding(1) var<storage, read_write> scales: array<f32>;
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(LANES)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) workgroups: vec3u,
@builtin(local_invocation_id) lid: vec3u,
) {
let matrix = wid.x + wid.y * workgroups.x;
let live = matrix < dims.matrices;
let base = select(0u, matrix, live) * dims.groups;
var squares = 0.0;
for (var i = lid.x; i < dims.groups; i += LANES) {
squares += partial[base + i];
}
squares = lanes_sum(squares, lid.x, 0u);
if (live && lid.x == 0u) {
scales[matrix] = inverse(sqrt(squares) + 1e-7);
}
}





var<workgroup> lane_partials: array<f32, LANES * ROWS>;

fn lanes_sum(value: f32, lane: u32, row: u32) -> f32 {
if (LANES == 1u) {
return value;
}
let base = row * LANES;
lane_partials[base + lane] = value;
workgroupBarrier();
for (var stride = LANES / 2u; stride > 0u; stride /= 2u) {
if (lane < stride) {
lane_partials[base + lane] += lane_partials[base + lane + stride];
}
workgroupBarrier();
}
let total = lane_partials[base];
workgroupBarrier();
return total;
}












fn is_finite(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u;
}












fn inverse(x: f32) -> f32 {
var nan_bits = 0x7fc00000u;
return select(bitcast<f32>(nan_bits), 1.0 / x, is_finite(x));
}` as string,
} as const satisfies ShaderSource;

/**
 * muon_scale: what takes each matrix to a Frobenius norm of 1: scale = 1 / (sqrt(sum of squares) + 1e-7), so that no singular value is
 * above 1 and a matrix of zeros stays one.
 * Buffers f32: partial [matrices, groups] of shaders/muon_momentum.wgsl; scales [matrices].
 * Grid: a workgroup of LANES invocations a matrix.
 * Precision: f32, in one fixed order.
 * Source: Jordan et al. 2024 (Muon), zeropower_via_newtonschulz5 of muon.py.
 */
export interface MuonScale extends Same<typeof muon_scale_> {}
export const muon_scale: MuonScale = muon_scale_;

const muon_step_ = {
  name: 'muon_step',
  entryPoint: 'main',
  bindings: {
    param: { binding: 0, access: 'read_write', element: 'vec4f' },
    x: { binding: 1, access: 'read', element: 'f32' },
    hyper: { binding: 2, access: 'read', element: 'f32' },
    clip: { binding: 3, access: 'read', element: 'f32' },
  },
  uniform: { binding: 4, size: 12, fields: {
    count: { type: 'u32', offset: 0 },
    x_offset: { type: 'u32', offset: 4, else: 0 },
    size: { type: 'f32', offset: 8 },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
  },
  workgroup: ['WG'],
  code: `








const WG: u32 = 256u;

struct Dims {
count: u32,
x_offset: u32,
size: f32,
}

@group(0) @binding(0) var<storage, read_write> param: array<vec4f>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> hyper: array<f32>;
@group(0) @binding(3) var<storage, read> clip: array<f32>;
@group(0) @binding(4) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let i = (wid.x + wid.y * groups.x) * WG + local;
if (i >= (dims.count + 3u) / 4u || clip[3] == 1.0) {
return;
}
let p = param[i];
var update = vec4f();
for (var k = 0u; k < min(4u, dims.count - 4u * i); k++) {
update[k] = x[dims.x_offset + 4u * i + k];
}
param[i] = select(p, p - hyper[3] * p - hyper[2] * dims.size * update, live_elements(i, dims.count));
}










fn live_elements(i: u32, count: u32) -> vec4<bool> {
return vec4u(i * 4u) + vec4u(0u, 1u, 2u, 3u) < vec4u(count);
}` as string,
} as const satisfies ShaderSource;

/**
 * muon_step: one matrix moves against its orthogonal update, in place: p = p - lr wd p - lr size x
 * Buffers f32: param [count] updated, padded to whole vec4s, elements past count keep their values; x: read from x_offset on, without
 * padding; hyper [4] = (b, 1 - b, lr, lr wd); clip [4] of shaders/clip_scale.wgsl: a step that is held changes nothing.
 * Dims: size, the factor of the matrix's shape, and what the iteration has left out of x.
 * Grid: one vec4 an invocation, WG invocations a workgroup.
 * Precision: f32.
 * Source: Jordan et al. 2024 (Muon), SingleDeviceMuon of muon.py.
 */
export interface MuonStep extends Same<typeof muon_step_> {}
export const muon_step: MuonStep = muon_step_;

const norm_bwd_ = {
  name: 'norm_bwd',
  entryPoint: 'main',
  bindings: {
    dy: { binding: 0, access: 'read', element: 'Elem' },
    x: { binding: 1, access: 'read', element: 'Elem' },
    stats: { binding: 2, access: 'read', element: 'f32' },
    weight: { binding: 3, access: 'read', element: 'Column', optional: 'HAS_WEIGHT' },
    modulation: { binding: 4, access: 'read', element: 'Mod' },
    prior: { binding: 5, access: 'read', element: 'Elem', optional: 'HAS_PRIOR' },
    dx: { binding: 6, access: 'read_write', element: 'OElem' },
    dmodulation: { binding: 7, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 8, size: 24, fields: {
    rows: { type: 'u32', offset: 0 },
    cols: { type: 'u32', offset: 4 },
    mod_rows: { type: 'u32', offset: 8 },
    mod_stride: { type: 'u32', offset: 12 },
    scale_offset: { type: 'u32', offset: 16 },
    shift_offset: { type: 'u32', offset: 20, else: 0, optional: 'HAS_SHIFT' },
  } },
  knobs: {
    LANES: { kind: 'const', type: 'u32', default: 16, halves: true },
    ROWS: { kind: 'const', type: 'u32', default: 16, halves: true },
    HELD: { kind: 'const', type: 'u32', default: 1 },
    RMS: { kind: 'const', type: 'bool', default: false },
    HAS_WEIGHT: { kind: 'const', type: 'bool', default: false },
    HAS_SHIFT: { kind: 'const', type: 'bool', default: false },
    HAS_PRIOR: { kind: 'const', type: 'bool', default: false },
    VEC: { kind: 'const', type: 'bool', default: false },
    VEC_MOD: { kind: 'const', type: 'bool', default: false },
    Scalar: { kind: 'alias', type: 'type', default: 'f32' },
    Elem: { kind: 'alias', type: 'type', default: 'f32' },
    OElem: { kind: 'alias', type: 'type', default: 'array<f32, 1>' },
    Column: { kind: 'alias', type: 'type', default: 'f32' },
    Mod: { kind: 'alias', type: 'type', default: 'f32' },
  },
  workgroup: ['LANES', 'ROWS'],
  code: `













const LANES: u32 = 16u;
const ROWS: u32 = 16u;
const HELD: u32 = 1u;
const RMS: bool = false;
const HAS_WEIGHT: bool = false;
const HAS_SHIFT: bool = false;
const HAS_PRIOR: bool = false;
const VEC: bool = false;
const VEC_MOD: bool = false;
alias Scalar = f32;
alias Elem = f32;
alias OElem = array<f32, 1>;
alias Column = f32;
alias Mod = f32;

struct Dims {
rows: u32,
cols: u32,
mod_rows: u32,
mod_stride: u32,
scale_offset: u32,
shift_offset: u32,
}

@group(0) @binding(0) var<storage, read> dy: array<Elem>;
@group(0) @binding(1) var<storage, read> x: array<Elem>;
@group(0) @binding(2) var<storage, read> stats: array<f32>;
@group(0) @binding(3) var<storage, read> weight: array<Column>;
@group(0) @binding(4) var<storage, read> modulation: array<Mod>;
@group(0) @binding(5) var<storage, read> prior: array<Elem>;
@group(0) @binding(6) var<storage, read_write> dx: array<OElem>;
@group(0) @binding(7) var<storage, read_write> dmodulation: array<f32>;
@group(0) @binding(8) var<uniform> dims: Dims;

var<workgroup> partial_dy: array<vec4f, LANES * ROWS>;
var<workgroup> partial_dy_xhat: array<vec4f, LANES * ROWS>;

fn put(i: u32, value: OElem) {
dx[i] = value;
}


struct Place {
base: u32,
end: u32,
mean: f32,
rstd: f32,
}


struct Columns {
factor: vec4f,
dy: vec4f,
dy_xhat: vec4f,
}


struct Held {
dy: vec4f,
xhat: vec4f,
}

fn columns(part: u32, lane: u32, q: u32) -> Columns {
let quad = columns_of(lane, q, dims.cols);
var factor = 1.0 + mod_quad(part * dims.mod_stride + dims.scale_offset + quad.at);
if (HAS_WEIGHT) {
factor *= weight_quad(quad.at);
}
return Columns(factor, vec4f(), vec4f());
}

fn hold(row: Place, lane: u32, q: u32) -> Held {
let quad = columns_of(lane, q, row.end);
let slope = dy_quad(row.base + quad.at);
let xhat = (x_quad(row.base + quad.at) - row.mean) * row.rstd;
return Held(select(vec4f(), slope, quad.live), select(vec4f(), xhat, quad.live));
}

fn with_row(c: Columns, held: Held) -> Columns {
return Columns(c.factor, c.dy + held.dy, c.dy_xhat + held.dy * held.xhat);
}

fn pair_of(held: Held, c: Columns) -> vec2f {
let g = held.dy * c.factor;
return vec2f(sum_of_four(g), sum_of_four(g * held.xhat));
}

fn write_quad(row: Place, lane: u32, q: u32, held: Held, c: Columns, means: vec2f) {
let quad = columns_of(lane, q, row.end);
var value = row.rstd * (held.dy * c.factor - means.x - held.xhat * means.y);
if (HAS_PRIOR) {
value += prior_quad(row.base + quad.at);
}
put_quad(row.base, quad, value);
}

fn add_to(at: u32, live: vec4<bool>, col: vec4u, value: vec4f) {
if (live.x) { dmodulation[at + col.x] += value.x; }
if (live.y) { dmodulation[at + col.y] += value.y; }
if (live.z) { dmodulation[at + col.z] += value.z; }
if (live.w) { dmodulation[at + col.w] += value.w; }
}


fn add_sums(part: u32, lane: u32, row: u32, q: u32, c: Columns) {
partial_dy[row * LANES + lane] = c.dy;
partial_dy_xhat[row * LANES + lane] = c.dy_xhat;
workgroupBarrier();
if (row == 0u) {
var by_shift = vec4f();
var by_scale = vec4f();
for (var i = 0u; i < min(ROWS, dims.mod_rows); i++) {
by_shift += partial_dy[i * LANES + lane];
by_scale += partial_dy_xhat[i * LANES + lane];
}
let quad = columns_of(lane, q, dims.cols);
if (HAS_WEIGHT) {
by_scale *= weight_quad(quad.at);
}
let at = part * dims.mod_stride;
add_to(at + dims.scale_offset, quad.live, quad.at, by_scale);
if (HAS_SHIFT) {
add_to(at + dims.shift_offset, quad.live, quad.at, by_shift);
}
}
workgroupBarrier();
}

@compute @workgroup_size(LANES, ROWS)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_id) lid: vec3u,
) {
let part = wid.x + wid.y * groups.x;
let begin = part * dims.mod_rows;
if (begin >= dims.rows) {
return;
}
let last = min(dims.rows, begin + dims.mod_rows);
let lane = lid.x;
var c0 = columns(part, lane, 0u);
var c1 = Columns();
var c2 = Columns();
if (HELD > 1u) { c1 = columns(part, lane, 1u); }
if (HELD > 2u) { c2 = columns(part, lane, 2u); }
for (var first = begin; first < last; first += ROWS) {
let index = first + lid.y;
let live = index < last;
let safe = select(begin, index, live);
let row = Place(safe * dims.cols, select(0u, dims.cols, live), stats[safe * 2u], stats[safe * 2u + 1u]);
var h1 = Held();
var h2 = Held();
let h0 = hold(row, lane, 0u);
if (HELD > 1u) { h1 = hold(row, lane, 1u); }
if (HELD > 2u) { h2 = hold(row, lane, 2u); }
let sum = (pair_of(h0, c0) + pair_of(h1, c1)) + pair_of(h2, c2);
var means = lanes_any_sum(sum, lane, lid.y) / f32(dims.cols);
if (RMS) {
means.x = 0.0;
}
write_quad(row, lane, 0u, h0, c0, means);
c0 = with_row(c0, h0);
if (HELD > 1u) {
write_quad(row, lane, 1u, h1, c1, means);
c1 = with_row(c1, h1);
}
if (HELD > 2u) {
write_quad(row, lane, 2u, h2, c2, means);
c2 = with_row(c2, h2);
}
}
for (var q = 0u; q < min(HELD, dims.cols); q++) {
var c = c0;
if (HELD > 1u && q == 1u) { c = c1; }
if (HELD > 2u && q == 2u) { c = c2; }
add_sums(part, lane, lid.y, q, c);
}
}








const MOST_READ: u32 = 32u;

var<workgroup> lane_pairs: array<vec2f, 2u * LANES * ROWS>;
var<private> lanes_turn: u32;

fn lanes_any_sum(value: vec2f, lane: u32, row: u32) -> vec2f {
if (LANES == 1u) {
return value;
}
let base = lanes_turn * (LANES * ROWS) + row * LANES;
lanes_turn = 1u - lanes_turn;
lane_pairs[base + lane] = value;
workgroupBarrier();
if (LANES > MOST_READ && (LANES & (LANES - 1u)) == 0u) {
for (var stride = LANES / 2u; stride > 0u; stride /= 2u) {
if (lane < stride) {
lane_pairs[base + lane] += lane_pairs[base + lane + stride];
}
workgroupBarrier();
}
return lane_pairs[base];
}
var total = vec2f(0.0);
for (var i = 0u; i < LANES; i++) {
total += lane_pairs[base + i];
}
return total;
}







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






const SECOND: u32 = select(0u, 1u, VEC);
const THIRD: u32 = select(0u, 2u, VEC);
const FOURTH: u32 = select(0u, 3u, VEC);

fn element(value: vec4f) -> OElem {
var one: OElem;
one[0] = Scalar(value.x);
if (VEC) {
one[SECOND] = Scalar(value.y);
one[THIRD] = Scalar(value.z);
one[FOURTH] = Scalar(value.w);
}
return one;
}







fn columns_of(lane: u32, q: u32, end: u32) -> Quad {
if (VEC) {
let c = 4u * (lane + q * LANES);
return Quad(min(c, max(end, 4u) - 4u) + vec4u(0u, 1u, 2u, 3u), vec4<bool>(c < end));
}
return quad_of(0u, lane + 4u * q * LANES, end);
}

fn sum_of_four(v: vec4f) -> f32 {
return (v.x + v.y) + (v.z + v.w);
}




struct Quad {
at: vec4u,
live: vec4<bool>,
}


fn quad_of(base: u32, c: u32, end: u32) -> Quad {
let at = vec4u(c, c + LANES, c + 2u * LANES, c + 3u * LANES);
return Quad(base + min(at, vec4u(max(end, 1u) - 1u)), at < vec4u(end));
}` as string,
} as const satisfies ShaderSource;

/**
 * norm_bwd: all gradients of a modulated norm_fwd without weight's: norm_bwd_x and norm_bwd_modulation in one reading of dy and x.
 * g = dy (1 + scale) weight;  dx = prior + rstd (g - mean(g) - xhat mean(g xhat)); RMSNorm leaves mean(g) out;
 * dshift += sum of dy, dscale += weight * sum of dy xhat, over the rows that share them.
 * Buffers, row-major f32: dy, x, prior, dx [rows, cols]; stats [rows, 2] = (mean, rstd); weight [cols];
 * modulation [ceil(rows / mod_rows), mod_stride], scale of column c at scale_offset + c; dmodulation [same], ADDED to at scale_offset + c and
 * shift_offset + c: the caller zeroes it, and several kernels add into columns of their own.
 * Grid: a workgroup the mod_rows rows of a modulation row, ROWS at once, LANES invocations a row, which hold HELD quads of it and of the sums:
 * for few rows of few columns, where two dispatches would be over before they are under way.
 * Precision: f32, in one fixed order: no atomics.
 * Source: the derivatives of shaders/norm_fwd.wgsl.
 */
export interface NormBwd extends Same<typeof norm_bwd_> {}
export const norm_bwd: NormBwd = norm_bwd_;

const norm_bwd_modulation_ = {
  name: 'norm_bwd_modulation',
  entryPoint: 'main',
  bindings: {
    dy: { binding: 0, access: 'read', element: 'Elem' },
    x: { binding: 1, access: 'read', element: 'Elem' },
    stats: { binding: 2, access: 'read', element: 'f32' },
    weight: { binding: 3, access: 'read', element: 'f32', optional: 'HAS_WEIGHT' },
    bias: { binding: 4, access: 'read', element: 'f32', optional: 'HAS_BIAS' },
    dmodulation: { binding: 5, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 6, size: 24, fields: {
    rows: { type: 'u32', offset: 0 },
    cols: { type: 'u32', offset: 4 },
    mod_rows: { type: 'u32', offset: 8 },
    mod_stride: { type: 'u32', offset: 12 },
    scale_offset: { type: 'u32', offset: 16, else: 0, optional: 'HAS_SCALE' },
    shift_offset: { type: 'u32', offset: 20, else: 0, optional: 'HAS_SHIFT' },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
    LANES: { kind: 'const', type: 'u32', default: 8 },
    LANES_FROM: { kind: 'const', type: 'u32', default: 32 },
    HAS_WEIGHT: { kind: 'const', type: 'bool', default: false },
    HAS_BIAS: { kind: 'const', type: 'bool', default: false },
    HAS_SCALE: { kind: 'const', type: 'bool', default: false },
    HAS_SHIFT: { kind: 'const', type: 'bool', default: false },
    VEC: { kind: 'const', type: 'bool', default: false },
    Elem: { kind: 'alias', type: 'type', default: 'f32' },
    Column: { kind: 'alias', type: 'type', default: 'f32' },
    Summed: { kind: 'alias', type: 'type', default: 'vec2f' },
  },
  workgroup: ['WG'],
  code: `










const WG: u32 = 256u;
const LANES: u32 = 8u;
const LANES_FROM: u32 = 32u;
const HAS_WEIGHT: bool = false;
const HAS_BIAS: bool = false;
const HAS_SCALE: bool = false;
const HAS_SHIFT: bool = false;
const VEC: bool = false;
alias Elem = f32;
alias Column = f32;
alias Summed = vec2f;

const WIDTH: u32 = select(1u, 4u, VEC);

struct Dims {
rows: u32,
cols: u32,
mod_rows: u32,
mod_stride: u32,
scale_offset: u32,
shift_offset: u32,
}

@group(0) @binding(0) var<storage, read> dy: array<Elem>;
@group(0) @binding(1) var<storage, read> x: array<Elem>;
@group(0) @binding(2) var<storage, read> stats: array<f32>;
@group(0) @binding(3) var<storage, read> weight: array<f32>;
@group(0) @binding(4) var<storage, read> bias: array<f32>;
@group(0) @binding(5) var<storage, read_write> dmodulation: array<f32>;
@group(0) @binding(6) var<uniform> dims: Dims;

fn term(row: u32, col: u32) -> Summed {
let at = row * (dims.cols / WIDTH) + col;
let g = Column(dy[at]);
if (HAS_SCALE) {
return Summed(g, g * (Column(x[at]) - stats[row * 2u]) * stats[row * 2u + 1u]);
}
return Summed(g, Column());
}


fn add_sums(mod_base: u32, col: u32, dy_sum: f32, dy_xhat_sum: f32) {
if (HAS_SCALE) {
var dscale = dy_xhat_sum;
if (HAS_WEIGHT) {
dscale *= weight[col];
}
if (HAS_BIAS) {
dscale += dy_sum * bias[col];
}
dmodulation[mod_base + dims.scale_offset + col] += dscale;
}
if (HAS_SHIFT) {
dmodulation[mod_base + dims.shift_offset + col] += dy_sum;
}
}

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let p = column_part(wid.x + wid.y * groups.x, local, dims.cols / WIDTH, dims.mod_rows);
let sum = column_total(p, local, dims.mod_rows);
if (!p.owner) {
return;
}
let base = p.part * dims.mod_stride;
let dys = vec4f(sum[0]);
let xhats = vec4f(sum[1]);
let col = WIDTH * p.col;
add_sums(base, col, dys.x, xhats.x);
if (VEC) {
add_sums(base, col + 1u, dys.y, xhats.y);
add_sums(base, col + 2u, dys.z, xhats.z);
add_sums(base, col + 3u, dys.w, xhats.w);
}
}








var<workgroup> column_partials: array<Summed, WG>;


fn column_lanes(rows: u32) -> u32 {
return select(LANES, 1u, rows < LANES_FROM);
}



fn column_sum(value: Summed, local: u32, lanes: u32) -> Summed {
if (LANES == 1u || lanes == 1u) {
return value;
}
column_partials[local] = value;
workgroupBarrier();
for (var stride = WG / 2u; stride >= WG / lanes; stride /= 2u) {
if (local < stride) {
column_partials[local] += column_partials[local + stride];
}
workgroupBarrier();
}
return column_partials[local];
}


struct ColumnPart {
part: u32,
col: u32,
begin: u32,
end: u32,
live: bool,
owner: bool,
}


fn column_tiles(cols: u32, rows: u32) -> u32 {
let width = WG / column_lanes(rows);
return (cols + width - 1u) / width;
}

fn column_part(group: u32, local: u32, cols: u32, rows: u32) -> ColumnPart {
let width = WG / column_lanes(rows);
let tiles = column_tiles(cols, rows);
let part = group / tiles;
let col = (group % tiles) * width + local % width;
let begin = min(part * rows, dims.rows);
let end = begin + min(rows, dims.rows - begin);
let live = col < cols && begin < end;
return ColumnPart(part, col, begin, end, live, live && local < width);
}


fn column_total(p: ColumnPart, local: u32, rows: u32) -> Summed {
let lanes = column_lanes(rows);
var sums = Runs();
if (p.live) {
let length = 4u * RUN * lanes;
for (var first = p.begin + local / (WG / lanes); first < p.end; first += length) {
let stop = min(p.end, first + length);
var row = first;
var run = Summed();
for (; row + 3u * lanes < stop; row += 4u * lanes) {
run += (term(row, p.col) + term(row + lanes, p.col)) + (term(row + 2u * lanes, p.col) + term(row + 3u * lanes, p.col));
}
for (; row < stop; row += lanes) {
run += term(row, p.col);
}
add_run(&sums, run);
}
}
return column_sum(sum_of(sums), local, lanes);
}





const RUN: u32 = 256u;

struct Runs {
total: Summed,
block: Summed,
count: u32,
}

fn add_run(runs: ptr<function, Runs>, run: Summed) {
(*runs).block += run;
(*runs).count++;
if ((*runs).count % RUN == 0u) {
(*runs).total += (*runs).block;
(*runs).block = Summed();
}
}

fn sum_of(runs: Runs) -> Summed {
return runs.total + runs.block;
}` as string,
} as const satisfies ShaderSource;

/**
 * norm_bwd_modulation: the gradients of norm_fwd by scale and shift, summed over the rows that share them.
 * dshift += sum of dy;  dscale += sum of dy (xhat weight + bias) = weight * sum of dy xhat + bias * sum of dy.
 * Buffers, row-major f32: dy, x [rows, cols]; stats [rows, 2] = (mean, rstd); weight, bias [cols];
 * dmodulation [ceil(rows / mod_rows), mod_stride], ADDED to at scale_offset + c and shift_offset + c: the caller zeroes it, and
 * several kernels add into columns of their own.
 * Grid: columns are single ones or, with VEC, fours of neighbours. A workgroup sums WG columns of one modulation row, or WG / LANES columns
 * where mod_rows is at least LANES_FROM, LANES invocations a column (lib column_lanes).
 * Precision: f32, in one fixed order: no atomics.
 * Source: the derivative of shaders/norm_fwd.wgsl.
 */
export interface NormBwdModulation extends Same<typeof norm_bwd_modulation_> {}
export const norm_bwd_modulation: NormBwdModulation = norm_bwd_modulation_;

const norm_bwd_weight_ = {
  name: 'norm_bwd_weight',
  entryPoint: 'main',
  bindings: {
    dy: { binding: 0, access: 'read', element: 'Elem' },
    x: { binding: 1, access: 'read', element: 'Elem' },
    stats: { binding: 2, access: 'read', element: 'f32' },
    modulation: { binding: 3, access: 'read', element: 'f32', optional: 'HAS_SCALE' },
    dweight_partial: { binding: 4, access: 'read_write', element: 'f32' },
    dbias_partial: { binding: 5, access: 'read_write', element: 'f32', optional: 'HAS_BIAS' },
  },
  uniform: { binding: 6, size: 24, fields: {
    rows: { type: 'u32', offset: 0 },
    cols: { type: 'u32', offset: 4 },
    mod_rows: { type: 'u32', offset: 8, else: 1, optional: 'HAS_SCALE' },
    mod_stride: { type: 'u32', offset: 12, else: 0, optional: 'HAS_SCALE' },
    scale_offset: { type: 'u32', offset: 16, else: 0, optional: 'HAS_SCALE' },
    chunk_rows: { type: 'u32', offset: 20, else: 'rows' },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
    LANES: { kind: 'const', type: 'u32', default: 8 },
    LANES_FROM: { kind: 'const', type: 'u32', default: 32 },
    HAS_SCALE: { kind: 'const', type: 'bool', default: false },
    HAS_BIAS: { kind: 'const', type: 'bool', default: false },
    Elem: { kind: 'alias', type: 'type', default: 'f32' },
  },
  workgroup: ['WG'],
  code: `










const WG: u32 = 256u;
const LANES: u32 = 8u;
const LANES_FROM: u32 = 32u;
const HAS_SCALE: bool = false;
const HAS_BIAS: bool = false;
alias Elem = f32;

alias Summed = vec2f;

struct Dims {
rows: u32,
cols: u32,
mod_rows: u32,
mod_stride: u32,
scale_offset: u32,
chunk_rows: u32,
}

@group(0) @binding(0) var<storage, read> dy: array<Elem>;
@group(0) @binding(1) var<storage, read> x: array<Elem>;
@group(0) @binding(2) var<storage, read> stats: array<f32>;
@group(0) @binding(3) var<storage, read> modulation: array<f32>;
@group(0) @binding(4) var<storage, read_write> dweight_partial: array<f32>;
@group(0) @binding(5) var<storage, read_write> dbias_partial: array<f32>;
@group(0) @binding(6) var<uniform> dims: Dims;

fn term(row: u32, col: u32) -> vec2f {
let at = row * dims.cols + col;
var g = f32(dy[at]);
if (HAS_SCALE) {
g *= 1.0 + modulation[(row / dims.mod_rows) * dims.mod_stride + dims.scale_offset + col];
}
return vec2f(g, g * (f32(x[at]) - stats[row * 2u]) * stats[row * 2u + 1u]);
}

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let p = column_part(wid.x + wid.y * groups.x, local, dims.cols, dims.chunk_rows);
let sum = column_total(p, local, dims.chunk_rows);
if (p.owner) {
let at = p.part * dims.cols + p.col;
if (HAS_BIAS) {
dbias_partial[at] = sum.x;
}
dweight_partial[at] = sum.y;
}
}








var<workgroup> column_partials: array<Summed, WG>;


fn column_lanes(rows: u32) -> u32 {
return select(LANES, 1u, rows < LANES_FROM);
}



fn column_sum(value: Summed, local: u32, lanes: u32) -> Summed {
if (LANES == 1u || lanes == 1u) {
return value;
}
column_partials[local] = value;
workgroupBarrier();
for (var stride = WG / 2u; stride >= WG / lanes; stride /= 2u) {
if (local < stride) {
column_partials[local] += column_partials[local + stride];
}
workgroupBarrier();
}
return column_partials[local];
}


struct ColumnPart {
part: u32,
col: u32,
begin: u32,
end: u32,
live: bool,
owner: bool,
}


fn column_tiles(cols: u32, rows: u32) -> u32 {
let width = WG / column_lanes(rows);
return (cols + width - 1u) / width;
}

fn column_part(group: u32, local: u32, cols: u32, rows: u32) -> ColumnPart {
let width = WG / column_lanes(rows);
let tiles = column_tiles(cols, rows);
let part = group / tiles;
let col = (group % tiles) * width + local % width;
let begin = min(part * rows, dims.rows);
let end = begin + min(rows, dims.rows - begin);
let live = col < cols && begin < end;
return ColumnPart(part, col, begin, end, live, live && local < width);
}


fn column_total(p: ColumnPart, local: u32, rows: u32) -> Summed {
let lanes = column_lanes(rows);
var sums = Runs();
if (p.live) {
let length = 4u * RUN * lanes;
for (var first = p.begin + local / (WG / lanes); first < p.end; first += length) {
let stop = min(p.end, first + length);
var row = first;
var run = Summed();
for (; row + 3u * lanes < stop; row += 4u * lanes) {
run += (term(row, p.col) + term(row + lanes, p.col)) + (term(row + 2u * lanes, p.col) + term(row + 3u * lanes, p.col));
}
for (; row < stop; row += lanes) {
run += term(row, p.col);
}
add_run(&sums, run);
}
}
return column_sum(sum_of(sums), local, lanes);
}





const RUN: u32 = 256u;

struct Runs {
total: Summed,
block: Summed,
count: u32,
}

fn add_run(runs: ptr<function, Runs>, run: Summed) {
(*runs).block += run;
(*runs).count++;
if ((*runs).count % RUN == 0u) {
(*runs).total += (*runs).block;
(*runs).block = Summed();
}
}

fn sum_of(runs: Runs) -> Summed {
return runs.total + runs.block;
}` as string,
} as const satisfies ShaderSource;

/**
 * norm_bwd_weight: the gradients of norm_fwd by weight and bias, as sums over chunks of rows.
 * dweight = sum of dy (1 + scale) xhat;  dbias = sum of dy (1 + scale). sum_cols adds the chunks.
 * Buffers, row-major f32: dy, x [rows, cols]; stats [rows, 2] = (mean, rstd);
 * modulation [ceil(rows / mod_rows), mod_stride], scale of column c at scale_offset + c;
 * dweight_partial, dbias_partial [ceil(rows / chunk_rows), cols].
 * Grid: a workgroup sums WG columns of one chunk, or WG / LANES columns where chunks have at least LANES_FROM rows, LANES
 * invocations a column (lib column_lanes).
 * Precision: f32, in one fixed order: no atomics.
 * Source: the derivative of shaders/norm_fwd.wgsl.
 */
export interface NormBwdWeight extends Same<typeof norm_bwd_weight_> {}
export const norm_bwd_weight: NormBwdWeight = norm_bwd_weight_;

const norm_bwd_x_ = {
  name: 'norm_bwd_x',
  entryPoint: 'main',
  bindings: {
    dy: { binding: 0, access: 'read', element: 'Elem' },
    x: { binding: 1, access: 'read', element: 'Elem' },
    stats: { binding: 2, access: 'read', element: 'f32' },
    weight: { binding: 3, access: 'read', element: 'Column', optional: 'HAS_WEIGHT' },
    modulation: { binding: 4, access: 'read', element: 'Mod', optional: 'HAS_SCALE' },
    prior: { binding: 5, access: 'read', element: 'Elem', optional: 'HAS_PRIOR' },
    dx: { binding: 6, access: 'read_write', element: 'OElem' },
  },
  uniform: { binding: 7, size: 20, fields: {
    rows: { type: 'u32', offset: 0 },
    cols: { type: 'u32', offset: 4 },
    mod_rows: { type: 'u32', offset: 8, else: 1, optional: 'HAS_SCALE' },
    mod_stride: { type: 'u32', offset: 12, else: 0, optional: 'HAS_SCALE' },
    scale_offset: { type: 'u32', offset: 16, else: 0, optional: 'HAS_SCALE' },
  } },
  knobs: {
    LANES: { kind: 'const', type: 'u32', default: 64, halves: true },
    ROWS: { kind: 'const', type: 'u32', default: 4, halves: true },
    RMS: { kind: 'const', type: 'bool', default: false },
    PIXEL: { kind: 'const', type: 'bool', default: false },
    HAS_WEIGHT: { kind: 'const', type: 'bool', default: false },
    HAS_SCALE: { kind: 'const', type: 'bool', default: false },
    HAS_PRIOR: { kind: 'const', type: 'bool', default: false },
    HELD: { kind: 'const', type: 'u32', default: 0 },
    VEC: { kind: 'const', type: 'bool', default: false },
    VEC_MOD: { kind: 'const', type: 'bool', default: false },
    Scalar: { kind: 'alias', type: 'type', default: 'f32' },
    Elem: { kind: 'alias', type: 'type', default: 'f32' },
    OElem: { kind: 'alias', type: 'type', default: 'array<f32, 1>' },
    Column: { kind: 'alias', type: 'type', default: 'f32' },
    Mod: { kind: 'alias', type: 'type', default: 'f32' },
  },
  workgroup: ['LANES', 'ROWS'],
  code: `













const LANES: u32 = 64u;
const ROWS: u32 = 4u;
const RMS: bool = false;
const PIXEL: bool = false;
const HAS_WEIGHT: bool = false;
const HAS_SCALE: bool = false;
const HAS_PRIOR: bool = false;
const HELD: u32 = 0u;
const VEC: bool = false;
const VEC_MOD: bool = false;
alias Scalar = f32;
alias Elem = f32;
alias OElem = array<f32, 1>;
alias Column = f32;
alias Mod = f32;

alias Summed = vec2f;

struct Dims {
rows: u32,
cols: u32,
mod_rows: u32,
mod_stride: u32,
scale_offset: u32,
}

@group(0) @binding(0) var<storage, read> dy: array<Elem>;
@group(0) @binding(1) var<storage, read> x: array<Elem>;
@group(0) @binding(2) var<storage, read> stats: array<f32>;
@group(0) @binding(3) var<storage, read> weight: array<Column>;
@group(0) @binding(4) var<storage, read> modulation: array<Mod>;
@group(0) @binding(5) var<storage, read> prior: array<Elem>;
@group(0) @binding(6) var<storage, read_write> dx: array<OElem>;
@group(0) @binding(7) var<uniform> dims: Dims;

fn put(i: u32, value: OElem) {
dx[i] = value;
}


fn to_xhat(at: u32, mod_base: u32, col: u32) -> f32 {
var g = dy_at(at).x;
if (HAS_SCALE) {
g *= 1.0 + mod_at(mod_base + col).x;
}
if (HAS_WEIGHT) {
g *= weight_at(col).x;
}
return g;
}


struct Held {
g: vec4f,
xhat: vec4f,
}

struct Place {
base: u32,
mod_base: u32,
end: u32,
lane: u32,
mean: f32,
rstd: f32,
}

fn hold(row: Place, q: u32) -> Held {
let quad = columns_of(row.lane, q, row.end);
var g = dy_quad(row.base + quad.at);
let xhat = (x_quad(row.base + quad.at) - row.mean) * row.rstd;
if (HAS_SCALE) {
g *= 1.0 + mod_quad(row.mod_base + quad.at);
}
if (HAS_WEIGHT) {
g *= weight_quad(quad.at);
}
return Held(select(vec4f(0.0), g, quad.live), select(vec4f(0.0), xhat, quad.live));
}

fn pair_of(held: Held) -> Summed {
return vec2f(sum_of_four(held.g), sum_of_four(held.g * held.xhat));
}

fn write_quad(row: Place, q: u32, held: Held, means: vec2f) {
let quad = columns_of(row.lane, q, row.end);
var value = row.rstd * (held.g - means.x - held.xhat * means.y);
if (HAS_PRIOR) {
value += prior_quad(row.base + quad.at);
}
put_quad(row.base, quad, value);
}

@compute @workgroup_size(LANES, ROWS)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_id) lid: vec3u,
) {
let row = (wid.x + wid.y * groups.x) * ROWS + lid.y;
let live = row < dims.rows;
let safe_row = select(0u, row, live);
let base = safe_row * dims.cols;
let end = select(0u, dims.cols, live);
let mean = select(stats[safe_row * 2u], 0.0, PIXEL);
let rstd = stats[safe_row * 2u + 1u];
let mod_base = (safe_row / dims.mod_rows) * dims.mod_stride + dims.scale_offset;
let inv_cols = 1.0 / f32(dims.cols);

let place = Place(base, mod_base, end, lid.x, mean, rstd);
var h0 = Held();
var h1 = Held();
var h2 = Held();
var h3 = Held();
var h4 = Held();
var h5 = Held();
var h6 = Held();
var h7 = Held();
var sum = Summed();
if (HELD > 0u) {
h0 = hold(place, 0u);
if (HELD > 1u) { h1 = hold(place, 1u); }
if (HELD > 2u) { h2 = hold(place, 2u); }
if (HELD > 3u) { h3 = hold(place, 3u); }
if (HELD > 4u) { h4 = hold(place, 4u); }
if (HELD > 5u) { h5 = hold(place, 5u); }
if (HELD > 6u) { h6 = hold(place, 6u); }
if (HELD > 7u) { h7 = hold(place, 7u); }
sum = (pair_of(h0) + pair_of(h1)) + (pair_of(h2) + pair_of(h3));
if (HELD > 4u) { sum += (pair_of(h4) + pair_of(h5)) + (pair_of(h6) + pair_of(h7)); }
} else {
var sums = Runs();
for (var first = lid.x; first < end; first += RUN * LANES) {
var run = Summed();
for (var c = first; c < min(end, first + RUN * LANES); c += LANES) {
let g = to_xhat(base + c, mod_base, c);
run += vec2f(g, g * (x_at(base + c).x - mean) * rstd);
}
add_run(&sums, run);
}
sum = sum_of(sums);
}
var means = lanes_any_sum(sum, lid.x, lid.y) * inv_cols;
if (RMS) {
means.x = 0.0;
}
if (PIXEL) {
means.y *= stats[safe_row * 2u];
}
if (HELD > 0u) {
write_quad(place, 0u, h0, means);
if (HELD > 1u) { write_quad(place, 1u, h1, means); }
if (HELD > 2u) { write_quad(place, 2u, h2, means); }
if (HELD > 3u) { write_quad(place, 3u, h3, means); }
if (HELD > 4u) { write_quad(place, 4u, h4, means); }
if (HELD > 5u) { write_quad(place, 5u, h5, means); }
if (HELD > 6u) { write_quad(place, 6u, h6, means); }
if (HELD > 7u) { write_quad(place, 7u, h7, means); }
return;
}
for (var c = lid.x; c < end; c += LANES) {
let xhat = (x_at(base + c).x - mean) * rstd;
var value = rstd * (to_xhat(base + c, mod_base, c) - means.x - xhat * means.y);
if (HAS_PRIOR) {
value += prior_at(base + c).x;
}
put(base + c, element(vec4f(value)));
}
}








const MOST_READ: u32 = 32u;

var<workgroup> lane_pairs: array<vec2f, 2u * LANES * ROWS>;
var<private> lanes_turn: u32;

fn lanes_any_sum(value: vec2f, lane: u32, row: u32) -> vec2f {
if (LANES == 1u) {
return value;
}
let base = lanes_turn * (LANES * ROWS) + row * LANES;
lanes_turn = 1u - lanes_turn;
lane_pairs[base + lane] = value;
workgroupBarrier();
if (LANES > MOST_READ && (LANES & (LANES - 1u)) == 0u) {
for (var stride = LANES / 2u; stride > 0u; stride /= 2u) {
if (lane < stride) {
lane_pairs[base + lane] += lane_pairs[base + lane + stride];
}
workgroupBarrier();
}
return lane_pairs[base];
}
var total = vec2f(0.0);
for (var i = 0u; i < LANES; i++) {
total += lane_pairs[base + i];
}
return total;
}





const RUN: u32 = 256u;

struct Runs {
total: Summed,
block: Summed,
count: u32,
}

fn add_run(runs: ptr<function, Runs>, run: Summed) {
(*runs).block += run;
(*runs).count++;
if ((*runs).count % RUN == 0u) {
(*runs).total += (*runs).block;
(*runs).block = Summed();
}
}

fn sum_of(runs: Runs) -> Summed {
return runs.total + runs.block;
}







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






const SECOND: u32 = select(0u, 1u, VEC);
const THIRD: u32 = select(0u, 2u, VEC);
const FOURTH: u32 = select(0u, 3u, VEC);

fn element(value: vec4f) -> OElem {
var one: OElem;
one[0] = Scalar(value.x);
if (VEC) {
one[SECOND] = Scalar(value.y);
one[THIRD] = Scalar(value.z);
one[FOURTH] = Scalar(value.w);
}
return one;
}







fn columns_of(lane: u32, q: u32, end: u32) -> Quad {
if (VEC) {
let c = 4u * (lane + q * LANES);
return Quad(min(c, max(end, 4u) - 4u) + vec4u(0u, 1u, 2u, 3u), vec4<bool>(c < end));
}
return quad_of(0u, lane + 4u * q * LANES, end);
}

fn sum_of_four(v: vec4f) -> f32 {
return (v.x + v.y) + (v.z + v.w);
}




struct Quad {
at: vec4u,
live: vec4<bool>,
}


fn quad_of(base: u32, c: u32, end: u32) -> Quad {
let at = vec4u(c, c + LANES, c + 2u * LANES, c + 3u * LANES);
return Quad(base + min(at, vec4u(max(end, 1u) - 1u)), at < vec4u(end));
}` as string,
} as const satisfies ShaderSource;

/**
 * norm_bwd_x: the gradient of norm_fwd by x, plus a gradient that arrived before.
 * g = dy (1 + scale) weight;  dx = prior + rstd (g - mean(g) - xhat mean(g xhat)); RMSNorm leaves mean(g) out;
 * a pixel norm, too, and multiplies mean(g xhat) by stats.x.
 * Buffers, row-major f32: dy, x, prior, dx [rows, cols]; stats [rows, 2] = (mean, rstd); weight [cols];
 * modulation [ceil(rows / mod_rows), mod_stride], scale of column c at scale_offset + c.
 * Grid: ROWS rows a workgroup, LANES invocations a row, as norm_fwd; with HELD g and xhat are held in registers, without dy and x are read
 * twice, the second time from cache.
 * Precision: f32.
 * Source: the derivative of shaders/norm_fwd.wgsl.
 */
export interface NormBwdX extends Same<typeof norm_bwd_x_> {}
export const norm_bwd_x: NormBwdX = norm_bwd_x_;

const norm_fwd_ = {
  name: 'norm_fwd',
  entryPoint: 'main',
  bindings: {
    x: { binding: 0, access: 'read', element: 'Elem' },
    weight: { binding: 1, access: 'read', element: 'Column', optional: 'HAS_WEIGHT' },
    bias: { binding: 2, access: 'read', element: 'Column', optional: 'HAS_BIAS' },
    modulation: { binding: 3, access: 'read', element: 'Mod', optional: 'HAS_MOD' },
    y: { binding: 4, access: 'read_write', element: 'OElem' },
    stats: { binding: 5, access: 'read_write', element: 'f32', optional: 'HAS_STATS' },
  },
  uniform: { binding: 6, size: 28, fields: {
    rows: { type: 'u32', offset: 0 },
    cols: { type: 'u32', offset: 4 },
    mod_rows: { type: 'u32', offset: 8, else: 1, optional: 'HAS_MOD' },
    mod_stride: { type: 'u32', offset: 12, else: 0, optional: 'HAS_MOD' },
    scale_offset: { type: 'u32', offset: 16, else: 0, optional: 'HAS_SCALE' },
    shift_offset: { type: 'u32', offset: 20, else: 0, optional: 'HAS_SHIFT' },
    eps: { type: 'f32', offset: 24 },
  } },
  knobs: {
    LANES: { kind: 'const', type: 'u32', default: 64, halves: true },
    ROWS: { kind: 'const', type: 'u32', default: 4, halves: true },
    RMS: { kind: 'const', type: 'bool', default: false },
    PIXEL: { kind: 'const', type: 'bool', default: false },
    HAS_WEIGHT: { kind: 'const', type: 'bool', default: false },
    HAS_BIAS: { kind: 'const', type: 'bool', default: false },
    HAS_SCALE: { kind: 'const', type: 'bool', default: false },
    HAS_SHIFT: { kind: 'const', type: 'bool', default: false },
    HAS_MOD: { kind: 'const', type: 'bool', default: false },
    HAS_STATS: { kind: 'const', type: 'bool', default: true },
    HELD: { kind: 'const', type: 'u32', default: 0 },
    VEC: { kind: 'const', type: 'bool', default: false },
    VEC_MOD: { kind: 'const', type: 'bool', default: false },
    Scalar: { kind: 'alias', type: 'type', default: 'f32' },
    Elem: { kind: 'alias', type: 'type', default: 'f32' },
    OElem: { kind: 'alias', type: 'type', default: 'array<f32, 1>' },
    Column: { kind: 'alias', type: 'type', default: 'f32' },
    Mod: { kind: 'alias', type: 'type', default: 'f32' },
  },
  workgroup: ['LANES', 'ROWS'],
  code: `

















const LANES: u32 = 64u;
const ROWS: u32 = 4u;
const RMS: bool = false;
const PIXEL: bool = false;
const HAS_WEIGHT: bool = false;
const HAS_BIAS: bool = false;
const HAS_SCALE: bool = false;
const HAS_SHIFT: bool = false;
const HAS_MOD: bool = false;
const HAS_STATS: bool = true;
const HELD: u32 = 0u;
const VEC: bool = false;
const VEC_MOD: bool = false;
alias Scalar = f32;
alias Elem = f32;
alias OElem = array<f32, 1>;
alias Column = f32;
alias Mod = f32;

alias Summed = vec2f;

struct Dims {
rows: u32,
cols: u32,
mod_rows: u32,
mod_stride: u32,
scale_offset: u32,
shift_offset: u32,
eps: f32,
}

@group(0) @binding(0) var<storage, read> x: array<Elem>;
@group(0) @binding(1) var<storage, read> weight: array<Column>;
@group(0) @binding(2) var<storage, read> bias: array<Column>;
@group(0) @binding(3) var<storage, read> modulation: array<Mod>;
@group(0) @binding(4) var<storage, read_write> y: array<OElem>;
@group(0) @binding(5) var<storage, read_write> stats: array<f32>;
@group(0) @binding(6) var<uniform> dims: Dims;

fn put(i: u32, value: OElem) {
y[i] = value;
}

fn bias_at(i: u32) -> vec4f { return vec4f(bias[i]); }

fn bias_quad(at: vec4u) -> vec4f {
if (VEC) {
return bias_at(at.x / 4u);
}
return vec4f(bias_at(at.x).x, bias_at(at.y).x, bias_at(at.z).x, bias_at(at.w).x);
}


fn hold(base: u32, lane: u32, q: u32, end: u32) -> vec4f {
let quad = columns_of(lane, q, end);
return select(vec4f(0.0), x_quad(base + quad.at), quad.live);
}


fn spread(v: vec4f, mean: f32, quad: Quad) -> Summed {
let d = select(vec4f(0.0), v - mean, quad.live);
return vec2f(sum_of_four(d), sum_of_four(d * d));
}

fn write_quad(base: u32, mod_base: u32, xhat: vec4f, quad: Quad) {
var value = xhat;
if (HAS_WEIGHT) {
value *= weight_quad(quad.at);
}
if (HAS_BIAS) {
value += bias_quad(quad.at);
}
if (HAS_SCALE) {
value *= 1.0 + mod_quad(mod_base + dims.scale_offset + quad.at);
}
if (HAS_SHIFT) {
value += mod_quad(mod_base + dims.shift_offset + quad.at);
}
put_quad(base, quad, value);
}

@compute @workgroup_size(LANES, ROWS)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_id) lid: vec3u,
) {
let row = (wid.x + wid.y * groups.x) * ROWS + lid.y;
let live = row < dims.rows;
let base = select(0u, row, live) * dims.cols;
let end = select(0u, dims.cols, live);
let inv_cols = 1.0 / f32(dims.cols);

var v0 = vec4f();
var v1 = vec4f();
var v2 = vec4f();
var v3 = vec4f();
var v4 = vec4f();
var v5 = vec4f();
var v6 = vec4f();
var v7 = vec4f();
if (HELD > 0u) { v0 = hold(base, lid.x, 0u, end); }
if (HELD > 1u) { v1 = hold(base, lid.x, 1u, end); }
if (HELD > 2u) { v2 = hold(base, lid.x, 2u, end); }
if (HELD > 3u) { v3 = hold(base, lid.x, 3u, end); }
if (HELD > 4u) { v4 = hold(base, lid.x, 4u, end); }
if (HELD > 5u) { v5 = hold(base, lid.x, 5u, end); }
if (HELD > 6u) { v6 = hold(base, lid.x, 6u, end); }
if (HELD > 7u) { v7 = hold(base, lid.x, 7u, end); }

var mean = 0.0;
if (!RMS) {
var sum = Summed();
if (HELD > 0u) {
sum.x = sum_of_four(((v0 + v1) + (v2 + v3)) + ((v4 + v5) + (v6 + v7)));
} else {
var sums = Runs();
for (var first = lid.x; first < end; first += RUN * LANES) {
var run = Summed();
for (var c = first; c < min(end, first + RUN * LANES); c += LANES) {
run.x += x_at(base + c).x;
}
add_run(&sums, run);
}
sum = sum_of(sums);
}
mean = lanes_any_sum(sum, lid.x, lid.y).x * inv_cols;
}
var spreads = Summed();
if (HELD > 0u) {
spreads = spread(v0, mean, columns_of(lid.x, 0u, end));
if (HELD > 1u) { spreads += spread(v1, mean, columns_of(lid.x, 1u, end)); }
if (HELD > 2u) { spreads += spread(v2, mean, columns_of(lid.x, 2u, end)); }
if (HELD > 3u) { spreads += spread(v3, mean, columns_of(lid.x, 3u, end)); }
if (HELD > 4u) { spreads += spread(v4, mean, columns_of(lid.x, 4u, end)); }
if (HELD > 5u) { spreads += spread(v5, mean, columns_of(lid.x, 5u, end)); }
if (HELD > 6u) { spreads += spread(v6, mean, columns_of(lid.x, 6u, end)); }
if (HELD > 7u) { spreads += spread(v7, mean, columns_of(lid.x, 7u, end)); }
} else {
var sums = Runs();
for (var first = lid.x; first < end; first += RUN * LANES) {
var run = Summed();
for (var c = first; c < min(end, first + RUN * LANES); c += LANES) {
let d = x_at(base + c).x - mean;
run += vec2f(d, d * d);
}
add_run(&sums, run);
}
spreads = sum_of(sums);
}
let moments = lanes_any_sum(spreads, lid.x, lid.y) * inv_cols;
let off = select(moments.x, 0.0, RMS);
let variance = at_least(moments.y - off * off, 0.0);
var rstd = inverse_root(variance + dims.eps);
if (PIXEL && is_finite(variance)) {
rstd = 1.0 / (dims.eps + sqrt(variance));
}

if (HAS_STATS && live && lid.x == 0u) {
stats[row * 2u] = mean + off;
if (PIXEL) {
stats[row * 2u] = select(inverse(rstd * sqrt(variance)), 0.0, variance == 0.0);
}
stats[row * 2u + 1u] = rstd;
}
let mod_base = select(0u, row / dims.mod_rows, live) * dims.mod_stride;
if (HELD > 0u) {
write_quad(base, mod_base, (v0 - mean - off) * rstd, columns_of(lid.x, 0u, end));
if (HELD > 1u) { write_quad(base, mod_base, (v1 - mean - off) * rstd, columns_of(lid.x, 1u, end)); }
if (HELD > 2u) { write_quad(base, mod_base, (v2 - mean - off) * rstd, columns_of(lid.x, 2u, end)); }
if (HELD > 3u) { write_quad(base, mod_base, (v3 - mean - off) * rstd, columns_of(lid.x, 3u, end)); }
if (HELD > 4u) { write_quad(base, mod_base, (v4 - mean - off) * rstd, columns_of(lid.x, 4u, end)); }
if (HELD > 5u) { write_quad(base, mod_base, (v5 - mean - off) * rstd, columns_of(lid.x, 5u, end)); }
if (HELD > 6u) { write_quad(base, mod_base, (v6 - mean - off) * rstd, columns_of(lid.x, 6u, end)); }
if (HELD > 7u) { write_quad(base, mod_base, (v7 - mean - off) * rstd, columns_of(lid.x, 7u, end)); }
return;
}
for (var c = lid.x; c < end; c += LANES) {
var value = (x_at(base + c).x - mean - off) * rstd;
if (HAS_WEIGHT) {
value *= weight_at(c).x;
}
if (HAS_BIAS) {
value += bias_at(c).x;
}
if (HAS_SCALE) {
value *= 1.0 + mod_at(mod_base + dims.scale_offset + c).x;
}
if (HAS_SHIFT) {
value += mod_at(mod_base + dims.shift_offset + c).x;
}
put(base + c, element(vec4f(value)));
}
}








const MOST_READ: u32 = 32u;

var<workgroup> lane_pairs: array<vec2f, 2u * LANES * ROWS>;
var<private> lanes_turn: u32;

fn lanes_any_sum(value: vec2f, lane: u32, row: u32) -> vec2f {
if (LANES == 1u) {
return value;
}
let base = lanes_turn * (LANES * ROWS) + row * LANES;
lanes_turn = 1u - lanes_turn;
lane_pairs[base + lane] = value;
workgroupBarrier();
if (LANES > MOST_READ && (LANES & (LANES - 1u)) == 0u) {
for (var stride = LANES / 2u; stride > 0u; stride /= 2u) {
if (lane < stride) {
lane_pairs[base + lane] += lane_pairs[base + lane + stride];
}
workgroupBarrier();
}
return lane_pairs[base];
}
var total = vec2f(0.0);
for (var i = 0u; i < LANES; i++) {
total += lane_pairs[base + i];
}
return total;
}





const RUN: u32 = 256u;

struct Runs {
total: Summed,
block: Summed,
count: u32,
}

fn add_run(runs: ptr<function, Runs>, run: Summed) {
(*runs).block += run;
(*runs).count++;
if ((*runs).count % RUN == 0u) {
(*runs).total += (*runs).block;
(*runs).block = Summed();
}
}

fn sum_of(runs: Runs) -> Summed {
return runs.total + runs.block;
}




fn is_nan(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}





fn is_finite(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u;
}


fn at_least(x: f32, least: f32) -> f32 {
return select(max(x, least), x, is_nan(x));
}







fn inverse(x: f32) -> f32 {
var nan_bits = 0x7fc00000u;
return select(bitcast<f32>(nan_bits), 1.0 / x, is_finite(x));
}


fn inverse_root(x: f32) -> f32 {
var nan_bits = 0x7fc00000u;
return select(bitcast<f32>(nan_bits), 1.0 / sqrt(x), is_finite(x));
}







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






const SECOND: u32 = select(0u, 1u, VEC);
const THIRD: u32 = select(0u, 2u, VEC);
const FOURTH: u32 = select(0u, 3u, VEC);

fn element(value: vec4f) -> OElem {
var one: OElem;
one[0] = Scalar(value.x);
if (VEC) {
one[SECOND] = Scalar(value.y);
one[THIRD] = Scalar(value.z);
one[FOURTH] = Scalar(value.w);
}
return one;
}







fn columns_of(lane: u32, q: u32, end: u32) -> Quad {
if (VEC) {
let c = 4u * (lane + q * LANES);
return Quad(min(c, max(end, 4u) - 4u) + vec4u(0u, 1u, 2u, 3u), vec4<bool>(c < end));
}
return quad_of(0u, lane + 4u * q * LANES, end);
}

fn sum_of_four(v: vec4f) -> f32 {
return (v.x + v.y) + (v.z + v.w);
}




struct Quad {
at: vec4u,
live: vec4<bool>,
}


fn quad_of(base: u32, c: u32, end: u32) -> Quad {
let at = vec4u(c, c + LANES, c + 2u * LANES, c + 3u * LANES);
return Quad(base + min(at, vec4u(max(end, 1u) - 1u)), at < vec4u(end));
}` as string,
} as const satisfies ShaderSource;

/**
 * norm_fwd: y = (xhat * weight + bias) * (1 + scale) + shift, xhat = (x - mean) * rstd, over the last axis.
 * LayerNorm: mean = sum(x) / cols, rstd = 1 / sqrt(sum((x - mean)^2) / cols + eps). RMSNorm: mean = 0.
 * Pixel norm: mean = 0, rstd = 1 / (eps + r), r = sqrt(sum(x^2) / cols).
 * Buffers, row-major f32:
 * x [rows, cols], y [rows, cols], stats [rows, 2] = (mean, rstd) for the backward, of a pixel norm (1 / (rstd r), rstd), or 0 where r is
 * weight [cols], bias [cols]
 * modulation [ceil(rows / mod_rows), mod_stride]: scale of column c at scale_offset + c, shift at shift_offset + c. mod_rows is the
 * number of consecutive rows that share a modulation row: N tokens for adaLN per sample, 1 for adaLN per token.
 * Grid: ROWS rows a workgroup, LANES invocations a row; neighbours read neighbouring columns. LANES = 1 runs without barriers. With HELD a
 * row is read once and held in registers, named ones: an array that a loop indexes goes to memory. Without, it is read three times.
 * Precision: f32; the variance is summed around the mean in a second pass over the row, so that it cannot cancel, and that pass also finds
 * what the mean was rounded by, which of a large mean is as large as a small spread.
 * Source: Ba et al. 2016 (LayerNorm), Zhang & Sennrich 2019 (RMSNorm), Karras et al. 2024 (pixel norm), Peebles & Xie 2023 (adaLN).
 */
export interface NormFwd extends Same<typeof norm_fwd_> {}
export const norm_fwd: NormFwd = norm_fwd_;

const outer_step_ = {
  name: 'outer_step',
  entryPoint: 'main',
  bindings: {
    param: { binding: 0, access: 'read_write', element: 'vec4f' },
    start: { binding: 1, access: 'read_write', element: 'vec4f' },
    m: { binding: 2, access: 'read_write', element: 'vec4f' },
    grad: { binding: 3, access: 'read', element: 'vec4f' },
    hyper: { binding: 4, access: 'read', element: 'f32' },
  },
  uniform: { binding: 5, size: 4, fields: {
    count: { type: 'u32', offset: 0 },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
  },
  workgroup: ['WG'],
  code: `







const WG: u32 = 256u;

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
}` as string,
} as const satisfies ShaderSource;

/**
 * outer_step: the step that several ranks take together after local ones, by SGD with Nesterov's momentum.
 * m = momentum m + grad; start = start - lr (grad + momentum m); param = start.
 * Buffers f32: param, start, m [count] updated; grad [count], the mean over all ranks of start - param; hyper [2] = (lr, momentum). The
 * flat ones are padded to whole vec4s, so that four elements are one access; elements past count keep their values.
 * Grid: one vec4 an invocation, WG invocations a workgroup.
 * Precision: f32. With lr 1, no momentum and one rank, param is what it was but for two roundings.
 * Source: Douillard et al. 2023 (DiLoCo), algorithm 1; the momentum is torch.optim.SGD's with nesterov.
 */
export interface OuterStep extends Same<typeof outer_step_> {}
export const outer_step: OuterStep = outer_step_;

const patchify_ = {
  name: 'patchify',
  entryPoint: 'main',
  bindings: {
    x: { binding: 0, access: 'read', element: 'f32' },
    tokens: { binding: 1, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 2, size: 20, fields: {
    batch: { type: 'u32', offset: 0 },
    channels: { type: 'u32', offset: 4 },
    height: { type: 'u32', offset: 8 },
    width: { type: 'u32', offset: 12 },
    patch_size: { type: 'u32', offset: 16 },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
    HWC: { kind: 'const', type: 'bool', default: false },
  },
  workgroup: ['WG'],
  code: `







const WG: u32 = 256u;
const HWC: bool = false;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> tokens: array<f32>;
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let first = (wid.x + wid.y * groups.x) * (4u * WG) + local;
for (var i = 0u; i < 4u; i++) {
let at = first + i * WG;
if (at < dims.batch * dims.channels * dims.height * dims.width) {
tokens[at] = x[image_index(at)];
}
}
}





struct Dims {
batch: u32,
channels: u32,
height: u32,
width: u32,
patch_size: u32,
}

fn image_index(at: u32) -> u32 {
let p = dims.patch_size;
let features = dims.channels * p * p;
let grid_w = dims.width / p;
let patches = (dims.height / p) * grid_w;
let feature = at % features;
let token = at / features;
let cell = token % patches;
let sample = token / patches;
var channel = feature / (p * p);
var inside = feature % (p * p);
if (HWC) {
channel = feature % dims.channels;
inside = feature / dims.channels;
}
let row = (cell / grid_w) * p + inside / p;
let col = (cell % grid_w) * p + inside % p;
return ((sample * dims.channels + channel) * dims.height + row) * dims.width + col;
}` as string,
} as const satisfies ShaderSource;

/**
 * patchify: cuts images into square patches, row-major; a permutation, and the backward of unpatchify.
 * Buffers f32: x [batch, channels, height, width]; tokens [batch, (height / patch_size) (width / patch_size), channels patch_size patch_size].
 * A token's numbers are ordered (channel, row, column) as a convolution's weight, or (row, column, channel) with HWC.
 * Grid: one invocation an element of tokens, 4 of them a workgroup apart, so that writes are contiguous.
 * Precision: exact.
 * Source: Dosovitskiy et al. 2020 (patch embedding).
 */
export interface Patchify extends Same<typeof patchify_> {}
export const patchify: Patchify = patchify_;

const pixel_gather_ = {
  name: 'pixel_gather',
  entryPoint: 'main',
  bindings: {
    x: { binding: 0, access: 'read', element: 'f32' },
    out: { binding: 1, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 2, size: 28, fields: {
    batch: { type: 'u32', offset: 0 },
    height: { type: 'u32', offset: 4 },
    width: { type: 'u32', offset: 8 },
    channels: { type: 'u32', offset: 12 },
    side: { type: 'u32', offset: 16 },
    each: { type: 'u32', offset: 20, else: 1 },
    scale: { type: 'f32', offset: 24, else: 1 },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
    UP: { kind: 'const', type: 'bool', default: false },
  },
  workgroup: ['WG'],
  code: `








const WG: u32 = 256u;
const UP: bool = false;

struct Dims {
batch: u32,
height: u32,
width: u32,
channels: u32,
side: u32,
each: u32,
scale: f32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let at = (wid.x + wid.y * groups.x) * WG + local;
let square = dims.side * dims.side;
let narrow = dims.channels * square / dims.each;
let pixels = dims.batch * dims.height * dims.width;
if (UP) {
if (at < pixels * square * dims.channels) {
let channel = at % dims.channels;
let pixel = at / dims.channels;
let col = pixel % (dims.width * dims.side);
let row = pixel / (dims.width * dims.side);
let place = (channel * dims.side + row % dims.side) * dims.side + col % dims.side;
out[at] = dims.scale * x[(row / dims.side * dims.width + col / dims.side) * narrow + place / dims.each];
}
return;
}
if (at < pixels * narrow) {
let first = (at % narrow) * dims.each;
let pixel = at / narrow;
let col = (pixel % dims.width) * dims.side;
let row = (pixel / dims.width) * dims.side;
var total = 0.0;
for (var i = first; i < first + dims.each; i++) {
let inside = i % square;
let line = (row + inside / dims.side) * (dims.width * dims.side);
total += x[(line + col + inside % dims.side) * dims.channels + i / square];
}
out[at] = dims.scale * total;
}
}` as string,
} as const satisfies ShaderSource;

/**
 * pixel_gather: each out number is scale times the sum of EACH numbers of x that lie together: pixels of a square of `side`, as channels, and
 * the channels in groups of neighbours. UP: the transpose: squares of pixels out of channels, each channel of x being EACH of them.
 * Channel c of the large image and place (dy, dx) of the square are channel (c side + dy) side + dx of the small one, before the sums.
 * Buffers f32, channel-last: x [batch, side height, side width, channels] -> out [batch, height, width, side^2 channels / each]; UP the other
 * way. side 1: sums of neighbouring channels alone, and channels repeated in place.
 * Grid: an element of out an invocation.
 * Precision: f32.
 * Source: Shi et al. 2016 (pixel shuffle); Chen et al. 2025 (DC-AE, its shortcuts by means and repetition).
 */
export interface PixelGather extends Same<typeof pixel_gather_> {}
export const pixel_gather: PixelGather = pixel_gather_;

const pool_bwd_ = {
  name: 'pool_bwd',
  entryPoint: 'main',
  bindings: {
    x: { binding: 0, access: 'read', element: 'f32' },
    dy: { binding: 1, access: 'read', element: 'f32' },
    dx: { binding: 2, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 3, size: 44, fields: {
    batch: { type: 'u32', offset: 0 },
    height: { type: 'u32', offset: 4 },
    width: { type: 'u32', offset: 8 },
    channels: { type: 'u32', offset: 12 },
    kernel_h: { type: 'u32', offset: 16 },
    kernel_w: { type: 'u32', offset: 20 },
    stride: { type: 'u32', offset: 24 },
    pad_h: { type: 'u32', offset: 28 },
    pad_w: { type: 'u32', offset: 32 },
    out_h: { type: 'u32', offset: 36 },
    out_w: { type: 'u32', offset: 40 },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
    MAX: { kind: 'const', type: 'bool', default: true },
  },
  workgroup: ['WG'],
  code: `







const WG: u32 = 256u;
const MAX: bool = true;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;
@group(0) @binding(3) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let at = (wid.x + wid.y * groups.x) * WG + local;
if (at >= dims.batch * dims.height * dims.width * dims.channels) {
return;
}
let channel = at % dims.channels;
let pixel = at / dims.channels;
let sample = pixel / (dims.width * dims.height);
let over_rows = covering((pixel / dims.width) % dims.height, dims.pad_h, dims.kernel_h, dims.out_h);
let over_cols = covering(pixel % dims.width, dims.pad_w, dims.kernel_w, dims.out_w);
var total = 0.0;
for (var r = over_rows.x; r < over_rows.y; r++) {
for (var c = over_cols.x; c < over_cols.y; c++) {
let area = pool_window(r, c);
let up = dy[((sample * dims.out_h + r) * dims.out_w + c) * dims.channels + channel];
if (!MAX) {
total += up / f32((area.z - area.x) * (area.w - area.y));
} else if (largest(area, sample, channel) == at) {
total += up;
}
}
}
dx[at] = total;
}



struct Dims {
batch: u32,
height: u32,
width: u32,
channels: u32,
kernel_h: u32,
kernel_w: u32,
stride: u32,
pad_h: u32,
pad_w: u32,
out_h: u32,
out_w: u32,
}


fn window_start(row: u32, col: u32) -> vec2i {
return vec2i(i32(row * dims.stride) - i32(dims.pad_h), i32(col * dims.stride) - i32(dims.pad_w));
}


fn covering(at: u32, padding: u32, size: u32, outputs: u32) -> vec2u {
let reach = at + padding;
let first = select(0u, (reach - size) / dims.stride + 1u, reach >= size);
return vec2u(first, min(outputs, reach / dims.stride + 1u));
}





fn pixel_index(sample: u32, row: u32, col: u32, channel: u32) -> u32 {
return ((sample * dims.height + row) * dims.width + col) * dims.channels + channel;
}


fn pool_window(row: u32, col: u32) -> vec4u {
let start = window_start(row, col);
let end = min(start + vec2i(i32(dims.kernel_h), i32(dims.kernel_w)), vec2i(i32(dims.height), i32(dims.width)));
return vec4u(vec2u(max(start, vec2i(0))), vec2u(end));
}


fn largest(area: vec4u, sample: u32, channel: u32) -> u32 {
var best = pixel_index(sample, area.x, area.y, channel);
for (var row = area.x; row < area.z; row++) {
for (var col = area.y; col < area.w; col++) {
let at = pixel_index(sample, row, col, channel);
if (is_nan(x[at])) {
return at;
}
if (x[at] > x[best]) {
best = at;
}
}
}
return best;
}




fn is_nan(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}` as string,
} as const satisfies ShaderSource;

/**
 * pool_bwd: dx of pool_fwd: a window's dy goes to its (first) largest element, or in equal parts to all.
 * Buffers f32: x, dx [batch, height, width, channels], dy [batch, out_h, out_w, channels].
 * Grid: one invocation an element of dx, which gathers from the windows that cover it, so that there are no atomics.
 * Precision: f32, summed in the order of the windows.
 * Source: the gradient of shaders/pool_fwd.wgsl.
 */
export interface PoolBwd extends Same<typeof pool_bwd_> {}
export const pool_bwd: PoolBwd = pool_bwd_;

const pool_fwd_ = {
  name: 'pool_fwd',
  entryPoint: 'main',
  bindings: {
    x: { binding: 0, access: 'read', element: 'f32' },
    y: { binding: 1, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 2, size: 44, fields: {
    batch: { type: 'u32', offset: 0 },
    height: { type: 'u32', offset: 4 },
    width: { type: 'u32', offset: 8 },
    channels: { type: 'u32', offset: 12 },
    kernel_h: { type: 'u32', offset: 16 },
    kernel_w: { type: 'u32', offset: 20 },
    stride: { type: 'u32', offset: 24 },
    pad_h: { type: 'u32', offset: 28 },
    pad_w: { type: 'u32', offset: 32 },
    out_h: { type: 'u32', offset: 36 },
    out_w: { type: 'u32', offset: 40 },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
    MAX: { kind: 'const', type: 'bool', default: true },
  },
  workgroup: ['WG'],
  code: `








const WG: u32 = 256u;
const MAX: bool = true;

alias Summed = f32;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let at = (wid.x + wid.y * groups.x) * WG + local;
if (at >= dims.batch * dims.out_h * dims.out_w * dims.channels) {
return;
}
let channel = at % dims.channels;
let pixel = at / dims.channels;
let sample = pixel / (dims.out_h * dims.out_w);
let area = pool_window((pixel / dims.out_w) % dims.out_h, pixel % dims.out_w);
if (MAX) {
y[at] = x[largest(area, sample, channel)];
return;
}
var sums = Runs();
for (var row = area.x; row < area.z; row++) {
for (var first = area.y; first < area.w; first += RUN) {
var run = 0.0;
for (var col = first; col < min(area.w, first + RUN); col++) {
run += x[pixel_index(sample, row, col, channel)];
}
add_run(&sums, run);
}
}
y[at] = sum_of(sums) / f32((area.z - area.x) * (area.w - area.y));
}



struct Dims {
batch: u32,
height: u32,
width: u32,
channels: u32,
kernel_h: u32,
kernel_w: u32,
stride: u32,
pad_h: u32,
pad_w: u32,
out_h: u32,
out_w: u32,
}


fn window_start(row: u32, col: u32) -> vec2i {
return vec2i(i32(row * dims.stride) - i32(dims.pad_h), i32(col * dims.stride) - i32(dims.pad_w));
}












const RUN: u32 = 256u;

struct Runs {
total: Summed,
block: Summed,
count: u32,
}

fn add_run(runs: ptr<function, Runs>, run: Summed) {
(*runs).block += run;
(*runs).count++;
if ((*runs).count % RUN == 0u) {
(*runs).total += (*runs).block;
(*runs).block = Summed();
}
}

fn sum_of(runs: Runs) -> Summed {
return runs.total + runs.block;
}





fn pixel_index(sample: u32, row: u32, col: u32, channel: u32) -> u32 {
return ((sample * dims.height + row) * dims.width + col) * dims.channels + channel;
}


fn pool_window(row: u32, col: u32) -> vec4u {
let start = window_start(row, col);
let end = min(start + vec2i(i32(dims.kernel_h), i32(dims.kernel_w)), vec2i(i32(dims.height), i32(dims.width)));
return vec4u(vec2u(max(start, vec2i(0))), vec2u(end));
}


fn largest(area: vec4u, sample: u32, channel: u32) -> u32 {
var best = pixel_index(sample, area.x, area.y, channel);
for (var row = area.x; row < area.z; row++) {
for (var col = area.y; col < area.w; col++) {
let at = pixel_index(sample, row, col, channel);
if (is_nan(x[at])) {
return at;
}
if (x[at] > x[best]) {
best = at;
}
}
}
return best;
}




fn is_nan(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}` as string,
} as const satisfies ShaderSource;

/**
 * pool_fwd: the largest, or the mean, of each window of an image, channel by channel. Padding never wins and is not counted.
 * Buffers f32: x [batch, height, width, channels], y [batch, out_h, out_w, channels].
 * Grid: one invocation an element of y; neighbours read neighbouring channels.
 * Precision: f32, the mean from a sum of runs; max is exact.
 * Source: Boureau et al. 2010 (pooling); the mean without padding as Inception-v3's FID features take it.
 */
export interface PoolFwd extends Same<typeof pool_fwd_> {}
export const pool_fwd: PoolFwd = pool_fwd_;

const qk_norm_affine_bwd_ = {
  name: 'qk_norm_affine_bwd',
  entryPoint: 'main',
  bindings: {
    qkv: { binding: 0, access: 'read', element: 'Scalar' },
    rope: { binding: 1, access: 'read', element: 'f32', optional: 'HAS_ROPE' },
    dq: { binding: 2, access: 'read', element: 'Head' },
    dk: { binding: 3, access: 'read', element: 'Head' },
    partial: { binding: 4, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 5, size: 24, fields: {
    batch: { type: 'u32', offset: 0 },
    n: { type: 'u32', offset: 4 },
    heads: { type: 'u32', offset: 8 },
    head_dim: { type: 'u32', offset: 12 },
    chunk_rows: { type: 'u32', offset: 16 },
    eps: { type: 'f32', offset: 20 },
  } },
  knobs: {
    NORM: { kind: 'const', type: 'u32', default: 2 },
    HAS_ROPE: { kind: 'const', type: 'bool', default: false },
    Scalar: { kind: 'alias', type: 'type', default: 'f32' },
    Head: { kind: 'alias', type: 'type', default: 'f32' },
  },
  workgroup: [64],
  code: `










const NORM: u32 = 2u;
const HAS_ROPE: bool = false;
alias Scalar = f32;
alias Head = f32;

alias Summed = vec2f;

struct Dims {
batch: u32,
n: u32,
heads: u32,
head_dim: u32,
chunk_rows: u32,
eps: f32,
}

@group(0) @binding(0) var<storage, read> qkv: array<Scalar>;
@group(0) @binding(1) var<storage, read> rope: array<f32>;
@group(0) @binding(2) var<storage, read> dq: array<Head>;
@group(0) @binding(3) var<storage, read> dk: array<Head>;
@group(0) @binding(4) var<storage, read_write> partial: array<f32>;
@group(0) @binding(5) var<uniform> dims: Dims;

fn arrived(which: u32, at: u32) -> f32 {
if (which == 0u) {
return f32(dq[at]);
}
return f32(dk[at]);
}

@compute @workgroup_size(64)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let rows = dims.batch * dims.n * dims.heads;
let chunks = (rows + dims.chunk_rows - 1u) / dims.chunk_rows;
let at = (wid.x + wid.y * groups.x) * 64u + local;
if (at >= chunks * 2u * dims.head_dim) {
return;
}
let d = at % dims.head_dim;
let which = (at / dims.head_dim) % 2u;
let chunk = at / dims.head_dim / 2u;
let begin = chunk * dims.chunk_rows;
let end = min(rows, begin + dims.chunk_rows);
var sums = Runs();
for (var first = begin; first < end; first += RUN) {
var run = Summed();
for (var row = first; row < min(end, first + RUN); row++) {
let head = row % dims.heads;
let token = (row / dims.heads) % dims.n;
let sample = row / dims.heads / dims.n;
let base = (((sample * dims.n + token) * 3u + which) * dims.heads + head) * dims.head_dim;
let from_row = ((sample * dims.heads + head) * dims.n + token) * dims.head_dim;
var g = arrived(which, from_row + d);
if (HAS_ROPE) {
let other = d ^ 1u;
let cosines = token * dims.head_dim;
let sines = (dims.n + token) * dims.head_dim;
let crossed = arrived(which, from_row + other) * rope[sines + other];
g = g * rope[cosines + d] + select(-crossed, crossed, d < other);
}
let stats = head_stats(base);
run += vec2f(g * (f32(qkv[base + d]) - stats.x) * stats.y, g);
}
add_run(&sums, run);
}
let sum = sum_of(sums);
partial[(chunk * 4u + which) * dims.head_dim + d] = sum.x;
partial[(chunk * 4u + which + 2u) * dims.head_dim + d] = sum.y;
}





fn head_stats(base: u32) -> vec2f {
if (NORM == 0u) {
return vec2f(0.0, 1.0);
}
var mean = 0.0;
if (NORM == 2u) {
for (var d = 0u; d < dims.head_dim; d++) {
mean += f32(qkv[base + d]);
}
mean /= f32(dims.head_dim);
}
var moments = vec2f(0.0);
for (var d = 0u; d < dims.head_dim; d++) {
let x = f32(qkv[base + d]) - mean;
moments += vec2f(x, x * x);
}
moments /= f32(dims.head_dim);
let off = select(0.0, moments.x, NORM == 2u);
return vec2f(mean + off, inverse_root(at_least(moments.y - off * off, 0.0) + dims.eps));
}





const RUN: u32 = 256u;

struct Runs {
total: Summed,
block: Summed,
count: u32,
}

fn add_run(runs: ptr<function, Runs>, run: Summed) {
(*runs).block += run;
(*runs).count++;
if ((*runs).count % RUN == 0u) {
(*runs).total += (*runs).block;
(*runs).block = Summed();
}
}

fn sum_of(runs: Runs) -> Summed {
return runs.total + runs.block;
}




fn is_nan(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}





fn is_finite(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u;
}


fn at_least(x: f32, least: f32) -> f32 {
return select(max(x, least), x, is_nan(x));
}













fn inverse_root(x: f32) -> f32 {
var nan_bits = 0x7fc00000u;
return select(bitcast<f32>(nan_bits), 1.0 / sqrt(x), is_finite(x));
}` as string,
} as const satisfies ShaderSource;

/**
 * qk_norm_affine_bwd: the gradients of qk_norm_rope_fwd by weight and bias, as sums over chunks of rows (batch, token, head).
 * dweight = sum of g xhat, dbias = sum of g, g the gradient after the affine map, rotated back. sum_cols adds the chunks.
 * Buffers f32: qkv [batch, n, 3, heads, head_dim]; rope [2, n, head_dim]; dq, dk [batch, heads, n, head_dim];
 * partial [chunks, 4, head_dim] = weight of q, of k, bias of q, of k.
 * Grid: one invocation an element of partial's first two rows of a chunk (q or k, and a column), 64 a workgroup; it walks the
 * chunk's rows. Statistics are computed again for each: head_dim is small.
 * Precision: f32, in one fixed order; qkv, and dq and dk, may be stored as f16.
 * Source: the derivative of shaders/qk_norm_rope_fwd.wgsl.
 */
export interface QkNormAffineBwd extends Same<typeof qk_norm_affine_bwd_> {}
export const qk_norm_affine_bwd: QkNormAffineBwd = qk_norm_affine_bwd_;

const qk_norm_rope_bwd_ = {
  name: 'qk_norm_rope_bwd',
  entryPoint: 'main',
  bindings: {
    qkv: { binding: 0, access: 'read', element: 'Scalar' },
    affine: { binding: 1, access: 'read', element: 'f32', optional: 'HAS_AFFINE' },
    rope: { binding: 2, access: 'read', element: 'f32', optional: 'HAS_ROPE' },
    dq: { binding: 3, access: 'read', element: 'Head' },
    dk: { binding: 4, access: 'read', element: 'Head' },
    dv: { binding: 5, access: 'read', element: 'Head' },
    dqkv: { binding: 6, access: 'read_write', element: 'Scalar' },
  },
  uniform: { binding: 7, size: 20, fields: {
    batch: { type: 'u32', offset: 0 },
    n: { type: 'u32', offset: 4 },
    heads: { type: 'u32', offset: 8 },
    head_dim: { type: 'u32', offset: 12 },
    eps: { type: 'f32', offset: 16 },
  } },
  knobs: {
    NORM: { kind: 'const', type: 'u32', default: 0 },
    HAS_AFFINE: { kind: 'const', type: 'bool', default: false },
    HAS_ROPE: { kind: 'const', type: 'bool', default: false },
    Scalar: { kind: 'alias', type: 'type', default: 'f32' },
    Head: { kind: 'alias', type: 'type', default: 'f32' },
  },
  workgroup: [64],
  code: `







const NORM: u32 = 0u;
const HAS_AFFINE: bool = false;
const HAS_ROPE: bool = false;
alias Scalar = f32;
alias Head = f32;

struct Dims {
batch: u32,
n: u32,
heads: u32,
head_dim: u32,
eps: f32,
}

@group(0) @binding(0) var<storage, read> qkv: array<Scalar>;
@group(0) @binding(1) var<storage, read> affine: array<f32>;
@group(0) @binding(2) var<storage, read> rope: array<f32>;
@group(0) @binding(3) var<storage, read> dq: array<Head>;
@group(0) @binding(4) var<storage, read> dk: array<Head>;
@group(0) @binding(5) var<storage, read> dv: array<Head>;
@group(0) @binding(6) var<storage, read_write> dqkv: array<Scalar>;
@group(0) @binding(7) var<uniform> dims: Dims;

fn arrived(which: u32, at: u32) -> f32 {
if (which == 0u) {
return f32(dq[at]);
}
return f32(dk[at]);
}


fn to_normed(from_row: u32, token: u32, which: u32, d: u32) -> f32 {
var g = arrived(which, from_row + d);
if (HAS_ROPE) {
let other = d ^ 1u;
let cosines = token * dims.head_dim;
let sines = (dims.n + token) * dims.head_dim;
let crossed = arrived(which, from_row + other) * rope[sines + other];
g = g * rope[cosines + d] + select(-crossed, crossed, d < other);
}
if (HAS_AFFINE) {
g *= affine[which * dims.head_dim + d];
}
return g;
}

@compute @workgroup_size(64)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let row = (wid.x + wid.y * groups.x) * 64u + local;
if (row >= dims.batch * dims.n * 3u * dims.heads) {
return;
}
let head = row % dims.heads;
let which = (row / dims.heads) % 3u;
let token = (row / dims.heads / 3u) % dims.n;
let sample = row / dims.heads / 3u / dims.n;
let base = row * dims.head_dim;
let from_row = ((sample * dims.heads + head) * dims.n + token) * dims.head_dim;
if (which == 2u) {
for (var d = 0u; d < dims.head_dim; d++) {
dqkv[base + d] = Scalar(dv[from_row + d]);
}
return;
}
let stats = head_stats(base);
var mean_g = 0.0;
var along = 0.0;
if (NORM != 0u) {
for (var d = 0u; d < dims.head_dim; d++) {
let g = to_normed(from_row, token, which, d);
mean_g += g;
along += g * (f32(qkv[base + d]) - stats.x) * stats.y;
}
along /= f32(dims.head_dim);
mean_g = select(0.0, mean_g / f32(dims.head_dim), NORM == 2u);
}
for (var d = 0u; d < dims.head_dim; d++) {
let xhat = (f32(qkv[base + d]) - stats.x) * stats.y;
let g = to_normed(from_row, token, which, d);
dqkv[base + d] = Scalar(stats.y * (g - mean_g - xhat * along));
}
}





fn head_stats(base: u32) -> vec2f {
if (NORM == 0u) {
return vec2f(0.0, 1.0);
}
var mean = 0.0;
if (NORM == 2u) {
for (var d = 0u; d < dims.head_dim; d++) {
mean += f32(qkv[base + d]);
}
mean /= f32(dims.head_dim);
}
var moments = vec2f(0.0);
for (var d = 0u; d < dims.head_dim; d++) {
let x = f32(qkv[base + d]) - mean;
moments += vec2f(x, x * x);
}
moments /= f32(dims.head_dim);
let off = select(0.0, moments.x, NORM == 2u);
return vec2f(mean + off, inverse_root(at_least(moments.y - off * off, 0.0) + dims.eps));
}




fn is_nan(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}





fn is_finite(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u;
}


fn at_least(x: f32, least: f32) -> f32 {
return select(max(x, least), x, is_nan(x));
}













fn inverse_root(x: f32) -> f32 {
var nan_bits = 0x7fc00000u;
return select(bitcast<f32>(nan_bits), 1.0 / sqrt(x), is_finite(x));
}` as string,
} as const satisfies ShaderSource;

/**
 * qk_norm_rope_bwd: the gradient of qk_norm_rope_fwd by qkv, all of it: dq and dk rotated back, carried through the affine map
 * and the norm (whose statistics are computed again from qkv); dv as it is.
 * Buffers f32: qkv, dqkv [batch, n, 3, heads, head_dim]; affine [4, head_dim]; rope [2, n, head_dim]; dq, dk, dv [batch, heads, n, head_dim].
 * Grid: one invocation a row of head_dim numbers, 64 rows a workgroup, as the forward.
 * Precision: f32; qkv and dqkv, and dq, dk and dv, may be stored as f16.
 * Source: the derivative of shaders/qk_norm_rope_fwd.wgsl.
 */
export interface QkNormRopeBwd extends Same<typeof qk_norm_rope_bwd_> {}
export const qk_norm_rope_bwd: QkNormRopeBwd = qk_norm_rope_bwd_;

const qk_norm_rope_fwd_ = {
  name: 'qk_norm_rope_fwd',
  entryPoint: 'main',
  bindings: {
    qkv: { binding: 0, access: 'read', element: 'Scalar' },
    affine: { binding: 1, access: 'read', element: 'f32', optional: 'HAS_AFFINE' },
    rope: { binding: 2, access: 'read', element: 'f32', optional: 'HAS_ROPE' },
    q: { binding: 3, access: 'read_write', element: 'Head' },
    k: { binding: 4, access: 'read_write', element: 'Head' },
    v: { binding: 5, access: 'read_write', element: 'Head' },
  },
  uniform: { binding: 6, size: 20, fields: {
    batch: { type: 'u32', offset: 0 },
    n: { type: 'u32', offset: 4 },
    heads: { type: 'u32', offset: 8 },
    head_dim: { type: 'u32', offset: 12 },
    eps: { type: 'f32', offset: 16 },
  } },
  knobs: {
    NORM: { kind: 'const', type: 'u32', default: 0 },
    HAS_AFFINE: { kind: 'const', type: 'bool', default: false },
    HAS_ROPE: { kind: 'const', type: 'bool', default: false },
    Scalar: { kind: 'alias', type: 'type', default: 'f32' },
    Head: { kind: 'alias', type: 'type', default: 'f32' },
  },
  workgroup: [64],
  code: `








const NORM: u32 = 0u;
const HAS_AFFINE: bool = false;
const HAS_ROPE: bool = false;
alias Scalar = f32;
alias Head = f32;

struct Dims {
batch: u32,
n: u32,
heads: u32,
head_dim: u32,
eps: f32,
}

@group(0) @binding(0) var<storage, read> qkv: array<Scalar>;
@group(0) @binding(1) var<storage, read> affine: array<f32>;
@group(0) @binding(2) var<storage, read> rope: array<f32>;
@group(0) @binding(3) var<storage, read_write> q: array<Head>;
@group(0) @binding(4) var<storage, read_write> k: array<Head>;
@group(0) @binding(5) var<storage, read_write> v: array<Head>;
@group(0) @binding(6) var<uniform> dims: Dims;

fn put(which: u32, at: u32, value: f32) {
if (which == 0u) {
q[at] = Head(value);
} else if (which == 1u) {
k[at] = Head(value);
} else {
v[at] = Head(value);
}
}


fn normed(base: u32, which: u32, d: u32, stats: vec2f) -> f32 {
var value = (f32(qkv[base + d]) - stats.x) * stats.y;
if (HAS_AFFINE) {
value = value * affine[which * dims.head_dim + d] + affine[(which + 2u) * dims.head_dim + d];
}
return value;
}

@compute @workgroup_size(64)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let row = (wid.x + wid.y * groups.x) * 64u + local;
if (row >= dims.batch * dims.n * 3u * dims.heads) {
return;
}
let head = row % dims.heads;
let which = (row / dims.heads) % 3u;
let token = (row / dims.heads / 3u) % dims.n;
let sample = row / dims.heads / 3u / dims.n;
let base = row * dims.head_dim;
let to = ((sample * dims.heads + head) * dims.n + token) * dims.head_dim;
if (which == 2u) {
for (var d = 0u; d < dims.head_dim; d++) {
v[to + d] = Head(qkv[base + d]);
}
return;
}
let stats = head_stats(base);
if (!HAS_ROPE) {
for (var d = 0u; d < dims.head_dim; d++) {
put(which, to + d, normed(base, which, d, stats));
}
return;
}
let cosines = token * dims.head_dim;
let sines = (dims.n + token) * dims.head_dim;
for (var d = 0u; d < dims.head_dim; d += 2u) {
let x1 = normed(base, which, d, stats);
let x2 = normed(base, which, d + 1u, stats);
put(which, to + d, x1 * rope[cosines + d] - x2 * rope[sines + d]);
put(which, to + d + 1u, x2 * rope[cosines + d + 1u] + x1 * rope[sines + d + 1u]);
}
}





fn head_stats(base: u32) -> vec2f {
if (NORM == 0u) {
return vec2f(0.0, 1.0);
}
var mean = 0.0;
if (NORM == 2u) {
for (var d = 0u; d < dims.head_dim; d++) {
mean += f32(qkv[base + d]);
}
mean /= f32(dims.head_dim);
}
var moments = vec2f(0.0);
for (var d = 0u; d < dims.head_dim; d++) {
let x = f32(qkv[base + d]) - mean;
moments += vec2f(x, x * x);
}
moments /= f32(dims.head_dim);
let off = select(0.0, moments.x, NORM == 2u);
return vec2f(mean + off, inverse_root(at_least(moments.y - off * off, 0.0) + dims.eps));
}




fn is_nan(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}





fn is_finite(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u;
}


fn at_least(x: f32, least: f32) -> f32 {
return select(max(x, least), x, is_nan(x));
}













fn inverse_root(x: f32) -> f32 {
var nan_bits = 0x7fc00000u;
return select(bitcast<f32>(nan_bits), 1.0 / sqrt(x), is_finite(x));
}` as string,
} as const satisfies ShaderSource;

/**
 * qk_norm_rope_fwd: splits a fused projection into q, k, v for attention; q and k optionally normalised over the head, then
 * rotated: x cos + rotate(x) sin, rotate (x1, x2) -> (-x2, x1) on neighbouring pairs.
 * Buffers f32: qkv [batch, n, 3, heads, head_dim]; affine [4, head_dim] = weight of q, of k, bias of q, of k;
 * rope [2, n, head_dim] = cosines, sines; q, k, v [batch, heads, n, head_dim].
 * Grid: one invocation a row of head_dim numbers, 64 rows a workgroup: q, k and v of one head of one token are three rows.
 * Precision: f32; qkv, and q, k and v, may be stored as f16.
 * Source: Henry et al. 2020 (q/k norm), Su et al. 2021 (rotary positions).
 */
export interface QkNormRopeFwd extends Same<typeof qk_norm_rope_fwd_> {}
export const qk_norm_rope_fwd: QkNormRopeFwd = qk_norm_rope_fwd_;

const qk_norm_rope_lanes_bwd_ = {
  name: 'qk_norm_rope_lanes_bwd',
  entryPoint: 'main',
  bindings: {
    qkv: { binding: 0, access: 'read', element: 'Elem' },
    affine: { binding: 1, access: 'read', element: 'vec4f', optional: 'HAS_AFFINE' },
    rope: { binding: 2, access: 'read', element: 'vec4f', optional: 'HAS_ROPE' },
    dq: { binding: 3, access: 'read', element: 'Head' },
    dk: { binding: 4, access: 'read', element: 'Head' },
    dv: { binding: 5, access: 'read', element: 'Head' },
    dqkv: { binding: 6, access: 'read_write', element: 'Elem' },
  },
  uniform: { binding: 7, size: 20, fields: {
    batch: { type: 'u32', offset: 0 },
    n: { type: 'u32', offset: 4 },
    heads: { type: 'u32', offset: 8 },
    head_dim: { type: 'u32', offset: 12 },
    eps: { type: 'f32', offset: 16 },
  } },
  knobs: {
    LANES: { kind: 'const', type: 'u32', default: 16 },
    ROWS: { kind: 'const', type: 'u32', default: 16 },
    NORM: { kind: 'const', type: 'u32', default: 0 },
    HAS_AFFINE: { kind: 'const', type: 'bool', default: false },
    HAS_ROPE: { kind: 'const', type: 'bool', default: false },
    Elem: { kind: 'alias', type: 'type', default: 'vec4f' },
    Head: { kind: 'alias', type: 'type', default: 'vec4f' },
  },
  workgroup: ['LANES', 'ROWS'],
  code: `









const LANES: u32 = 16u;
const ROWS: u32 = 16u;
const NORM: u32 = 0u;
const HAS_AFFINE: bool = false;
const HAS_ROPE: bool = false;
alias Elem = vec4f;
alias Head = vec4f;

struct Dims {
batch: u32,
n: u32,
heads: u32,
head_dim: u32,
eps: f32,
}

@group(0) @binding(0) var<storage, read> qkv: array<Elem>;
@group(0) @binding(1) var<storage, read> affine: array<vec4f>;
@group(0) @binding(2) var<storage, read> rope: array<vec4f>;
@group(0) @binding(3) var<storage, read> dq: array<Head>;
@group(0) @binding(4) var<storage, read> dk: array<Head>;
@group(0) @binding(5) var<storage, read> dv: array<Head>;
@group(0) @binding(6) var<storage, read_write> dqkv: array<Elem>;
@group(0) @binding(7) var<uniform> dims: Dims;

@compute @workgroup_size(LANES, ROWS)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_id) lid: vec3u,
) {
let row = (wid.x + wid.y * groups.x) * ROWS + lid.y;
let live = row < dims.batch * dims.n * 3u * dims.heads;
let head = row % dims.heads;
let which = (row / dims.heads) % 3u;
let token = (row / dims.heads / 3u) % dims.n;
let sample = row / dims.heads / 3u / dims.n;
let at = row * LANES + lid.x;

var x = vec4f(0.0);
if (NORM != 0u && live && which != 2u) {
x = vec4f(qkv[at]);
}
var g = vec4f(0.0);
if (live) {
let from_row = ((sample * dims.heads + head) * dims.n + token) * LANES + lid.x;
if (which == 0u) {
g = vec4f(dq[from_row]);
} else if (which == 1u) {
g = vec4f(dk[from_row]);
} else {
g = vec4f(dv[from_row]);
}
if (HAS_ROPE && which != 2u) {
let turn = token * LANES + lid.x;
let crossed = g * rope[dims.n * LANES + turn];
g = g * rope[turn] + vec4f(crossed.y, -crossed.x, crossed.w, -crossed.z);
}
if (HAS_AFFINE && which != 2u) {
g *= affine[which * LANES + lid.x];
}
}
if (NORM != 0u) {
let inverse = 1.0 / f32(4u * LANES);
var mean = 0.0;
if (NORM == 2u) {
mean = lanes_any_sum(vec2f(dot(x, vec4f(1.0)), 0.0), lid.x, lid.y).x * inverse;
}
x = select(vec4f(0.0), x - mean, live);
var moments = lanes_any_sum(vec2f(dot(x, vec4f(1.0)), dot(x, x)), lid.x, lid.y) * inverse;
if (NORM == 2u) {
x = select(vec4f(0.0), x - moments.x, live);
moments.y = at_least(moments.y - moments.x * moments.x, 0.0);
}
let scale = inverse_root(moments.y + dims.eps);
x *= scale;
let means = lanes_any_sum(vec2f(dot(g, vec4f(1.0)), dot(g, x)), lid.x, lid.y) * inverse;
let mean_g = select(0.0, means.x, NORM == 2u);
g = select(scale * (g - mean_g - x * means.y), g, which == 2u);
}
if (live) {
dqkv[at] = Elem(g);
}
}








const MOST_READ: u32 = 32u;

var<workgroup> lane_pairs: array<vec2f, 2u * LANES * ROWS>;
var<private> lanes_turn: u32;

fn lanes_any_sum(value: vec2f, lane: u32, row: u32) -> vec2f {
if (LANES == 1u) {
return value;
}
let base = lanes_turn * (LANES * ROWS) + row * LANES;
lanes_turn = 1u - lanes_turn;
lane_pairs[base + lane] = value;
workgroupBarrier();
if (LANES > MOST_READ && (LANES & (LANES - 1u)) == 0u) {
for (var stride = LANES / 2u; stride > 0u; stride /= 2u) {
if (lane < stride) {
lane_pairs[base + lane] += lane_pairs[base + lane + stride];
}
workgroupBarrier();
}
return lane_pairs[base];
}
var total = vec2f(0.0);
for (var i = 0u; i < LANES; i++) {
total += lane_pairs[base + i];
}
return total;
}




fn is_nan(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}





fn is_finite(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u;
}


fn at_least(x: f32, least: f32) -> f32 {
return select(max(x, least), x, is_nan(x));
}







fn inverse(x: f32) -> f32 {
var nan_bits = 0x7fc00000u;
return select(bitcast<f32>(nan_bits), 1.0 / x, is_finite(x));
}


fn inverse_root(x: f32) -> f32 {
var nan_bits = 0x7fc00000u;
return select(bitcast<f32>(nan_bits), 1.0 / sqrt(x), is_finite(x));
}` as string,
} as const satisfies ShaderSource;

/**
 * qk_norm_rope_lanes_bwd: qk_norm_rope_bwd with the row in registers: the gradient by qkv, all of it: dq and dk rotated back, carried
 * through the affine map and the norm (whose statistics are computed again from qkv); dv as it is.
 * Buffers f32: qkv, dqkv [batch, n, 3, heads, head_dim]; affine [4, head_dim]; rope [2, n, head_dim]; dq, dk, dv [batch, heads, n,
 * head_dim]. head_dim is 4 LANES.
 * Grid: LANES invocations a row of head_dim numbers, four numbers each, ROWS rows a workgroup, as the forward.
 * Precision: f32; qkv and dqkv, and dq, dk and dv, may be stored as f16.
 * Source: the derivative of shaders/qk_norm_rope_lanes_fwd.wgsl.
 */
export interface QkNormRopeLanesBwd extends Same<typeof qk_norm_rope_lanes_bwd_> {}
export const qk_norm_rope_lanes_bwd: QkNormRopeLanesBwd = qk_norm_rope_lanes_bwd_;

const qk_norm_rope_lanes_fwd_ = {
  name: 'qk_norm_rope_lanes_fwd',
  entryPoint: 'main',
  bindings: {
    qkv: { binding: 0, access: 'read', element: 'Elem' },
    affine: { binding: 1, access: 'read', element: 'vec4f', optional: 'HAS_AFFINE' },
    rope: { binding: 2, access: 'read', element: 'vec4f', optional: 'HAS_ROPE' },
    q: { binding: 3, access: 'read_write', element: 'Head' },
    k: { binding: 4, access: 'read_write', element: 'Head' },
    v: { binding: 5, access: 'read_write', element: 'Head' },
  },
  uniform: { binding: 6, size: 20, fields: {
    batch: { type: 'u32', offset: 0 },
    n: { type: 'u32', offset: 4 },
    heads: { type: 'u32', offset: 8 },
    head_dim: { type: 'u32', offset: 12 },
    eps: { type: 'f32', offset: 16 },
  } },
  knobs: {
    LANES: { kind: 'const', type: 'u32', default: 16 },
    ROWS: { kind: 'const', type: 'u32', default: 16 },
    NORM: { kind: 'const', type: 'u32', default: 0 },
    HAS_AFFINE: { kind: 'const', type: 'bool', default: false },
    HAS_ROPE: { kind: 'const', type: 'bool', default: false },
    Elem: { kind: 'alias', type: 'type', default: 'vec4f' },
    Head: { kind: 'alias', type: 'type', default: 'vec4f' },
  },
  workgroup: ['LANES', 'ROWS'],
  code: `









const LANES: u32 = 16u;
const ROWS: u32 = 16u;
const NORM: u32 = 0u;
const HAS_AFFINE: bool = false;
const HAS_ROPE: bool = false;
alias Elem = vec4f;
alias Head = vec4f;

struct Dims {
batch: u32,
n: u32,
heads: u32,
head_dim: u32,
eps: f32,
}

@group(0) @binding(0) var<storage, read> qkv: array<Elem>;
@group(0) @binding(1) var<storage, read> affine: array<vec4f>;
@group(0) @binding(2) var<storage, read> rope: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> q: array<Head>;
@group(0) @binding(4) var<storage, read_write> k: array<Head>;
@group(0) @binding(5) var<storage, read_write> v: array<Head>;
@group(0) @binding(6) var<uniform> dims: Dims;

@compute @workgroup_size(LANES, ROWS)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_id) lid: vec3u,
) {
let row = (wid.x + wid.y * groups.x) * ROWS + lid.y;
let live = row < dims.batch * dims.n * 3u * dims.heads;
let head = row % dims.heads;
let which = (row / dims.heads) % 3u;
let token = (row / dims.heads / 3u) % dims.n;
let sample = row / dims.heads / 3u / dims.n;

var x = vec4f(0.0);
if (live) {
x = vec4f(qkv[row * LANES + lid.x]);
}
if (NORM != 0u) {
let inverse = 1.0 / f32(4u * LANES);
var mean = 0.0;
if (NORM == 2u) {
mean = lanes_any_sum(vec2f(dot(x, vec4f(1.0)), 0.0), lid.x, lid.y).x * inverse;
}
var centred = select(vec4f(0.0), x - mean, live);
var moments = lanes_any_sum(vec2f(dot(centred, vec4f(1.0)), dot(centred, centred)), lid.x, lid.y) * inverse;
if (NORM == 2u) {
centred -= moments.x;
moments.y = at_least(moments.y - moments.x * moments.x, 0.0);
}
let scale = inverse_root(moments.y + dims.eps);
x = select(centred * scale, x, which == 2u);
}
if (!live) {
return;
}
let to = ((sample * dims.heads + head) * dims.n + token) * LANES + lid.x;
if (which == 2u) {
v[to] = Head(x);
return;
}
if (HAS_AFFINE) {
x = x * affine[which * LANES + lid.x] + affine[(which + 2u) * LANES + lid.x];
}
if (HAS_ROPE) {
let at = token * LANES + lid.x;
x = x * rope[at] + vec4f(-x.y, x.x, -x.w, x.z) * rope[dims.n * LANES + at];
}
if (which == 0u) {
q[to] = Head(x);
} else {
k[to] = Head(x);
}
}








const MOST_READ: u32 = 32u;

var<workgroup> lane_pairs: array<vec2f, 2u * LANES * ROWS>;
var<private> lanes_turn: u32;

fn lanes_any_sum(value: vec2f, lane: u32, row: u32) -> vec2f {
if (LANES == 1u) {
return value;
}
let base = lanes_turn * (LANES * ROWS) + row * LANES;
lanes_turn = 1u - lanes_turn;
lane_pairs[base + lane] = value;
workgroupBarrier();
if (LANES > MOST_READ && (LANES & (LANES - 1u)) == 0u) {
for (var stride = LANES / 2u; stride > 0u; stride /= 2u) {
if (lane < stride) {
lane_pairs[base + lane] += lane_pairs[base + lane + stride];
}
workgroupBarrier();
}
return lane_pairs[base];
}
var total = vec2f(0.0);
for (var i = 0u; i < LANES; i++) {
total += lane_pairs[base + i];
}
return total;
}




fn is_nan(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}





fn is_finite(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u;
}


fn at_least(x: f32, least: f32) -> f32 {
return select(max(x, least), x, is_nan(x));
}







fn inverse(x: f32) -> f32 {
var nan_bits = 0x7fc00000u;
return select(bitcast<f32>(nan_bits), 1.0 / x, is_finite(x));
}


fn inverse_root(x: f32) -> f32 {
var nan_bits = 0x7fc00000u;
return select(bitcast<f32>(nan_bits), 1.0 / sqrt(x), is_finite(x));
}` as string,
} as const satisfies ShaderSource;

/**
 * qk_norm_rope_lanes_fwd: qk_norm_rope_fwd with the row in registers: splits a fused projection into q, k, v for attention; q and k
 * optionally normalised over the head, then rotated: x cos + rotate(x) sin, rotate (x1, x2) -> (-x2, x1) on neighbouring pairs.
 * Buffers f32: qkv [batch, n, 3, heads, head_dim]; affine [4, head_dim] = weight of q, of k, bias of q, of k;
 * rope [2, n, head_dim] = cosines, sines; q, k, v [batch, heads, n, head_dim]. head_dim is 4 LANES.
 * Grid: LANES invocations a row of head_dim numbers, four numbers each, ROWS rows a workgroup: neighbours read neighbours, once.
 * Precision: f32; qkv, and q, k and v, may be stored as f16; the variance is summed around the mean.
 * Source: Henry et al. 2020 (q/k norm), Su et al. 2021 (rotary positions).
 */
export interface QkNormRopeLanesFwd extends Same<typeof qk_norm_rope_lanes_fwd_> {}
export const qk_norm_rope_lanes_fwd: QkNormRopeLanesFwd = qk_norm_rope_lanes_fwd_;

const random_normal_ = {
  name: 'random_normal',
  entryPoint: 'main',
  bindings: {
    key: { binding: 0, access: 'read', element: 'u32' },
    out: { binding: 1, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 2, size: 8, fields: {
    count: { type: 'u32', offset: 0 },
    first: { type: 'u32', offset: 4, else: 0 },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
  },
  workgroup: ['WG'],
  code: `







const WG: u32 = 256u;

struct Dims {
count: u32,
first: u32,
}

@group(0) @binding(0) var<storage, read> key: array<u32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_id) lid: vec3u,
) {
let draw = dims.first / 2u + (wid.x + wid.y * groups.x) * WG + lid.x;
let at = draw * 2u - dims.first;
if (at >= dims.count && at + 1u >= dims.count) {
return;
}
let words = philox(vec4u(draw, PHILOX_USE_NORMAL, key[2], key[3]), vec2u(key[0], key[1]));
if (at < dims.count) {
out[at] = normal_from(words.x, words.y);
}
if (at + 1u < dims.count) {
out[at + 1u] = normal_from(words.z, words.w);
}
}











const NORMAL_TABLE = array<u32, 192>(
362111247u, 422173128u, 109724757u, 72143702u, 29748665u, 7267838u,
617586772u, 325831962u, 111750036u, 62941226u, 27865959u, 6316966u,
823622520u, 272677436u, 104400700u, 57647811u, 25718691u, 5828758u,
1000044525u, 238227159u, 96750567u, 53429938u, 23911062u, 5425495u,
1156350762u, 213738030u, 90043085u, 49915734u, 22391689u, 5086281u,
1297915309u, 195251608u, 84328764u, 46944503u, 21101393u, 4797691u,
1428111133u, 180694486u, 79458332u, 44402675u, 19993236u, 4549380u,
1549211812u, 168866940u, 75273342u, 42204008u, 19031162u, 4333429u,
1662832109u, 159022467u, 71641687u, 40282534u, 18187552u, 4143770u,
1770165694u, 150670076u, 68459354u, 38587536u, 17441125u, 3975723u,
1872123312u, 143472371u, 65645460u, 37079695u, 16775327u, 3825639u,
1969417890u, 137189125u, 63136937u, 35728214u, 16177140u, 3690644u,
2062619477u, 131644203u, 60884196u, 34508694u, 15636209u, 3568449u,
2152192086u, 126705230u, 58847837u, 33401590u, 15144206u, 3457207u,
2238519211u, 122270607u, 56996220u, 32391080u, 14694363u, 3355416u,
2321921990u, 118260923u, 55303663u, 31464218u, 14281125u, 3261840u,
2402672445u, 114613121u, 53749116u, 30610316u, 13899889u, 3175454u,
2481003325u, 111276423u, 52315157u, 29820468u, 13546809u, 3095401u,
2557115559u, 108209434u, 50987245u, 29087195u, 13218645u, 3020957u,
2631184000u, 105378033u, 49753143u, 28404167u, 12912650u, 2951507u,
2703361896u, 102753817u, 48602476u, 27765988u, 12626474u, 2886526u,
2773784430u, 100312926u, 47526387u, 27168031u, 12358100u, 2825562u,
2842571556u, 98035156u, 46517266u, 26606302u, 12105781u, 2768223u,
2909830275u, 95903272u, 45568535u, 26077334u, 11868002u, 2714169u,
2975656511u, 93902472u, 44674478u, 25578102u, 11643434u, 2663101u,
3040136637u, 92019961u, 43830100u, 25105957u, 11430913u, 2614758u,
3103348752u, 90244621u, 43031018u, 24658562u, 11229413u, 2568909u,
3165363743u, 88566732u, 42273366u, 24233853u, 11038022u, 2525348u,
3226246181u, 86977764u, 41553721u, 23829996u, 10855934u, 2483894u,
3286055076u, 85470188u, 40869040u, 23445357u, 10682425u, 2444384u,
3344844523u, 84037336u, 40216609u, 23078473u, 10516849u, 2406672u,
3402664255u, 82673276u, 39593996u, 22728033u, 10358625u, 2370627u,
);

fn normal_from(hi: u32, lo: u32) -> f32 {
let octave = countLeadingZeros(hi & 0x7fffffffu) - 1u;

let kept = min(octave + 2u, 31u);
let t = select((hi << kept) | (lo >> (32u - kept)), lo, octave >= 30u);
let row = octave * 6u;
var z = NORMAL_TABLE[row + 5u];
for (var i = 5u; i > 0u; i--) {
z = NORMAL_TABLE[row + i - 1u] - mul_hi(z, t);
}
let rounded = i32((z + 128u) >> 8u);
return f32(select(rounded, -rounded, hi >= 0x80000000u)) * 4.76837158203125e-7;
}








const PHILOX_USE_NORMAL: u32 = 1u;


fn mul_hi(a: u32, b: u32) -> u32 {
let a_lo = a & 0xffffu;
let a_hi = a >> 16u;
let b_lo = b & 0xffffu;
let b_hi = b >> 16u;
let middle = a_hi * b_lo + ((a_lo * b_lo) >> 16u);
let other = a_lo * b_hi + (middle & 0xffffu);
return a_hi * b_hi + (middle >> 16u) + (other >> 16u);
}

fn philox(counter: vec4u, key: vec2u) -> vec4u {
var c = counter;
var k = key;
for (var round = 0u; round < 10u; round++) {
c = vec4u(
mul_hi(0xcd9e8d57u, c.z) ^ c.y ^ k.x,
0xcd9e8d57u * c.z,
mul_hi(0xd2511f53u, c.x) ^ c.w ^ k.y,
0xd2511f53u * c.x,
);
k += vec2u(0x9e3779b9u, 0xbb67ae85u);
}
return c;
}` as string,
} as const satisfies ShaderSource;

/**
 * random_normal: out[i] = standard normal number first + i of (seed, stream, step); the same bits on every adapter and the host.
 * Block b of the stream gives numbers 2b, from its words 0 and 1, and 2b + 1, from its words 2 and 3.
 * Buffers: key [4] u32 = (seed, stream, step_lo, step_hi), data because it changes every step; out [count] f32.
 * Grid: one block an invocation, WG invocations a workgroup. first + count <= 2^32.
 * Precision: exact integers; each number within 5.1e-6 of the exact inverse distribution, |z| <= 6.34 (lib/normal.wgsl).
 * Source: Salmon et al. 2011 (Philox); the inverse of the normal distribution by piecewise polynomials.
 */
export interface RandomNormal extends Same<typeof random_normal_> {}
export const random_normal: RandomNormal = random_normal_;

const random_uniform_ = {
  name: 'random_uniform',
  entryPoint: 'main',
  bindings: {
    key: { binding: 0, access: 'read', element: 'u32' },
    out: { binding: 1, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 2, size: 8, fields: {
    count: { type: 'u32', offset: 0 },
    first: { type: 'u32', offset: 4, else: 0 },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
  },
  workgroup: ['WG'],
  code: `







const WG: u32 = 256u;

struct Dims {
count: u32,
first: u32,
}

@group(0) @binding(0) var<storage, read> key: array<u32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_id) lid: vec3u,
) {
let draw = dims.first / 4u + (wid.x + wid.y * groups.x) * WG + lid.x;
let words = philox(vec4u(draw, PHILOX_USE_WORDS, key[2], key[3]), vec2u(key[0], key[1]));
for (var i = 0u; i < 4u; i++) {
let at = draw * 4u + i - dims.first;
if (at < dims.count) {
out[at] = f32(words[i] >> 8u) * 5.9604644775390625e-8;
}
}
}







const PHILOX_USE_WORDS: u32 = 0u;



fn mul_hi(a: u32, b: u32) -> u32 {
let a_lo = a & 0xffffu;
let a_hi = a >> 16u;
let b_lo = b & 0xffffu;
let b_hi = b >> 16u;
let middle = a_hi * b_lo + ((a_lo * b_lo) >> 16u);
let other = a_lo * b_hi + (middle & 0xffffu);
return a_hi * b_hi + (middle >> 16u) + (other >> 16u);
}

fn philox(counter: vec4u, key: vec2u) -> vec4u {
var c = counter;
var k = key;
for (var round = 0u; round < 10u; round++) {
c = vec4u(
mul_hi(0xcd9e8d57u, c.z) ^ c.y ^ k.x,
0xcd9e8d57u * c.z,
mul_hi(0xd2511f53u, c.x) ^ c.w ^ k.y,
0xd2511f53u * c.x,
);
k += vec2u(0x9e3779b9u, 0xbb67ae85u);
}
return c;
}` as string,
} as const satisfies ShaderSource;

/**
 * random_uniform: out[i] = number first + i of (seed, stream, step), uniform in [0, 1); the same bits on every adapter and the host.
 * Block b of the stream gives numbers 4b..4b + 3, each the upper 24 bits of a word times 2^-24.
 * Buffers: key [4] u32 = (seed, stream, step_lo, step_hi), data because it changes every step; out [count] f32.
 * Grid: one block an invocation, WG invocations a workgroup. first + count <= 2^32.
 * Precision: exact; 24 bits are what f32 holds.
 * Source: Salmon et al. 2011 (Philox).
 */
export interface RandomUniform extends Same<typeof random_uniform_> {}
export const random_uniform: RandomUniform = random_uniform_;

const resize_rows_ = {
  name: 'resize_rows',
  entryPoint: 'main',
  bindings: {
    x: { binding: 0, access: 'read', element: 'f32' },
    out: { binding: 1, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 2, size: 12, fields: {
    rows: { type: 'u32', offset: 0 },
    cols_in: { type: 'u32', offset: 4 },
    cols_out: { type: 'u32', offset: 8 },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
  },
  workgroup: ['WG'],
  code: `




const WG: u32 = 256u;

struct Dims {
rows: u32,
cols_in: u32,
cols_out: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let first = (wid.x + wid.y * groups.x) * (4u * WG) + local;
for (var i = 0u; i < 4u; i++) {
let at = first + i * WG;
if (at < dims.rows * dims.cols_out) {
let row = at / dims.cols_out;
let col = at - row * dims.cols_out;
var value = 0.0;
if (col < dims.cols_in) {
value = x[row * dims.cols_in + col];
}
out[at] = value;
}
}
}` as string,
} as const satisfies ShaderSource;

/**
 * resize_rows: out[r, c] = x[r, c] for c < cols_in, else 0: cuts rows short, or pads them with zeros. Each is the other's backward.
 * Buffers f32: x [rows, cols_in], out [rows, cols_out].
 * Grid: WG invocations a workgroup, 4 elements of out an invocation, a workgroup apart.
 * Precision: exact.
 */
export interface ResizeRows extends Same<typeof resize_rows_> {}
export const resize_rows: ResizeRows = resize_rows_;

const scaled_silu_bwd_ = {
  name: 'scaled_silu_bwd',
  entryPoint: 'main',
  bindings: {
    x: { binding: 0, access: 'read', element: 'f32' },
    scale: { binding: 1, access: 'read', element: 'f32' },
    dy: { binding: 2, access: 'read', element: 'f32' },
    dx: { binding: 3, access: 'read_write', element: 'f32' },
    dscale: { binding: 4, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 5, size: 12, fields: {
    rows: { type: 'u32', offset: 0 },
    cols: { type: 'u32', offset: 4 },
    pixels: { type: 'u32', offset: 8 },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
    PER: { kind: 'const', type: 'u32', default: 4 },
  },
  workgroup: ['WG'],
  code: `







const WG: u32 = 256u;
const PER: u32 = 4u;

struct Dims {
rows: u32,
cols: u32,
pixels: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> scale: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;
@group(0) @binding(4) var<storage, read_write> dscale: array<f32>;
@group(0) @binding(5) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let first = (wid.x + wid.y * groups.x) * (WG * PER) + local;
for (var i = 0u; i < PER; i++) {
let at = first + i * WG;
if (at < dims.rows * dims.cols) {
let row = at / dims.cols;
let factor = 1.0 + scale[(row / dims.pixels) * dims.cols + at - row * dims.cols];
let value = x[at];
let g = dy[at] * silu_grad(value * factor);
dx[at] = g * factor;
dscale[at] = g * value;
}
}
}











fn magnitude(x: f32, most: f32) -> f32 {
return between(abs(x), 0.0, most);
}


















fn sigmoid(x: f32) -> f32 {
let e = exp(-magnitude(x, 200.0));
return select(e, 1.0, x >= 0.0) / (1.0 + e);
}










































































fn silu_grad(x: f32) -> f32 {
let s = sigmoid(x);
return s * (1.0 + x * (1.0 - s));
}




fn is_nan(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}















fn between(x: f32, low: f32, high: f32) -> f32 {
return select(clamp(x, low, high), x, is_nan(x));
}` as string,
} as const satisfies ShaderSource;

/**
 * scaled_silu_bwd: the gradients of scaled_silu_fwd, g = dy silu'(x (1 + scale)): dx = g (1 + scale), and by scale g x of each pixel, whose
 * sums over a sample's pixels the caller takes.
 * Buffers f32: x, dy, dx, dscale [rows, cols]; scale [rows / pixels, cols].
 * Grid: as scaled_silu_fwd.
 * Precision: f32.
 * Source: the derivative of shaders/scaled_silu_fwd.wgsl.
 */
export interface ScaledSiluBwd extends Same<typeof scaled_silu_bwd_> {}
export const scaled_silu_bwd: ScaledSiluBwd = scaled_silu_bwd_;

const scaled_silu_fwd_ = {
  name: 'scaled_silu_fwd',
  entryPoint: 'main',
  bindings: {
    x: { binding: 0, access: 'read', element: 'f32' },
    scale: { binding: 1, access: 'read', element: 'f32' },
    y: { binding: 2, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 3, size: 12, fields: {
    rows: { type: 'u32', offset: 0 },
    cols: { type: 'u32', offset: 4 },
    pixels: { type: 'u32', offset: 8 },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
    PER: { kind: 'const', type: 'u32', default: 4 },
  },
  workgroup: ['WG'],
  code: `






const WG: u32 = 256u;
const PER: u32 = 4u;

struct Dims {
rows: u32,
cols: u32,
pixels: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> scale: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let first = (wid.x + wid.y * groups.x) * (WG * PER) + local;
for (var i = 0u; i < PER; i++) {
let at = first + i * WG;
if (at < dims.rows * dims.cols) {
let row = at / dims.cols;
y[at] = silu(x[at] * (1.0 + scale[(row / dims.pixels) * dims.cols + at - row * dims.cols]));
}
}
}











fn magnitude(x: f32, most: f32) -> f32 {
return between(abs(x), 0.0, most);
}


















fn sigmoid(x: f32) -> f32 {
let e = exp(-magnitude(x, 200.0));
return select(e, 1.0, x >= 0.0) / (1.0 + e);
}






































































fn silu(x: f32) -> f32 {
return x * sigmoid(x);
}









fn is_nan(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}















fn between(x: f32, low: f32, high: f32) -> f32 {
return select(clamp(x, low, high), x, is_nan(x));
}` as string,
} as const satisfies ShaderSource;

/**
 * scaled_silu_fwd: y = silu(x (1 + scale)), scale of the sample and channel.
 * Buffers f32: x, y [rows, cols], images of `pixels` rows each; scale [rows / pixels, cols].
 * Grid: PER elements an invocation, a workgroup apart, so that neighbours touch neighbours.
 * Precision: f32.
 * Source: Karras et al. 2024 (EDM2, the block's embedding).
 */
export interface ScaledSiluFwd extends Same<typeof scaled_silu_fwd_> {}
export const scaled_silu_fwd: ScaledSiluFwd = scaled_silu_fwd_;

const softmax_bwd_ = {
  name: 'softmax_bwd',
  entryPoint: 'main',
  bindings: {
    y: { binding: 0, access: 'read', element: 'f32' },
    dy: { binding: 1, access: 'read', element: 'f32' },
    dx: { binding: 2, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 3, size: 12, fields: {
    rows: { type: 'u32', offset: 0 },
    cols: { type: 'u32', offset: 4 },
    scale: { type: 'f32', offset: 8, else: 1 },
  } },
  knobs: {
    LANES: { kind: 'const', type: 'u32', default: 64, halves: true },
    ROWS: { kind: 'const', type: 'u32', default: 4, halves: true },
    QUADS: { kind: 'const', type: 'u32', default: 0 },
    LOG: { kind: 'const', type: 'bool', default: false },
  },
  workgroup: ['LANES', 'ROWS'],
  code: `











const LANES: u32 = 64u;
const ROWS: u32 = 4u;
const QUADS: u32 = 0u;
const LOG: bool = false;

alias Summed = f32;

struct Dims {
rows: u32,
cols: u32,
scale: f32,
}

@group(0) @binding(0) var<storage, read> y: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;
@group(0) @binding(3) var<uniform> dims: Dims;


struct Eight {
y: vec4f,
dy: vec4f,
}

fn eight(base: u32, c: u32, end: u32) -> Eight {
let quad = quad_of(base, c, end);
let at = quad.at;
return Eight(
select(vec4f(0.0), vec4f(y[at.x], y[at.y], y[at.z], y[at.w]), quad.live),
select(vec4f(0.0), vec4f(dy[at.x], dy[at.y], dy[at.z], dy[at.w]), quad.live),
);
}

fn sum_of_eight(v: Eight) -> f32 {
if (LOG) {
return (v.dy.x + v.dy.y) + (v.dy.z + v.dy.w);
}
return dot(v.y, v.dy);
}

fn put(at: u32, value: f32) {
dx[at] = value;
}

fn store(base: u32, c: u32, end: u32, v: Eight, total: f32) {
var values = v.y * (v.dy - total);
if (LOG) {
values = v.dy - exp(v.y) * total;
}
store_quad(base, c, end, values * dims.scale);
}

@compute @workgroup_size(LANES, ROWS)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_id) lid: vec3u,
) {
let row = row_of(wid, groups, lid);
let base = row.base;
let end = row.end;
if (QUADS == 0u) {
var sums = Runs();
for (var first = lid.x; first < end; first += RUN * LANES) {
var run = Summed();
for (var c = first; c < min(end, first + RUN * LANES); c += 4u * LANES) {
run += sum_of_eight(eight(base, c, end));
}
add_run(&sums, run);
}
let total = lanes_sum(sum_of(sums), lid.x, lid.y);
for (var c = lid.x; c < end; c += 4u * LANES) {
store(base, c, end, eight(base, c, end), total);
}
return;
}
let v0 = eight(base, lid.x, end);
var v1 = Eight();
if (QUADS == 2u) {
v1 = eight(base, lid.x + 4u * LANES, end);
}
let total = lanes_sum(sum_of_eight(v0) + sum_of_eight(v1), lid.x, lid.y);
store(base, lid.x, end, v0, total);
if (QUADS == 2u) { store(base, lid.x + 4u * LANES, end, v1, total); }
}





var<workgroup> lane_partials: array<f32, LANES * ROWS>;

fn lanes_sum(value: f32, lane: u32, row: u32) -> f32 {
if (LANES == 1u) {
return value;
}
let base = row * LANES;
lane_partials[base + lane] = value;
workgroupBarrier();
for (var stride = LANES / 2u; stride > 0u; stride /= 2u) {
if (lane < stride) {
lane_partials[base + lane] += lane_partials[base + lane + stride];
}
workgroupBarrier();
}
let total = lane_partials[base];
workgroupBarrier();
return total;
}





const RUN: u32 = 256u;

struct Runs {
total: Summed,
block: Summed,
count: u32,
}

fn add_run(runs: ptr<function, Runs>, run: Summed) {
(*runs).block += run;
(*runs).count++;
if ((*runs).count % RUN == 0u) {
(*runs).total += (*runs).block;
(*runs).block = Summed();
}
}

fn sum_of(runs: Runs) -> Summed {
return runs.total + runs.block;
}




struct Row {
index: u32,
live: bool,
base: u32,
end: u32,
}

fn row_of(wid: vec3u, groups: vec3u, lid: vec3u) -> Row {
let row = (wid.x + wid.y * groups.x) * ROWS + lid.y;
let live = row < dims.rows;
return Row(row, live, select(0u, row, live) * dims.cols, select(0u, dims.cols, live));
}




struct Quad {
at: vec4u,
live: vec4<bool>,
}


fn quad_of(base: u32, c: u32, end: u32) -> Quad {
let at = vec4u(c, c + LANES, c + 2u * LANES, c + 3u * LANES);
return Quad(base + min(at, vec4u(max(end, 1u) - 1u)), at < vec4u(end));
}




fn store_quad(base: u32, c: u32, end: u32, values: vec4f) {
if (c < end) { put(base + c, values.x); }
if (c + LANES < end) { put(base + c + LANES, values.y); }
if (c + 2u * LANES < end) { put(base + c + 2u * LANES, values.z); }
if (c + 3u * LANES < end) { put(base + c + 3u * LANES, values.w); }
}` as string,
} as const satisfies ShaderSource;

/**
 * softmax_bwd: the gradient of softmax_fwd from its output: dx = scale y (dy - sum(y dy)) along rows; with LOG, where y is the log,
 * dx = scale (dy - exp(y) sum(dy)).
 * Buffers, row-major f32: y, dy, dx [rows, cols].
 * Grid: as softmax_fwd. A row of up to 4 QUADS LANES columns is read once and held in registers; a longer one is read twice.
 * Precision: f32; sums of runs.
 * Source: the derivative of shaders/softmax_fwd.wgsl.
 */
export interface SoftmaxBwd extends Same<typeof softmax_bwd_> {}
export const softmax_bwd: SoftmaxBwd = softmax_bwd_;

const softmax_fwd_ = {
  name: 'softmax_fwd',
  entryPoint: 'main',
  bindings: {
    x: { binding: 0, access: 'read', element: 'f32' },
    y: { binding: 1, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 2, size: 12, fields: {
    rows: { type: 'u32', offset: 0 },
    cols: { type: 'u32', offset: 4 },
    scale: { type: 'f32', offset: 8, else: 1 },
  } },
  knobs: {
    LANES: { kind: 'const', type: 'u32', default: 64, halves: true },
    ROWS: { kind: 'const', type: 'u32', default: 4, halves: true },
    QUADS: { kind: 'const', type: 'u32', default: 0 },
    LOG: { kind: 'const', type: 'bool', default: false },
  },
  workgroup: ['LANES', 'ROWS'],
  code: `









const LANES: u32 = 64u;
const ROWS: u32 = 4u;
const QUADS: u32 = 0u;
const LOG: bool = false;

alias Summed = f32;

struct Dims {
rows: u32,
cols: u32,
scale: f32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> dims: Dims;

fn number(at: u32) -> f32 {
return dims.scale * x[at];
}

fn put(at: u32, value: f32) {
y[at] = value;
}

@compute @workgroup_size(LANES, ROWS)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_id) lid: vec3u,
) {
let row = row_of(wid, groups, lid);
let base = row.base;
let end = row.end;
if (QUADS == 0u) {
let all = lanes_exponentials(row_exponentials(base, end, lid.x), lid.x, lid.y);
let factor = if_summed(all.y, 1.0 / all.y);
let log_sum = if_summed(all.y, log(all.y));
for (var c = lid.x; c < end; c += 4u * LANES) {
let z = four(base, c, end) - all.x;
if (LOG) {
store_quad(base, c, end, z - log_sum);
} else {
store_quad(base, c, end, exp(z) * factor);
}
}
return;
}
let z0 = four(base, lid.x, end);
var z1 = vec4f(minus_infinity());
if (QUADS == 2u) {
z1 = four(base, lid.x + 4u * LANES, end);
}
var own = LOWEST;
let top = max(largest_of(z0), largest_of(z1));
if (top > own) {
own = top;
}
let e0 = exponentials(z0, own);
var e = (e0.x + e0.y) + (e0.z + e0.w);
let e1 = exponentials(z1, own);
if (QUADS == 2u) {
e += (e1.x + e1.y) + (e1.z + e1.w);
}
let all = lanes_exponentials(vec2f(own, e), lid.x, lid.y);
if (LOG) {
let log_sum = if_summed(all.y, log(all.y));
store_quad(base, lid.x, end, z0 - all.x - log_sum);
if (QUADS == 2u) { store_quad(base, lid.x + 4u * LANES, end, z1 - all.x - log_sum); }
} else {
let factor = exp(own - all.x) * if_summed(all.y, 1.0 / all.y);
store_quad(base, lid.x, end, e0 * factor);
if (QUADS == 2u) { store_quad(base, lid.x + 4u * LANES, end, e1 * factor); }
}
}









const LOWEST: f32 = -3.4028234e38;

var<workgroup> lane_exponentials: array<vec2f, LANES * ROWS>;


fn minus_infinity() -> f32 {
var bits = 0xff800000u;
return bitcast<f32>(bits);
}


fn if_summed(sum: f32, value: f32) -> f32 {
var nan_bits = 0x7fc00000u;
return select(bitcast<f32>(nan_bits), value, sum > 0.0 && is_finite(sum));
}


fn exponentials(z: vec4f, largest: f32) -> vec4f {
return select(exp(z - largest), z, are_nan(z) | (bitcast<vec4u>(z) == vec4u(0x7f800000u)));
}


fn four(base: u32, c: u32, end: u32) -> vec4f {
let quad = quad_of(base, c, end);
let at = quad.at;
return select(vec4f(minus_infinity()), vec4f(number(at.x), number(at.y), number(at.z), number(at.w)), quad.live);
}

fn largest_of(z: vec4f) -> f32 {
return max(max(z.x, z.y), max(z.z, z.w));
}

fn row_exponentials(base: u32, end: u32, lane: u32) -> vec2f {
var largest = LOWEST;
var sums = Runs();
for (var first = lane; first < end; first += RUN * LANES) {
var run = Summed();
for (var c = first; c < min(end, first + RUN * LANES); c += 4u * LANES) {
let z = four(base, c, end);
let top = largest_of(z);
if (top > largest) {
let shrunk = exp(largest - top);
run *= shrunk;
sums.block *= shrunk;
sums.total *= shrunk;
largest = top;
}
let e = exponentials(z, largest);
run += (e.x + e.y) + (e.z + e.w);
}
add_run(&sums, run);
}
return vec2f(largest, sum_of(sums));
}

fn both_exponentials(a: vec2f, b: vec2f) -> vec2f {
let largest = max(a.x, b.x);
return vec2f(largest, a.y * exp(a.x - largest) + b.y * exp(b.x - largest));
}


fn lanes_exponentials(own: vec2f, lane: u32, row: u32) -> vec2f {
if (LANES == 1u) {
return own;
}
let base = row * LANES;
lane_exponentials[base + lane] = own;
workgroupBarrier();
for (var stride = LANES / 2u; stride > 0u; stride /= 2u) {
if (lane < stride) {
lane_exponentials[base + lane] = both_exponentials(lane_exponentials[base + lane], lane_exponentials[base + lane + stride]);
}
workgroupBarrier();
}
return lane_exponentials[base];
}




struct Row {
index: u32,
live: bool,
base: u32,
end: u32,
}

fn row_of(wid: vec3u, groups: vec3u, lid: vec3u) -> Row {
let row = (wid.x + wid.y * groups.x) * ROWS + lid.y;
let live = row < dims.rows;
return Row(row, live, select(0u, row, live) * dims.cols, select(0u, dims.cols, live));
}




fn store_quad(base: u32, c: u32, end: u32, values: vec4f) {
if (c < end) { put(base + c, values.x); }
if (c + LANES < end) { put(base + c + LANES, values.y); }
if (c + 2u * LANES < end) { put(base + c + 2u * LANES, values.z); }
if (c + 3u * LANES < end) { put(base + c + 3u * LANES, values.w); }
}





const RUN: u32 = 256u;

struct Runs {
total: Summed,
block: Summed,
count: u32,
}

fn add_run(runs: ptr<function, Runs>, run: Summed) {
(*runs).block += run;
(*runs).count++;
if ((*runs).count % RUN == 0u) {
(*runs).total += (*runs).block;
(*runs).block = Summed();
}
}

fn sum_of(runs: Runs) -> Summed {
return runs.total + runs.block;
}








fn are_nan(x: vec4f) -> vec4<bool> {
return (bitcast<vec4u>(x) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u);
}

fn is_finite(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u;
}


























struct Quad {
at: vec4u,
live: vec4<bool>,
}


fn quad_of(base: u32, c: u32, end: u32) -> Quad {
let at = vec4u(c, c + LANES, c + 2u * LANES, c + 3u * LANES);
return Quad(base + min(at, vec4u(max(end, 1u) - 1u)), at < vec4u(end));
}` as string,
} as const satisfies ShaderSource;

/**
 * softmax_fwd: y = exp(z - largest) / sum of exp(z - largest) along rows, z = scale x; with LOG, its log, z - largest - log(sum).
 * Buffers, row-major f32: x, y [rows, cols].
 * Grid: ROWS rows a workgroup, LANES invocations a row; neighbours read neighbouring columns. LANES = 1 runs without barriers. A row of
 * up to 4 QUADS LANES columns is read once and held in registers; a longer one is read twice, largest and sum in the first reading.
 * Precision: f32; sums of runs. A NaN or +infinity makes its row NaN, and so is a row of -infinities, as in PyTorch.
 * Source: Bridle 1990; Milakov & Gimelshein 2018 for the one reading.
 */
export interface SoftmaxFwd extends Same<typeof softmax_fwd_> {}
export const softmax_fwd: SoftmaxFwd = softmax_fwd_;

const sum_cols_ = {
  name: 'sum_cols',
  entryPoint: 'main',
  bindings: {
    x: { binding: 0, access: 'read', element: 'Elem' },
    out: { binding: 1, access: 'read_write', element: 'OutElem' },
    prior: { binding: 3, access: 'read', element: 'OutElem', optional: 'HAS_PRIOR' },
  },
  uniform: { binding: 2, size: 12, fields: {
    rows: { type: 'u32', offset: 0 },
    cols: { type: 'u32', offset: 4 },
    chunk_rows: { type: 'u32', offset: 8, else: 'rows' },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
    LANES: { kind: 'const', type: 'u32', default: 8 },
    LANES_FROM: { kind: 'const', type: 'u32', default: 64 },
    WIDTH: { kind: 'const', type: 'u32', default: 1 },
    HAS_PRIOR: { kind: 'const', type: 'bool', default: false },
    Elem: { kind: 'alias', type: 'type', default: 'f32' },
    OutElem: { kind: 'alias', type: 'type', default: 'f32' },
    Summed: { kind: 'alias', type: 'type', default: 'f32' },
  },
  workgroup: ['WG'],
  code: `







const WG: u32 = 256u;
const LANES: u32 = 8u;
const LANES_FROM: u32 = 64u;
const WIDTH: u32 = 1u;
const HAS_PRIOR: bool = false;
alias Elem = f32;
alias OutElem = f32;
alias Summed = f32;

struct Dims {
rows: u32,
cols: u32,
chunk_rows: u32,
}

@group(0) @binding(0) var<storage, read> x: array<Elem>;
@group(0) @binding(1) var<storage, read_write> out: array<OutElem>;
@group(0) @binding(2) var<uniform> dims: Dims;
@group(0) @binding(3) var<storage, read> prior: array<OutElem>;

fn term(row: u32, col: u32) -> Summed {
return Summed(x[row * (dims.cols / WIDTH) + col]);
}

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let cols = dims.cols / WIDTH;
let p = column_part(wid.x + wid.y * groups.x, local, cols, dims.chunk_rows);
let sum = column_total(p, local, dims.chunk_rows);
if (!p.owner) {
return;
}
let at = p.part * cols + p.col;
if (HAS_PRIOR) {
out[at] = OutElem(Summed(prior[at]) + sum);
} else {
out[at] = OutElem(sum);
}
}








var<workgroup> column_partials: array<Summed, WG>;


fn column_lanes(rows: u32) -> u32 {
return select(LANES, 1u, rows < LANES_FROM);
}



fn column_sum(value: Summed, local: u32, lanes: u32) -> Summed {
if (LANES == 1u || lanes == 1u) {
return value;
}
column_partials[local] = value;
workgroupBarrier();
for (var stride = WG / 2u; stride >= WG / lanes; stride /= 2u) {
if (local < stride) {
column_partials[local] += column_partials[local + stride];
}
workgroupBarrier();
}
return column_partials[local];
}


struct ColumnPart {
part: u32,
col: u32,
begin: u32,
end: u32,
live: bool,
owner: bool,
}


fn column_tiles(cols: u32, rows: u32) -> u32 {
let width = WG / column_lanes(rows);
return (cols + width - 1u) / width;
}

fn column_part(group: u32, local: u32, cols: u32, rows: u32) -> ColumnPart {
let width = WG / column_lanes(rows);
let tiles = column_tiles(cols, rows);
let part = group / tiles;
let col = (group % tiles) * width + local % width;
let begin = min(part * rows, dims.rows);
let end = begin + min(rows, dims.rows - begin);
let live = col < cols && begin < end;
return ColumnPart(part, col, begin, end, live, live && local < width);
}


fn column_total(p: ColumnPart, local: u32, rows: u32) -> Summed {
let lanes = column_lanes(rows);
var sums = Runs();
if (p.live) {
let length = 4u * RUN * lanes;
for (var first = p.begin + local / (WG / lanes); first < p.end; first += length) {
let stop = min(p.end, first + length);
var row = first;
var run = Summed();
for (; row + 3u * lanes < stop; row += 4u * lanes) {
run += (term(row, p.col) + term(row + lanes, p.col)) + (term(row + 2u * lanes, p.col) + term(row + 3u * lanes, p.col));
}
for (; row < stop; row += lanes) {
run += term(row, p.col);
}
add_run(&sums, run);
}
}
return column_sum(sum_of(sums), local, lanes);
}





const RUN: u32 = 256u;

struct Runs {
total: Summed,
block: Summed,
count: u32,
}

fn add_run(runs: ptr<function, Runs>, run: Summed) {
(*runs).block += run;
(*runs).count++;
if ((*runs).count % RUN == 0u) {
(*runs).total += (*runs).block;
(*runs).block = Summed();
}
}

fn sum_of(runs: Runs) -> Summed {
return runs.total + runs.block;
}` as string,
} as const satisfies ShaderSource;

/**
 * sum_cols: out[chunk, c] = sum of x[r, c] over the rows r of a chunk of chunk_rows rows.
 * Buffers, row-major f32: x [rows, cols], out [ceil(rows / chunk_rows), cols]; prior, as out: what the sums are added to.
 * Grid: columns are single ones, or WIDTH neighbours. A workgroup sums WG columns of one chunk, or WG / LANES columns where chunks have
 * at least LANES_FROM rows, LANES invocations a column (lib column_lanes). Two passes (chunks, then their sums) keep a GPU busy where
 * rows are many and columns few.
 * Precision: f32, in one fixed order: no atomics; either side may be stored as f16.
 */
export interface SumCols extends Same<typeof sum_cols_> {}
export const sum_cols: SumCols = sum_cols_;

const sum_parts_ = {
  name: 'sum_parts',
  entryPoint: 'main',
  bindings: {
    x: { binding: 0, access: 'read', element: 'vec4f' },
    tiles: { binding: 1, access: 'read', element: 'u32' },
    out: { binding: 2, access: 'read_write', element: 'vec4f' },
  },
  uniform: { binding: 3, size: 12, fields: {
    tiles: { type: 'u32', offset: 0 },
    x_size: { type: 'u32', offset: 4 },
    out_size: { type: 'u32', offset: 8 },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
    LANES: { kind: 'const', type: 'u32', default: 32 },
    LANES_FROM: { kind: 'const', type: 'u32', default: 64 },
  },
  workgroup: ['WG'],
  code: `









const WG: u32 = 256u;
const LANES: u32 = 32u;
const LANES_FROM: u32 = 64u;

alias Summed = vec4f;

struct Dims {
tiles: u32,
x_size: u32,
out_size: u32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> tiles: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4f>;
@group(0) @binding(3) var<uniform> dims: Dims;

var<private> begin: u32;
var<private> cols: u32;


fn term(row: u32, col: u32) -> Summed {
let at = begin + row * cols + col;
if (cols % 4u == 0u) {
return x[at / 4u];
}
var four = vec4f();
for (var i = 0u; i < min(4u, cols - col); i++) {
four[i] = x[(at + i) / 4u][(at + i) % 4u];
}
return four;
}

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let group = wid.x + wid.y * groups.x;
if (group >= dims.tiles) {
return;
}
let tile = 5u * group;
begin = tiles[tile];
let place = tiles[tile + 1u];
let rows = tiles[tile + 2u];
cols = tiles[tile + 3u];
let width = WG / column_lanes(rows);
let col = tiles[tile + 4u] + 4u * (local % width);
let live = col < cols;
let p = ColumnPart(0u, col, 0u, rows, live, live && local < width);
let sum = column_total(p, local, rows);
if (p.owner) {
out[(place + col) / 4u] = sum;
}
}








var<workgroup> column_partials: array<Summed, WG>;


fn column_lanes(rows: u32) -> u32 {
return select(LANES, 1u, rows < LANES_FROM);
}



fn column_sum(value: Summed, local: u32, lanes: u32) -> Summed {
if (LANES == 1u || lanes == 1u) {
return value;
}
column_partials[local] = value;
workgroupBarrier();
for (var stride = WG / 2u; stride >= WG / lanes; stride /= 2u) {
if (local < stride) {
column_partials[local] += column_partials[local + stride];
}
workgroupBarrier();
}
return column_partials[local];
}


struct ColumnPart {
part: u32,
col: u32,
begin: u32,
end: u32,
live: bool,
owner: bool,
}



















fn column_total(p: ColumnPart, local: u32, rows: u32) -> Summed {
let lanes = column_lanes(rows);
var sums = Runs();
if (p.live) {
let length = 4u * RUN * lanes;
for (var first = p.begin + local / (WG / lanes); first < p.end; first += length) {
let stop = min(p.end, first + length);
var row = first;
var run = Summed();
for (; row + 3u * lanes < stop; row += 4u * lanes) {
run += (term(row, p.col) + term(row + lanes, p.col)) + (term(row + 2u * lanes, p.col) + term(row + 3u * lanes, p.col));
}
for (; row < stop; row += lanes) {
run += term(row, p.col);
}
add_run(&sums, run);
}
}
return column_sum(sum_of(sums), local, lanes);
}





const RUN: u32 = 256u;

struct Runs {
total: Summed,
block: Summed,
count: u32,
}

fn add_run(runs: ptr<function, Runs>, run: Summed) {
(*runs).block += run;
(*runs).count++;
if ((*runs).count % RUN == 0u) {
(*runs).total += (*runs).block;
(*runs).block = Summed();
}
}

fn sum_of(runs: Runs) -> Summed {
return runs.total + runs.block;
}` as string,
} as const satisfies ShaderSource;

/**
 * sum_parts: the sums down the columns of several matrices, each into its own place of out: the second pass of what was summed by parts.
 * out[place + c] = sum over the rows r of a matrix of x[from + r cols + c].
 * Buffers: f32 x and out, read and written as vectors of 4: a matrix and its place begin at multiples of 4, and a place has room for whole
 * vectors, in which zeros follow its sums; tiles [tiles, 5], one a workgroup: where its matrix begins in x and its sums in out, the
 * matrix's rows and columns, and the tile's first column.
 * Grid: a workgroup a tile: WG vectors of columns, or WG / LANES of them where a matrix has at least LANES_FROM rows, LANES invocations
 * each (lib column_lanes).
 * Precision: f32, in the order of sum_cols: no atomics.
 */
export interface SumParts extends Same<typeof sum_parts_> {}
export const sum_parts: SumParts = sum_parts_;

const sum_rows_ = {
  name: 'sum_rows',
  entryPoint: 'main',
  bindings: {
    x: { binding: 0, access: 'read', element: 'f32' },
    out: { binding: 1, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 2, size: 8, fields: {
    rows: { type: 'u32', offset: 0 },
    cols: { type: 'u32', offset: 4 },
  } },
  knobs: {
    LANES: { kind: 'const', type: 'u32', default: 64, halves: true },
    ROWS: { kind: 'const', type: 'u32', default: 4, halves: true },
    MEAN: { kind: 'const', type: 'bool', default: false },
  },
  workgroup: ['LANES', 'ROWS'],
  code: `






const LANES: u32 = 64u;
const ROWS: u32 = 4u;
const MEAN: bool = false;

alias Summed = f32;

struct Dims {
rows: u32,
cols: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(LANES, ROWS)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_id) lid: vec3u,
) {
let row = (wid.x + wid.y * groups.x) * ROWS + lid.y;
let live = row < dims.rows;
let base = select(0u, row, live) * dims.cols;
let end = select(0u, dims.cols, live);
var sums = Runs();
for (var first = lid.x; first < end; first += RUN * LANES) {
var run = 0.0;
for (var c = first; c < min(end, first + RUN * LANES); c += LANES) {
run += x[base + c];
}
add_run(&sums, run);
}
var sum = lanes_sum(sum_of(sums), lid.x, lid.y);
if (live && lid.x == 0u) {
if (MEAN) {
sum /= f32(dims.cols);
}
out[row] = sum;
}
}





var<workgroup> lane_partials: array<f32, LANES * ROWS>;

fn lanes_sum(value: f32, lane: u32, row: u32) -> f32 {
if (LANES == 1u) {
return value;
}
let base = row * LANES;
lane_partials[base + lane] = value;
workgroupBarrier();
for (var stride = LANES / 2u; stride > 0u; stride /= 2u) {
if (lane < stride) {
lane_partials[base + lane] += lane_partials[base + lane + stride];
}
workgroupBarrier();
}
let total = lane_partials[base];
workgroupBarrier();
return total;
}





const RUN: u32 = 256u;

struct Runs {
total: Summed,
block: Summed,
count: u32,
}

fn add_run(runs: ptr<function, Runs>, run: Summed) {
(*runs).block += run;
(*runs).count++;
if ((*runs).count % RUN == 0u) {
(*runs).total += (*runs).block;
(*runs).block = Summed();
}
}

fn sum_of(runs: Runs) -> Summed {
return runs.total + runs.block;
}` as string,
} as const satisfies ShaderSource;

/**
 * sum_rows: out[r] = sum of x[r, c] over c, or their mean.
 * Buffers, row-major f32: x [rows, cols], out [rows].
 * Grid: ROWS rows a workgroup, LANES invocations a row; neighbours read neighbouring columns. LANES = 1 runs without barriers.
 * Precision: f32, in one fixed order: no atomics.
 */
export interface SumRows extends Same<typeof sum_rows_> {}
export const sum_rows: SumRows = sum_rows_;

const swiglu_bwd_ = {
  name: 'swiglu_bwd',
  entryPoint: 'main',
  bindings: {
    x12: { binding: 0, access: 'read', element: 'Elem' },
    dy: { binding: 1, access: 'read', element: 'Elem' },
    dx12: { binding: 2, access: 'read_write', element: 'OElem' },
  },
  uniform: { binding: 3, size: 8, fields: {
    rows: { type: 'u32', offset: 0 },
    hidden: { type: 'u32', offset: 4 },
  } },
  knobs: {
    ROWS: { kind: 'const', type: 'u32', default: 4, halves: true },
    PER: { kind: 'const', type: 'u32', default: 4 },
    VEC: { kind: 'const', type: 'bool', default: false },
    Scalar: { kind: 'alias', type: 'type', default: 'f32' },
    Elem: { kind: 'alias', type: 'type', default: 'f32' },
    OElem: { kind: 'alias', type: 'type', default: 'array<f32, 1>' },
  },
  workgroup: [64, 'ROWS'],
  code: `






const ROWS: u32 = 4u;
const PER: u32 = 4u;
const VEC: bool = false;
alias Scalar = f32;
alias Elem = f32;
alias OElem = array<f32, 1>;

struct Dims {
rows: u32,
hidden: u32,
}

@group(0) @binding(0) var<storage, read> x12: array<Elem>;
@group(0) @binding(1) var<storage, read> dy: array<Elem>;
@group(0) @binding(2) var<storage, read_write> dx12: array<OElem>;
@group(0) @binding(3) var<uniform> dims: Dims;

@compute @workgroup_size(64, ROWS)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_id) lid: vec3u,
) {
let hidden = dims.hidden / WIDTH;
let tiles = (hidden + 63u) / 64u;
let group = wid.x + wid.y * groups.x;
let col = (group % tiles) * 64u + lid.x;
let first = (group / tiles) * (ROWS * PER) + lid.y;
if (col >= hidden) {
return;
}
for (var i = 0u; i < PER; i++) {
let row = first + i * ROWS;
if (row < dims.rows) {
_ = write_gradient(row, col);
}
}
}






fn x12_at(i: u32) -> vec4f { return vec4f(vec4<Scalar>(x12[i])); }


fn write_gradient(row: u32, col: u32) -> mat2x4f {
let hidden = dims.hidden / WIDTH;
let at = row * hidden + col;
let at1 = at + row * hidden;
let x1 = x12_at(at1);
let x2 = x12_at(at1 + hidden);
let g = vec4f(vec4<Scalar>(dy[at]));
let s = vec4f(sigmoid(x1.x), sigmoid(x1.y), sigmoid(x1.z), sigmoid(x1.w));
let dx1 = g * x2 * s * (1.0 + x1 * (1.0 - s));
let dx2 = g * x1 * s;
dx12[at1] = element(dx1);
dx12[at1 + hidden] = element(dx2);
return mat2x4f(dx1, dx2);
}











fn magnitude(x: f32, most: f32) -> f32 {
return between(abs(x), 0.0, most);
}


















fn sigmoid(x: f32) -> f32 {
let e = exp(-magnitude(x, 200.0));
return select(e, 1.0, x >= 0.0) / (1.0 + e);
}



















































































const WIDTH: u32 = select(1u, 4u, VEC);
const SECOND: u32 = select(0u, 1u, VEC);
const THIRD: u32 = select(0u, 2u, VEC);
const FOURTH: u32 = select(0u, 3u, VEC);

fn element(value: vec4f) -> OElem {
var one: OElem;
one[0] = Scalar(value.x);
if (VEC) {
one[SECOND] = Scalar(value.y);
one[THIRD] = Scalar(value.z);
one[FOURTH] = Scalar(value.w);
}
return one;
}




fn is_nan(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}















fn between(x: f32, low: f32, high: f32) -> f32 {
return select(clamp(x, low, high), x, is_nan(x));
}` as string,
} as const satisfies ShaderSource;

/**
 * swiglu_bwd: dx1 = dy * x2 * silu'(x1), dx2 = dy * silu(x1).
 * Buffers, row-major f32, or f16: x12, dx12 [rows, 2 hidden], dy [rows, hidden].
 * Grid: as swiglu_fwd, over the elements of dy.
 * Precision: f32; the buffers may be stored as f16.
 * Source: the derivative of shaders/swiglu_fwd.wgsl.
 */
export interface SwigluBwd extends Same<typeof swiglu_bwd_> {}
export const swiglu_bwd: SwigluBwd = swiglu_bwd_;

const swiglu_bwd_sums_ = {
  name: 'swiglu_bwd_sums',
  entryPoint: 'main',
  bindings: {
    x12: { binding: 0, access: 'read', element: 'Elem' },
    dy: { binding: 1, access: 'read', element: 'Elem' },
    dx12: { binding: 2, access: 'read_write', element: 'OElem' },
    sums: { binding: 3, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 4, size: 12, fields: {
    rows: { type: 'u32', offset: 0 },
    hidden: { type: 'u32', offset: 4 },
    chunk_rows: { type: 'u32', offset: 8, else: 'rows' },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
    LANES: { kind: 'const', type: 'u32', default: 8 },
    LANES_FROM: { kind: 'const', type: 'u32', default: 64 },
    VEC: { kind: 'const', type: 'bool', default: false },
    Scalar: { kind: 'alias', type: 'type', default: 'f32' },
    Elem: { kind: 'alias', type: 'type', default: 'f32' },
    OElem: { kind: 'alias', type: 'type', default: 'array<f32, 1>' },
  },
  workgroup: ['WG'],
  code: `









const WG: u32 = 256u;
const LANES: u32 = 8u;
const LANES_FROM: u32 = 64u;
const VEC: bool = false;
alias Scalar = f32;
alias Elem = f32;
alias OElem = array<f32, 1>;

alias Summed = mat2x4f;

struct Dims {
rows: u32,
hidden: u32,
chunk_rows: u32,
}

@group(0) @binding(0) var<storage, read> x12: array<Elem>;
@group(0) @binding(1) var<storage, read> dy: array<Elem>;
@group(0) @binding(2) var<storage, read_write> dx12: array<OElem>;
@group(0) @binding(3) var<storage, read_write> sums: array<f32>;
@group(0) @binding(4) var<uniform> dims: Dims;


fn term(row: u32, col: u32) -> Summed {
return write_gradient(row, col);
}

fn put(at: u32, sum: vec4f) {
sums[at] = sum.x;
if (VEC) {
sums[at + 1u] = sum.y;
sums[at + 2u] = sum.z;
sums[at + 3u] = sum.w;
}
}

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let p = column_part(wid.x + wid.y * groups.x, local, dims.hidden / WIDTH, dims.chunk_rows);
let sum = column_total(p, local, dims.chunk_rows);
if (p.owner) {
let at = p.part * 2u * dims.hidden + WIDTH * p.col;
put(at, sum[0]);
put(at + dims.hidden, sum[1]);
}
}








var<workgroup> column_partials: array<Summed, WG>;


fn column_lanes(rows: u32) -> u32 {
return select(LANES, 1u, rows < LANES_FROM);
}



fn column_sum(value: Summed, local: u32, lanes: u32) -> Summed {
if (LANES == 1u || lanes == 1u) {
return value;
}
column_partials[local] = value;
workgroupBarrier();
for (var stride = WG / 2u; stride >= WG / lanes; stride /= 2u) {
if (local < stride) {
column_partials[local] += column_partials[local + stride];
}
workgroupBarrier();
}
return column_partials[local];
}


struct ColumnPart {
part: u32,
col: u32,
begin: u32,
end: u32,
live: bool,
owner: bool,
}


fn column_tiles(cols: u32, rows: u32) -> u32 {
let width = WG / column_lanes(rows);
return (cols + width - 1u) / width;
}

fn column_part(group: u32, local: u32, cols: u32, rows: u32) -> ColumnPart {
let width = WG / column_lanes(rows);
let tiles = column_tiles(cols, rows);
let part = group / tiles;
let col = (group % tiles) * width + local % width;
let begin = min(part * rows, dims.rows);
let end = begin + min(rows, dims.rows - begin);
let live = col < cols && begin < end;
return ColumnPart(part, col, begin, end, live, live && local < width);
}


fn column_total(p: ColumnPart, local: u32, rows: u32) -> Summed {
let lanes = column_lanes(rows);
var sums = Runs();
if (p.live) {
let length = 4u * RUN * lanes;
for (var first = p.begin + local / (WG / lanes); first < p.end; first += length) {
let stop = min(p.end, first + length);
var row = first;
var run = Summed();
for (; row + 3u * lanes < stop; row += 4u * lanes) {
run += (term(row, p.col) + term(row + lanes, p.col)) + (term(row + 2u * lanes, p.col) + term(row + 3u * lanes, p.col));
}
for (; row < stop; row += lanes) {
run += term(row, p.col);
}
add_run(&sums, run);
}
}
return column_sum(sum_of(sums), local, lanes);
}






fn x12_at(i: u32) -> vec4f { return vec4f(vec4<Scalar>(x12[i])); }


fn write_gradient(row: u32, col: u32) -> mat2x4f {
let hidden = dims.hidden / WIDTH;
let at = row * hidden + col;
let at1 = at + row * hidden;
let x1 = x12_at(at1);
let x2 = x12_at(at1 + hidden);
let g = vec4f(vec4<Scalar>(dy[at]));
let s = vec4f(sigmoid(x1.x), sigmoid(x1.y), sigmoid(x1.z), sigmoid(x1.w));
let dx1 = g * x2 * s * (1.0 + x1 * (1.0 - s));
let dx2 = g * x1 * s;
dx12[at1] = element(dx1);
dx12[at1 + hidden] = element(dx2);
return mat2x4f(dx1, dx2);
}





const RUN: u32 = 256u;

struct Runs {
total: Summed,
block: Summed,
count: u32,
}

fn add_run(runs: ptr<function, Runs>, run: Summed) {
(*runs).block += run;
(*runs).count++;
if ((*runs).count % RUN == 0u) {
(*runs).total += (*runs).block;
(*runs).block = Summed();
}
}

fn sum_of(runs: Runs) -> Summed {
return runs.total + runs.block;
}











fn magnitude(x: f32, most: f32) -> f32 {
return between(abs(x), 0.0, most);
}


















fn sigmoid(x: f32) -> f32 {
let e = exp(-magnitude(x, 200.0));
return select(e, 1.0, x >= 0.0) / (1.0 + e);
}



















































































const WIDTH: u32 = select(1u, 4u, VEC);
const SECOND: u32 = select(0u, 1u, VEC);
const THIRD: u32 = select(0u, 2u, VEC);
const FOURTH: u32 = select(0u, 3u, VEC);

fn element(value: vec4f) -> OElem {
var one: OElem;
one[0] = Scalar(value.x);
if (VEC) {
one[SECOND] = Scalar(value.y);
one[THIRD] = Scalar(value.z);
one[FOURTH] = Scalar(value.w);
}
return one;
}




fn is_nan(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}















fn between(x: f32, low: f32, high: f32) -> f32 {
return select(clamp(x, low, high), x, is_nan(x));
}` as string,
} as const satisfies ShaderSource;

/**
 * swiglu_bwd_sums: as swiglu_bwd, dx1 = dy * x2 * silu'(x1), dx2 = dy * silu(x1), and the sums down the columns of dx12 over each chunk of
 * chunk_rows rows: the parts of a bias gradient, without another reading of dx12.
 * Buffers, row-major f32, or f16: x12, dx12 [rows, 2 hidden], dy [rows, hidden]; f32 sums [ceil(rows / chunk_rows), 2 hidden].
 * Grid: columns of dy are single ones or, with VEC, fours of neighbours. A workgroup sums WG columns of one chunk, or WG / LANES columns
 * where chunks have at least LANES_FROM rows, LANES invocations a column (lib column_lanes).
 * Precision: f32, in one fixed order: no atomics; x12, dy and dx12 may be stored as f16.
 * Source: the derivative of shaders/swiglu_fwd.wgsl.
 */
export interface SwigluBwdSums extends Same<typeof swiglu_bwd_sums_> {}
export const swiglu_bwd_sums: SwigluBwdSums = swiglu_bwd_sums_;

const swiglu_fwd_ = {
  name: 'swiglu_fwd',
  entryPoint: 'main',
  bindings: {
    x12: { binding: 0, access: 'read', element: 'Elem' },
    y: { binding: 1, access: 'read_write', element: 'OElem' },
  },
  uniform: { binding: 2, size: 8, fields: {
    rows: { type: 'u32', offset: 0 },
    hidden: { type: 'u32', offset: 4 },
  } },
  knobs: {
    ROWS: { kind: 'const', type: 'u32', default: 4, halves: true },
    PER: { kind: 'const', type: 'u32', default: 4 },
    VEC: { kind: 'const', type: 'bool', default: false },
    Scalar: { kind: 'alias', type: 'type', default: 'f32' },
    Elem: { kind: 'alias', type: 'type', default: 'f32' },
    OElem: { kind: 'alias', type: 'type', default: 'array<f32, 1>' },
  },
  workgroup: [64, 'ROWS'],
  code: `








const ROWS: u32 = 4u;
const PER: u32 = 4u;
const VEC: bool = false;
alias Scalar = f32;
alias Elem = f32;
alias OElem = array<f32, 1>;

struct Dims {
rows: u32,
hidden: u32,
}

@group(0) @binding(0) var<storage, read> x12: array<Elem>;
@group(0) @binding(1) var<storage, read_write> y: array<OElem>;
@group(0) @binding(2) var<uniform> dims: Dims;

fn x12_at(i: u32) -> vec4f { return vec4f(vec4<Scalar>(x12[i])); }

fn silu_of(x: vec4f) -> vec4f {
return vec4f(silu(x.x), silu(x.y), silu(x.z), silu(x.w));
}

@compute @workgroup_size(64, ROWS)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_id) lid: vec3u,
) {
let hidden = dims.hidden / WIDTH;
let tiles = (hidden + 63u) / 64u;
let group = wid.x + wid.y * groups.x;
let col = (group % tiles) * 64u + lid.x;
let first = (group / tiles) * (ROWS * PER) + lid.y;
if (col >= hidden) {
return;
}
for (var i = 0u; i < PER; i++) {
let row = first + i * ROWS;
if (row < dims.rows) {
let at = row * hidden + col;
let at1 = at + row * hidden;
y[at] = element(silu_of(x12_at(at1)) * x12_at(at1 + hidden));
}
}
}











fn magnitude(x: f32, most: f32) -> f32 {
return between(abs(x), 0.0, most);
}


















fn sigmoid(x: f32) -> f32 {
let e = exp(-magnitude(x, 200.0));
return select(e, 1.0, x >= 0.0) / (1.0 + e);
}






































































fn silu(x: f32) -> f32 {
return x * sigmoid(x);
}










const WIDTH: u32 = select(1u, 4u, VEC);
const SECOND: u32 = select(0u, 1u, VEC);
const THIRD: u32 = select(0u, 2u, VEC);
const FOURTH: u32 = select(0u, 3u, VEC);

fn element(value: vec4f) -> OElem {
var one: OElem;
one[0] = Scalar(value.x);
if (VEC) {
one[SECOND] = Scalar(value.y);
one[THIRD] = Scalar(value.z);
one[FOURTH] = Scalar(value.w);
}
return one;
}




fn is_nan(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}















fn between(x: f32, low: f32, high: f32) -> f32 {
return select(clamp(x, low, high), x, is_nan(x));
}` as string,
} as const satisfies ShaderSource;

/**
 * swiglu_fwd: y = silu(x1) * x2, where each row of x12 holds x1 then x2.
 * Buffers, row-major f32, or f16: x12 [rows, 2 hidden], y [rows, hidden].
 * Grid: a workgroup covers 64 columns of y, or with VEC 64 fours of them, of ROWS * PER rows, an invocation every ROWS-th row of one:
 * neighbours touch neighbouring columns, and no element costs a division.
 * Precision: f32; the buffers may be stored as f16.
 * Source: Shazeer 2020, "GLU Variants Improve Transformer".
 */
export interface SwigluFwd extends Same<typeof swiglu_fwd_> {}
export const swiglu_fwd: SwigluFwd = swiglu_fwd_;

const timestep_embedding_ = {
  name: 'timestep_embedding',
  entryPoint: 'main',
  bindings: {
    t: { binding: 0, access: 'read', element: 'f32' },
    out: { binding: 1, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 2, size: 12, fields: {
    count: { type: 'u32', offset: 0 },
    dim: { type: 'u32', offset: 4 },
    max_period: { type: 'f32', offset: 8 },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
  },
  workgroup: ['WG'],
  code: `






const WG: u32 = 256u;

struct Dims {
count: u32,
dim: u32,
max_period: f32,
}

@group(0) @binding(0) var<storage, read> t: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let at = (wid.x + wid.y * groups.x) * WG + local;
if (at >= dims.count * dims.dim) {
return;
}
let half = dims.dim / 2u;
let item = at / dims.dim;
let col = at - item * dims.dim;
var value = 0.0;
if (col < 2u * half) {
let i = col % half;
let angle = t[item] * exp(-log(dims.max_period) * f32(i) / f32(half));
let pair = sincos(angle);
value = select(pair.x, pair.y, col < half);
}
out[at] = value;
}







fn sincos(x: f32) -> vec2f {
let turns = round(x * 0.63661975);
let r = fma(-turns, 7.54979e-8, fma(-turns, 0.0004837513, fma(-turns, 1.5703125, x)));
let r2 = r * r;
let s = r + r * r2 * (-0.16666655 + r2 * (0.008332178 - r2 * 0.000195173));
let c = 1.0 - 0.5 * r2 + r2 * r2 * (0.041666646 + r2 * (-0.0013887368 + r2 * 0.000024438452));
let quarter = bitcast<u32>(i32(turns)) & 3u;
let swapped = select(vec2f(s, c), vec2f(c, -s), (quarter & 1u) == 1u);
return select(swapped, -swapped, quarter >= 2u);
}` as string,
} as const satisfies ShaderSource;

/**
 * timestep_embedding: out[b] = [cos(t f_i) | sin(t f_i)], f_i = exp(-ln(max_period) i / half), half = dim / 2; t is not scaled.
 * Buffers f32: t [count], out [count, dim]. An odd last column is 0.
 * Grid: one invocation an element of out, WG a workgroup.
 * Precision: f32.
 * Source: Vaswani et al. 2017, as DiT uses it.
 */
export interface TimestepEmbedding extends Same<typeof timestep_embedding_> {}
export const timestep_embedding: TimestepEmbedding = timestep_embedding_;

const unfold_ = {
  name: 'unfold',
  entryPoint: 'main',
  bindings: {
    x: { binding: 0, access: 'read', element: 'f32' },
    rows: { binding: 1, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 2, size: 44, fields: {
    batch: { type: 'u32', offset: 0 },
    height: { type: 'u32', offset: 4 },
    width: { type: 'u32', offset: 8 },
    channels: { type: 'u32', offset: 12 },
    kernel_h: { type: 'u32', offset: 16 },
    kernel_w: { type: 'u32', offset: 20 },
    stride: { type: 'u32', offset: 24 },
    pad_h: { type: 'u32', offset: 28 },
    pad_w: { type: 'u32', offset: 32 },
    out_h: { type: 'u32', offset: 36 },
    out_w: { type: 'u32', offset: 40 },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
  },
  workgroup: ['WG'],
  code: `






const WG: u32 = 256u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> rows: array<f32>;
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let first = (wid.x + wid.y * groups.x) * (4u * WG) + local;
let features = dims.kernel_h * dims.kernel_w * dims.channels;
for (var i = 0u; i < 4u; i++) {
let at = first + i * WG;
if (at < dims.batch * dims.out_h * dims.out_w * features) {
let feature = at % features;
let pixel = at / features;
let inside = feature / dims.channels;
let sample = pixel / (dims.out_h * dims.out_w);
let start = window_start((pixel / dims.out_w) % dims.out_h, pixel % dims.out_w);
let row = start.x + i32(inside / dims.kernel_w);
let col = start.y + i32(inside % dims.kernel_w);
var value = 0.0;
if (row >= 0 && row < i32(dims.height) && col >= 0 && col < i32(dims.width)) {
value = x[((sample * dims.height + u32(row)) * dims.width + u32(col)) * dims.channels + feature % dims.channels];
}
rows[at] = value;
}
}
}



struct Dims {
batch: u32,
height: u32,
width: u32,
channels: u32,
kernel_h: u32,
kernel_w: u32,
stride: u32,
pad_h: u32,
pad_w: u32,
out_h: u32,
out_w: u32,
}


fn window_start(row: u32, col: u32) -> vec2i {
return vec2i(i32(row * dims.stride) - i32(dims.pad_h), i32(col * dims.stride) - i32(dims.pad_w));
}` as string,
} as const satisfies ShaderSource;

/**
 * unfold: every window of an image as a row, so that a convolution is a matrix product.
 * Buffers f32: x [batch, height, width, channels]; rows [batch out_h out_w, kernel_h kernel_w channels], 0 in the padding.
 * Grid: one invocation an element of rows, 4 of them a workgroup apart, so that writes are contiguous, and reads by channel.
 * Precision: exact.
 * Source: Chellapilla et al. 2006 (im2col).
 */
export interface Unfold extends Same<typeof unfold_> {}
export const unfold: Unfold = unfold_;

const unpatchify_ = {
  name: 'unpatchify',
  entryPoint: 'main',
  bindings: {
    tokens: { binding: 0, access: 'read', element: 'f32' },
    x: { binding: 1, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 2, size: 20, fields: {
    batch: { type: 'u32', offset: 0 },
    channels: { type: 'u32', offset: 4 },
    height: { type: 'u32', offset: 8 },
    width: { type: 'u32', offset: 12 },
    patch_size: { type: 'u32', offset: 16 },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
    HWC: { kind: 'const', type: 'bool', default: false },
  },
  workgroup: ['WG'],
  code: `





const WG: u32 = 256u;
const HWC: bool = false;

@group(0) @binding(0) var<storage, read> tokens: array<f32>;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let first = (wid.x + wid.y * groups.x) * (4u * WG) + local;
for (var i = 0u; i < 4u; i++) {
let at = first + i * WG;
if (at < dims.batch * dims.channels * dims.height * dims.width) {
x[image_index(at)] = tokens[at];
}
}
}





struct Dims {
batch: u32,
channels: u32,
height: u32,
width: u32,
patch_size: u32,
}

fn image_index(at: u32) -> u32 {
let p = dims.patch_size;
let features = dims.channels * p * p;
let grid_w = dims.width / p;
let patches = (dims.height / p) * grid_w;
let feature = at % features;
let token = at / features;
let cell = token % patches;
let sample = token / patches;
var channel = feature / (p * p);
var inside = feature % (p * p);
if (HWC) {
channel = feature % dims.channels;
inside = feature / dims.channels;
}
let row = (cell / grid_w) * p + inside / p;
let col = (cell % grid_w) * p + inside % p;
return ((sample * dims.channels + channel) * dims.height + row) * dims.width + col;
}` as string,
} as const satisfies ShaderSource;

/**
 * unpatchify: puts patches back into images; a permutation, the inverse of patchify and its backward.
 * Buffers, orders and grid: as patchify (one invocation an element of tokens; reads are contiguous).
 * Precision: exact.
 * Source: Peebles & Xie 2023 (DiT's last layer).
 */
export interface Unpatchify extends Same<typeof unpatchify_> {}
export const unpatchify: Unpatchify = unpatchify_;

const wave_embedding_ = {
  name: 'wave_embedding',
  entryPoint: 'main',
  bindings: {
    t: { binding: 0, access: 'read', element: 'f32' },
    frequencies: { binding: 1, access: 'read', element: 'f32' },
    phases: { binding: 2, access: 'read', element: 'f32', optional: 'PHASED' },
    out: { binding: 3, access: 'read_write', element: 'f32' },
  },
  uniform: { binding: 4, size: 20, fields: {
    count: { type: 'u32', offset: 0 },
    n: { type: 'u32', offset: 4 },
    slope: { type: 'f32', offset: 8, else: 1 },
    shift: { type: 'f32', offset: 12, else: 0 },
    scale: { type: 'f32', offset: 16, else: 1 },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
    PAIRS: { kind: 'const', type: 'bool', default: false },
    PHASED: { kind: 'const', type: 'bool', default: false },
  },
  workgroup: ['WG'],
  code: `







const WG: u32 = 256u;
const PAIRS: bool = false;
const PHASED: bool = false;

struct Dims {
count: u32,
n: u32,
slope: f32,
shift: f32,
scale: f32,
}

@group(0) @binding(0) var<storage, read> t: array<f32>;
@group(0) @binding(1) var<storage, read> frequencies: array<f32>;
@group(0) @binding(2) var<storage, read> phases: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;
@group(0) @binding(4) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let at = (wid.x + wid.y * groups.x) * WG + local;
let cols = select(dims.n, 2u * dims.n, PAIRS);
if (at >= dims.count * cols) {
return;
}
let col = at % cols;
var angle = (dims.slope * t[at / cols] + dims.shift) * frequencies[col % dims.n];
if (PHASED) {
angle += phases[col];
}
let wave = sincos(angle);
out[at] = dims.scale * select(wave.y, wave.x, PAIRS && col < dims.n);
}







fn sincos(x: f32) -> vec2f {
let turns = round(x * 0.63661975);
let r = fma(-turns, 7.54979e-8, fma(-turns, 0.0004837513, fma(-turns, 1.5703125, x)));
let r2 = r * r;
let s = r + r * r2 * (-0.16666655 + r2 * (0.008332178 - r2 * 0.000195173));
let c = 1.0 - 0.5 * r2 + r2 * r2 * (0.041666646 + r2 * (-0.0013887368 + r2 * 0.000024438452));
let quarter = bitcast<u32>(i32(turns)) & 3u;
let swapped = select(vec2f(s, c), vec2f(c, -s), (quarter & 1u) == 1u);
return select(swapped, -swapped, quarter >= 2u);
}` as string,
} as const satisfies ShaderSource;

/**
 * wave_embedding: waves of a time at given frequencies: out[b, j] = scale cos(u f_j + phase_j), u = slope t_b + shift; with PAIRS
 * [sin(u f_j) | cos(u f_j)], each frequency twice.
 * Buffers f32: t [count]; frequencies [n]; phases [n]; out [count, n], with PAIRS [count, 2 n].
 * Grid: an element of out an invocation.
 * Precision: f32, with lib sincos.
 * Source: Tancik et al. 2020 (Fourier features), as Karras et al. 2022 and 2024 use them.
 */
export interface WaveEmbedding extends Same<typeof wave_embedding_> {}
export const wave_embedding: WaveEmbedding = wave_embedding_;

const weight_force_ = {
  name: 'weight_force',
  entryPoint: 'main',
  bindings: {
    weight: { binding: 0, access: 'read_write', element: 'f32' },
    clip: { binding: 1, access: 'read', element: 'f32', optional: 'GUARDED' },
  },
  uniform: { binding: 2, size: 12, fields: {
    rows: { type: 'u32', offset: 0 },
    cols: { type: 'u32', offset: 4 },
    eps: { type: 'f32', offset: 8 },
  } },
  knobs: {
    LANES: { kind: 'const', type: 'u32', default: 64, halves: true },
    ROWS: { kind: 'const', type: 'u32', default: 4, halves: true },
    GUARDED: { kind: 'const', type: 'bool', default: false },
  },
  workgroup: ['LANES', 'ROWS'],
  code: `









const LANES: u32 = 64u;
const ROWS: u32 = 4u;
const GUARDED: bool = false;

alias Summed = f32;

struct Dims {
rows: u32,
cols: u32,
eps: f32,
}

@group(0) @binding(0) var<storage, read_write> weight: array<f32>;
@group(0) @binding(1) var<storage, read> clip: array<f32>;
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(LANES, ROWS)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_id) lid: vec3u,
) {
let row = row_of(wid, groups, lid);
var sums = Runs();
for (var first = lid.x; first < row.end; first += RUN * LANES) {
var run = 0.0;
for (var c = first; c < min(row.end, first + RUN * LANES); c += LANES) {
let w = weight[row.base + c];
run += w * w;
}
add_run(&sums, run);
}
let r = sqrt(lanes_sum(sum_of(sums), lid.x, lid.y) / f32(dims.cols));
if (GUARDED && clip[3] == 1.0) {
return;
}
let down = inverse(dims.eps + r);
for (var c = lid.x; c < row.end; c += LANES) {
weight[row.base + c] *= down;
}
}





var<workgroup> lane_partials: array<f32, LANES * ROWS>;

fn lanes_sum(value: f32, lane: u32, row: u32) -> f32 {
if (LANES == 1u) {
return value;
}
let base = row * LANES;
lane_partials[base + lane] = value;
workgroupBarrier();
for (var stride = LANES / 2u; stride > 0u; stride /= 2u) {
if (lane < stride) {
lane_partials[base + lane] += lane_partials[base + lane + stride];
}
workgroupBarrier();
}
let total = lane_partials[base];
workgroupBarrier();
return total;
}





const RUN: u32 = 256u;

struct Runs {
total: Summed,
block: Summed,
count: u32,
}

fn add_run(runs: ptr<function, Runs>, run: Summed) {
(*runs).block += run;
(*runs).count++;
if ((*runs).count % RUN == 0u) {
(*runs).total += (*runs).block;
(*runs).block = Summed();
}
}

fn sum_of(runs: Runs) -> Summed {
return runs.total + runs.block;
}




struct Row {
index: u32,
live: bool,
base: u32,
end: u32,
}

fn row_of(wid: vec3u, groups: vec3u, lid: vec3u) -> Row {
let row = (wid.x + wid.y * groups.x) * ROWS + lid.y;
let live = row < dims.rows;
return Row(row, live, select(0u, row, live) * dims.cols, select(0u, dims.cols, live));
}












fn is_finite(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u;
}












fn inverse(x: f32) -> f32 {
var nan_bits = 0x7fc00000u;
return select(bitcast<f32>(nan_bits), 1.0 / x, is_finite(x));
}` as string,
} as const satisfies ShaderSource;

/**
 * weight_force: W <- W / (eps + r) in place, row by row, r = sqrt(mean(W^2)): forced weight normalisation, before the optimiser's step.
 * Buffers f32: weight [rows, cols] updated; where GUARDED clip [4] of shaders/clip_scale.wgsl: a step that is held changes nothing.
 * Grid: ROWS rows a workgroup, LANES invocations a row. LANES = 1 runs without barriers.
 * Precision: f32; sums of runs.
 * Source: Karras et al. 2024 (EDM2, forced weight normalization).
 */
export interface WeightForce extends Same<typeof weight_force_> {}
export const weight_force: WeightForce = weight_force_;

const weight_norm_bwd_ = {
  name: 'weight_norm_bwd',
  entryPoint: 'main',
  bindings: {
    weight: { binding: 0, access: 'read', element: 'f32', optional: 'NORMED' },
    gain: { binding: 1, access: 'read', element: 'f32', optional: 'HAS_GAIN' },
    rms: { binding: 2, access: 'read', element: 'f32', optional: 'NORMED' },
    dout: { binding: 3, access: 'read', element: 'f32' },
    dweight: { binding: 4, access: 'read_write', element: 'f32' },
    dgain: { binding: 5, access: 'read_write', element: 'f32', optional: 'HAS_GAIN' },
  },
  uniform: { binding: 6, size: 24, fields: {
    rows: { type: 'u32', offset: 0 },
    cols: { type: 'u32', offset: 4 },
    taps: { type: 'u32', offset: 8 },
    interleave: { type: 'u32', offset: 12, else: 1 },
    eps: { type: 'f32', offset: 16, else: 0, optional: 'NORMED' },
    scale: { type: 'f32', offset: 20, else: 1, optional: 'NORMED' },
  } },
  knobs: {
    LANES: { kind: 'const', type: 'u32', default: 64, halves: true },
    ROWS: { kind: 'const', type: 'u32', default: 4, halves: true },
    NORMED: { kind: 'const', type: 'bool', default: false },
    FORCED: { kind: 'const', type: 'bool', default: false },
    HAS_GAIN: { kind: 'const', type: 'bool', default: false },
  },
  workgroup: ['LANES', 'ROWS'],
  code: `












const LANES: u32 = 64u;
const ROWS: u32 = 4u;
const NORMED: bool = false;
const FORCED: bool = false;
const HAS_GAIN: bool = false;

alias Summed = f32;

struct Dims {
rows: u32,
cols: u32,
taps: u32,
interleave: u32,
eps: f32,
scale: f32,
}

@group(0) @binding(0) var<storage, read> weight: array<f32>;
@group(0) @binding(1) var<storage, read> gain: array<f32>;
@group(0) @binding(2) var<storage, read> rms: array<f32>;
@group(0) @binding(3) var<storage, read> dout: array<f32>;
@group(0) @binding(4) var<storage, read_write> dweight: array<f32>;
@group(0) @binding(5) var<storage, read_write> dgain: array<f32>;
@group(0) @binding(6) var<uniform> dims: Dims;

@compute @workgroup_size(LANES, ROWS)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_id) lid: vec3u,
) {
let row = row_of(wid, groups, lid);
let at = ((row.index % dims.interleave) * (dims.rows / dims.interleave) + row.index / dims.interleave) * dims.cols;
let depth = dims.cols / dims.taps;
var gained = dims.scale;
if (HAS_GAIN) {
gained *= gain[0];
}
var g_part = 1.0;
var w_part = 0.0;
if (NORMED) {
var sums = Runs();
for (var first = lid.x; first < row.end; first += RUN * LANES) {
var run = 0.0;
for (var c = first; c < min(row.end, first + RUN * LANES); c += LANES) {
let channel = c / dims.taps;
run += dout[at + (c - channel * dims.taps) * depth + channel] * weight[row.base + c];
}
add_run(&sums, run);
}
let stored = lanes_sum(sum_of(sums), lid.x, lid.y);
let r0 = rms[select(0u, row.index, row.live)];
let shrunk = select(1.0, inverse(dims.eps + r0), FORCED);
let r = r0 * shrunk;
let total = stored * shrunk;
let down = inverse(dims.eps + r);
g_part = gained * down;
w_part = select(gained * total / f32(dims.cols) * down * down / r * shrunk, 0.0, r == 0.0);
if (HAS_GAIN && row.live && lid.x == 0u) {
dgain[row.index] = dims.scale * total * down;
}
}
for (var c = lid.x; c < row.end; c += LANES) {
let channel = c / dims.taps;
var value = g_part * dout[at + (c - channel * dims.taps) * depth + channel];
if (NORMED) {
value -= w_part * weight[row.base + c];
}
dweight[row.base + c] = value;
}
}





var<workgroup> lane_partials: array<f32, LANES * ROWS>;

fn lanes_sum(value: f32, lane: u32, row: u32) -> f32 {
if (LANES == 1u) {
return value;
}
let base = row * LANES;
lane_partials[base + lane] = value;
workgroupBarrier();
for (var stride = LANES / 2u; stride > 0u; stride /= 2u) {
if (lane < stride) {
lane_partials[base + lane] += lane_partials[base + lane + stride];
}
workgroupBarrier();
}
let total = lane_partials[base];
workgroupBarrier();
return total;
}





const RUN: u32 = 256u;

struct Runs {
total: Summed,
block: Summed,
count: u32,
}

fn add_run(runs: ptr<function, Runs>, run: Summed) {
(*runs).block += run;
(*runs).count++;
if ((*runs).count % RUN == 0u) {
(*runs).total += (*runs).block;
(*runs).block = Summed();
}
}

fn sum_of(runs: Runs) -> Summed {
return runs.total + runs.block;
}




struct Row {
index: u32,
live: bool,
base: u32,
end: u32,
}

fn row_of(wid: vec3u, groups: vec3u, lid: vec3u) -> Row {
let row = (wid.x + wid.y * groups.x) * ROWS + lid.y;
let live = row < dims.rows;
return Row(row, live, select(0u, row, live) * dims.cols, select(0u, dims.cols, live));
}












fn is_finite(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u;
}












fn inverse(x: f32) -> f32 {
var nan_bits = 0x7fc00000u;
return select(bitcast<f32>(nan_bits), 1.0 / x, is_finite(x));
}` as string,
} as const satisfies ShaderSource;

/**
 * weight_norm_bwd: the gradient of weight_norm_fwd by weight, and by gain of each row. With NORMED, g the gradient of out where W lies,
 * s = scale gain, W the weights as they are or, with FORCED, as overwritten, r their root mean square:
 * dweight = s (g / (eps + r) - W mean(g W) / (r (eps + r)^2)), r = 0 giving s g / (eps + r); dgain[row] = scale sum(g W) / (eps + r).
 * With FORCED it is the gradient by the overwritten weights, which the optimiser's step is taken from.
 * Buffers f32: weight [rows, depth, taps]; gain [1]; rms [rows] of the forward; dout [rows, taps, depth]; dweight as weight; dgain [rows].
 * Grid: as weight_norm_fwd.
 * Precision: f32; sums of runs.
 * Source: the derivative of shaders/weight_norm_fwd.wgsl.
 */
export interface WeightNormBwd extends Same<typeof weight_norm_bwd_> {}
export const weight_norm_bwd: WeightNormBwd = weight_norm_bwd_;

const weight_norm_fwd_ = {
  name: 'weight_norm_fwd',
  entryPoint: 'main',
  bindings: {
    weight: { binding: 0, access: 'read', element: 'f32' },
    gain: { binding: 1, access: 'read', element: 'f32', optional: 'HAS_GAIN' },
    out: { binding: 2, access: 'read_write', element: 'f32' },
    rms: { binding: 3, access: 'read_write', element: 'f32', optional: 'NORMED' },
  },
  uniform: { binding: 4, size: 24, fields: {
    rows: { type: 'u32', offset: 0 },
    cols: { type: 'u32', offset: 4 },
    taps: { type: 'u32', offset: 8 },
    interleave: { type: 'u32', offset: 12, else: 1 },
    eps: { type: 'f32', offset: 16, else: 0, optional: 'NORMED' },
    scale: { type: 'f32', offset: 20, else: 1, optional: 'NORMED' },
  } },
  knobs: {
    LANES: { kind: 'const', type: 'u32', default: 64, halves: true },
    ROWS: { kind: 'const', type: 'u32', default: 4, halves: true },
    NORMED: { kind: 'const', type: 'bool', default: false },
    FORCED: { kind: 'const', type: 'bool', default: false },
    HAS_GAIN: { kind: 'const', type: 'bool', default: false },
  },
  workgroup: ['LANES', 'ROWS'],
  code: `













const LANES: u32 = 64u;
const ROWS: u32 = 4u;
const NORMED: bool = false;
const FORCED: bool = false;
const HAS_GAIN: bool = false;

alias Summed = f32;

struct Dims {
rows: u32,
cols: u32,
taps: u32,
interleave: u32,
eps: f32,
scale: f32,
}

@group(0) @binding(0) var<storage, read> weight: array<f32>;
@group(0) @binding(1) var<storage, read> gain: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<storage, read_write> rms: array<f32>;
@group(0) @binding(4) var<uniform> dims: Dims;

@compute @workgroup_size(LANES, ROWS)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_id) lid: vec3u,
) {
let row = row_of(wid, groups, lid);
var factor = 1.0;
if (NORMED) {
var sums = Runs();
for (var first = lid.x; first < row.end; first += RUN * LANES) {
var run = 0.0;
for (var c = first; c < min(row.end, first + RUN * LANES); c += LANES) {
let w = weight[row.base + c];
run += w * w;
}
add_run(&sums, run);
}
let r = sqrt(lanes_sum(sum_of(sums), lid.x, lid.y) / f32(dims.cols));
let down = inverse(dims.eps + r);
factor = dims.scale * down;
if (FORCED) {
factor *= inverse(dims.eps + r * down);
}
if (row.live && lid.x == 0u) {
rms[row.index] = r;
}
}
if (HAS_GAIN) {
factor *= gain[0];
}
let to = ((row.index % dims.interleave) * (dims.rows / dims.interleave) + row.index / dims.interleave) * dims.cols;
let depth = dims.cols / dims.taps;
for (var c = lid.x; c < row.end; c += LANES) {
let tap = c / depth;
out[to + c] = factor * weight[row.base + (c - tap * depth) * dims.taps + tap];
}
}





var<workgroup> lane_partials: array<f32, LANES * ROWS>;

fn lanes_sum(value: f32, lane: u32, row: u32) -> f32 {
if (LANES == 1u) {
return value;
}
let base = row * LANES;
lane_partials[base + lane] = value;
workgroupBarrier();
for (var stride = LANES / 2u; stride > 0u; stride /= 2u) {
if (lane < stride) {
lane_partials[base + lane] += lane_partials[base + lane + stride];
}
workgroupBarrier();
}
let total = lane_partials[base];
workgroupBarrier();
return total;
}





const RUN: u32 = 256u;

struct Runs {
total: Summed,
block: Summed,
count: u32,
}

fn add_run(runs: ptr<function, Runs>, run: Summed) {
(*runs).block += run;
(*runs).count++;
if ((*runs).count % RUN == 0u) {
(*runs).total += (*runs).block;
(*runs).block = Summed();
}
}

fn sum_of(runs: Runs) -> Summed {
return runs.total + runs.block;
}




struct Row {
index: u32,
live: bool,
base: u32,
end: u32,
}

fn row_of(wid: vec3u, groups: vec3u, lid: vec3u) -> Row {
let row = (wid.x + wid.y * groups.x) * ROWS + lid.y;
let live = row < dims.rows;
return Row(row, live, select(0u, row, live) * dims.cols, select(0u, dims.cols, live));
}












fn is_finite(x: f32) -> bool {
return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u;
}












fn inverse(x: f32) -> f32 {
var nan_bits = 0x7fc00000u;
return select(bitcast<f32>(nan_bits), 1.0 / x, is_finite(x));
}` as string,
} as const satisfies ShaderSource;

/**
 * weight_norm_fwd: the weights of a convolution as conv2d reads them: out[row', tap, c] = factor W[row, c, tap]; rows of each third together
 * where they lie interleaved.
 * With NORMED factor = scale gain / (eps + r) of W's own row, r = sqrt(mean(W^2)); with FORCED W is normalised twice, as a network is that
 * overwrites W by W / (eps + r) first: factor = scale gain / ((eps + r) (eps + r')), r' = r / (eps + r).
 * Buffers f32: weight [rows, depth, taps]; gain [1]; out [rows, taps, depth]; rms [rows] = r, for the backward.
 * Dims: interleave n: row i n + j of weight is row j rows / n + i of out.
 * Grid: ROWS rows a workgroup, LANES invocations a row. LANES = 1 runs without barriers.
 * Precision: f32; sums of runs.
 * Source: Karras et al. 2024 (EDM2, magnitude-preserving layers).
 */
export interface WeightNormFwd extends Same<typeof weight_norm_fwd_> {}
export const weight_norm_fwd: WeightNormFwd = weight_norm_fwd_;

const wire_mean_ = {
  name: 'wire_mean',
  entryPoint: 'main',
  bindings: {
    own: { binding: 0, access: 'read_write', element: 'u32' },
    other: { binding: 1, access: 'read', element: 'u32' },
    weights: { binding: 2, access: 'read', element: 'f32' },
  },
  uniform: { binding: 3, size: 8, fields: {
    count: { type: 'u32', offset: 0 },
    rank: { type: 'u32', offset: 4 },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
    BF16: { kind: 'const', type: 'bool', default: false },
  },
  workgroup: ['WG'],
  code: `







const WG: u32 = 256u;
const BF16: bool = false;

struct Dims {
count: u32,
rank: u32,
}

@group(0) @binding(0) var<storage, read_write> own: array<u32>;
@group(0) @binding(1) var<storage, read> other: array<u32>;
@group(0) @binding(2) var<storage, read> weights: array<f32>;
@group(0) @binding(3) var<uniform> dims: Dims;

fn mean(mine: vec2u, theirs: vec2u) -> vec2f {
let first = bitcast<vec2f>(select(theirs, mine, dims.rank == 0u));
let second = bitcast<vec2f>(select(mine, theirs, dims.rank == 0u));
return weights[0] * first + weights[1] * second;
}

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let i = (wid.x + wid.y * groups.x) * WG + local;
if (BF16) {
if (i >= dims.count / 2u) {
return;
}
let sent = bfloat_bits(vec4u(own[2u * i], own[2u * i + 1u], 0u, 0u)).xy << vec2u(16u);
let sum = mean(sent, bfloat_spread(vec2u(other[i], 0u)).xy);
let rounded = bfloat_bits(vec4u(bitcast<vec2u>(sum), 0u, 0u)).xy << vec2u(16u);
own[2u * i] = rounded.x;
own[2u * i + 1u] = rounded.y;
} else if (i < dims.count) {
own[i] = bitcast<u32>(mean(vec2u(own[i], 0u), vec2u(other[i], 0u)).x);
}
}





fn bfloat_bits(x: vec4u) -> vec4u {
let rounded = (x + vec4u(0x7fffu) + ((x >> vec4u(16u)) & vec4u(1u))) >> vec4u(16u);
let quiet = (x >> vec4u(16u)) | vec4u(0x40u);
return select(rounded, quiet, (x & vec4u(0x7fffffffu)) > vec4u(0x7f800000u));
}








fn bfloat_spread(words: vec2u) -> vec4u {
let low = words << vec2u(16u);
let high = words & vec2u(0xffff0000u);
return vec4u(low.x, high.x, low.y, high.y);
}` as string,
} as const satisfies ShaderSource;

/**
 * wire_mean: own = weights[0] of the first of two ranks' numbers + weights[1] of the second's, of which `own` are this rank's and `other` what the
 * other one sent: both make the same bits.
 * Buffers: own [count] f32 by its bits, read and written; other [count] likewise, or, where BF16, [count / 2], two numbers a word (wire_pack),
 * of an even count; weights [2] f32.
 * Grid: a word of other an invocation.
 * Precision: as wire_sum, in f32. With BF16 this rank's numbers are rounded as they were sent, and the sums once more.
 */
export interface WireMean extends Same<typeof wire_mean_> {}
export const wire_mean: WireMean = wire_mean_;

const wire_pack_ = {
  name: 'wire_pack',
  entryPoint: 'main',
  bindings: {
    x: { binding: 0, access: 'read', element: 'vec4u' },
    out: { binding: 1, access: 'read_write', element: 'vec2u' },
  },
  uniform: { binding: 2, size: 4, fields: {
    count: { type: 'u32', offset: 0 },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
  },
  workgroup: ['WG'],
  code: `





const WG: u32 = 256u;

struct Dims {
count: u32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4u>;
@group(0) @binding(1) var<storage, read_write> out: array<vec2u>;
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let i = (wid.x + wid.y * groups.x) * WG + local;
if (i < dims.count / 4u) {
out[i] = bfloat_words(x[i]);
}
}





fn bfloat_bits(x: vec4u) -> vec4u {
let rounded = (x + vec4u(0x7fffu) + ((x >> vec4u(16u)) & vec4u(1u))) >> vec4u(16u);
let quiet = (x >> vec4u(16u)) | vec4u(0x40u);
return select(rounded, quiet, (x & vec4u(0x7fffffffu)) > vec4u(0x7f800000u));
}


fn bfloat_words(x: vec4u) -> vec2u {
let bits = bfloat_bits(x);
return bits.xz | (bits.yw << vec2u(16u));
}` as string,
} as const satisfies ShaderSource;

/**
 * wire_pack: out = x rounded to bf16, two numbers a word: half the bytes for what is sent to other devices.
 * Buffers: x [count] f32 by its bits; out [count / 2] u32, number 2i in the lower half of word i. count is a multiple of 4.
 * Grid: four numbers an invocation.
 * Precision: to nearest, ties to even (lib bfloat).
 */
export interface WirePack extends Same<typeof wire_pack_> {}
export const wire_pack: WirePack = wire_pack_;

const wire_sum_ = {
  name: 'wire_sum',
  entryPoint: 'main',
  bindings: {
    x: { binding: 0, access: 'read', element: 'vec4u' },
    weights: { binding: 1, access: 'read', element: 'f32' },
    out: { binding: 2, access: 'read_write', element: 'vec4u' },
  },
  uniform: { binding: 3, size: 8, fields: {
    words: { type: 'u32', offset: 0 },
    ranks: { type: 'u32', offset: 4 },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
    BF16: { kind: 'const', type: 'bool', default: false },
  },
  workgroup: ['WG'],
  code: `






const WG: u32 = 256u;
const BF16: bool = false;

struct Dims {
words: u32,
ranks: u32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4u>;
@group(0) @binding(1) var<storage, read> weights: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4u>;
@group(0) @binding(3) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let i = (wid.x + wid.y * groups.x) * WG + local;
let quads = dims.words / 4u;
if (i >= quads) {
return;
}
var low = vec4f(0.0);
var high = vec4f(0.0);
for (var r = 0u; r < dims.ranks; r++) {
let v = x[r * quads + i];
if (BF16) {
low += weights[r] * bitcast<vec4f>(bfloat_spread(v.xy));
high += weights[r] * bitcast<vec4f>(bfloat_spread(v.zw));
} else {
low += weights[r] * bitcast<vec4f>(v);
}
}
if (BF16) {
out[i] = vec4u(bfloat_words(bitcast<vec4u>(low)), bfloat_words(bitcast<vec4u>(high)));
} else {
out[i] = bitcast<vec4u>(low);
}
}





fn bfloat_bits(x: vec4u) -> vec4u {
let rounded = (x + vec4u(0x7fffu) + ((x >> vec4u(16u)) & vec4u(1u))) >> vec4u(16u);
let quiet = (x >> vec4u(16u)) | vec4u(0x40u);
return select(rounded, quiet, (x & vec4u(0x7fffffffu)) > vec4u(0x7f800000u));
}


fn bfloat_words(x: vec4u) -> vec2u {
let bits = bfloat_bits(x);
return bits.xz | (bits.yw << vec2u(16u));
}


fn bfloat_spread(words: vec2u) -> vec4u {
let low = words << vec2u(16u);
let high = words & vec2u(0xffff0000u);
return vec4u(low.x, high.x, low.y, high.y);
}` as string,
} as const satisfies ShaderSource;

/**
 * wire_sum: out = sum over the ranks r, from the first to the last, of weights[r] x[r]: what several devices sent, averaged.
 * Buffers: x [ranks, words] and out [words], f32 by their bits or, where BF16, bf16, two numbers a word (wire_pack); weights [ranks] f32.
 * words is a multiple of 4.
 * Grid: four words an invocation.
 * Precision: f32 sums in the order of the ranks, so that the bits depend on their number alone; one rounding to bf16 at the end.
 */
export interface WireSum extends Same<typeof wire_sum_> {}
export const wire_sum: WireSum = wire_sum_;

const wire_unpack_ = {
  name: 'wire_unpack',
  entryPoint: 'main',
  bindings: {
    x: { binding: 0, access: 'read', element: 'vec2u' },
    out: { binding: 1, access: 'read_write', element: 'vec4u' },
  },
  uniform: { binding: 2, size: 4, fields: {
    count: { type: 'u32', offset: 0 },
  } },
  knobs: {
    WG: { kind: 'const', type: 'u32', default: 256, halves: true },
  },
  workgroup: ['WG'],
  code: `





const WG: u32 = 256u;

struct Dims {
count: u32,
}

@group(0) @binding(0) var<storage, read> x: array<vec2u>;
@group(0) @binding(1) var<storage, read_write> out: array<vec4u>;
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(WG)
fn main(
@builtin(workgroup_id) wid: vec3u,
@builtin(num_workgroups) groups: vec3u,
@builtin(local_invocation_index) local: u32,
) {
let i = (wid.x + wid.y * groups.x) * WG + local;
if (i < dims.count / 4u) {
out[i] = bfloat_spread(x[i]);
}
}


















fn bfloat_spread(words: vec2u) -> vec4u {
let low = words << vec2u(16u);
let high = words & vec2u(0xffff0000u);
return vec4u(low.x, high.x, low.y, high.y);
}` as string,
} as const satisfies ShaderSource;

/**
 * wire_unpack: out = the numbers of x, which are bf16, two a word, as wire_pack writes them.
 * Buffers: x [count / 2] u32; out [count] f32 by its bits. count is a multiple of 4.
 * Grid: four numbers an invocation.
 * Precision: exact.
 */
export interface WireUnpack extends Same<typeof wire_unpack_> {}
export const wire_unpack: WireUnpack = wire_unpack_;
