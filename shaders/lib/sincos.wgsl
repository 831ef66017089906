// sincos: (sin x, cos x) to 2 ulp of 1 for |x| < 8192. WGSL's own may be off by 2^-11, and SwiftShader's are by 1e-4: the difference
// quotients of few-step training multiply that by 100.
// The argument less a multiple of pi/2, whose three pieces are short enough for exact products (fma,
// so that no compiler adds the pieces up first); then the minimax polynomials of
// (sin r - r) / r^3 and (cos r - 1 + r^2 / 2) / r^4 in r^2 on [0, pi/4], off by 4e-9 and 1e-10.

fn sincos(x: f32) -> vec2f {
  let turns = round(x * 0.63661975);
  let r = fma(-turns, 7.54979e-8, fma(-turns, 0.0004837513, fma(-turns, 1.5703125, x)));
  let r2 = r * r;
  let s = r + r * r2 * (-0.16666655 + r2 * (0.008332178 - r2 * 0.000195173));
  let c = 1.0 - 0.5 * r2 + r2 * r2 * (0.041666646 + r2 * (-0.0013887368 + r2 * 0.000024438452));
  let quarter = bitcast<u32>(i32(turns)) & 3u;
  let swapped = select(vec2f(s, c), vec2f(c, -s), (quarter & 1u) == 1u);
  return select(swapped, -swapped, quarter >= 2u);
}
