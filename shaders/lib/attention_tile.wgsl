// attention_tile: a block of ROWS x COLS scores of one head by a workgroup of 8 x ROWS / 4: invocation (x, y) has rows 4 y .. 4 y + 3,
// the lanes of a vec4f, and columns x, x + 8, ...; of a head's elements it has OWN columns of the results.
// Needs in the kernel: const Q, K, V (Q and K the least), fn element(source, at) -> vec4f: element `at` of the operand of that name.
// Two uses of the pool take turns:
//   a chunk of head_dim, lines of LINE vec4s: ROWS lines of the rows' operand, then COLS lines of the columns' operand;
//   a slice of the columns: SLICE lines of WEIGHT_LINE (weights, a vec4 for 4 rows), then SLICE lines of VALUE_LINE (values).

// @use attention

const ROWS: u32 = 64u;  // knob: queries (keys, in the backward of k and v) a workgroup: a multiple of 16; 2 ROWS invocations
const COLS: u32 = 64u;  // knob: keys (queries, likewise) a block: 32 or 64
const CHUNK: u32 = 16u; // knob: elements of a head staged at once: a multiple of 8
const SLICE: u32 = 16u; // knob: keys (queries) whose values are staged at once: 8, 16 or 32

const BANDS: u32 = ROWS / 4u;              // bands of 4 rows, an invocation (x, y) has part of band y
const THREADS: u32 = 2u * ROWS;
const LANE: u32 = COLS / 8u;               // scores of a row an invocation has
const LINE: u32 = (CHUNK / 4u) | 1u;       // odd: 8 neighbouring lines meet no bank twice
const WEIGHT_LINE: u32 = (ROWS / 4u) | 1u; // odd: so do 8 neighbouring lines of weights
// A head in whole vec4s of 8 invocations; what is left goes element by element where that wastes less (72 = 2 x 32 + 8).
const WIDTH: u32 = max(HEAD_DIM, VALUE_DIM); // the narrower is zero past its end
const LEFT: u32 = WIDTH % 32u;
const WIDE: u32 = WIDTH / 32u + select(0u, 1u, LEFT > 16u);
const REST: u32 = select((LEFT + 7u) / 8u, 0u, LEFT > 16u);
const OWN: u32 = max(4u, 4u * WIDE + REST);
const VALUE_LINE: u32 = 8u * WIDE + 2u * REST;
const VALUES: u32 = SLICE * WEIGHT_LINE;

var<workgroup> pool: array<vec4f, max((ROWS + COLS) * LINE, SLICE * (WEIGHT_LINE + VALUE_LINE))>;

// Four rows' sums over four of head_dim: the chain of multiply-adds of plain code, for 4 rows at once.
fn along(sum: vec4f, rows: mat4x4f, col: vec4f) -> vec4f {
  return (((sum + rows[0] * col.x) + rows[1] * col.y) + rows[2] * col.z) + rows[3] * col.w;
}

// Adds the staged chunk's products to the scores. Written out: indices of register arrays must be constants without the compiler's help,
// and a driver that keeps the loop takes longer. The remainders, of numbers that are smaller anyway, are bounds that Dawn sees: it
// clamps no index then.
fn add_scores(scores: ptr<function, array<vec4f, 8>>, x: u32, y: u32) {
  add_quad(scores, x, y, 0u);
  add_quad(scores, x, y, 1u);
  if (CHUNK > 8u) {
    add_quad(scores, x, y, 2u);
    add_quad(scores, x, y, 3u);
  }
  if (CHUNK > 16u) {
    add_quad(scores, x, y, 4u);
    add_quad(scores, x, y, 5u);
  }
  for (var quad = 6u; quad < CHUNK / 4u; quad++) {
    add_quad(scores, x, y, quad);
  }
}

