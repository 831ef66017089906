import { FixableError } from '../kernel/errors.ts';
import { exp, log, power } from './elementary.ts';
import { NORMAL_TABLE } from './normal_table.ts';

/** Streams of one seed: what draws from different ones is independent. */
export const STREAM = {
  noise: 0,
  time: 1,
  label: 2,
  init: 3,
  sample: 4,
  data: 5,
  dropout: 6,
  encode: 7,
  twin: 8,
  timeEnd: 9,
  guidance: 10,
} as const;

/**
 * The second word of the counter, so that different kinds of numbers at one (seed, stream, step, index) are independent.
 * 0 and 1 are those of shaders/lib/philox.wgsl; rejection samplers count their attempts in steps of USE.stride above.
 */
const USE = { words: 0, normal: 1, beta: 2, gammaA: 3, gammaB: 4, stride: 8 } as const;

/** The upper 32 bits of a 64-bit product, as a signed word. */
function mulHi(a: number, b: number): number {
  const aLo = a & 0xffff;
  const aHi = a >>> 16;
  const bLo = b & 0xffff;
  const bHi = b >>> 16;
  const middle = Math.imul(aHi, bLo) + (Math.imul(aLo, bLo) >>> 16);
  const other = Math.imul(aLo, bHi) + (middle & 0xffff);
  return (Math.imul(aHi, bHi) + (middle >>> 16) + (other >>> 16)) | 0;
}

