// conv2d_plain: out = residual_scale residual + out_scale act(conv(x, weight) + bias), of channel-last images, without stored windows; and
// with TRANSPOSED its gradient by x.
// Buffers f32: x [batch, height, width, channels] (see lib conv_source for what it may be instead); weight [groups n, kernel_h kernel_w depth],
//   taps in order, channels of a group innermost; out, pre, before, residual [batch, out_h, out_w, groups n]; bias [groups n].
//   With TRANSPOSED x is the gradient of the result, weight [channels read, kernel_h kernel_w, channels made], as its rows and channels
//   exchanged, of which those from first_row on are read, and stride and padding are the convolution's own.
// Grid: TM pixels x TN channels an invocation, read straight from storage, WG_X x WG_Y invocations a workgroup, folded over (group, tile).
// Precision: f32. The oracle of the tiled variant, and the path of CPU adapters: as matmul_plain, reads decide; with VEC an FMA of a vector
//   a read of a sixteenth of one.
// Source: Chellapilla et al. 2006; the windows are read where they lie, as Chetlur et al. 2014.
// @use conv_dims
// @use conv_source
// @use conv_finish

const TM: u32 = 4u;                 // knob: pixels an invocation
const TN: u32 = 4u;                 // knob: channels an invocation
const WG_X: u32 = 8u;               // knob: invocations along channels
const WG_Y: u32 = 8u;               // knob: invocations along pixels
const TRANSPOSED: bool = false;     // knob: x is the gradient of what a convolution made, out the gradient of what it read
const STRIDED: bool = false;        // knob: stride is above 1; only read with TRANSPOSED
const CAT: bool = false;            // knob: x and x2 lie side by side, times scale and scale2
const DOUBLED: bool = false;        // knob: x is stored at half the height and width
const SILU: bool = false;           // knob: read silu(x)
const VEC: bool = false;            // knob: x, x2 and weight are read as vectors of 4: depth, and first, are multiples of 4
alias Elem = f32;                   // knob: vec4f with VEC
const ACT: u32 = 0u;                // knob: 0 none; see lib act
const HAS_BIAS: bool = false;       // knob: add bias
const HAS_PRE: bool = false;        // knob: also write the value before act
const SCALED: bool = false;         // knob: multiply by out_scale
const HAS_SLOPE: bool = false;      // knob: multiply by the slope of SiLU at out_scale before, for the gradient of a SiLU that was read
const HAS_RESIDUAL: bool = false;   // knob: add residual_scale residual

@group(0) @binding(0) var<storage, read> x: array<Elem>;
@group(0) @binding(1) var<storage, read> x2: array<Elem>; // optional: CAT
@group(0) @binding(2) var<storage, read> weight: array<Elem>;
@group(0) @binding(3) var<storage, read> bias: array<f32>; // optional: HAS_BIAS
@group(0) @binding(4) var<storage, read> before: array<f32>; // optional: HAS_SLOPE
@group(0) @binding(5) var<storage, read> residual: array<f32>; // optional: HAS_RESIDUAL
@group(0) @binding(6) var<storage, read_write> out: array<f32>;
@group(0) @binding(7) var<storage, read_write> pre: array<f32>; // optional: HAS_PRE
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
  // Where the weights of each channel begin; clamped, not masked: the store masks. WG_X apart, so that neighbours store neighbours.
  var rows: array<u32, TN>;
  for (var j = 0u; j < TN; j++) {
    rows[j] = ((dims.first_row + group * dims.n + min(col0 + j * WG_X, dims.n - 1u)) * dims.k) / WIDTH;
  }

  var acc: array<array<vec4f, TN>, TM>; // without VEC all four are one sum
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
