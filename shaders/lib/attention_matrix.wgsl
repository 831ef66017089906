// attention_matrix: attention on subgroup matrices. A workgroup of four subgroups of 32 has 64 rows of one head, a subgroup 16, and walks
// blocks of 64 columns; all products take f16 operands and sum in f32.
//   lines: what is staged of the operands, their rows side by side, sixteen a part; a head's elements past its end are 0 there.
//   parts: two a subgroup, each of 16 rows x 32 columns: scores as f32, then, in the first half of the same rows, their weights as f16. An
//   invocation has one row of one part, so what it reads and writes there is its own.
// Nothing may be hidden: 0 times what is not finite is not 0 in a product of matrices.
// Needs in the kernel: const STAGED, parts of `lines`; fn element(source, at) -> vec4u: eight halves of the operand of that name; fn
// put_eight(result, at, value: vec4u): stores eight halves of a result.
// @use subgroup_matrix
// @use subgroup_matrix_lines
// @use attention_place

const HEAD_DIM: u32 = 64u;   // knob: size of a head, a multiple of 8, 128 at most
alias Stored = f16;          // knob: how operands and results are stored
const GROUPED: bool = false; // knob: neighbouring heads of q share a head of k and v

struct Dims {
  batch: u32,
  heads: u32,
  kv_heads: u32, // optional, else heads
  n: u32,
  keys: u32, // optional, else n
  head_dim: u32,
  scale: f32,
}

const ROWS: u32 = 64u;                      // a workgroup
const COLS: u32 = 64u;                      // a block
const TILES: u32 = (HEAD_DIM + 15u) / 16u;  // matrices that a head is wide
const EIGHTS: u32 = HEAD_DIM / 8u;          // vec4u a row of a head in storage
const LINE: u32 = 2u * TILES + 1u;          // and in workgroup memory: odd, so that matrices meet no bank twice
const LINES: u32 = 16u * LINE;
const SCORE_LINE: u32 = 9u;                 // vec4u a row of a part of scores
const PART: u32 = 16u * SCORE_LINE;

var<workgroup> parts: array<array<vec4u, PART>, 8>;
var<workgroup> lines: array<array<vec4u, LINES>, STAGED>;

fn group_size() -> u32 {
  return select(1u, dims.heads / dims.kv_heads, GROUPED);
}

// The rows of one head in an operand, in rows: row i is the first + i * step.
struct Rows {
  first: u32,
  count: u32,
  step: u32,
}

// What an invocation fetches of 64 rows: eights, neighbours' side by side.
struct Fetched {
  e0: vec4u,
  e1: vec4u,
  e2: vec4u,
  e3: vec4u,
  e4: vec4u,
  e5: vec4u,
  e6: vec4u,
  e7: vec4u,
}

fn fetch_eight(source: u32, rows: Rows, first: u32, i: u32, local: u32) -> vec4u {
  let item = local + 128u * i;
  let row = first + item / (2u * TILES);
  let eight = item % (2u * TILES);
  if (row < rows.count && (HEAD_DIM % 16u == 0u || eight < EIGHTS)) {
    return element(source, (rows.first + row * rows.step) * EIGHTS + eight);
  }
  return vec4u();
}

// Fetches 64 rows from `first` on; zeros past their end.
fn fetch(source: u32, rows: Rows, first: u32, local: u32) -> Fetched {
  var f = Fetched();
  f.e0 = fetch_eight(source, rows, first, 0u, local);
  if (TILES > 1u) { f.e1 = fetch_eight(source, rows, first, 1u, local); }
  if (TILES > 2u) { f.e2 = fetch_eight(source, rows, first, 2u, local); }
  if (TILES > 3u) { f.e3 = fetch_eight(source, rows, first, 3u, local); }
  if (TILES > 4u) { f.e4 = fetch_eight(source, rows, first, 4u, local); }
  if (TILES > 5u) { f.e5 = fetch_eight(source, rows, first, 5u, local); }
  if (TILES > 6u) { f.e6 = fetch_eight(source, rows, first, 6u, local); }
  if (TILES > 7u) { f.e7 = fetch_eight(source, rows, first, 7u, local); }
  return f;
}

fn stage_eight(to: u32, value: vec4u, i: u32, local: u32) {
  let item = local + 128u * i;
  let row = item / (2u * TILES);
  lines[to + row / 16u][row % 16u * LINE + item % (2u * TILES)] = value;
}

