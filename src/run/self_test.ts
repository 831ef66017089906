/** Whether what a device runs by an experimental extension is right: once an adapter and driver, before a run relies on it. */
import { readBuffer } from '../device/index.ts';
import { capsOf, distrustMatrices, float32ToHalf, halfToFloat32, type Kernel } from '../kernel/index.ts';
import { attention, attentionBackwardKV, attentionBackwardQ, attentionDelta } from '../kernels/attention.ts';
import {
  attentionDims,
  attentionOnMatrices,
  type MatrixAttention,
  matrixAttention,
  matrixAttentionBackward,
  matrixAttentionBackwardQ,
} from '../kernels/attention_matrix.ts';
import { type ConvTile, conv2d, conv2dBackwardWeight, convDims } from '../kernels/conv.ts';
import { conv2dFinish, matrixConv2d, matrixConv2dBackwardWeight } from '../kernels/conv_matrix.ts';
import { LARGEST_PARTS, largest } from '../kernels/largest.ts';
import { hasMatrices, type MatrixMatmulTile, matrixMatmul } from '../kernels/matmul_matrix.ts';

/** What a self-test found. */
export interface SelfTest {
  /** Variants that were run; none on a device without experimental ones. */
  readonly ran: readonly string[];
  /** What differs from the plain variant, or does not run, in words. */
  readonly wrong: readonly string[];
}

const STORAGE = 0x80 | 0x8 | 0x4;

/**
 * Runs the variants on subgroup matrices, on small shapes that no tile divides, against the plain variants. Where one differs the device
 * counts as one without subgroup matrices from then on, so that plain and tiled variants are chosen. Once a device; nothing is run, or
 * compiled, on one that has none.
 */
export function selfTest(device: GPUDevice): Promise<SelfTest> {
  let test = tests.get(device);
  if (!test) tests.set(device, (test = testOf(device)));
  return test;
}

const tests = new WeakMap<GPUDevice, Promise<SelfTest>>();

/** What there is to say of what a self-test found wrong. */
export const distrustedBecause = (wrong: readonly string[]): string =>
  `subgroup matrices are not used, since they are wrong on this adapter: ${wrong.join('; ')}`;

/** Tests a device before anything relies on it, if that was not done; `warn` is told what it finds wrong. Gives the device. */
export async function tested(device: GPUDevice, warn: (text: string) => void): Promise<GPUDevice> {
  const trusted = hasMatrices(capsOf(device)); // else there are none, or someone has told of it
  const { wrong } = await selfTest(device);
  if (trusted && wrong.length > 0) warn(distrustedBecause(wrong));
  return device;
}

/** Takes what an earlier self-test of the same adapter and driver found in place of another. */
export function rememberSelfTest(device: GPUDevice, found: SelfTest): void {
  tests.set(device, Promise.resolve(found));
  if (found.wrong.length > 0) distrustMatrices(device);
}

async function testOf(device: GPUDevice): Promise<SelfTest> {
  const caps = capsOf(device);
  if (!hasMatrices(caps)) return { ran: [], wrong: [] };
  const { headDim, tiles } = OWN;
  const { backward } = attentionOnMatrices({ batch: 1, heads: 2, n: 77, head_dim: headDim }, caps);
  const roomy = caps.maxWorkgroupMemory >= LARGE_TILES;
  const found = await compared(device, {
    ...OWN,
    tiles: roomy ? tiles : tiles.filter((tile) => tile.kind === 'matrix' && tile.tm === 2),
    attention: backward ? OWN.attention : undefined,
  });
  if (found.wrong.length > 0) distrustMatrices(device);
  return found;
}

/** Variants to compare with the plain ones. */
export interface Variants {
  readonly matmul: typeof matrixMatmul;
  readonly tiles: readonly ProductTile[];
  readonly conv: MatrixConvolutions | undefined;
  readonly attention: MatrixAttention | undefined;
  readonly headDim: number;
}

interface MatrixConvolutions {
  readonly forward: typeof matrixConv2d;
  readonly weight: typeof matrixConv2dBackwardWeight;
}

