// attention_plain: knobs and sizes of the plain attention kernels, whose invocations have rows of their own in registers, and the sums over a
// step of rows of the other side. Needs in the kernel: the buffer v.
// @use attention

const WG: u32 = 32u;        // knob: invocations a workgroup
const QUERIES: u32 = 1u;    // knob: queries an invocation (keys, in the backward of k and v)
const KEYS: u32 = 1u;       // knob: keys a step (queries, likewise)
const ROLLED: bool = false; // knob: loops over a head stay loops, though they index registers

const LINE: u32 = HEAD_DIM / select(1u, 4u, VEC);        // elements of a row of q and k
const VALUE_LINE: u32 = VALUE_DIM / select(1u, 4u, VEC); // elements of a row of v
const LONG: u32 = max(LINE, VALUE_LINE);
const SAME: bool = LINE == VALUE_LINE;

// A bound that is not constant keeps a compiler from unrolling.
fn rolled(count: u32) -> u32 {
  return select(count, count * dims.head_dim / HEAD_DIM, ROLLED);
}

// What is done to four rows, and to two of a step, for each element of a head is written out: in a loop over them SwiftShader gathers each
// number from memory.
alias Held = array<Elem, QUERIES * LONG>; // a row of each query that an invocation has: element d of row r at r * LONG + d
alias Step = array<Elem, max(2u, KEYS)>; // an element of each row of a step
alias Starts = array<u32, max(2u, KEYS)>; // where each row of a step is
alias Products = array<f32, QUERIES * KEYS>; // a number for each query that an invocation has and each row of a step

// Element d of each row of a step.
fn step_of_k(starts: ptr<function, Starts>, d: u32) -> Step {
  var step: Step;
  step[0] = Elem(k[(*starts)[0] + d]);
  if (KEYS > 1u) { step[1] = Elem(k[(*starts)[1] + d]); }
  for (var j = 2u; j < KEYS; j++) {
    step[j] = Elem(k[(*starts)[j] + d]);
  }
  return step;
}

fn step_of_v(starts: ptr<function, Starts>, d: u32) -> Step {
  var step: Step;
  step[0] = Elem(v[(*starts)[0] + d]);
  if (KEYS > 1u) { step[1] = Elem(v[(*starts)[1] + d]); }
  for (var j = 2u; j < KEYS; j++) {
    step[j] = Elem(v[(*starts)[j] + d]);
  }
  return step;
}

// Adds to the scores of row r what its element brings with those of a step.
fn add_score(scores: ptr<function, Products>, r: u32, own: Elem, step: ptr<function, Step>) {
  (*scores)[r * KEYS] += total(own * (*step)[0]);
  if (KEYS > 1u) { (*scores)[r * KEYS + 1u] += total(own * (*step)[1]); }
  for (var j = 2u; j < KEYS; j++) {
    (*scores)[r * KEYS + j] += total(own * (*step)[j]);
  }
}

// Adds to scores what element d of the held rows brings with those of a step.
fn add_scores(scores: ptr<function, Products>, held: ptr<function, Held>, d: u32, step: ptr<function, Step>) {
  add_score(scores, 0u, (*held)[d], step);
  if (QUERIES > 1u) { add_score(scores, 1u, (*held)[LONG + d], step); }
  if (QUERIES > 2u) { add_score(scores, 2u, (*held)[2u * LONG + d], step); }
  if (QUERIES > 3u) { add_score(scores, 3u, (*held)[3u * LONG + d], step); }
  for (var r = 4u; r < QUERIES; r++) {
    add_score(scores, r, (*held)[r * LONG + d], step);
  }
}

// `before`, and the elements of a step by the weights that they have for the invocation's r-th query.
fn add_step(before: Elem, weights: ptr<function, Products>, r: u32, elements: ptr<function, Step>) -> Elem {
  var to = before + weighted((*weights)[r * KEYS], (*elements)[0]);
  if (KEYS > 1u) { to += weighted((*weights)[r * KEYS + 1u], (*elements)[1]); }
  for (var j = 2u; j < KEYS; j++) {
    to += weighted((*weights)[r * KEYS + j], (*elements)[j]);
  }
  return to;
}

// Adds the elements of a step, by their weights, to element d of the held rows.
fn add_steps(held: ptr<function, Held>, d: u32, weights: ptr<function, Products>, elements: ptr<function, Step>) {
  (*held)[d] = add_step((*held)[d], weights, 0u, elements);
  if (QUERIES > 1u) { (*held)[LONG + d] = add_step((*held)[LONG + d], weights, 1u, elements); }
  if (QUERIES > 2u) { (*held)[2u * LONG + d] = add_step((*held)[2u * LONG + d], weights, 2u, elements); }
  if (QUERIES > 3u) { (*held)[3u * LONG + d] = add_step((*held)[3u * LONG + d], weights, 3u, elements); }
  for (var r = 4u; r < QUERIES; r++) {
    (*held)[r * LONG + d] = add_step((*held)[r * LONG + d], weights, r, elements);
  }
}
