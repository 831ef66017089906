// conv2d_bwd_weight_plain: the gradient of conv2d by its weight: dweight[o, tap, c] = sum over pixels of dy[pixel, o] x[pixel below tap, c].
// Buffers f32: x and x2 as conv2d reads them; dy [batch, out_h, out_w, groups m]; dweight [splits, groups m, kernel_h kernel_w depth].
// Split over pixels: split s sums those in [s * k_chunk, (s + 1) * k_chunk) into part s; the caller adds the parts.
// Grid: TM channels of dy x TN channels of x of one tap an invocation, read straight from storage; WG_X x WG_Y invocations a workgroup,
//   folded over (split, group, tap, tile).
// Precision: f32. The oracle of the tiled variant, and the path of CPU adapters.
// Source: the derivative of shaders/conv2d_plain.wgsl.
// @use conv_weight_dims
// @use conv_source

const TM: u32 = 4u;                 // knob: channels of dy an invocation, a multiple of 4
const TN: u32 = 4u;                 // knob: channels of x an invocation, a multiple of 4
const WG_X: u32 = 8u;               // knob: invocations along channels of x
const WG_Y: u32 = 8u;               // knob: invocations along channels of dy
const CAT: bool = false;            // knob: x and x2 lie side by side, times scale and scale2
const DOUBLED: bool = false;        // knob: x is stored at half the height and width
const SILU: bool = false;           // knob: read silu(x)
const VEC: bool = false;            // knob: x and x2 are read as vectors of 4: depth, and first, are multiples of 4
const VEC_DY: bool = false;         // knob: dy is read as vectors of 4: m is a multiple of 4
alias Elem = f32;                   // knob: vec4f with VEC
alias Column = f32;                 // knob: vec4f with VEC_DY

const TRANSPOSED: bool = false;
const STRIDED: bool = false;
const TQ: u32 = TN / 4u; // quads of neighbouring channels of x

@group(0) @binding(0) var<storage, read> x: array<Elem>;
@group(0) @binding(1) var<storage, read> x2: array<Elem>; // optional: CAT
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
  let each = tiles_c * tiles_m * taps; // workgroups of a group
  let index = wid.x + wid.y * groups.x;
  let slice = index / each; // split * groups + group
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
  let last = group * dims.depth + dims.depth; // channels end there

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