/** Runs variants against the plain ones; what throws is wrong too. */
export async function compared(device: GPUDevice, variants: Variants): Promise<SelfTest> {
  const { attention, conv, headDim, tiles } = variants;
  const sizes = tiles.flatMap((tile) => (tile.kind === 'matrix' ? [{ tm: tile.tm, tn: tile.tn }] : []));
  const tests = [
    ...tiles.map((tile) => productTest(device, variants.matmul, tile)),
    ...(conv ? sizes.map((size) => convolutionTest(device, conv, size)) : []),
    ...(attention ? [attentionTest(device, attention, headDim)] : []),
  ];
  const results = await Promise.all(tests.map((test) => test.catch((error: unknown) => failed(error))));
  return { ran: results.flatMap((result) => result.ran), wrong: results.flatMap((result) => result.wrong) };
}

const failed = (error: unknown): SelfTest => ({
  ran: [],
  wrong: [error instanceof Error ? error.message : `${error}`],
});

type ProductTile = Extract<MatrixMatmulTile, { kind: 'matrix' | 'f32x3' }>;

/** Bytes of workgroup memory that all but the smallest tile need. */
const LARGE_TILES = 21008;

const OWN: Variants = {
  matmul: matrixMatmul,
  tiles: [{ kind: 'matrix', tm: 2, tn: 2 }, { kind: 'matrix', tm: 4, tn: 4 }, { kind: 'f32x3' }],
  conv: { forward: matrixConv2d, weight: matrixConv2dBackwardWeight },
  attention: { forward: matrixAttention, backward: matrixAttentionBackward, backwardQ: matrixAttentionBackwardQ },
  headDim: 72,
};

/** Whole eighths from -2 to 2: halves hold them, and sums of their products are exact in f32. */
function eighths(count: number, seed: number): Float32Array<ArrayBuffer> {
  let state = seed;
  return new Float32Array(count).map(() => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return ((state >>> 16) % 33) / 8 - 2;
  });
}

/** ||ours - plain|| / ||plain||; infinite where one is not finite. */
export function difference(ours: ArrayLike<number>, plain: ArrayLike<number>): number {
  let wrong = 0;
  let size = 0;
  for (let i = 0; i < plain.length; i++) {
    wrong += ((ours[i] as number) - (plain[i] as number)) ** 2;
    size += (plain[i] as number) ** 2;
  }
  const relative = Math.sqrt(wrong / (size || 1));
  return Number.isFinite(relative) ? relative : Number.POSITIVE_INFINITY;
}

/** Says what differs by more than is allowed. */
function judged(
  variant: string,
  pairs: readonly (readonly [ArrayLike<number>, ArrayLike<number>])[],
  most: number,
): SelfTest {
  const worst = Math.max(...pairs.map(([ours, plain]) => difference(ours, plain)));
  return { ran: [variant], wrong: worst <= most ? [] : [`${variant} differs from the plain variant by ${worst}`] };
}

/** The buffers of a test, gone with it, what runs on them, and what they hold then. */
class ScratchBuffers {
  readonly #device: GPUDevice;
  readonly #buffers: GPUBuffer[] = [];

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  empty(bytes: number): GPUBuffer {
    const buffer = this.#device.createBuffer({ size: Math.ceil(bytes / 4) * 4, usage: STORAGE });
    this.#buffers.push(buffer);
    return buffer;
  }

  f32(data: Float32Array<ArrayBuffer>): GPUBuffer {
    const buffer = this.empty(data.byteLength);
    this.#device.queue.writeBuffer(buffer, 0, data);
    return buffer;
  }

  /** An even count. */
  f16(data: Float32Array<ArrayBuffer>): GPUBuffer {
    const buffer = this.empty(2 * data.length);
    this.#device.queue.writeBuffer(buffer, 0, float32ToHalf(data));
    return buffer;
  }

