// attention_tile_backward: the operands of the tiled backward kernels of attention.
// @use attention_tile
// @use attention_backward

const Q: u32 = 0u;
const K: u32 = 1u;
const V: u32 = 2u;
const DOUT: u32 = 3u;

fn element(source: u32, at: u32) -> vec4f {
  switch (source) {
    case Q: { return vec4f(q[at]); }
    case K: { return vec4f(k[at]); }
    case V: { return vec4f(v[at]); }
    default: { return vec4f(dout[at]); }
  }
}
