// product_stage: the tiles of A and B of one step of a product, BK lines of k, staged in workgroup memory from registers.
// Needs in the kernel: const BM, BN, BK, THREADS, ITEMS_A, ITEMS_B, TRANS_A, TRANS_B; struct Sources; fn
// fetch_a, fetch_b(e: u32, sources: Sources, k0: u32) -> Fetched: item e of the tile of A, or of B, at k0.

// Arrays of lines: of an index in two parts the compiler bounds each, and what the loop adds to the first stays a constant.
var<workgroup> tile_a: array<array<vec4f, BM / 4u>, BK>;
var<workgroup> tile_b: array<array<vec4f, BN / 4u>, BK>;

// What an invocation fetches and stages of a step, as it lies in storage: of a transposed operand the 4 x 4 block of four lines along k,
// of the other four vec4s of lines a quarter of BK apart.
struct Fetched {
  v0: vec4f,
  v1: vec4f,
  v2: vec4f,
  v3: vec4f,
}

// Where quad `quad` of line kk lies within a line of a transposed tile: a block's line is 2 quads away from that of the next block of k.
fn swizzle(quad: u32, kk: u32) -> u32 {
  return quad ^ ((kk / 2u) & 6u);
}

// Stages what they fetched, in whole vec4s: a component written by itself may write its neighbours too, which are other invocations'.
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

// An invocation has one item of a step, or with TWICE two: A's come first, and where they are as many as invocations, or more, nothing asks.
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
