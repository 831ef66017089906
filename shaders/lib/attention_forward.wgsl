// attention_forward: the valid keys of a sample, as the forward kernels of attention are given them.
// @use attention

@group(0) @binding(4) var<storage, read> lengths: array<u32>; // optional: LENGTHS

fn valid_keys(sample: u32) -> u32 {
  if (LENGTHS) {
    return min(lengths[sample], dims.keys);
  }
  return dims.keys;
}
