// elements: buffers of single numbers or, with VEC, of vectors of 4 neighbours, in one source: reads make vec4f(buffer[i]), a vector
// itself or one number four times, of which a compiler computes one; writes make an element of it again.
// Needs in the kernel: const VEC, alias Scalar, alias OElem: array<Scalar, 1> or, with VEC, a vector of 4.

const WIDTH: u32 = select(1u, 4u, VEC); // numbers an element
const SECOND: u32 = select(0u, 1u, VEC); // of an element, its numbers after the first
const THIRD: u32 = select(0u, 2u, VEC);
const FOURTH: u32 = select(0u, 3u, VEC);

fn element(value: vec4f) -> OElem {
  var one: OElem;
  one[0] = Scalar(value.x);
  if (VEC) {
    one[SECOND] = Scalar(value.y);
    one[THIRD] = Scalar(value.z);
    one[FOURTH] = Scalar(value.w);
  }
  return one;
}
