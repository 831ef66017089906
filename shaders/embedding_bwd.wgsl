// embedding_bwd: dtable[k, c] = sum over the items b with index[b] = k of dout[b, c], in the order of b.
// Buffers: index [count] u32, dout [count, cols] f32, dtable [rows, cols] f32, written whole.
// Grid: one invocation an element of dtable, which walks all items: no atomics, the same bits each time. Meant for class
//   tables and batches, count up to some thousands.
// Precision: f32, sums of runs.
// Source: the derivative of shaders/embedding_fwd.wgsl.
// @use runs

const WG: u32 = 256u;  // knob, halved to fit: invocations a workgroup

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
