// A block of ROWS x COLS scores of one head by a workgroup of 8 x ROWS / 4: invocation (x, y) has rows 4 y .. 4 y + 3, the lanes of a
// vec4f, and columns x, x + 8, ...; of head_dim it has OWN columns of the results. The including shader has the knobs ROWS, COLS,
// CHUNK, SLICE and HEAD_DIM and, since WGSL takes no pointer to storage, fills the pool itself.
// Two uses of the pool take turns:
//   a chunk of head_dim, lines of LINE vec4s: ROWS lines of the rows' operand, then COLS lines of the columns' operand;
//   a slice of the columns: SLICE lines of WEIGHT_LINE (weights, a vec4 for 4 rows), then SLICE lines of VALUE_LINE (values).

const THREADS: u32 = 2u * ROWS;
const LANE: u32 = COLS / 8u;               // scores of a row an invocation has
const LINE: u32 = (CHUNK / 4u) | 1u;       // odd: 8 neighbouring lines meet no bank twice
const WEIGHT_LINE: u32 = (ROWS / 4u) | 1u; // odd: so do 8 neighbouring lines of weights
// head_dim in whole vec4s of 8 invocations; what is left goes element by element where that wastes less (72 = 2 x 32 + 8).
const LEFT: u32 = HEAD_DIM % 32u;
const WIDE: u32 = HEAD_DIM / 32u + select(0u, 1u, LEFT > 16u);
const REST: u32 = select((LEFT + 7u) / 8u, 0u, LEFT > 16u);
const OWN: u32 = 4u * WIDE + REST;
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

// Adds the staged slice's values, weighted, to the results.
fn add_values(results: ptr<function, array<vec4f, OWN>>, x: u32, y: u32) {
  for (var col = 0u; col < SLICE; col++) {
    let weight = pool[col * WEIGHT_LINE + y];
    let line = VALUES + col * VALUE_LINE;
    for (var q = 0u; q < WIDE; q++) {
      let value = pool[line + 8u * q + x];
      (*results)[4u * q] += weight * value.x;
      (*results)[4u * q + 1u] += weight * value.y;
      (*results)[4u * q + 2u] += weight * value.z;
      (*results)[4u * q + 3u] += weight * value.w;
    }
    for (var i = 0u; i < REST; i++) {
      (*results)[4u * WIDE + i] += weight * pool[line + 8u * WIDE + 2u * i + x / 4u][x % 4u];
    }
  }
}

// The column of head_dim that result i of invocation x is, perhaps past the end.
fn own_column(i: u32, x: u32) -> u32 {
  return select(32u * WIDE + 8u * (i - 4u * WIDE) + x, 32u * (i / 4u) + 4u * x + i % 4u, i < 4u * WIDE);
}

// Steps to the elements after d that lie in the same line of head_dim.
fn within_line(d: u32) -> vec4u {
  return min(vec4u(0u, 1u, 2u, 3u), vec4u(HEAD_DIM - 1u - d));
}