// Stages 64 rows in four parts of `lines`, from part `to` on.
fn stage(to: u32, f: Fetched, local: u32) {
  stage_eight(to, f.e0, 0u, local);
  if (TILES > 1u) { stage_eight(to, f.e1, 1u, local); }
  if (TILES > 2u) { stage_eight(to, f.e2, 2u, local); }
  if (TILES > 3u) { stage_eight(to, f.e3, 3u, local); }
  if (TILES > 4u) { stage_eight(to, f.e4, 4u, local); }
  if (TILES > 5u) { stage_eight(to, f.e5, 5u, local); }
  if (TILES > 6u) { stage_eight(to, f.e6, 6u, local); }
  if (TILES > 7u) { stage_eight(to, f.e7, 7u, local); }
}

// Sixteen rows of a head, as left operands. Matrices are named here: ones that a loop indexes go to memory.
struct Head {
  t0: Left,
  t1: Left,
  t2: Left,
  t3: Left,
  t4: Left,
  t5: Left,
  t6: Left,
  t7: Left,
}

fn head_of(part: u32) -> Head {
  var h = Head();
  h.t0 = left_of_lines(part, 0u, LINE);
  if (TILES > 1u) { h.t1 = left_of_lines(part, 2u, LINE); }
  if (TILES > 2u) { h.t2 = left_of_lines(part, 4u, LINE); }
  if (TILES > 3u) { h.t3 = left_of_lines(part, 6u, LINE); }
  if (TILES > 4u) { h.t4 = left_of_lines(part, 8u, LINE); }
  if (TILES > 5u) { h.t5 = left_of_lines(part, 10u, LINE); }
  if (TILES > 6u) { h.t6 = left_of_lines(part, 12u, LINE); }
  if (TILES > 7u) { h.t7 = left_of_lines(part, 14u, LINE); }
  return h;
}

// Sums of 16 rows x 64 columns.
struct Sums {
  s0: Sum,
  s1: Sum,
  s2: Sum,
  s3: Sum,
}

fn add_scores(before: Sums, x: Left, begin: u32, at: u32) -> Sums {
  return Sums(
    add_product(x, right_of_lines(begin, at, LINE, true), before.s0),
    add_product(x, right_of_lines(begin + 1u, at, LINE, true), before.s1),
    add_product(x, right_of_lines(begin + 2u, at, LINE, true), before.s2),
    add_product(x, right_of_lines(begin + 3u, at, LINE, true), before.s3),
  );
}

// The products of sixteen rows with each of the 64 that are staged from part `from` on.
fn scores_of(h: Head, begin: u32) -> Sums {
  var s = add_scores(Sums(), h.t0, begin, 0u);
  if (TILES > 1u) { s = add_scores(s, h.t1, begin, 2u); }
  if (TILES > 2u) { s = add_scores(s, h.t2, begin, 4u); }
  if (TILES > 3u) { s = add_scores(s, h.t3, begin, 6u); }
  if (TILES > 4u) { s = add_scores(s, h.t4, begin, 8u); }
  if (TILES > 5u) { s = add_scores(s, h.t5, begin, 10u); }
  if (TILES > 6u) { s = add_scores(s, h.t6, begin, 12u); }
  if (TILES > 7u) { s = add_scores(s, h.t7, begin, 14u); }
  return s;
}

// Writes sums to the subgroup's two parts.
fn put(s: Sums, subgroup: u32) {
  put_sum(2u * subgroup, 0u, s.s0, SCORE_LINE);
  put_sum(2u * subgroup, 4u, s.s1, SCORE_LINE);
  put_sum(2u * subgroup + 1u, 0u, s.s2, SCORE_LINE);
  put_sum(2u * subgroup + 1u, 4u, s.s3, SCORE_LINE);
}

// Sixteen rows of a result: its columns up to 64, and those past them.
struct Result {
  low: Sums,
  high: Sums,
}

