// Written by `npm run embed` from shaders/*.wgsl; do not edit. `npm run check` fails when it is out of date.
import type { ShaderSource } from './kernel/shader.ts';

export const matmul_plain = {
  name: 'matmul_plain',
  entryPoint: 'main',
  bindings: {
    a: { binding: 0, access: 'read', element: 'f32', elementBytes: 4 },
    b: { binding: 1, access: 'read', element: 'f32', elementBytes: 4 },
    bias: { binding: 2, access: 'read', element: 'f32', elementBytes: 4, optional: 'HAS_BIAS' },
    gate: { binding: 3, access: 'read', element: 'f32', elementBytes: 4, optional: 'HAS_GATE' },
    residual: { binding: 4, access: 'read', element: 'f32', elementBytes: 4, optional: 'HAS_RESIDUAL' },
    out: { binding: 5, access: 'read_write', element: 'f32', elementBytes: 4 },
    pre: { binding: 6, access: 'read_write', element: 'f32', elementBytes: 4, optional: 'HAS_PRE' },
  },
  uniform: { binding: 7, size: 36, fields: { m: { type: 'u32', offset: 0 }, n: { type: 'u32', offset: 4 }, k: { type: 'u32', offset: 8 }, batch: { type: 'u32', offset: 12 }, k_chunk: { type: 'u32', offset: 16 }, gate_rows: { type: 'u32', offset: 20 }, gate_stride: { type: 'u32', offset: 24 }, gate_offset: { type: 'u32', offset: 28 }, residual_rows: { type: 'u32', offset: 32 } } },
  knobs: {
    TM: { kind: 'const', type: 'u32', default: 4 },
    TN: { kind: 'const', type: 'u32', default: 4 },
    WG_X: { kind: 'const', type: 'u32', default: 8 },
    WG_Y: { kind: 'const', type: 'u32', default: 8 },
    TRANS_A: { kind: 'const', type: 'bool', default: false },
    TRANS_B: { kind: 'const', type: 'bool', default: false },
    ACT: { kind: 'const', type: 'u32', default: 0 },
    HAS_BIAS: { kind: 'const', type: 'bool', default: false },
    HAS_GATE: { kind: 'const', type: 'bool', default: false },
    HAS_RESIDUAL: { kind: 'const', type: 'bool', default: false },
    HAS_PRE: { kind: 'const', type: 'bool', default: false },
  },
  code: `// matmul_plain: out = residual + gate * act(op(A) op(B) + bias), batched; op is the identity or a transpose.
// Buffers, row-major f32 (batch outermost):
//   a [batch, m, k] ([batch, k, m] when TRANS_A), b [batch, k, n] ([batch, n, k] when TRANS_B)
//   out [splits * batch, m, n], pre [same] = the value before act, for the backward of a fused activation or gate
//   bias [n]; residual [batch, residual_rows, n], row r reads row r % residual_rows (m for a plain residual, N for a position table)
//   gate: row r reads gate[(r / gate_rows) * gate_stride + gate_offset + col]
// Split over k: split s sums k in [s * k_chunk, (s + 1) * k_chunk) into out[s * batch + i]; the caller adds the splits. k_chunk >= k: one split.
// Grid: TM x TN outputs an invocation read straight from storage, WG_X x WG_Y invocations a workgroup, folded over (split, batch, tile).
// Precision: f32. The oracle of the tiled variants and the fast path on CPU adapters, where workgroup memory costs more than it saves.
// @use activation

const TM: u32 = 4u;                // knob: output rows an invocation
const TN: u32 = 4u;                // knob: output columns an invocation
const WG_X: u32 = 8u;              // knob: invocations along n
const WG_Y: u32 = 8u;              // knob: invocations along m
const TRANS_A: bool = false;       // knob: a is stored [k, m]
const TRANS_B: bool = false;       // knob: b is stored [n, k]
const ACT: u32 = 0u;               // knob: 0 none, 1 GELU-tanh, 2 SiLU
const HAS_BIAS: bool = false;      // knob: add bias
const HAS_GATE: bool = false;      // knob: multiply by gate
const HAS_RESIDUAL: bool = false;  // knob: add residual
const HAS_PRE: bool = false;       // knob: also write the value before act

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

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>; // optional: HAS_BIAS
@group(0) @binding(3) var<storage, read> gate: array<f32>; // optional: HAS_GATE
@group(0) @binding(4) var<storage, read> residual: array<f32>; // optional: HAS_RESIDUAL
@group(0) @binding(5) var<storage, read_write> out: array<f32>;
@group(0) @binding(6) var<storage, read_write> pre: array<f32>; // optional: HAS_PRE
@group(0) @binding(7) var<uniform> dims: Dims;

@compute @workgroup_size(WG_X, WG_Y)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let tiles_n = (dims.n + TN * WG_X - 1u) / (TN * WG_X);
  let tiles_m = (dims.m + TM * WG_Y - 1u) / (TM * WG_Y);
  let group = wid.x + wid.y * groups.x;
  let slice = group / (tiles_n * tiles_m); // split * batch + batch index
  let splits = (dims.k + dims.k_chunk - 1u) / dims.k_chunk;
  if (slice >= splits * dims.batch) {
    return;
  }
  let tile = group % (tiles_n * tiles_m);
  let batch = slice % dims.batch;
  let k_begin = (slice / dims.batch) * dims.k_chunk;
  let k_end = min(dims.k, k_begin + dims.k_chunk);
  let row0 = (tile / tiles_n) * (TM * WG_Y) + lid.y * TM;
  let col0 = (tile % tiles_n) * (TN * WG_X) + lid.x; // columns WG_X apart, so that neighbours read neighbours
  let a_base = batch * dims.m * dims.k;
  let b_base = batch * dims.k * dims.n;

  var acc: array<array<f32, TN>, TM>;
  for (var kk = k_begin; kk < k_end; kk++) {
    var bv: array<f32, TN>;
    for (var j = 0u; j < TN; j++) {
      let col = min(col0 + j * WG_X, dims.n - 1u); // clamped, not masked: the store masks
      bv[j] = b[b_base + select(kk * dims.n + col, col * dims.k + kk, TRANS_B)];
    }
    for (var i = 0u; i < TM; i++) {
      let row = min(row0 + i, dims.m - 1u);
      let av = a[a_base + select(row * dims.k + kk, kk * dims.m + row, TRANS_A)];
      for (var j = 0u; j < TN; j++) {
        acc[i][j] += av * bv[j];
      }
    }
  }

  for (var i = 0u; i < TM; i++) {
    for (var j = 0u; j < TN; j++) {
      let row = row0 + i;
      let col = col0 + j * WG_X;
      if (row < dims.m && col < dims.n) {
        let index = (slice * dims.m + row) * dims.n + col;
        var value = acc[i][j];
        if (HAS_BIAS) {
          value += bias[col];
        }
        if (HAS_PRE) {
          pre[index] = value;
        }
        if (ACT == 1u) {
          value = gelu(value);
        } else if (ACT == 2u) {
          value = silu(value);
        }
        if (HAS_GATE) {
          value *= gate[(row / dims.gate_rows) * dims.gate_stride + dims.gate_offset + col];
        }
        if (HAS_RESIDUAL) {
          value += residual[(batch * dims.residual_rows + row % dims.residual_rows) * dims.n + col];
        }
        out[index] = value;
      }
    }
  }
}

// activation: the pointwise nonlinearities and their derivatives.

const SQRT_2_OVER_PI: f32 = 0.7978845608028654;
const GELU_CUBIC: f32 = 0.044715;

// tanh saturates to 1 in f32 beyond 9; the clamp keeps exp-based implementations from overflowing.
fn safe_tanh(x: f32) -> f32 {
  return tanh(clamp(x, -10.0, 10.0));
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
  return 1.0 / (1.0 + exp(-clamp(x, -80.0, 80.0)));
}

fn silu(x: f32) -> f32 {
  return x * sigmoid(x);
}

fn silu_grad(x: f32) -> f32 {
  let s = sigmoid(x);
  return s * (1.0 + x * (1.0 - s));
}
`,
} as const satisfies ShaderSource;

