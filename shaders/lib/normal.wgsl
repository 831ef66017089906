// normal: a standard normal number from two random words, by the inverse of the distribution in fixed point.
// There is no log, cosine, square root or f32 multiply-add, whose roundings differ between adapters: integers, then one exact
// conversion and one product with a power of two, so that adapters and the host (normalFrom in src/rng/philox.ts) agree to the bit.
//   hi: 1 sign bit, 31 bits of magnitude h. Upper-tail probability p = (h + lo / 2^32) / 2^32 in [0, 1/2).
//   Octave k = leading zeros of h: p in [2^-(k+2), 2^-(k+1)), t = p 2^(k+2) - 1 as a 32-bit fraction.
//   z = c0 - t (c1 - t (c2 - t (c3 - t (c4 - t c5)))) in units of 2^-29, rounded to 2^-21: 24 bits, which f32 holds.
// Largest deviation from the exact inverse 5.1e-6. Octave 31 (h = 0, one number in 2^31) takes t from lo, so |z| <= 6.34.
// The table is written by tools/make-normal-table.ts, which says where it comes from.
// @use philox

const NORMAL_TABLE = array<u32, 192>(
  362111247u, 422173128u, 109724757u, 72143702u, 29748665u, 7267838u,
  617586772u, 325831962u, 111750036u, 62941226u, 27865959u, 6316966u,
  823622520u, 272677436u, 104400700u, 57647811u, 25718691u, 5828758u,
  1000044525u, 238227159u, 96750567u, 53429938u, 23911062u, 5425495u,
  1156350762u, 213738030u, 90043085u, 49915734u, 22391689u, 5086281u,
  1297915309u, 195251608u, 84328764u, 46944503u, 21101393u, 4797691u,
  1428111133u, 180694486u, 79458332u, 44402675u, 19993236u, 4549380u,
  1549211812u, 168866940u, 75273342u, 42204008u, 19031162u, 4333429u,
  1662832109u, 159022467u, 71641687u, 40282534u, 18187552u, 4143770u,
  1770165694u, 150670076u, 68459354u, 38587536u, 17441125u, 3975723u,
  1872123312u, 143472371u, 65645460u, 37079695u, 16775327u, 3825639u,
  1969417890u, 137189125u, 63136937u, 35728214u, 16177140u, 3690644u,
  2062619477u, 131644203u, 60884196u, 34508694u, 15636209u, 3568449u,
  2152192086u, 126705230u, 58847837u, 33401590u, 15144206u, 3457207u,
  2238519211u, 122270607u, 56996220u, 32391080u, 14694363u, 3355416u,
  2321921990u, 118260923u, 55303663u, 31464218u, 14281125u, 3261840u,
  2402672445u, 114613121u, 53749116u, 30610316u, 13899889u, 3175454u,
  2481003325u, 111276423u, 52315157u, 29820468u, 13546809u, 3095401u,
  2557115559u, 108209434u, 50987245u, 29087195u, 13218645u, 3020957u,
  2631184000u, 105378033u, 49753143u, 28404167u, 12912650u, 2951507u,
  2703361896u, 102753817u, 48602476u, 27765988u, 12626474u, 2886526u,
  2773784430u, 100312926u, 47526387u, 27168031u, 12358100u, 2825562u,
  2842571556u, 98035156u, 46517266u, 26606302u, 12105781u, 2768223u,
  2909830275u, 95903272u, 45568535u, 26077334u, 11868002u, 2714169u,
  2975656511u, 93902472u, 44674478u, 25578102u, 11643434u, 2663101u,
  3040136637u, 92019961u, 43830100u, 25105957u, 11430913u, 2614758u,
  3103348752u, 90244621u, 43031018u, 24658562u, 11229413u, 2568909u,
  3165363743u, 88566732u, 42273366u, 24233853u, 11038022u, 2525348u,
  3226246181u, 86977764u, 41553721u, 23829996u, 10855934u, 2483894u,
  3286055076u, 85470188u, 40869040u, 23445357u, 10682425u, 2444384u,
  3344844523u, 84037336u, 40216609u, 23078473u, 10516849u, 2406672u,
  3402664255u, 82673276u, 39593996u, 22728033u, 10358625u, 2370627u,
);

fn normal_from(hi: u32, lo: u32) -> f32 {
  let octave = countLeadingZeros(hi & 0x7fffffffu) - 1u;
  // hi:lo moved left until the leading one falls off: the upper 32 bits are t. Octaves 30 and 31 have no bit of hi left.
  let kept = min(octave + 2u, 31u);
  let t = select((hi << kept) | (lo >> (32u - kept)), lo, octave >= 30u);
  let row = octave * 6u;
  var z = NORMAL_TABLE[row + 5u];
  for (var i = 5u; i > 0u; i--) {
    z = NORMAL_TABLE[row + i - 1u] - mul_hi(z, t);
  }
  let rounded = i32((z + 128u) >> 8u);
  return f32(select(rounded, -rounded, hi >= 0x80000000u)) * 4.76837158203125e-7; // 2^-21
}
