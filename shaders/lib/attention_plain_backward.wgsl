// attention_plain_backward: what the plain backward kernels of attention share.
// @use attention_plain
// @use attention_backward

alias Held = array<Elem, QUERIES * LONG>; // a row of each query that an invocation has (key, in the backward of k and v)

// Adds what element d brings to scores and to dout . v: the held rows of both times a row's element of the step each.
fn add_products(
  scores: ptr<function, Products>,
  slopes: ptr<function, Products>,
  of_scores: ptr<function, Held>,
  of_slopes: ptr<function, Held>,
  d: u32,
  by_scores: ptr<function, Step>,
  by_slopes: ptr<function, Step>,
) {
  for (var r = 0u; r < QUERIES; r++) {
    let of_score = (*of_scores)[r * LONG + d];
    let of_slope = (*of_slopes)[r * LONG + d];
    for (var j = 0u; j < KEYS; j++) {
      (*scores)[r * KEYS + j] += total(of_score * (*by_scores)[j]);
      (*slopes)[r * KEYS + j] += total(of_slope * (*by_slopes)[j]);
    }
  }
}
