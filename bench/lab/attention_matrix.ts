/**
 * Versions of attention on subgroup matrices, texts derived from the shipped shaders: `npx tsx bench/lab/attention_matrix.ts [version]
 * [shape]`, plain substrings. Each is checked against the f64 oracle before it is timed; median milliseconds and TFLOP/s. Needs a device
 * with subgroup matrices.
 */
import { adapterName } from '../../src/device/index.ts';
import { openNodeDevice } from '../../src/device/node.ts';
import { capsOf, KernelError } from '../../src/kernel/index.ts';
import { ATTENTION_SHADERS, defineMatrixAttention } from '../../src/kernels/attention_matrix.ts';
import { hasMatrices } from '../../src/kernels/matmul_matrix.ts';
import { MATRIX_ATTENTION, matrixAttentionCase } from '../../test/catalogue/attention_matrix.ts';
import { measureKernel } from '../kernels.ts';

type Sources = typeof ATTENTION_SHADERS;
type Edit = readonly [before: string, after: string];

const SHAPES = [
  [16, 16, 256, 72],
  [32, 6, 256, 64],
  [64, 3, 64, 64],
  [32, 12, 256, 32],
  [8, 12, 256, 128],
] as const;

/** What a version changes in the forward, and in the backward by k and v. */
interface Version {
  name: string;
  forward?: readonly Edit[];
  backward?: readonly Edit[];
}

const VERSIONS: readonly Version[] = [
  { name: 'shipped' },
  {
    name: 'fetched when staged',
    forward: [
      ['var next = fetch(K, keys, 0u, local);', ''],
      [
        'stage(0u, next, local);\n    workgroupBarrier();',
        'stage(0u, fetch(K, keys, begin, local), local);\n    workgroupBarrier();',
      ],
      ['next = fetch(V, keys, begin, local);', ''],
      ['stage(0u, next, local);', 'stage(0u, fetch(V, keys, begin, local), local);'],
      ['next = fetch(K, keys, begin + COLS, local);', ''],
    ],
  },
  {
    name: 'queries fetched a block before',
    backward: [
      [
        'for (var begin = 0u; begin < dims.n; begin += COLS) {',
        'var next = fetch(Q, queries, 0u, local);\n    for (var begin = 0u; begin < dims.n; begin += COLS) {',
      ],
      ['stage(FIRST, fetch(Q, queries, begin, local), local);', 'stage(FIRST, next, local);'],
      [
        'put(scores_of(key_rows, FIRST), subgroup);',
        'next = fetch(Q, queries, begin + COLS, local);\n      put(scores_of(key_rows, FIRST), subgroup);',
      ],
    ],
  },
  {
    name: 'both fetched a block before',
    backward: [
      [
        'for (var begin = 0u; begin < dims.n; begin += COLS) {',
        'var next = fetch(Q, queries, 0u, local);\n    var next2 = fetch(DOUT, outs, 0u, local);\n    for (var begin = 0u; begin < dims.n; begin += COLS) {',
      ],
      ['stage(FIRST, fetch(Q, queries, begin, local), local);', 'stage(FIRST, next, local);'],
      ['stage(SECOND, fetch(DOUT, outs, begin, local), local);', 'stage(SECOND, next2, local);'],
      [
        'let ds = slopes_of',
        'next = fetch(Q, queries, begin + COLS, local);\n      next2 = fetch(DOUT, outs, begin + COLS, local);\n      let ds = slopes_of',
      ],
    ],
  },
];

/** A shader with its text changed. */
function edited<S extends { readonly code: string }>(shader: S, edits: readonly Edit[] = []): S {
  let { code } = shader;
  for (const [before, after] of edits.map(
    (edit) => edit.map((text) => text.replaceAll(/\n +/g, '\n')) as [string, string],
  )) {
    if (!code.includes(before)) throw new Error(`the shader has no line ${before}`);
    code = code.replace(before, after);
  }
  return edits.length === 0 ? shader : { ...shader, code };
}

const [wantedVersion = '', wantedShape = ''] = process.argv.slice(2);
const device = await openNodeDevice();
console.log(`${adapterName(device)}\nms and TFLOP/s of the forward, the backward by k and v, by q`);
if (!hasMatrices(capsOf(device))) console.log('not run: the device has no subgroup matrices');
else {
  for (const { name, forward, backward } of VERSIONS.filter((version) => version.name.includes(wantedVersion))) {
    const sources: Sources = {
      ...ATTENTION_SHADERS,
      forward: edited(ATTENTION_SHADERS.forward, forward),
      backward: edited(ATTENTION_SHADERS.backward, backward),
    };
    const families = defineMatrixAttention(sources);
    for (const shape of SHAPES.filter((sizes) => sizes.join('x').includes(wantedShape))) {
      const cells: string[] = [];
      for (const kernel of MATRIX_ATTENTION) {
        const changed = {
          matrixAttention: forward,
          matrixAttentionBackward: backward,
          matrixAttentionBackwardQ: undefined,
        };
        if (name !== 'shipped' && !changed[kernel]) continue;
        try {
          const kase = matrixAttentionCase(kernel, shape, { families }, { benchOnly: true });
          const { ms, tflops } = await measureKernel(device, kase, { tflops: 1, gbps: 1 }, false);
          cells.push(`${ms.toFixed(4)} (${tflops.toFixed(1)})`.padStart(16));
        } catch (error) {
          if (!(error instanceof KernelError)) throw error;
          cells.push(`not run: ${error.what}`);
        }
      }
      console.log(`${shape.join('x').padEnd(14)} ${name.padEnd(32)} ${cells.join(' ')}`);
    }
  }
}
