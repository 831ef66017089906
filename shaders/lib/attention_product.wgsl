// attention_product: the two tiles of workgroup memory of tiled attention, and the sums of outer products of their lines.
// Needs in the kernel: const HEAD_DIM, VALUE_DIM, VEC, GUARDED; dims.n; fn put(result, at, value: OElem): stores element `at` of a result.

const ROWS: u32 = 64u; // knob: queries (keys, in the backward of k and v) a workgroup: 32 or 64
const COLS: u32 = 64u; // knob: keys (queries, likewise) a block: 4 LANES or 8 LANES
const LANES: u32 = 8u; // knob: invocations that share a row: 8 or 16
const ROLLED: bool = false; // knob: loops over lines, and over columns of scores, stay loops
alias OScalar = f32; // knob: of results: f32 or f16
alias OElem = array<f32, 1>; // knob: likewise: array<OScalar, 1>, a vector of 4 with VEC; both can be indexed, so one store serves both

const THREADS: u32 = 8u * LANES;
const STEP: u32 = 16u;                // lines of the tiles
const SLICES: u32 = COLS / STEP;      // of a block's columns
const EACH: u32 = STEP / LANES;       // columns of a slice that an invocation has
const SPAN: u32 = 4u * LANES;         // columns that a quad of each lane covers
const ROW_QUADS: u32 = ROWS / 32u;    // that an invocation has
const COL_QUADS: u32 = COLS / SPAN;   // likewise
// A head in whole quads of all lanes; what is left goes element by element where that wastes less (72 = 2 x 32 + 8).
const WIDTH: u32 = max(HEAD_DIM, VALUE_DIM); // the narrower is zero past its end
const LEFT: u32 = WIDTH % SPAN;
const WIDE: u32 = WIDTH / SPAN + select(0u, 1u, LEFT > SPAN / 2u);
const REST: u32 = select((LEFT + LANES - 1u) / LANES, 0u, LEFT > SPAN / 2u);
const VALUE_QUADS: u32 = LANES * WIDE + REST * LANES / 4u; // of a line of values

alias PerRow = array<vec4f, 2>; // a number for each row that an invocation has
// Sums for columns c = 0, 1, ... of an invocation: those of row quad h at c * ROW_QUADS + h. Results have more columns, or scores.
alias Sums = array<vec4f, ROW_QUADS * max(4u * COL_QUADS, 4u * WIDE + REST)>;
alias Fetched = array<vec4f, 8>;

var<workgroup> tile_a: array<array<vec4f, ROWS / 4u>, STEP>;
var<workgroup> tile_b: array<array<vec4f, max(COLS / 4u, VALUE_QUADS)>, STEP>;
var<workgroup> spoilt: atomic<u32>; // a staged value was not finite: 0 times it is not 0

// Which (x, y) an invocation is: 32 neighbours are 8 x 4, and each 8 of them 4 x 2, as in matmul_tiled.
fn place(local: u32) -> vec2u {
  let lane = local % 32u;
  let block = local / 32u;
  let across = LANES / 8u;
  let within = vec2u((lane & 1u) + ((lane >> 1u) & 2u) + ((lane >> 2u) & 4u), ((lane >> 1u) & 1u) + ((lane >> 2u) & 2u));
  return within + vec2u(8u * (block % across), 4u * (block / across));
}

// Quads of queries in a line of the matrix of gradients by scores, [batch, heads, keys, 4 query_quads()].
fn query_quads() -> u32 {
  return (dims.n + 3u) / 4u;
}

// 4: the steps of a product are four times four lines, and columns come in fours. A bound that is not constant keeps a CPU's compiler from
// writing them out: SwiftShader's takes minutes over sixteen scores with a mask and a soft cap.
fn four_lines() -> u32 {
  return select(4u, 4u * dims.head_dim / HEAD_DIM, ROLLED);
}

