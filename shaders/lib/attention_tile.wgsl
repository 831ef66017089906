// A block of ROWS x COLS scores of one head by a workgroup of 8 x ROWS / 4: invocation (x, y) has rows 4 y .. 4 y + 3, the lanes of a
// vec4f, and columns x, x + 8, ...; of head_dim it has OWN columns of the results. The including shader has the knobs ROWS, COLS,
// CHUNK, SLICE and HEAD_DIM and, since WGSL takes no pointer to storage, fills the pool itself.
// Two uses of the pool take turns:
//   a chunk of head_dim, lines of LINE vec4s: ROWS lines of the rows' operand, then COLS lines of the columns' operand;
//   a slice of the columns: SLICE lines of WEIGHT_LINE (weights, a vec4 for 4 rows), then SLICE lines of VALUE_LINE (values).

const BANDS: u32 = ROWS / 4u;              // bands of 4 rows, an invocation (x, y) has part of band y
const THREADS: u32 = 2u * ROWS;
const LANE: u32 = COLS / 8u;               // scores of a row an invocation has
const LINE: u32 = (CHUNK / 4u) | 1u;       // odd: 8 neighbouring lines meet no bank twice
const WEIGHT_LINE: u32 = (ROWS / 4u) | 1u; // odd: so do 8 neighbouring lines of weights
// head_dim in whole vec4s of 8 invocations; what is left goes element by element where that wastes less (72 = 2 x 32 + 8).
const LEFT: u32 = HEAD_DIM % 32u;
const WIDE: u32 = HEAD_DIM / 32u + select(0u, 1u, LEFT > 16u);
const REST: u32 = select((LEFT + 7u) / 8u, 0u, LEFT > 16u);
const OWN: u32 = max(4u, 4u * WIDE + REST);
const VALUE_LINE: u32 = 8u * WIDE + 2u * REST;
const VALUES: u32 = SLICE * WEIGHT_LINE;

var<workgroup> pool: array<vec4f, max((ROWS + COLS) * LINE, SLICE * (WEIGHT_LINE + VALUE_LINE))>;

// Four rows' sums over four of head_dim: the chain of multiply-adds of plain code, for 4 rows at once.
fn along(sum: vec4f, rows: mat4x4f, col: vec4f) -> vec4f {
  return (((sum + rows[0] * col.x) + rows[1] * col.y) + rows[2] * col.z) + rows[3] * col.w;
}

// Adds the staged chunk's products to the scores. Spelled out: indices of register arrays must be constants without the compiler's help.
fn add_scores(scores: ptr<function, array<vec4f, 8>>, x: u32, y: u32) {
  for (var quad = 0u; quad < CHUNK / 4u; quad++) {
    let r = 4u * y * LINE + quad;
    let rows = transpose(mat4x4f(pool[r], pool[r + LINE], pool[r + 2u * LINE], pool[r + 3u * LINE]));
    let c = (ROWS + x) * LINE + quad;
    (*scores)[0] = along((*scores)[0], rows, pool[c]);
    (*scores)[1] = along((*scores)[1], rows, pool[c + 8u * LINE]);
    (*scores)[2] = along((*scores)[2], rows, pool[c + 16u * LINE]);
    (*scores)[3] = along((*scores)[3], rows, pool[c + 24u * LINE]);
    if (COLS == 64u) {
      (*scores)[4] = along((*scores)[4], rows, pool[c + 32u * LINE]);
      (*scores)[5] = along((*scores)[5], rows, pool[c + 40u * LINE]);
      (*scores)[6] = along((*scores)[6], rows, pool[c + 48u * LINE]);
      (*scores)[7] = along((*scores)[7], rows, pool[c + 56u * LINE]);
    }
  }
}

// Stages the weights of one slice, then turns them round so that the next slice's come first: after all slices they lie as before.
fn stage_weights(weights: ptr<function, array<vec4f, 8>>, x: u32, y: u32) {
  for (var i = 0u; i < SLICE / 8u; i++) {
    pool[(x + 8u * i) * WEIGHT_LINE + y] = (*weights)[i];
  }
  let all = *weights;
  for (var i = 0u; i < LANE; i++) {
    (*weights)[i] = all[(i + SLICE / 8u) % LANE];
  }
}

fn add_four(results: ptr<function, array<vec4f, OWN>>, at: u32, weight: vec4f, value: vec4f) {
  (*results)[at] += weight * value.x;
  (*results)[at + 1u] += weight * value.y;
  (*results)[at + 2u] += weight * value.z;
  (*results)[at + 3u] += weight * value.w;
}

fn add_one(results: ptr<function, array<vec4f, OWN>>, at: u32, weight: vec4f, value: f32) {
  (*results)[at] += weight * value;
}

// Adds the staged slice's values, weighted, to the results.
fn add_values(results: ptr<function, array<vec4f, OWN>>, x: u32, y: u32) {
  for (var col = 0u; col < SLICE; col++) {
    let weight = pool[col * WEIGHT_LINE + y];
    let value = VALUES + col * VALUE_LINE + x;
    if (WIDE > 0u) { add_four(results, 0u, weight, pool[value]); }
    if (WIDE > 1u) { add_four(results, 4u, weight, pool[value + 8u]); }
    if (WIDE > 2u) { add_four(results, 8u, weight, pool[value + 16u]); }
    if (WIDE > 3u) { add_four(results, 12u, weight, pool[value + 24u]); }
    let left = value - x + 8u * WIDE + x / 4u;
    if (REST > 0u) { add_one(results, 4u * WIDE, weight, pool[left][x % 4u]); }
    if (REST > 1u) { add_one(results, 4u * WIDE + 1u, weight, pool[left + 2u][x % 4u]); }
  }
}

// Takes the first four results of each of the 4 rows (a column of the matrix is a row's four) and moves the others up.
fn take_four(results: ptr<function, array<vec4f, OWN>>) -> mat4x4f {
  let four = transpose(mat4x4f((*results)[0], (*results)[1], (*results)[2], (*results)[3]));
  for (var i = 4u; i < OWN; i++) {
    (*results)[i - 4u] = (*results)[i];
  }
  return four;
}

const TAKES: u32 = WIDE + min(REST, 1u);

// Which column of head_dim result j of the take-th four is: HEAD_DIM or more where there is none.
fn own_column(take: u32, j: u32, x: u32) -> u32 {
  return 32u * take + select(8u * j + x, 4u * x + j, take < WIDE);
}

// Steps to the elements after d that lie in the same line of head_dim.
fn within_line(d: u32) -> vec4u {
  return min(vec4u(0u, 1u, 2u, 3u), vec4u(HEAD_DIM - 1u - d));
}
