import { checkOptions, FixableError, type OptionGroup } from '../kernel/index.ts';

/** The path x_t = a(t) z + g(t) x, and the coefficients of the regression target v = a'(t) z + g'(t) x. */
export interface Transport {
  readonly a: (t: number) => number;
  readonly g: (t: number) => number;
  /** Target coefficients of z and x; not always derivatives of a and g. */
  readonly da: (t: number) => number;
  readonly dg: (t: number) => number;
}

/** The reference writes 1.57, not pi/2; numbers agree only with the same constant. */
export const QUARTER_TURN = 1.57;

const edmScale = (t: number) => Math.exp(4 * (2.68 * t - 1.59));
const edmRadius = (t: number) => Math.sqrt(edmScale(t) ** 2 + 0.25);

/** The six transports of UCGM (arXiv 2505.07447, table of transports; the reference's names). */
export const TRANSPORTS = {
  Linear: { a: (t) => t, g: (t) => 1 - t, da: () => 1, dg: () => -1 },
  ReLinear: { a: (t) => 1 - t, g: (t) => t, da: () => -1, dg: () => 1 },
  TrigFlow: {
    a: (t) => Math.sin(QUARTER_TURN * t),
    g: (t) => Math.cos(QUARTER_TURN * t),
    da: (t) => Math.cos(QUARTER_TURN * t),
    dg: (t) => -Math.sin(QUARTER_TURN * t),
  },
  TrigLinear: { a: (t) => Math.sin(QUARTER_TURN * t), g: (t) => Math.cos(QUARTER_TURN * t), da: () => 1, dg: () => -1 },
  EDM: {
    a: (t) => edmScale(t) / edmRadius(t),
    g: (t) => 1 / edmRadius(t),
    da: (t) => -0.5 / edmRadius(t),
    dg: (t) => (2 * edmScale(t)) / edmRadius(t),
  },
  Random: { a: (t) => Math.sin(QUARTER_TURN * t), g: (t) => 1 - t, da: () => 1, dg: (t) => -1 - Math.exp(-5 * t) },
} as const satisfies { [name: string]: Transport };

/** The name of a transport. */
export type TransportName = keyof typeof TRANSPORTS;

/** An option of the trainer or sampler that does not exist or does not fit. `fix` says what to give. */
export class OptionError extends FixableError {
  override readonly name = 'OptionError';
}

/** Checks the options of `of` against what is declared. @throws OptionError for a key or value that does not exist. */
export function refuseWrong(of: string, options: OptionGroup, given: unknown): void {
  checkOptions(options, given, (what, fix) => new OptionError(`${of}: ${what}`, fix));
}

/** A transport by name. @throws OptionError for an unknown one. */
export function transportNamed(name: string): Transport {
  const found = Object.hasOwn(TRANSPORTS, name) ? (TRANSPORTS as { [name: string]: Transport })[name] : undefined;
  if (!found)
    throw new OptionError(`transport_type ${name} does not exist`, `use one of ${Object.keys(TRANSPORTS).join(', ')}`);
  return found;
}

/** Which end of [0, 1] is noise. @throws OptionError when neither end is. */
export function noiseEnd(transport: Transport): 0 | 1 {
  if (Math.abs(transport.g(0)) < 0.005) return 0;
  if (Math.abs(transport.a(0)) < 0.005) return 1;
  throw new OptionError('the transport is noise at neither end', 'a transport needs g(0) = 0 or a(0) = 0');
}

/** a g' - g a', by which the predictions of x and z divide. */
export function denominator({ a, g, da, dg }: Transport, t: number): number {
  return a(t) * dg(t) - g(t) * da(t);
}

/** cos(1.57 t), the weight that the Cosine weight function gives a sample. */
export function cosineWeight(t: number): number {
  return Math.cos(QUARTER_TURN * t);
}