  /** Dispatches one after the other. */
  run(...dispatches: readonly (readonly [kernel: Kernel, buffers: object, dims: object])[]): void {
    const encoder = this.#device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (const [kernel, buffers, dims] of dispatches) kernel.encode(pass, kernel.bind(buffers as never, dims as never));
    pass.end();
    this.#device.queue.submit([encoder.finish()]);
  }

  async numbers(buffer: GPUBuffer): Promise<Float32Array> {
    return new Float32Array(await readBuffer(this.#device, buffer));
  }

  async halves(buffer: GPUBuffer): Promise<Float32Array> {
    return halfToFloat32(new Uint16Array(await readBuffer(this.#device, buffer)));
  }

  free(): void {
    for (const buffer of this.#buffers) buffer.destroy();
  }
}

const started = (kernels: readonly Promise<unknown>[]) => Promise.all(kernels) as Promise<Kernel[]>;

async function productTest(device: GPUDevice, matmul: typeof matrixMatmul, tile: ProductTile): Promise<SelfTest> {
  const [m, n, k] = [141, 83, 67];
  const precision = tile.kind === 'f32x3' ? 'f32x3' : 'f16';
  const [ours, plain, range] = (await started([
    matmul.create(device, { layout: 'nt', precision, tile }),
    matmul.create(device, { layout: 'nt', tile: { kind: 'plain', tm: 4, tn: 4, wgX: 8, wgY: 8 } }),
    largest.create(device, {}, { count: m * k }),
  ])) as [Kernel, Kernel, Kernel];
  const on = new ScratchBuffers(device);
  try {
    const [a, b] = [on.f32(eighths(m * k, 1)), on.f32(eighths(n * k, 2))];
    const [out, expected, ranges] = [on.empty(4 * m * n), on.empty(4 * m * n), on.empty(8 * LARGEST_PARTS)];
    const rangeOf = (x: GPUBuffer, half: number, count: number) =>
      [range, { x, out: { buffer: ranges, offset: 4 * half, size: 4 * LARGEST_PARTS } }, { count }] as const;
    if (tile.kind === 'f32x3') on.run(rangeOf(a, 0, m * k), rangeOf(b, LARGEST_PARTS, n * k));
    on.run([ours, { a, b, out, ...(tile.kind === 'f32x3' && { ranges }) }, { m, n, k }]);
    on.run([plain, { a, b, out: expected }, { m, n, k }]);
    const pair = [await on.numbers(out), await on.numbers(expected)] as const;
    const name = tile.kind === 'f32x3' ? 'matmul_f32x3' : `matmul_matrix ${tile.tm}x${tile.tn}`;
    return judged(name, [pair], 1e-5);
  } finally {
    on.free();
  }
}

/** A convolution, whole and in two parts of k, and its gradient by the weight in two parts, of windows that every border cuts off. */
async function convolutionTest(
  device: GPUDevice,
  families: MatrixConvolutions,
  size: { readonly tm: 2 | 4; readonly tn: 2 | 4 },
): Promise<SelfTest> {
  const sizes = { batch: 2, height: 7, width: 11, channels: 24, out_channels: 40 };
  const { forward, weight: byWeight } = convDims({ ...sizes, kernel: [3, 3], padding: [1, 1, 1, 1] });
  const plain: ConvTile = { kind: 'plain', tm: 4, tn: 4, wgX: 8, wgY: 8 };
  const tile = { ...size, vecN: true };
  const [ours, ourParts, finish, ourWeight, theirs, theirWeight] = (await started([
    families.forward.create(device, { tile }),
    families.forward.create(device, { tile: { ...tile, splits: 2 } }),
    conv2dFinish.create(device, {}, { n: sizes.out_channels }),
    families.weight.create(device, { tile: size }),
    conv2d.create(device, { tile: plain }),
    conv2dBackwardWeight.create(device, { tile: plain }),
  ])) as [Kernel, Kernel, Kernel, Kernel, Kernel, Kernel];
  const on = new ScratchBuffers(device);
  try {
    const [read, made, window] = [forward.m * sizes.channels, forward.m * sizes.out_channels, 40 * forward.k];
    const [x, weight, dy] = [on.f32(eighths(read, 1)), on.f32(eighths(window, 2)), on.f32(eighths(made, 3))];
    const split = { ...byWeight, k_chunk: 96 };
    const result = () => ({ out: on.empty(4 * made), dweight: on.empty(8 * window) });
    const [first, second] = [result(), result()];
    const [parts, sum] = [on.empty(8 * made), on.empty(4 * made)];
    on.run(
      [ours, { x, weight, out: first.out }, forward],
      [ourParts, { x, weight, out: parts }, forward],
      [finish, { x: parts, out: sum }, { m: forward.m, n: sizes.out_channels, splits: 2 }],
      [theirs, { x, weight, out: second.out }, forward],
      [ourWeight, { x, dy, dweight: first.dweight }, split],
      [theirWeight, { x, dy, dweight: second.dweight }, split],
    );
    const pairs = [
      [await on.numbers(first.out), await on.numbers(second.out)],
      [await on.numbers(sum), await on.numbers(second.out)],
      [await on.numbers(first.dweight), await on.numbers(second.dweight)],
    ] as const;
    return judged(`conv2d_matrix ${size.tm}x${size.tn}`, pairs, 1e-5);
  } finally {
    on.free();
  }
}

async function attentionTest(device: GPUDevice, families: MatrixAttention, headDim: number): Promise<SelfTest> {
  const shape = { batch: 1, heads: 2, n: 77, head_dim: headDim, keys: 69 };
  const on = new ScratchBuffers(device);
  const { batch, heads, n, head_dim, keys } = shape;
  const dims = attentionDims(shape);
  const { mask_batch: _, mask_heads: __, mask_n: ___, offset: ____, softcap: _____, ...sizes } = dims;
  const own = { headDim: head_dim };
  const known = { ...own, dtype: 'f16', tile: { kind: 'plain', rows: 32, rolled: true } } as const;
  const [forward, backward, backwardQ, plain, delta, plainKV, plainQ] = (await started([
    families.forward.create(device, own),
    families.backward.create(device, own),
    families.backwardQ.create(device, own),
    attention.create(device, known),
    attentionDelta.create(device, { dtype: 'f16' }),
    attentionBackwardKV.create(device, known),
    attentionBackwardQ.create(device, known),
  ])) as [Kernel, Kernel, Kernel, Kernel, Kernel, Kernel, Kernel];
  const [ofQueries, ofKeys] = [batch * heads * n * head_dim, batch * heads * keys * head_dim];
  try {
    const [q, k, v, dout] = [ofQueries, ofKeys, ofKeys, ofQueries].map((count, i) => on.f16(eighths(count, i + 1)));
    const result = () => ({ out: on.empty(2 * ofQueries), lse: on.empty(4 * batch * heads * n) });
    const gradients = () => ({ dk: on.empty(2 * ofKeys), dv: on.empty(2 * ofKeys) });
    const [first, second, ours, theirs] = [result(), result(), gradients(), gradients()];
    const [dq, plainDq, rows] = [on.empty(2 * ofQueries), on.empty(2 * ofQueries), on.empty(8 * batch * heads * n)];
    const dscores = on.empty(2 * batch * heads * keys * Math.ceil(n / 8) * 8);
    const given = { q, k, v, dout, rows };
    on.run(
      [forward, { q, k, v, ...first }, sizes],
      [plain, { q, k, v, ...second }, dims],
      [delta, { ...second, dout, rows }, { batch, heads, n, value_dim: head_dim }],
      [backward, { ...given, ...ours, dscores }, sizes],
      [backwardQ, { k, dscores, dq }, sizes],
      [plainKV, { ...given, ...theirs }, dims],
      [plainQ, { ...given, dq: plainDq }, dims],
    );
    const pairs = [
      [first.out, second.out],
      [ours.dk, theirs.dk],
      [ours.dv, theirs.dv],
      [dq, plainDq],
    ] as const;
    const read = await Promise.all(pairs.map(async ([a, b]) => [await on.halves(a), await on.halves(b)] as const));
    return judged('attention_matrix', read, 5e-3);
  } finally {
    on.free();
  }
}