// Where column c of invocation x lies in a block, and in a result.
fn column(c: u32, x: u32) -> u32 {
  return SPAN * (c / 4u) + 4u * x + c % 4u;
}

// Where a quad of a line lies in it, so that writes of turned blocks and of weights meet no bank twice.
fn swizzle(quad: u32, line: u32) -> u32 {
  return quad ^ (2u * (line % 4u));
}

fn turned(f: ptr<function, Fetched>, at: u32) -> mat4x4f {
  return transpose(mat4x4f((*f)[at], (*f)[at + 1u], (*f)[at + 2u], (*f)[at + 3u]));
}

// Element 4 b + i of a chunk is line b + 4 i of the tiles.
fn stage_item_a(block: mat4x4f, item: u32) {
  let line = item % 4u;
  let quad = swizzle(item / 4u, line);
  tile_a[line][quad] = block[0];
  tile_a[line + 4u][quad] = block[1];
  tile_a[line + 8u][quad] = block[2];
  tile_a[line + 12u][quad] = block[3];
}

fn stage_item_b(block: mat4x4f, item: u32) {
  let line = item % 4u;
  let quad = swizzle(item / 4u, line);
  tile_b[line][quad] = block[0];
  tile_b[line + 4u][quad] = block[1];
  tile_b[line + 8u][quad] = block[2];
  tile_b[line + 12u][quad] = block[3];
}

// Stages a chunk of both operands of scores.
fn stage_chunk(f: ptr<function, Fetched>, local: u32) {
  if (local < ROWS) {
    stage_item_a(turned(f, 0u), local);
  } else if (local < ROWS + COLS) {
    stage_item_b(turned(f, 0u), local - ROWS);
  }
  if (ROWS + COLS > THREADS) {
    let item = local + THREADS;
    if (item < ROWS) {
      stage_item_a(turned(f, 4u), item);
    } else if (item < ROWS + COLS) {
      stage_item_b(turned(f, 4u), item - ROWS);
    }
  }
}

fn stage_line(f: ptr<function, Fetched>, at: u32, line: u32, local: u32) {
  let quad = local % 8u;
  stage_quad((*f)[at], line, quad);
  if (VALUE_QUADS > 8u) { stage_quad((*f)[at + 1u], line, quad + 8u); }
  if (VALUE_QUADS > 16u) { stage_quad((*f)[at + 2u], line, quad + 16u); }
  if (VALUE_QUADS > 24u) { stage_quad((*f)[at + 3u], line, quad + 24u); }
}

fn stage_quad(value: vec4f, line: u32, quad: u32) {
  if (VALUE_QUADS % 8u == 0u || quad < VALUE_QUADS) {
    tile_b[line][quad] = value;
  }
  if (GUARDED && any((bitcast<vec4u>(value) & vec4u(0x7f800000u)) == vec4u(0x7f800000u))) {
    atomicStore(&spoilt, 1u);
  }
}

// Stages the values of a slice.
fn stage_values(f: ptr<function, Fetched>, local: u32) {
  stage_line(f, 0u, local / 8u, local);
  if (LANES == 8u) {
    stage_line(f, 4u, local / 8u + 8u, local);
  }
}

fn stage_column(weights: ptr<function, Sums>, c: u32, line: u32, y: u32) {
  let quad = swizzle(y, line);
  tile_a[line][quad] = (*weights)[c * ROW_QUADS];
  if (ROW_QUADS > 1u) { tile_a[line][quad + 8u] = (*weights)[c * ROW_QUADS + 1u]; }
}

fn stage_columns(weights: ptr<function, Sums>, c: u32, lane: vec2u) {
  stage_column(weights, c, lane.x, lane.y);
  if (EACH > 1u) { stage_column(weights, c + 1u, lane.x + 8u, lane.y); }
}

