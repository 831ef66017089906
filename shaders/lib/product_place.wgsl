// product_place: which outputs of a product a workgroup makes, over which k: the grid is folded over (split, batch, tile).
// Needs in the kernel: the dims of a product; const A_EACH, A_OF, B_EACH, B_OF.
// @use shared_matrix

struct ProductPlace {
  live: bool, // else the grid has more workgroups than there are tiles
  slice: u32, // split * batch + batch index
  batch: u32,
  row: u32,
  col: u32,
  k_begin: u32,
  k_end: u32,
  from_a: u32, // where its matrix of a begins
  from_b: u32,
}

// Of a workgroup that makes rows x cols outputs, of `width` columns in all.
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
