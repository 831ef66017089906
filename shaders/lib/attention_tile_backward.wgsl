// attention_tile_backward: the operands of the tiled backward kernels of attention.
// @use attention_tile
// @use attention_backward

const Q: u32 = 0u;
const K: u32 = 1u;
const V: u32 = 2u;
const DOUT: u32 = 3u;

fn element(source: u32, at: u32) -> vec4f {
  switch (source) {
    case Q: { return vec4f(Elem(q[at])); }
    case K: { return vec4f(Elem(k[at])); }
    case V: { return vec4f(Elem(v[at])); }
    default: { return vec4f(Elem(dout[at])); }
  }
}