// Adds the products of four of head_dim.
fn add_quad(scores: ptr<function, array<vec4f, 8>>, x: u32, y: u32, quad: u32) {
  let q = quad % (CHUNK / 4u);
  let r = 4u * (y % BANDS) * LINE + q;
  let rows = transpose(mat4x4f(pool[r], pool[r + LINE], pool[r + 2u * LINE], pool[r + 3u * LINE]));
  let c = (ROWS + x % 8u) * LINE + q;
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

// Stages the weights of one slice, then turns them round so that the next slice's come first: after all slices they lie as before.
fn stage_weights(weights: ptr<function, array<vec4f, 8>>, x: u32, y: u32) {
  for (var i = 0u; i < SLICE / 8u; i++) {
    pool[(x % 8u + 8u * i) * WEIGHT_LINE + y % BANDS] = (*weights)[i];
  }
  let all = *weights;
  for (var i = 0u; i < LANE; i++) {
    (*weights)[i] = all[(i + SLICE / 8u) % LANE];
  }
}

// Four rows' weights of one value; where a weight is 0 by rule, the value is no part of the result.
fn four_weighted(weights: vec4f, value: f32, guard: bool) -> vec4f {
  if (guard) {
    return select(weights * value, vec4f(), weights == vec4f());
  }
  return weights * value;
}

fn add_four(results: ptr<function, array<vec4f, OWN>>, at: u32, weights: vec4f, value: vec4f, guard: bool) {
  (*results)[at] += four_weighted(weights, value.x, guard);
  (*results)[at + 1u] += four_weighted(weights, value.y, guard);
  (*results)[at + 2u] += four_weighted(weights, value.z, guard);
  (*results)[at + 3u] += four_weighted(weights, value.w, guard);
}

// Not in place: an index that is constant may not be out of bounds, even in code that never runs.
fn add_one(results: ptr<function, array<vec4f, OWN>>, at: u32, weights: vec4f, value: f32, guard: bool) {
  (*results)[at] += four_weighted(weights, value, guard);
}

// Adds the values of the slice's line `col`, of which this invocation has those from x on.
fn add_column(results: ptr<function, array<vec4f, OWN>>, at: u32, lane: u32, weights: vec4f, guard: bool) {
  let x = lane % 8u;
  let line = VALUES + (at % SLICE) * VALUE_LINE;
  let value = line + x;
  if (WIDE > 0u) { add_four(results, 0u, weights, pool[value], guard); }
  if (WIDE > 1u) { add_four(results, 4u, weights, pool[value + 8u], guard); }
  if (WIDE > 2u) { add_four(results, 8u, weights, pool[value + 16u], guard); }
  if (WIDE > 3u) { add_four(results, 12u, weights, pool[value + 24u], guard); }
  let left = line + 8u * WIDE + x / 4u;
  if (REST > 0u) { add_one(results, 4u * WIDE, weights, pool[left][x % 4u], guard); }
  if (REST > 1u) { add_one(results, 4u * WIDE + 1u, weights, pool[left + 2u][x % 4u], guard); }
}

// Adds line `at` of the staged slice, weighted, to the results.
fn add_line(results: ptr<function, array<vec4f, OWN>>, x: u32, y: u32, at: u32) {
  let col = at % SLICE;
  let weights = pool[col * WEIGHT_LINE + y % BANDS];
  let none = weights == vec4f(); // of a NaN, != is false on some devices
  if (!GUARDED || !any(none)) {
    add_column(results, col, x, weights, false);
  } else if (!all(none)) {
    add_column(results, col, x, weights, true);
  }
}

// Adds the staged slice's values, weighted, to the results.
fn add_values(results: ptr<function, array<vec4f, OWN>>, x: u32, y: u32) {
  for (var col = 0u; col < SLICE; col++) {
    add_line(results, x, y, col);
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

// Which column of a head result j of the take-th four is: WIDTH or more where there is none.
fn own_column(take: u32, j: u32, x: u32) -> u32 {
  return 32u * take + select(8u * j + x, 4u * x + j, take < WIDE);
}

// The rows of one head in an operand: row i is the first + i * step, and zero from `count` on.
struct Rows {
  first: u32,
  count: u32,
  step: u32,
}

// Four elements from d of a row, zero past the edges.
fn load(source: u32, operand: Rows, row: u32, d: u32) -> vec4f {
  let width = select(HEAD_DIM, VALUE_DIM, source >= V);
  if (row >= operand.count || d >= width) {
    return vec4f();
  }
  let at = (operand.first + row * operand.step) * width + d;
  if (VEC) {
    return element(source, at / 4u);
  }
  let step = min(vec4u(0u, 1u, 2u, 3u), vec4u(width - 1u - d));
  let four = vec4f(element(source, at).x, element(source, at + step.y).x, element(source, at + step.z).x, element(source, at + step.w).x);
  return select(vec4f(), four, step == vec4u(0u, 1u, 2u, 3u));
}

// Stages a chunk of ROWS rows of one operand and COLS of another; the barriers before and after keep the pool's uses apart.
fn stage_chunk(a: u32, rows_of: Rows, first_row: u32, b: u32, cols_of: Rows, first_col: u32, d: u32, local: u32) {
  workgroupBarrier();
  for (var i = 0u; i < ROWS * CHUNK / 4u; i += THREADS) {
    let line = (i + local) / (CHUNK / 4u);
    let quad = (i + local) % (CHUNK / 4u);
    pool[line * LINE + quad] = load(a, rows_of, first_row + line, d + 4u * quad);
  }
  for (var i = 0u; i < COLS * CHUNK / 4u; i += THREADS) {
    let line = (i + local) / (CHUNK / 4u);
    let quad = (i + local) % (CHUNK / 4u);
    if (line < COLS) {
      pool[(ROWS + line) * LINE + quad] = load(b, cols_of, first_col + line, d + 4u * quad);
    }
  }
  workgroupBarrier();
}

// Adds all columns of a block, weighted: results += weights values, where values are rows from first_col on of an operand.
// `begun`: since the pool's last use there has been a barrier.
fn add_block(
  results: ptr<function, array<vec4f, OWN>>,
  weights: ptr<function, array<vec4f, 8>>,
  values: u32,
  operand: Rows,
  first_col: u32,
  lid: vec3u,
  local: u32,
  begun: bool,
) {
  for (var slice = 0u; slice < COLS; slice += SLICE) {
    if (slice > 0u || !begun) {
      workgroupBarrier();
    }
    stage_weights(weights, lid.x, lid.y);
    for (var i = 0u; i < SLICE * VALUE_LINE; i += THREADS) {
      let line = (i + local) / VALUE_LINE;
      if (line < SLICE) {
        pool[VALUES + i + local] = load(values, operand, first_col + slice + line, 4u * ((i + local) % VALUE_LINE));
      }
    }
    workgroupBarrier();
    add_values(results, lid.x, lid.y);
  }
}

// The functions of shaders/lib/attention.wgsl for four scores at a time: rows of the block, from `query` or from `key` on.
fn four_capped(s: vec4f) -> vec4f {
  return vec4f(cap(s.x), cap(s.y), cap(s.z), cap(s.w));
}

fn hide_queries(s: vec4f, seen: Seen, query: u32, key: u32) -> vec4f {
  let y = hide(s.y, seen, query + 1u, key);
  let z = hide(s.z, seen, query + 2u, key);
  return vec4f(hide(s.x, seen, query, key), y, z, hide(s.w, seen, query + 3u, key));
}

fn hide_keys(s: vec4f, seen: Seen, query: u32, key: u32) -> vec4f {
  let y = hide(s.y, seen, query, key + 1u);
  let z = hide(s.z, seen, query, key + 2u);
  return vec4f(hide(s.x, seen, query, key), y, z, hide(s.w, seen, query, key + 3u));
}

fn four_weights(s: vec4f, top: vec4f) -> vec4f {
  let z = s - top;
  if (GUARDED) {
    return select(select(exp(z), z, are_nan(z)), vec4f(), s == vec4f(HIDDEN));
  }
  return exp(z);
}

fn four_by_score(p: vec4f, dp: vec4f, delta: vec4f) -> vec4f {
  let ds = p * (dp - delta);
  if (GUARDED) {
    return select(ds, vec4f(), p == vec4f());
  }
  return ds;
}

// The derivatives of capped scores by scores.
fn four_slopes(capped: vec4f) -> vec4f {
  return vec4f(uncap(1.0, capped.x), uncap(1.0, capped.y), uncap(1.0, capped.z), uncap(1.0, capped.w));
}
