/**
 * Convolutions 3 x 3 beside the product that they are: `npx tsx bench/lab/conv.ts [shape] [splits]`, a plain substring of 16x64x64x192to192.
 * In TFLOP/s, the median of nine spans by the device's clock: matmul of the same m, n and k, undivided, conv2d as it is chosen and by other
 * tiles; then both on subgroup matrices where the device has them, of operands stored as f16: as chosen, in one part of k, and by every tile
 * in as many parts as are chosen, or `splits`, with the pass that adds them up. Convolutions are compared with the first of their kind.
 */
import { adapterName, readBuffer } from '../../src/device/index.ts';
import { openNodeDevice } from '../../src/device/node.ts';
import { capsOf, type DispatchRecord, type Kernel } from '../../src/kernel/index.ts';
import { type ConvSizes, type ConvTile, chooseConv, conv2d, convDims } from '../../src/kernels/conv.ts';
import { chooseMatrixConv, conv2dFinish, type MatrixConvTile, matrixConv2d } from '../../src/kernels/conv_matrix.ts';
import { matmul } from '../../src/kernels/matmul.ts';
import { chooseMatrixMatmul, matrixMatmul } from '../../src/kernels/matmul_matrix.ts';
import { CONV_BENCH, DECODERS } from '../../test/catalogue/conv_shapes.ts';
import { type Encodes, timeDispatch, warm } from '../time.ts';

/**
 * What another tile's sums may differ by, relative to the largest. In f32 their order is one, so nothing but what a compiler fuses; parts of k
 * are summed in another, and a tensor core truncates as it adds.
 */
const TOLERANCE = { f32: 1e-5, f16: 5e-5 };
const CHECKED = 2 ** 16;

interface Version {
  readonly name: string;
  readonly kernel: Encodes;
  readonly record: DispatchRecord;
  /** Whether it makes what the others do: a product of other matrices does not. */
  readonly compared: boolean;
}

const [wanted = '', givenSplits] = process.argv.slice(2);
const device = await openNodeDevice();
const caps = capsOf(device);
const buffers: GPUBuffer[] = [];

function noise(length: number, half: boolean): GPUBuffer {
  const numbers = half ? new Uint16Array(length + (length % 2)) : new Float32Array(length);
  let state = length;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    numbers[i] = half ? 0x2c00 + (state >>> 22) + (state & 0x8000) : state / 2 ** 32 - 0.5; // halves of 1/16 to 1/8, of either sign
  }
  const buffer = device.createBuffer({ size: numbers.byteLength, usage: 0x80 | 0x8 });
  device.queue.writeBuffer(buffer, 0, numbers);
  buffers.push(buffer);
  return buffer;
}

const SIDES = [
  [4, 4],
  [4, 2],
  [2, 4],
  [2, 2],
] as const;

/** A convolution of halves on subgroup matrices, with its second pass where a tile cuts k. */
async function convolution(
  tile: MatrixConvTile,
  x: GPUBuffer,
  weight: GPUBuffer,
  out: GPUBuffer,
  dims: ReturnType<typeof convDims>['forward'],
): Promise<Pick<Version, 'kernel' | 'record'>> {
  const kernel = await matrixConv2d.create(device, { dtype: 'f16', weightDtype: 'f16', tile });
  const { splits = 1 } = tile;
  if (splits === 1) return { kernel, record: kernel.bind({ x, weight, out }, dims) };
  const parts = device.createBuffer({ size: splits * out.size, usage: 0x80 });
  buffers.push(parts);
  const size = { m: dims.m, n: dims.n, splits };
  const finish = await conv2dFinish.create(device, {}, size);
  const record = kernel.bind({ x, weight, out: parts }, dims);
  const second = finish.bind({ x: parts, out }, size);
  const encode = (pass: GPUComputePassEncoder, first: DispatchRecord) => {
    kernel.encode(pass, first);
    finish.encode(pass, second);
  };
  return { kernel: { encode }, record };
}

