// wave_embedding: waves of a time at given frequencies: out[b, j] = scale cos(u f_j + phase_j), u = slope t_b + shift; with PAIRS
//   [sin(u f_j) | cos(u f_j)], each frequency twice.
// Buffers f32: t [count]; frequencies [n]; phases [n]; out [count, n], with PAIRS [count, 2 n].
// Grid: an element of out an invocation.
// Precision: f32, with lib sincos.
// Source: Tancik et al. 2020 (Fourier features), as Karras et al. 2022 and 2024 use them.
// @use sincos

const WG: u32 = 256u;         // knob, halved to fit: invocations a workgroup
const PAIRS: bool = false;    // knob: sines, then cosines
const PHASED: bool = false;   // knob: add phases

struct Dims {
  count: u32,
  n: u32,
  slope: f32, // optional, else 1
  shift: f32, // optional, else 0
  scale: f32, // optional, else 1
}

@group(0) @binding(0) var<storage, read> t: array<f32>;
@group(0) @binding(1) var<storage, read> frequencies: array<f32>;
@group(0) @binding(2) var<storage, read> phases: array<f32>; // optional: PHASED
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