// Stages the weights of a slice: columns are constants, so that they stay in registers.
fn stage_weights(weights: ptr<function, Sums>, slice: u32, lane: vec2u) {
  switch (slice) {
    case 0u: { stage_columns(weights, 0u, lane); }
    case 1u: { stage_columns(weights, EACH, lane); }
    case 2u: { if (SLICES > 2u) { stage_columns(weights, 2u * EACH, lane); } }
    case 3u: { if (SLICES > 2u) { stage_columns(weights, 3u * EACH, lane); } }
    case 4u: { if (SLICES > 4u) { stage_columns(weights, 4u * EACH, lane); } }
    case 5u: { if (SLICES > 4u) { stage_columns(weights, 5u * EACH, lane); } }
    case 6u: { if (SLICES > 4u) { stage_columns(weights, 6u * EACH, lane); } }
    default: { if (SLICES > 4u) { stage_columns(weights, 7u * EACH, lane); } }
  }
}

// Adds the outer product of four columns, the first of them column c, and the invocation's rows.
fn add_quad(sums: ptr<function, Sums>, c: u32, a0: vec4f, a1: vec4f, b: vec4f) {
  (*sums)[c * ROW_QUADS] += a0 * b.x;
  (*sums)[(c + 1u) * ROW_QUADS] += a0 * b.y;
  (*sums)[(c + 2u) * ROW_QUADS] += a0 * b.z;
  (*sums)[(c + 3u) * ROW_QUADS] += a0 * b.w;
  if (ROW_QUADS > 1u) {
    (*sums)[c * ROW_QUADS + 1u] += a1 * b.x;
    (*sums)[(c + 1u) * ROW_QUADS + 1u] += a1 * b.y;
    (*sums)[(c + 2u) * ROW_QUADS + 1u] += a1 * b.z;
    (*sums)[(c + 3u) * ROW_QUADS + 1u] += a1 * b.w;
  }
}

fn add_one(sums: ptr<function, Sums>, c: u32, a0: vec4f, a1: vec4f, b: f32) {
  (*sums)[c * ROW_QUADS] += a0 * b;
  if (ROW_QUADS > 1u) { (*sums)[c * ROW_QUADS + 1u] += a1 * b; }
}

// Adds a line of scores: quad `a` of A, and 8 further on, by quad `b` of B, and LANES further on.
fn add_score_line(sums: ptr<function, Sums>, line: u32, a: u32, b: u32) {
  let a0 = tile_a[line][a];
  var a1 = vec4f();
  if (ROW_QUADS > 1u) { a1 = tile_a[line][a + 8u]; }
  add_quad(sums, 0u, a0, a1, tile_b[line][b]);
  if (COL_QUADS > 1u) { add_quad(sums, 4u, a0, a1, tile_b[line][b + LANES]); }
}

// The lines of elements 4 line .. 4 line + 3.
fn add_score_lines(sums: ptr<function, Sums>, line: u32, lane: vec2u) {
  let a = swizzle(lane.y, line) % 8u;
  let b = swizzle(lane.x, line) % LANES;
  add_score_line(sums, line, a, b);
  add_score_line(sums, line + 4u, a, b);
  add_score_line(sums, line + 8u, a, b);
  add_score_line(sums, line + 12u, a, b);
}

// Adds a staged chunk, elements from d on of `width`, to scores.
fn add_chunk(sums: ptr<function, Sums>, lane: vec2u, d: u32, width: u32) {
  for (var line = 0u; line < four_lines(); line++) {
    if (width % STEP == 0u || d + 4u * line < width) {
      add_score_lines(sums, line, lane);
    }
  }
}

