import type { Recorded } from './case.ts';

/** Of the largest element: what f32 gives a sum in another order. */
const ROUNDING = 1e-5;
/** Where all is 0: what cancels in f32 among numbers of about 1. */
const ZERO = 1e-6;

interface Exception {
  readonly set: 'onnx' | 'gradients';
  readonly op: string;
  readonly name: RegExp;
  /** Absolute, beside what every case gets. */
  readonly absolute?: number;
  /** Of the largest element, likewise. */
  readonly relative?: number;
  readonly why: string;
}

/** Cases that need more than rounding gives. */
const EXCEPTIONS: readonly Exception[] = [
  {
    set: 'gradients',
    op: 'softmax',
    name: /test_softmax_grad$/,
    relative: 4e-5,
    why: 'recorded from f32, where p (dy - p . dy) cancels: 1.179665 and 1.179661 stand for two equal numbers, 1.1796716',
  },
  {
    set: 'gradients',
    op: 'layer_norm',
    name: /layer_norm_backward$/,
    absolute: 1e-3,
    why: 'two columns leave LayerNorm no gradient but what eps lets through; its source compares these zeros within 1e-3',
  },
];

/** How far a result may be off: by rounding of ours, of the recorded numbers, and of the inputs these were computed from. */
export function toleranceOf(
  set: 'onnx' | 'gradients',
  op: string,
  name: string,
  wanted: ArrayLike<number>,
  recorded: { of: Recorded; roundedInputs: number | undefined; inputs: readonly Recorded[] } | undefined,
): number {
  let largest = 0;
  for (let i = 0; i < wanted.length; i++) {
    const size = Math.abs(wanted[i] as number);
    if (Number.isFinite(size)) largest = Math.max(largest, size);
  }
  let tolerance = largest > 0 ? ROUNDING * largest : ZERO;
  if (set === 'onnx') tolerance += typedUnit(wanted);
  if (recorded && recorded.of.decimals >= 2) tolerance += 0.5 * 10 ** -recorded.of.decimals;
  if (recorded?.roundedInputs !== undefined) {
    // Half a unit in the inputs grows as the spread of the numbers does: a norm divides by their deviation. Twice that, since
    // mean and deviation move as well.
    const growth = spreadOf(wanted) / Math.max(...recorded.inputs.map((input) => spreadOf(input.data)));
    tolerance += 2 * growth * 0.5 * 10 ** -recorded.roundedInputs;
  }
  const exception = EXCEPTIONS.find((e) => e.set === set && e.op === op && e.name.test(name));
  return tolerance + (exception?.absolute ?? 0) + (exception?.relative ?? 0) * largest;
}

/** A unit of the last decimal where all numbers have 4 to 6: such were typed, and their rest cut. */
function typedUnit(numbers: ArrayLike<number>): number {
  const typed = (decimals: number) =>
    Array.from(numbers).every((v) => Math.fround(Number(v.toFixed(decimals))) === Math.fround(v));
  if (typed(3)) return 0; // so few are exact
  const decimals = [4, 5, 6].find(typed);
  return decimals === undefined ? 0 : 10 ** -decimals;
}

function spreadOf(numbers: ArrayLike<number>): number {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = 0; i < numbers.length; i++) {
    low = Math.min(low, numbers[i] as number);
    high = Math.max(high, numbers[i] as number);
  }
  return high - low;
}