fn add_line(before: Result, x: Left, part: u32) -> Result {
  var r = before;
  r.low.s0 = add_product(x, right_of_lines(part, 0u, LINE, false), r.low.s0);
  if (TILES > 1u) { r.low.s1 = add_product(x, right_of_lines(part, 2u, LINE, false), r.low.s1); }
  if (TILES > 2u) { r.low.s2 = add_product(x, right_of_lines(part, 4u, LINE, false), r.low.s2); }
  if (TILES > 3u) { r.low.s3 = add_product(x, right_of_lines(part, 6u, LINE, false), r.low.s3); }
  if (TILES > 4u) { r.high.s0 = add_product(x, right_of_lines(part, 8u, LINE, false), r.high.s0); }
  if (TILES > 5u) { r.high.s1 = add_product(x, right_of_lines(part, 10u, LINE, false), r.high.s1); }
  if (TILES > 6u) { r.high.s2 = add_product(x, right_of_lines(part, 12u, LINE, false), r.high.s2); }
  if (TILES > 7u) { r.high.s3 = add_product(x, right_of_lines(part, 14u, LINE, false), r.high.s3); }
  return r;
}

// Adds the subgroup's weights times the 64 rows that are staged from part `from` on.
fn add_values(before: Result, subgroup: u32, begin: u32) -> Result {
  var r = add_line(before, left_at(2u * subgroup, 0u, SCORE_LINE, false), begin);
  r = add_line(r, left_at(2u * subgroup, 2u, SCORE_LINE, false), begin + 1u);
  r = add_line(r, left_at(2u * subgroup + 1u, 0u, SCORE_LINE, false), begin + 2u);
  return add_line(r, left_at(2u * subgroup + 1u, 2u, SCORE_LINE, false), begin + 3u);
}

// A row of a part: 32 numbers.
struct Quads {
  q0: vec4f,
  q1: vec4f,
  q2: vec4f,
  q3: vec4f,
  q4: vec4f,
  q5: vec4f,
  q6: vec4f,
  q7: vec4f,
}

fn quads_at(part: u32, at: u32) -> Quads {
  return Quads(
    bitcast<vec4f>(parts[part][at]),
    bitcast<vec4f>(parts[part][at + 1u]),
    bitcast<vec4f>(parts[part][at + 2u]),
    bitcast<vec4f>(parts[part][at + 3u]),
    bitcast<vec4f>(parts[part][at + 4u]),
    bitcast<vec4f>(parts[part][at + 5u]),
    bitcast<vec4f>(parts[part][at + 6u]),
    bitcast<vec4f>(parts[part][at + 7u]),
  );
}

// Eight halves, two a word.
fn halves(low: vec4f, high: vec4f) -> vec4u {
  return vec4u(pack2x16float(low.xy), pack2x16float(low.zw), pack2x16float(high.xy), pack2x16float(high.zw));
}

fn keep_halves(part: u32, at: u32, q: Quads) {
  parts[part][at] = halves(q.q0, q.q1);
  parts[part][at + 1u] = halves(q.q2, q.q3);
  parts[part][at + 2u] = halves(q.q4, q.q5);
  parts[part][at + 3u] = halves(q.q6, q.q7);
}

// The part of an invocation, its row's first vec4u there, and that row and its first column in a block.
struct Own {
  part: u32,
  at: u32,
  row: u32,
  col: u32,
}

fn own_of(subgroup: u32, lane: u32) -> Own {
  return Own(2u * subgroup + lane / 16u, lane % 16u * SCORE_LINE, 16u * subgroup + lane % 16u, 32u * (lane / 16u));
}

fn store_columns(result: u32, s: Sums, factor: f32, first: u32, own: Own, subgroup: u32, to: u32, live: bool) {
  put(s, subgroup);
  workgroupBarrier();
  for (var i = 0u; i < 4u; i++) {
    let eight = first + own.col / 8u + i;
    if (live && eight < EIGHTS) {
      let low = bitcast<vec4f>(parts[own.part][own.at + 2u * i]);
      let high = bitcast<vec4f>(parts[own.part][own.at + 2u * i + 1u]);
      put_eight(result, to + eight, halves(low * factor, high * factor));
    }
  }
  workgroupBarrier();
}

// Stores the subgroup's rows of a result, each times its invocations' factor, at vec4u `to` of theirs, if it is live.
fn store(result: u32, r: Result, factor: f32, own: Own, subgroup: u32, to: u32, live: bool) {
  store_columns(result, r.low, factor, 0u, own, subgroup, to, live);
  if (TILES > 4u) { store_columns(result, r.high, factor, 8u, own, subgroup, to, live); }
}
