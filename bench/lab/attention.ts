/**
 * Versions of attention, naive to fast, forward and backward: `npx tsx bench/lab/attention.ts [version] [shape]`, both plain
 * substrings (`npx tsx bench/lab/attention.ts tiled 16x16x256x72`). Each is checked against the f64 oracle before it is timed; median
 * milliseconds of the forward, of the backward by q and of that by k and v, and TFLOP/s of the work that each does.
 */
import { adapterName } from '../../src/device/index.ts';
import { openNodeDevice } from '../../src/device/node.ts';
import { capsOf, KernelError } from '../../src/kernel/index.ts';
import type { AttentionTile } from '../../src/kernels/attention.ts';
import { ATTENTION_KERNELS } from '../../test/catalogue/attention.ts';
import { attentionCase, type Sizes } from '../../test/catalogue/attention_case.ts';
import { measureKernel } from '../kernels.ts';

const SHAPES: Sizes[] = [
  [32, 6, 256, 64],
  [16, 16, 256, 72],
  [64, 3, 64, 64],
  [32, 12, 256, 32],
  [8, 12, 256, 128],
];

const VERSIONS: readonly (readonly [string, AttentionTile | undefined])[] = [
  ['a query an invocation', { rows: 64, rolled: true }],
  ['4 queries by 2 keys an invocation', { rows: 32, each: 4, keys: 2, rolled: true }],
  ['tiled, 4 x 4 scores an invocation', { kind: 'tiled', rows: 32, cols: 32, lanes: 8 }],
  ['tiled, 4 x 4, 16 lanes', { kind: 'tiled', rows: 32, cols: 64, lanes: 16 }],
  ['tiled, 4 x 8', { kind: 'tiled', rows: 32, cols: 64, lanes: 8 }],
  ['tiled, 8 x 4', { kind: 'tiled', rows: 64, cols: 32, lanes: 8 }],
  ['tiled, 8 x 4, 16 lanes', { kind: 'tiled', rows: 64, cols: 64, lanes: 16 }],
  ['tiled, 8 x 8', { kind: 'tiled', rows: 64, cols: 64, lanes: 8 }],
  ['chosen', undefined],
];

const [wantedVersion = '', wantedShape = ''] = process.argv.slice(2);
const device = await openNodeDevice();
const { software } = capsOf(device);
console.log(`${adapterName(device)}\nms and TFLOP/s of the forward, by q, by k and v`);
for (const shape of SHAPES) {
  const label = shape.join('x');
  if (!label.includes(wantedShape)) continue;
  for (const [name, tile] of VERSIONS) {
    if (!name.includes(wantedVersion)) continue;
    const cells: string[] = [];
    for (const kernel of ATTENTION_KERNELS) {
      const kase = attentionCase(kernel, shape, tile ? { tile } : {}, { benchOnly: true });
      try {
        const { ms, tflops } = await measureKernel(device, kase, { tflops: 1, gbps: 1 }, software);
        cells.push(`${ms.toFixed(3)} (${tflops.toFixed(1)})`.padStart(14));
      } catch (error) {
        if (!(error instanceof KernelError)) throw error;
        cells.push(`not run: ${error.message}`);
      }
    }
    console.log(`${label.padEnd(14)} ${name.padEnd(36)} ${cells.join(' ')}`);
  }
}
