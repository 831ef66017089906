// attention_plain: knobs and sizes of the plain attention kernels, whose invocations have rows of their own in registers.
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

alias Step = array<Elem, KEYS>; // an element of each row of a step
alias Products = array<f32, QUERIES * KEYS>; // a number for each query that an invocation has and each row of a step

// `before`, and the elements of a step by the weights that they have for the invocation's r-th query.
fn add_step(before: Elem, weights: ptr<function, Products>, r: u32, elements: ptr<function, Step>) -> Elem {
  var to = before;
  for (var j = 0u; j < KEYS; j++) {
    to += weighted((*weights)[r * KEYS + j], (*elements)[j]);
  }
  return to;
}
