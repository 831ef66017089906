// attention: what every attention kernel has in common: sizes, q and k, which keys a query sees, and what lies between a product q . k
// and its weight. A feature that a variant does not have is no code in it.
// score = scale q . k; with SOFTCAP cap tanh(score / cap); with ADDS plus the mask. A query does not see a key that comes after it
// (CAUSAL), that the mask hides (a boolean 0, or an added number of -3e38 or less, so minus infinity and the least f32 too), or that is
// past the valid keys of its sample (LENGTHS). Such a key has weight 0, whatever its k and v hold, NaN and infinity too: no hidden
// element reaches a result. A query that sees no key has the result 0, lse -3e38, and gives no gradient.
// Needs in the kernel: fn valid_keys(sample) -> u32.
// @use finite
// @use attention_place

const HEAD_DIM: u32 = 64u;    // knob: size of a head of q and k
const VALUE_DIM: u32 = 64u;   // knob: size of a head of v and of the result
const VEC: bool = false;      // knob: read vec4f; both sizes are multiples of 4
alias Elem = f32;             // knob: vec4f with VEC
alias Stored = f32;           // knob: how they and results are stored: as Elem, or halves (f16, vec4h)
const GROUPED: bool = false;  // knob: neighbouring heads of q share a head of k and v
const CAUSAL: u32 = 0u;       // knob: 1 query i sees keys up to i + offset, 2 up to i + offset + valid keys - queries
const MASK: bool = false;     // knob: there is a mask
const ADDS: bool = false;     // knob: the mask is added; else 0 hides
alias MaskElem = u32;         // knob: f32 with ADDS
const LENGTHS: bool = false;  // knob: a sample has valid keys, and padding after them
const SOFTCAP: bool = false;  // knob: scores are capped

const GUARDED: bool = CAUSAL > 0u || MASK || LENGTHS; // weights may be 0 by rule, and what they are of is then no part of the result
const HIDDEN: f32 = -3.0e38;                          // the score of a key that is not seen

struct Dims {
  batch: u32,
  heads: u32,
  kv_heads: u32, // optional, else heads
  n: u32,
  keys: u32, // optional, else n
  head_dim: u32,
  scale: f32,
  offset: i32, // optional, else 0
  softcap: f32, // optional: SOFTCAP, else 0
  mask_batch: u32, // optional: MASK, else 1; the mask is [mask_batch, mask_heads, mask_n, keys], each of them 1 or that of the scores
  mask_heads: u32, // optional: MASK, else 1
  mask_n: u32, // optional: MASK, else 1
}

@group(0) @binding(0) var<storage, read> q: array<Stored>;
@group(0) @binding(1) var<storage, read> k: array<Stored>;
@group(0) @binding(2) var<storage, read> mask: array<MaskElem>; // optional: MASK
@group(0) @binding(3) var<uniform> dims: Dims;

// Heads of q that share a head of k and v: head h of q (of all samples) has head h / group_size() of these.
fn group_size() -> u32 {
  return select(1u, dims.heads / dims.kv_heads, GROUPED);
}

// What the queries of a head see.
struct Seen {
  keys: u32,  // valid keys of the sample
  ahead: i32, // with CAUSAL: query i sees keys up to i + ahead
  mask: u32,  // where the head's mask starts
}

fn seen_by(head: u32) -> Seen {
  let sample = head / dims.heads;
  var seen = Seen(valid_keys(sample), dims.offset, 0u);
  if (CAUSAL == 2u) {
    seen.ahead += i32(seen.keys) - i32(dims.n);
  }
  if (MASK) {
    let b = min(sample, dims.mask_batch - 1u);
    let h = min(head % dims.heads, dims.mask_heads - 1u);
    seen.mask = (b * dims.mask_heads + h) * dims.mask_n * dims.keys;
  }
  return seen;
}

// Past the last key that `query` or one before it sees.
fn keys_until(seen: Seen, query: u32) -> u32 {
  if (CAUSAL > 0u) {
    return u32(clamp(i32(query) + seen.ahead + 1, 0, i32(seen.keys)));
  }
  return seen.keys;
}

// The first query that sees `key` or one after it; n if none does.
fn queries_from(seen: Seen, key: u32) -> u32 {
  if (LENGTHS && key >= seen.keys) {
    return dims.n;
  }
  if (CAUSAL > 0u) {
    return u32(clamp(i32(key) - seen.ahead, 0, i32(dims.n)));
  }
  return 0u;
}

// cap tanh(score / cap), to a few ulp near 0 too.
fn cap(score: f32) -> f32 {
  if (!SOFTCAP) {
    return score;
  }
  let x = between(score / dims.softcap, -15.0, 15.0);
  let xx = x * x;
  let near = x * (1.0 + xx * (-0.33333333 + xx * (0.13333333 + xx * (-0.05396825 + xx * 0.02186949))));
  let far = 1.0 - 2.0 / (exp(2.0 * x) + 1.0);
  return select(dims.softcap * select(far, near, abs(x) < 0.25), score, is_nan(score)); // exp of a NaN is not one everywhere
}

// The gradient by a score from that by the capped one.
fn uncap(gradient: f32, capped: f32) -> f32 {
  if (!SOFTCAP) {
    return gradient;
  }
  let t = capped / dims.softcap;
  return gradient * (1.0 - t * t);
}

// The masked score of a query and a key: HIDDEN where it does not see it.
fn hide(score: f32, seen: Seen, query: u32, key: u32) -> f32 {
  var masked = score;
  var hidden = false;
  if (LENGTHS) {
    hidden = key >= seen.keys;
  }
  if (CAUSAL > 0u) {
    hidden = hidden || i32(key) > i32(query) + seen.ahead;
  }
  if (MASK) {
    let m = mask[seen.mask + min(query, dims.mask_n - 1u) * dims.keys + min(key, dims.keys - 1u)];
    if (ADDS) {
      masked += f32(m);
      hidden = hidden || f32(m) <= HIDDEN;
    } else {
      hidden = hidden || m == MaskElem();
    }
  }
  return select(masked, HIDDEN, hidden);
}

// exp(score - top), 0 for a hidden key. Of a NaN, the comparison is false.
fn weight(score: f32, top: f32) -> f32 {
  let z = score - top;
  if (GUARDED) {
    return select(select(exp(z), z, is_nan(z)), 0.0, score == HIDDEN); // exp of a NaN is not one everywhere
  }
  return exp(z);
}

// The gradient by a masked score whose weight is p: p (dp - delta), 0 for a hidden key.
fn by_score(p: f32, dp: f32, delta: f32) -> f32 {
  let ds = p * (dp - delta);
  if (GUARDED) {
    return select(ds, 0.0, p == 0.0);
  }
  return ds;
}

// x y, 0 where x is hidden, whatever y is.
fn weighted(x: f32, y: Elem) -> Elem {
  if (GUARDED) {
    return select(x * y, Elem(), x == 0.0);
  }
  return x * y;
}

fn total(x: Elem) -> f32 {
  let parts = vec4f(x);
  return select(parts.x, (parts.x + parts.y) + (parts.z + parts.w), VEC);
}