// Adds a line of a slice to results.
fn add_value_line(sums: ptr<function, Sums>, line: u32, a: u32, lane: vec2u) {
  let x = lane.x % LANES;
  let a0 = tile_a[line][a];
  var a1 = vec4f();
  if (ROW_QUADS > 1u) { a1 = tile_a[line][a + 8u]; }
  if (WIDE > 0u) { add_quad(sums, 0u, a0, a1, tile_b[line][x]); }
  if (WIDE > 1u) { add_quad(sums, 4u, a0, a1, tile_b[line][x + LANES]); }
  if (WIDE > 2u) { add_quad(sums, 8u, a0, a1, tile_b[line][x + 2u * LANES]); }
  if (WIDE > 3u) { add_quad(sums, 12u, a0, a1, tile_b[line][x + 3u * LANES]); }
  let left = LANES * WIDE + x / 4u;
  if (REST > 0u) { add_one(sums, 4u * WIDE, a0, a1, tile_b[line][left][x % 4u]); }
  if (REST > 1u) { add_one(sums, 4u * WIDE + 1u, a0, a1, tile_b[line][left + LANES / 4u][x % 4u]); }
}

fn add_value_lines(sums: ptr<function, Sums>, line: u32, lane: vec2u) {
  let a = swizzle(lane.y, line) % 8u;
  add_value_line(sums, line, a, lane);
  add_value_line(sums, line + 4u, a, lane);
  add_value_line(sums, line + 8u, a, lane);
  add_value_line(sums, line + 12u, a, lane);
}

// Adds a staged slice to results. Where a value is not finite, those of weight 0 are left out: they are no part of the result.
fn add_values(sums: ptr<function, Sums>, lane: vec2u) {
  if (GUARDED && atomicLoad(&spoilt) != 0u) {
    for (var i = 0u; i < STEP; i++) {
      add_guarded_line(sums, 4u * (i % 4u) + i / 4u, lane); // in the order of the others: what is seen stays as it was, to the bit
    }
    return;
  }
  for (var line = 0u; line < four_lines(); line++) {
    add_value_lines(sums, line, lane);
  }
}

fn guarded(sum: vec4f, weights: vec4f, value: f32) -> vec4f {
  return select(sum + weights * value, sum, weights == vec4f());
}

fn add_guarded_one(sums: ptr<function, Sums>, c: u32, line: u32, a: u32, value: f32) {
  (*sums)[c * ROW_QUADS] = guarded((*sums)[c * ROW_QUADS], tile_a[line][a], value);
  if (ROW_QUADS > 1u) { (*sums)[c * ROW_QUADS + 1u] = guarded((*sums)[c * ROW_QUADS + 1u], tile_a[line][a + 8u], value); }
}

fn add_guarded_quad(sums: ptr<function, Sums>, c: u32, line: u32, a: u32, b: vec4f) {
  add_guarded_one(sums, c, line, a, b.x);
  add_guarded_one(sums, c + 1u, line, a, b.y);
  add_guarded_one(sums, c + 2u, line, a, b.z);
  add_guarded_one(sums, c + 3u, line, a, b.w);
}

fn add_guarded_line(sums: ptr<function, Sums>, line: u32, lane: vec2u) {
  let a = swizzle(lane.y, line) % 8u;
  let x = lane.x % LANES;
  if (WIDE > 0u) { add_guarded_quad(sums, 0u, line, a, tile_b[line][x]); }
  if (WIDE > 1u) { add_guarded_quad(sums, 4u, line, a, tile_b[line][x + LANES]); }
  if (WIDE > 2u) { add_guarded_quad(sums, 8u, line, a, tile_b[line][x + 2u * LANES]); }
  if (WIDE > 3u) { add_guarded_quad(sums, 12u, line, a, tile_b[line][x + 3u * LANES]); }
  let left = LANES * WIDE + x / 4u;
  if (REST > 0u) { add_guarded_one(sums, 4u * WIDE, line, a, tile_b[line][left][x % 4u]); }
  if (REST > 1u) { add_guarded_one(sums, 4u * WIDE + 1u, line, a, tile_b[line][left + LANES / 4u][x % 4u]); }
}

