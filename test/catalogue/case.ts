import { type DimsOf, float32ToHalf, halfToFloat32, type Kernel, type ShaderSource } from '../../src/kernel/index.ts';

export type HostArray = Float32Array | Uint32Array | Int32Array;

/** One case of the catalogue that drives both the tests and the bench: one kernel, one shape, one variant, one oracle. */
export interface KernelCase {
  /** The kernel family, as in src/kernels: `matmul`. */
  readonly kernel: string;
  /** Distinguishes the case: variant and shape, `nt+bias 41x113x257`. */
  readonly name: string;
  readonly variant: string;
  readonly shape: readonly number[];
  /** Bound on ||ours - oracle|| / ||oracle|| of every output, and where it comes from. */
  readonly tolerance: number;
  readonly toleranceFrom: string;
  /** Floating-point operations and least bytes moved; for the bench. */
  readonly flops: number;
  readonly bytes: number;
  /** Features that the device must have; without them the case is that it is refused by name. */
  readonly needs?: readonly string[];
  /** Part of the smoke suite: the smallest case of its kernel. */
  readonly smoke?: boolean;
  /** A tiling of the case's own, which the device's choice may never come to. */
  readonly forced?: boolean;
  /** Only timed by the bench, too large for the tests. */
  readonly benchOnly?: boolean;
  readonly prepare: (device: GPUDevice) => PreparedCase;
}

/** A case made ready on a device: inputs on the host, outputs by length, and the oracle to compare with. */
export interface PreparedCase {
  readonly kernel: Kernel<ShaderSource>;
  readonly dims: { [name: string]: number };
  readonly inputs: { [binding: string]: HostArray };
  /** Elements of each written buffer. A name that is also in `inputs` starts from that input (updated in place). */
  readonly outputs: { [binding: string]: number };
  /** u32 outputs; compared exactly. All others are f32, or f16. */
  readonly integer?: readonly string[];
  /**
   * Buffers that are stored as f16. Their inputs are halves already (`halves`), so that the oracle sees what the kernel sees; outputs
   * may be off by twice what rounding the oracle's to f16 costs, and the case's tolerance.
   */
  readonly halves?: readonly string[];
  /** The f64 results, by output. Called once. Of a case for the bench alone, the first elements may be enough. */
  readonly oracle: () => { [binding: string]: ArrayLike<number> };
}

/** The features of a case that the device does not have. */
export const missingFeatures = (kase: KernelCase, device: GPUDevice): string[] =>
  (kase.needs ?? []).filter((feature) => !device.features.has(feature));

/** The halves nearest to these numbers. */
export function halves(values: Float32Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
  return halfToFloat32(float32ToHalf(values));
}

/** How a kernel's numbers are stored. */
export type Stored = 'f32' | 'f16';

/** Numbers as a buffer of this type holds them. */
export const storedAs = (dtype: Stored, values: Float32Array<ArrayBuffer>): Float32Array<ArrayBuffer> =>
  dtype === 'f16' ? halves(values) : values;

/** What a case of f16 needs; its name and variant end in `suffixOf`. */
export const needsOf = (...dtypes: Stored[]): Pick<KernelCase, 'needs'> =>
  dtypes.includes('f16') ? { needs: ['shader-f16'] } : {};

export const suffixOf = (...dtypes: Stored[]): string => (dtypes.includes('f16') ? ` ${dtypes.join(' to ')}` : '');

/** Widens a typed kernel and its dims for the catalogue. */
export function prepared<S extends ShaderSource>(
  kernel: Kernel<S>,
  dims: DimsOf<S>,
  rest: Omit<PreparedCase, 'kernel' | 'dims'>,
): PreparedCase {
  return { kernel: kernel as unknown as Kernel<ShaderSource>, dims: dims as { [name: string]: number }, ...rest };
}