/** The versions of a shape, and what all write to; none on matrices where the shape has none. */
async function versions(o: ConvSizes, half: boolean): Promise<{ made: Version[]; out: GPUBuffer }> {
  const { forward: dims } = convDims(o);
  const [x, weight] = [noise(o.batch * o.height * o.width * o.channels, half), noise(dims.n * dims.k, half)];
  const out = device.createBuffer({ size: 4 * dims.m * dims.n, usage: 0x80 | 0x4 | 0x8 });
  const a = device.createBuffer({ size: (half ? 2 : 4) * dims.m * dims.k, usage: 0x80 | 0x8 });
  buffers.push(out, a);
  const made: Version[] = [];
  const add = async (name: string, given: Promise<Kernel>, bound: object, sizes: object, compared: boolean) => {
    const kernel = await given;
    made.push({ name, kernel, record: kernel.bind({ ...bound, out } as never, sizes as never), compared });
  };
  const product = { m: dims.m, n: dims.n, k: dims.k };
  if (half) {
    const chosen = chooseMatrixConv(dims, caps);
    if (!chosen) return { made, out };
    const { splits: _, kChunk: __, ...tile } = chooseMatrixMatmul(product, 'f16', caps);
    const product16 = matrixMatmul.create(device, { layout: 'nt', dtype: 'f16', outDtype: 'f32', tile } as never);
    await add('matmul', product16 as never, { a, b: weight }, product, false);
    const whole = chooseMatrixConv({ ...dims, split: false }, caps) as MatrixConvTile;
    const splits = Number(givenSplits ?? chosen.splits);
    const tiles: MatrixConvTile[] = [chosen, whole, ...SIDES.map(([tm, tn]) => ({ ...chosen, tm, tn, splits }))];
    for (const [text, tile] of new Map(tiles.map((tile) => [JSON.stringify(tile), tile])))
      made.push({ ...(await convolution(tile, x, weight, out, dims)), name: `conv2d ${text}`, compared: true });
    return { made, out };
  }
  await add('matmul', matmul.create(device, { layout: 'nt' }, product) as never, { a, b: weight }, product, false);
  const chosen = chooseConv(dims, caps);
  const tiles: ConvTile[] = [chosen];
  if (chosen.kind === 'tiled') tiles.push({ ...chosen, qm: 2, qn: 2 }, { ...chosen, qm: 1, qn: 1 });
  for (const tile of tiles) {
    const kernel = conv2d.create(device, { tile });
    await add(`conv2d ${JSON.stringify(tile)}`, kernel as never, { x, weight }, dims, true);
  }
  return { made, out };
}

/** The first numbers that a version makes. */
async function firstOf({ kernel, record }: Version, out: GPUBuffer): Promise<Float32Array> {
  const encoder = device.createCommandEncoder();
  encoder.clearBuffer(out);
  const pass = encoder.beginComputePass();
  kernel.encode(pass, record);
  pass.end();
  const part = device.createBuffer({ size: Math.min(out.size, 4 * CHECKED), usage: 0x4 | 0x8 });
  encoder.copyBufferToBuffer(out, 0, part, 0, part.size);
  device.queue.submit([encoder.finish()]);
  const numbers = new Float32Array(await readBuffer(device, part));
  part.destroy();
  return numbers;
}

console.log(adapterName(device));
for (const o of [...CONV_BENCH, ...DECODERS]) {
  const label = `${o.batch}x${o.height}x${o.width}x${o.channels}to${o.out_channels}`;
  if (!label.includes(wanted) || (o.groups ?? 1) > 1) continue;
  const { m, n, k } = convDims(o).forward;
  for (const half of [false, true]) {
    let first: Float32Array | undefined;
    const tolerance = TOLERANCE[half ? 'f16' : 'f32'];
    const { made, out } = await versions(o, half);
    for (const version of made) {
      let worst = 0;
      if (version.compared) {
        const numbers = await firstOf(version, out);
        first ??= numbers;
        const largest = first.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
        worst = numbers.reduce((most, v, i) => Math.max(most, Math.abs(v - (first?.[i] as number))), 0) / largest;
        if (!(worst <= tolerance) || largest === 0) process.exitCode = 1;
      }
      await warm(device, version.kernel, [version.record]);
      const { ms } = await timeDispatch(device, version.kernel, [version.record]);
      const rate = ((2e-9 * m * n * k) / ms).toFixed(1).padStart(7);
      console.log(
        `${label.padEnd(22)} ${half ? 'f16' : 'f32'} ${rate} TFLOP/s ${ms.toFixed(4)} ms ${worst <= tolerance ? '' : 'WRONG '}${version.name}`,
      );
    }
    for (const buffer of buffers.splice(0)) buffer.destroy();
  }
}