/** Ten rounds from words held as 32-bit integers of either sign into `out`. */
function rounds(c0: number, c1: number, c2: number, c3: number, k0: number, k1: number, out: Uint32Array): void {
  for (let round = 0; round < 10; round++) {
    const n0 = mulHi(0xcd9e8d57, c2) ^ c1 ^ k0;
    const n2 = mulHi(0xd2511f53, c0) ^ c3 ^ k1;
    c1 = Math.imul(0xcd9e8d57, c2);
    c3 = Math.imul(0xd2511f53, c0);
    c0 = n0;
    c2 = n2;
    k0 = (k0 + 0x9e3779b9) | 0;
    k1 = (k1 + 0xbb67ae85) | 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

/**
 * Philox 4x32-10 (Salmon et al. 2011): four random words from a counter of four and a key of two, the twin of
 * shaders/lib/philox.wgsl. The library's counter is (block, use, step_lo, step_hi), its key (seed, stream).
 */
export function philox4x32(counter: ArrayLike<number>, key: ArrayLike<number>): Uint32Array<ArrayBuffer> {
  const out = new Uint32Array(4);
  const [c0, c1, c2, c3] = [counter[0] ?? 0, counter[1] ?? 0, counter[2] ?? 0, counter[3] ?? 0];
  rounds(c0 | 0, c1 | 0, c2 | 0, c3 | 0, (key[0] ?? 0) | 0, (key[1] ?? 0) | 0, out);
  return out;
}

const TWO_32 = 2 ** 32;
const TABLE = Uint32Array.from(NORMAL_TABLE.flat());
const words = new Uint32Array(4);
const asked = { seed: -1, stream: -1, step: -1, use: -1, block: -1 };

/** The words of one block in `words`; neighbouring numbers share a block, so the last one is kept. */
function drawBlock(seed: number, stream: number, step: number, use: number, block: number): void {
  if (
    asked.block === block &&
    asked.use === use &&
    asked.step === step &&
    asked.stream === stream &&
    asked.seed === seed
  ) {
    return;
  }
  rounds(block | 0, use | 0, step | 0, Math.floor(step / TWO_32) | 0, seed | 0, stream | 0, words);
  asked.seed = seed;
  asked.stream = stream;
  asked.step = step;
  asked.use = use;
  asked.block = block;
}

/**
 * Random word `index` of (seed, stream, step), 0 .. 2^32 - 1.
 * @param step an integer from 0 to 2^53. @param index an integer from 0 to 2^32 - 1.
 */
export function uniformU32(seed: number, stream: number, step: number, index: number): number {
  drawBlock(seed, stream, step, USE.words, Math.floor(index / 4));
  return words[index % 4] as number;
}

/** Uniform number `index` of (seed, stream, step) in [0, 1), a multiple of 2^-24. The bits of the kernel `randomUniform`. */
export function uniform01(seed: number, stream: number, step: number, index: number): number {
  return (uniformU32(seed, stream, step, index) >>> 8) * 2 ** -24;
}

/** Standard normal number `index` of (seed, stream, step), |z| <= 6.34. The bits of the kernel `randomNormal`. */
export function normal(seed: number, stream: number, step: number, index: number): number {
  drawBlock(seed, stream, step, USE.normal, Math.floor(index / 2));
  const at = (index % 2) * 2;
  return normalFrom(words[at] as number, words[at + 1] as number);
}

/**
 * A standard normal number from two words: the inverse of the distribution in fixed point, without a rounding that adapters
 * might do differently. The twin of `normal_from` in shaders/lib/normal.wgsl, which explains it.
 */
export function normalFrom(hi: number, lo: number): number {
  const octave = Math.clz32(hi & 0x7fffffff) - 1;
  const kept = octave + 2;
  const t = octave >= 30 ? lo : (hi << kept) | (lo >>> (32 - kept));
  const row = octave * 6;
  let z = TABLE[row + 5] as number;
  for (let i = row + 4; i >= row; i--) z = (TABLE[i] as number) - (mulHi(z, t) >>> 0);
  const rounded = (z + 128) >>> 8;
  return (hi >>> 31 === 0 ? rounded : 0 - rounded) * 2 ** -21;
}

/** A uniform number in [0, 1) with 53 bits from two of the drawn words. */
function double(at: 0 | 2): number {
  return ((words[at] as number) >>> 5) * 2 ** -27 + ((words[at + 1] as number) >>> 6) * 2 ** -53;
}

/**
 * Number `index` of (seed, stream, step) from Beta(a, b), in doubles, on the host. Beta(1, 1) is uniform with 53 bits, Beta(a,
 * 1) and Beta(1, b) are powers of such, and all others X / (X + Y) with X ~ Gamma(a), Y ~ Gamma(b).
 * Logarithms and powers are those of elementary.ts, so that engines agree to the bit.
 * @throws FixableError unless a and b are positive and finite.
 */
export function beta(seed: number, stream: number, step: number, index: number, a: number, b: number): number {
  if (!(a > 0 && b > 0 && Number.isFinite(a) && Number.isFinite(b))) {
    throw new FixableError(`Beta(${a}, ${b}) does not exist`, 'give two positive numbers');
  }
  if (a === 1 || b === 1) {
    drawBlock(seed, stream, step, USE.beta, index);
    return b === 1 ? power(double(0), 1 / a) : 1 - power(double(0), 1 / b);
  }
  const x = gamma(seed, stream, step, index, a, USE.gammaA);
  const y = gamma(seed, stream, step, index, b, USE.gammaB);
  if (a > 1 && b > 1) return x.value / (x.value + y.value);
  // Gamma numbers of a small shape underflow: compare their logarithms.
  return 1 / (1 + exp(y.logBoost + log(y.value) - x.logBoost - log(x.value)));
}

/**
 * A number from Gamma(shape) as value * exp(logBoost), by Marsaglia & Tsang 2000: attempt n draws its normal and its uniform
 * number from a block of its own. A shape below 1 takes Gamma(shape + 1) * U^(1 / shape), U from attempt 0's other block.
 */
function gamma(
  seed: number,
  stream: number,
  step: number,
  index: number,
  shape: number,
  use: number,
): { value: number; logBoost: number } {
  let logBoost = 0;
  if (shape < 1) {
    drawBlock(seed, stream, step, USE.beta, index);
    logBoost = log(double(use === USE.gammaA ? 0 : 2)) / shape;
  }
  const d = (shape < 1 ? shape + 1 : shape) - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (let attempt = 0; ; attempt++) {
    drawBlock(seed, stream, step, use + attempt * USE.stride, index);
    const x = normalFrom(words[0] as number, words[1] as number);
    const root = 1 + c * x;
    if (root <= 0) continue;
    const v = root * root * root;
    if (log(double(2)) < 0.5 * x * x + d - d * v + d * log(v)) return { value: d * v, logBoost };
  }
}
