import type { Ceilings } from './ceilings.ts';
import { isTimed, type Line, type Results } from './results.ts';

/** How a case computes: in f32, in products of three f16 parts, or with f16 in operands or storage. */
export const ARITHMETICS = ['f32', 'f32x3', 'mixed'] as const;
export type Arithmetic = (typeof ARITHMETICS)[number];

/** A case on a roofline. */
export interface RooflinePoint {
  readonly name: string;
  readonly ms: number;
  /** Operations per byte. */
  readonly intensity: number;
  /** TFLOP/s. */
  readonly tflops: number;
  /** Of the roof above it, where the file says so. */
  readonly share?: number;
  readonly arithmetic: Arithmetic;
}

/** What the ceilings allow at an intensity (operations per byte): TFLOP/s, in f32. */
export const roofAt = ({ gbps, tflops }: Ceilings, intensity: number): number =>
  Math.min(tflops, (gbps * intensity) / 1000);

/** The intensity from which on multiplying bounds, and no longer copying: operations per byte. */
export const cornerOf = ({ gbps, tflops }: Ceilings): number => (1000 * tflops) / gbps;

/** How a case computes, by its name and dtype, as the catalogue and the suite of models give them. */
export function arithmeticOf({ case: name, dtype }: Line): Arithmetic {
  if (dtype === 'f32x3' || /\bf32x3\b/.test(name)) return 'f32x3';
  return dtype === 'f16' || dtype === 'mixed' || /\bf16\b/.test(name) ? 'mixed' : 'f32';
}

/** The cases that have a place on a roofline: both rates above zero. Copies compute nothing, and have none. */
export function rooflinePoints({ cases }: Results): RooflinePoint[] {
  return [...cases.values()].filter(isTimed).flatMap((line) => {
    const { case: name, ms, tflops, gbps, ofRoofline } = line;
    if (!isPositive(tflops) || !isPositive(gbps)) return [];
    const share = isPositive(ofRoofline) ? { share: ofRoofline } : {};
    return [{ name, ms, intensity: (1000 * tflops) / gbps, tflops, ...share, arithmetic: arithmeticOf(line) }];
  });
}

/** The ceilings of a results file; undefined where it has none that a roof can be drawn from. */
export function ceilingsOf({ environment }: Results): Ceilings | undefined {
  const ceilings = environment?.ceilings;
  return isPositive(ceilings?.gbps) && isPositive(ceilings?.tflops) ? ceilings : undefined;
}

const isPositive = (value: unknown): value is number => Number.isFinite(value) && (value as number) > 0;
