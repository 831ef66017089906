// attention_backward: what the backward kernels of attention read beside q and k.
// @use attention

@group(0) @binding(4) var<storage, read> v: array<Stored>;
@group(0) @binding(5) var<storage, read> dout: array<Stored>;
@group(0) @binding(6) var<storage, read> rows: array<vec2f>; // lse and delta of each query; with LENGTHS each sample's valid keys after them

fn valid_keys(sample: u32) -> u32 {
  if (LENGTHS) {
    return min(u32(rows[dims.batch * dims.heads * dims.n + sample].x), dims.keys);
  }
  return dims.keys;
}

// dout has its heads side by side: row i of this head is the first + i * dims.heads.
fn first_out(head: u32) -> u32 {
  return (head / dims.heads) * dims.n * dims.heads + head % dims.heads;
}
