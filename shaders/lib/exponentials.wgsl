// exponentials: (the largest of a row's numbers, the sum of exp(number - largest)) in one reading of the row, by the LANES invocations
// that share it, for kernels whose workgroup is LANES x ROWS. The sum is not finite where a number is a NaN or +infinity, and 0 where all are
// -infinity; the largest is never a NaN. Source: Milakov & Gimelshein 2018 (the running largest).
// Needs in the kernel: const LANES, const ROWS, alias Summed = f32, fn number(at: u32) -> f32.
// @use runs
// @use finite
// @use quads

const LOWEST: f32 = -3.4028234e38;

var<workgroup> lane_exponentials: array<vec2f, LANES * ROWS>;

// What a number past the end of its row is: nothing, to a sum of exponentials.
fn minus_infinity() -> f32 {
  var bits = 0xff800000u; // a constant expression may not be infinite; a variable's bits may
  return bitcast<f32>(bits);
}

// A number that depends on a sum of exponentials, which is none where the sum is 0, since the row is all -infinity, or not finite.
fn if_summed(sum: f32, value: f32) -> f32 {
  var nan_bits = 0x7fc00000u;
  return select(bitcast<f32>(nan_bits), value, sum > 0.0 && is_finite(sum));
}

// exp(z - largest), and a NaN and +infinity themselves: exp of a NaN is not one everywhere.
fn exponentials(z: vec4f, largest: f32) -> vec4f {
  return select(exp(z - largest), z, are_nan(z) | (bitcast<vec4u>(z) == vec4u(0x7f800000u)));
}

// A quad of the row that starts at base and has `end` numbers.
fn four(base: u32, c: u32, end: u32) -> vec4f {
  let quad = quad_of(base, c, end);
  let at = quad.at;
  return select(vec4f(minus_infinity()), vec4f(number(at.x), number(at.y), number(at.z), number(at.w)), quad.live);
}

fn largest_of(z: vec4f) -> f32 {
  return max(max(z.x, z.y), max(z.z, z.w));
}

fn row_exponentials(base: u32, end: u32, lane: u32) -> vec2f {
  var largest = LOWEST;
  var sums = Runs();
  for (var first = lane; first < end; first += RUN * LANES) {
    var run = Summed();
    for (var c = first; c < min(end, first + RUN * LANES); c += 4u * LANES) {
      let z = four(base, c, end);
      let top = largest_of(z);
      if (top > largest) { // never of a NaN
        let shrunk = exp(largest - top);
        run *= shrunk;
        sums.block *= shrunk;
        sums.total *= shrunk;
        largest = top;
      }
      let e = exponentials(z, largest);
      run += (e.x + e.y) + (e.z + e.w);
    }
    add_run(&sums, run);
  }
  return vec2f(largest, sum_of(sums));
}

fn both_exponentials(a: vec2f, b: vec2f) -> vec2f {
  let largest = max(a.x, b.x);
  return vec2f(largest, a.y * exp(a.x - largest) + b.y * exp(b.x - largest));
}

// Over the lanes of a row. Every invocation of the workgroup must call (uniform control flow), once. With LANES = 1 no barrier runs.
fn lanes_exponentials(own: vec2f, lane: u32, row: u32) -> vec2f {
  if (LANES == 1u) {
    return own;
  }
  let base = row * LANES;
  lane_exponentials[base + lane] = own;
  workgroupBarrier();
  for (var stride = LANES / 2u; stride > 0u; stride /= 2u) {
    if (lane < stride) {
      lane_exponentials[base + lane] = both_exponentials(lane_exponentials[base + lane], lane_exponentials[base + lane + stride]);
    }
    workgroupBarrier();
  }
  return lane_exponentials[base];
}