// Where a workgroup's rows of a result are: row i from base + i * step on, `live` of them, each `width` elements, times a factor.
struct Target {
  base: u32,
  step: u32,
  live: u32,
  width: u32,
  factor: f32,
}

// Stores the workgroup's part of a result; single columns through the tile of A, since neighbours share a vector.
fn store(result: u32, to: Target, sums: ptr<function, Sums>, lane: vec2u, local: u32) {
  store_rows(result, to, sums, 0u, lane);
  if (ROW_QUADS > 1u) { store_rows(result, to, sums, 1u, lane); }
  if (REST > 0u) { store_column(result, to, sums, 4u * WIDE, SPAN * WIDE, lane, local); }
  if (REST > 1u) { store_column(result, to, sums, 4u * WIDE + 1u, SPAN * WIDE + LANES, lane, local); }
}

fn store_rows(result: u32, to: Target, sums: ptr<function, Sums>, h: u32, lane: vec2u) {
  let row = 32u * h + 4u * lane.y;
  if (WIDE > 0u) { store_quad(result, to, sums, h, row, 0u, lane.x); }
  if (WIDE > 1u) { store_quad(result, to, sums, h, row, 4u, lane.x); }
  if (WIDE > 2u) { store_quad(result, to, sums, h, row, 8u, lane.x); }
  if (WIDE > 3u) { store_quad(result, to, sums, h, row, 12u, lane.x); }
}

// Four rows of the sums of columns c .. c + 3.
fn four_rows(sums: ptr<function, Sums>, c: u32, h: u32) -> mat4x4f {
  let i = c * ROW_QUADS + h;
  return transpose(mat4x4f((*sums)[i], (*sums)[i + ROW_QUADS], (*sums)[i + 2u * ROW_QUADS], (*sums)[i + 3u * ROW_QUADS]));
}

fn store_quad(result: u32, to: Target, sums: ptr<function, Sums>, h: u32, row: u32, c: u32, x: u32) {
  store_block(result, to, row, column(c, x), four_rows(sums, c, h));
}

// Column c of all lanes, the columns from `first` on of the result.
fn store_column(result: u32, to: Target, sums: ptr<function, Sums>, c: u32, first: u32, lane: vec2u, local: u32) {
  workgroupBarrier();
  tile_a[lane.x][lane.y] = (*sums)[c * ROW_QUADS];
  if (ROW_QUADS > 1u) { tile_a[lane.x][lane.y + 8u] = (*sums)[c * ROW_QUADS + 1u]; }
  workgroupBarrier();
  let quad = local / (LANES / 4u);
  let line = 4u * (local % (LANES / 4u));
  if (quad < ROWS / 4u) {
    let block = transpose(mat4x4f(tile_a[line][quad], tile_a[line + 1u][quad], tile_a[line + 2u][quad], tile_a[line + 3u][quad]));
    store_block(result, to, 4u * quad, first + line, block);
  }
}

// Row by row, with a bound that is no constant: one text for the four of them takes NVIDIA's compiler a sixth to a fifth of a kernel's time less.
fn store_block(result: u32, to: Target, row: u32, col: u32, block: mat4x4f) {
  for (var i = 0u; i < min(4u, max(row, to.live) - row); i++) {
    var four = block[0];
    if (i == 1u) { four = block[1]; }
    if (i == 2u) { four = block[2]; }
    if (i == 3u) { four = block[3]; }
    store_four(result, to, row + i, col, four);
  }
}

fn store_four(result: u32, to: Target, row: u32, col: u32, four: vec4f) {
  let value = four * to.factor;
  let at = to.base + row * to.step + col;
  for (var j = 0u; j < 4u; j += select(1u, 4u, VEC)) {
    if (col + j < to.width) {
      var part: OElem;
      for (var c = 0u; c < select(1u, 4u, VEC); c++) {
        part[c] = OScalar(value[j + c]);
      }
      put(result, (at + j) / select(1u, 4u, VEC), part);
    }
  }
}