export const norm_fwd = {
  name: 'norm_fwd',
  entryPoint: 'main',
  bindings: {
    x: { binding: 0, access: 'read', element: 'f32', elementBytes: 4 },
    weight: { binding: 1, access: 'read', element: 'f32', elementBytes: 4, optional: 'HAS_WEIGHT' },
    bias: { binding: 2, access: 'read', element: 'f32', elementBytes: 4, optional: 'HAS_BIAS' },
    modulation: { binding: 3, access: 'read', element: 'f32', elementBytes: 4, optional: 'HAS_MOD' },
    y: { binding: 4, access: 'read_write', element: 'f32', elementBytes: 4 },
    stats: { binding: 5, access: 'read_write', element: 'f32', elementBytes: 4, optional: 'HAS_STATS' },
  },
  uniform: { binding: 6, size: 28, fields: { rows: { type: 'u32', offset: 0 }, cols: { type: 'u32', offset: 4 }, mod_rows: { type: 'u32', offset: 8 }, mod_stride: { type: 'u32', offset: 12 }, scale_offset: { type: 'u32', offset: 16 }, shift_offset: { type: 'u32', offset: 20 }, eps: { type: 'f32', offset: 24 } } },
  knobs: {
    LANES: { kind: 'const', type: 'u32', default: 64 },
    ROWS: { kind: 'const', type: 'u32', default: 4 },
    RMS: { kind: 'const', type: 'bool', default: false },
    HAS_WEIGHT: { kind: 'const', type: 'bool', default: false },
    HAS_BIAS: { kind: 'const', type: 'bool', default: false },
    HAS_SCALE: { kind: 'const', type: 'bool', default: false },
    HAS_SHIFT: { kind: 'const', type: 'bool', default: false },
    HAS_MOD: { kind: 'const', type: 'bool', default: false },
    HAS_STATS: { kind: 'const', type: 'bool', default: true },
  },
  code: `// norm_fwd: y = (xhat * weight + bias) * (1 + scale) + shift, xhat = (x - mean) * rstd, over the last axis.
//   LayerNorm: mean = sum(x) / cols, rstd = 1 / sqrt(sum((x - mean)^2) / cols + eps). RMSNorm: mean = 0.
// Buffers, row-major f32:
//   x [rows, cols], y [rows, cols], stats [rows, 2] = (mean, rstd) for the backward
//   weight [cols], bias [cols]
//   modulation [ceil(rows / mod_rows), mod_stride]: scale of column c at scale_offset + c, shift at shift_offset + c. mod_rows is the
//   number of consecutive rows that share a modulation row: N tokens for adaLN per sample, 1 for adaLN per token.
// Grid: ROWS rows a workgroup, LANES invocations a row; neighbours read neighbouring columns. LANES = 1 runs without barriers.
// Precision: f32; the variance is summed around the mean in a second pass over the row, so that it cannot cancel.
// Source: Ba et al. 2016 (LayerNorm), Zhang & Sennrich 2019 (RMSNorm), Peebles & Xie 2023 (adaLN).
// @use lanes

const LANES: u32 = 64u;           // knob: invocations a row, a power of two
const ROWS: u32 = 4u;             // knob: rows a workgroup
const RMS: bool = false;          // knob: RMSNorm instead of LayerNorm
const HAS_WEIGHT: bool = false;   // knob: multiply by weight
const HAS_BIAS: bool = false;     // knob: add bias
const HAS_SCALE: bool = false;    // knob: multiply by 1 + scale from modulation
const HAS_SHIFT: bool = false;    // knob: add shift from modulation
const HAS_MOD: bool = false;      // knob: modulation is bound; true when HAS_SCALE or HAS_SHIFT is
const HAS_STATS: bool = true;     // knob: write stats

struct Dims {
  rows: u32,
  cols: u32,
  mod_rows: u32,
  mod_stride: u32,
  scale_offset: u32,
  shift_offset: u32,
  eps: f32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<f32>; // optional: HAS_WEIGHT
@group(0) @binding(2) var<storage, read> bias: array<f32>; // optional: HAS_BIAS
@group(0) @binding(3) var<storage, read> modulation: array<f32>; // optional: HAS_MOD
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@group(0) @binding(5) var<storage, read_write> stats: array<f32>; // optional: HAS_STATS
@group(0) @binding(6) var<uniform> dims: Dims;

@compute @workgroup_size(LANES, ROWS)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let row = (wid.x + wid.y * groups.x) * ROWS + lid.y;
  let live = row < dims.rows; // rows past the end still take part in the barriers
  let base = select(0u, row, live) * dims.cols;
  let end = select(0u, dims.cols, live);
  let inv_cols = 1.0 / f32(dims.cols);

  var mean = 0.0;
  if (!RMS) {
    var sum = 0.0;
    for (var c = lid.x; c < end; c += LANES) {
      sum += x[base + c];
    }
    mean = lanes_sum(sum, lid.x, lid.y) * inv_cols;
  }
  var squares = 0.0;
  for (var c = lid.x; c < end; c += LANES) {
    let d = x[base + c] - mean;
    squares += d * d;
  }
  let rstd = 1.0 / sqrt(lanes_sum(squares, lid.x, lid.y) * inv_cols + dims.eps);

  if (HAS_STATS && live && lid.x == 0u) {
    stats[row * 2u] = mean;
    stats[row * 2u + 1u] = rstd;
  }
  let mod_base = select(0u, row / dims.mod_rows, live) * dims.mod_stride;
  for (var c = lid.x; c < end; c += LANES) {
    var value = (x[base + c] - mean) * rstd;
    if (HAS_WEIGHT) {
      value *= weight[c];
    }
    if (HAS_BIAS) {
      value += bias[c];
    }
    if (HAS_SCALE) {
      value *= 1.0 + modulation[mod_base + dims.scale_offset + c];
    }
    if (HAS_SHIFT) {
      value += modulation[mod_base + dims.shift_offset + c];
    }
    y[base + c] = value;
  }
}

// lanes: sums over the LANES invocations that share a row, for kernels whose workgroup is LANES x ROWS.
// Needs in the kernel: const LANES, const ROWS. Every invocation of the workgroup must call (uniform control flow).
// With LANES = 1 the loop is empty and no barrier runs, which is what CPU adapters want.

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
  workgroupBarrier(); // the next sum may not overwrite before every lane has read this one
  return total;
}
`,
} as const satisfies ShaderSource;
