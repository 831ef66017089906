// gate: the gate of an element, from a modulation tensor.
// Needs in the kernel: const VEC, VEC_MOD; modulation, an array of numbers or, with VEC_MOD, of vectors of 4.

fn mod_at(i: u32) -> vec4f { return vec4f(modulation[i]); }

// The gate of an element whose first number's is at `at`.
fn gate_of(at: u32) -> vec4f {
  if (VEC_MOD) {
    return mod_at(at / 4u);
  }
  if (VEC) {
    return vec4f(mod_at(at).x, mod_at(at + 1u).x, mod_at(at + 2u).x, mod_at(at + 3u).x);
  }
  return mod_at(at);
}
