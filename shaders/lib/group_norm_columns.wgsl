// group_norm_columns: what the kernels that sum columns of an image for a group norm have in common: the dims, and what is added up, two
// numbers. A part is chunk_rows pixels of one sample: chunk_rows divides pixels. Needs in the kernel: const WG, LANES, LANES_FROM; fn term.
// @use column_lanes

alias Summed = vec2f;

struct Dims {
  rows: u32, // batch pixels
  cols: u32, // channels
  pixels: u32, // of a sample
  groups: u32,
  chunk_rows: u32,
}
