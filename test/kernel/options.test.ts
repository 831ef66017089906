import { expect, it } from 'vitest';
import * as kernels from '../../src/kernels/index.ts';
import { KernelError, type KernelFamily, type ShaderSource } from '../../src/kernels/index.ts';
import { testDevice } from '../gpu.ts';

/** As plain JavaScript calls it. */
type Family = KernelFamily<ShaderSource, unknown>;

const families = Object.entries(kernels as unknown as { [name: string]: Family }).filter(
  ([, family]) => typeof family === 'object' && 'prepare' in family,
);

const refusal = async (name: string, options: unknown): Promise<string> => {
  const family = (kernels as unknown as { [name: string]: Family })[name] as Family;
  const error: unknown = await family.create(await testDevice(), options).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(KernelError);
  expect((error as KernelError).code).toBe('bad-option');
  return (error as KernelError).message;
};

it('finds the families', () => {
  expect(families.length).toBeGreaterThan(40);
});

it.each(families)('%s refuses an option that it does not have', async (name) => {
  for (const options of [{ nonsense: true }, null, 'rms', [], 3]) await refusal(name, options);
  expect(await refusal(name, { nonsense: true })).toMatch(/has no option nonsense. Fix: it/);
});

const tile = (lanes: unknown, rows: unknown = 4) => ({ lanes, rows });
it.each<[string, unknown, string]>([
  ['matmul', { layout: 'nn', shareB: { of: 0 } }, 'shareB.of is 0'],
  ['activation', { act: 'softsign' }, 'act is "softsign". Fix: give act one of: "gelu", "gelu-erf", "silu", "relu"'],
  ['activation', {}, 'act is missing'],
  ['activation', undefined, 'act is missing'],
  ['activationBackward', { act: 'GELU' }, 'act is "GELU"'],
  ['matmul', { layout: 'tt' }, '"nn", "nt", "tn"'],
  ['matmul', { layout: 'nn', act: 'erf' }, '"none", "gelu", "gelu-erf", "silu", "relu", "sigmoid"'],
  ['matmul', { layout: 'nn', bias: 'false' }, 'bias is "false". Fix: give bias true or false'],
  ['matmul', { layout: 'nn', tile: { kind: 'fast' } }, 'tile.kind is "fast"'],
  ['matmul', { layout: 'nn', tile: { qm: 1, qn: 1 } }, 'tile.kind is missing'],
  ['matmul', { layout: 'nn', tile: { kind: 'tiled', qm: 3, qn: 1 } }, 'tile.qm is 3. Fix: give tile.qm one of: 1, 2'],
  ['matmul', { layout: 'nn', tile: { kind: 'tiled', qm: 1, qn: 1, tm: 4 } }, 'has no option tile.tm'],
  ['matmul', { layout: 'nn', tile: { kind: 'plain', tm: 4, tn: 6, wgX: 8, wgY: 8 } }, 'tile.tn is 6'],
  ['matmul', { layout: 'nn', tile: { kind: 'plain', tm: 4, tn: 8, wgX: 64, wgY: 8 } }, '64 x 8 invocations'],
  ['norm', { kind: 'batch' }, '"layer", "rms"'],
  [
    'norm',
    { kind: 'layer', biass: true },
    'Fix: write bias; its options are: kind, weight, bias, scale, shift, stats, dtype, tile',
  ],
  ['norm', { kind: 'layer', tile: tile(3) }, 'tile.lanes is 3. Fix: give tile.lanes a power of two from 1 to 256'],
  ['norm', { kind: 'layer', tile: tile(Number.NaN) }, 'tile.lanes is NaN'],
  ['norm', { kind: 'layer', tile: tile(8, 0) }, 'tile.rows is 0'],
  ['norm', { kind: 'layer', tile: tile(256, 4) }, '256 x 4 invocations'],
  ['norm', { kind: 'layer', tile: { lanes: 8 } }, 'tile.rows is missing'],
  ['norm', { kind: 'layer', tile: 8 }, 'tile is 8'],
  ['normBackwardX', { kind: 'group' }, 'kind is "group"'],
  ['normBackwardModulation', { shift: 1 }, 'shift is 1'],
  ['normBackwardWeight', { tile: { lanes: '8' } }, 'tile.lanes is "8"'],
  ['sumRows', { mean: 'yes' }, 'mean is "yes"'],
  ['sumCols', { tile: { lanes: 512 } }, 'tile.lanes is 512'],
  ['gatedResidualBackwardGate', { tile: { lanes: 6 } }, 'tile.lanes is 6'],
  ['lossForward', {}, 'cosine is missing'],
  ['lossForward', { cosine: false, tile: { lanes: 0 } }, 'tile.lanes is 0'],
  ['lossBackward', { cosine: 'no' }, 'cosine is "no"'],
  ['pool', { kind: 'avg' }, '"max", "mean"'],
  ['qkNormRope', { norm: 'l2' }, '"none", "rms", "layer"'],
  ['qkNormRope', { norm: 'rms', tile: { lanes: 65, rows: 1 } }, 'tile.lanes is 65'],
  ['patchify', { order: 'whc' }, '"chw", "hwc"'],
  ['lincomb', { inputs: 5 }, 'inputs is 5. Fix: give inputs one of: 1, 2, 3, 4'],
  ['lincomb', { inputs: '2' }, 'inputs is "2"'],
  ['attention', {}, 'headDim is missing. Fix: give headDim a whole number from 1 to 256'],
  ['attention', { headDim: 0 }, 'headDim is 0'],
  ['attention', { headDim: 257 }, 'headDim is 257'],
  ['attention', { headDim: 8, causal: true }, 'causal is true. Fix: give causal one of: "start", "end"'],
  ['attention', { headDim: 8, mask: 'bool' }, '"added", "boolean"'],
  [
    'attention',
    { headDim: 8, valueDim: 129, tile: { kind: 'tiled', rows: 32, cols: 32, lanes: 8 } },
    'a tile holds heads of up to 128',
  ],
  ['attentionBackwardMask', { headDim: 8, mask: 'boolean' }, "give mask 'added'"],
  ['attentionScores', { headDim: 8, stage: 'softmax' }, '"product", "capped", "masked", "weights"'],
  ['attention', { headDim: 8, tile: { kind: 'flash', rows: 8 } }, 'tile.kind is "flash"'],
  ['attentionBackwardKV', { headDim: 8, tile: { rows: 8, each: 0 } }, 'tile.each is 0'],
  [
    'attentionBackwardQ',
    { headDim: 8, tile: { kind: 'tiled', rows: 40, cols: 32, lanes: 8 } },
    'tile.rows is 40. Fix: give tile.rows one of: 32, 64',
  ],
  ['cautiousScale', { form: 'sgd' }, '"adam", "lion"'],
  ['adamStep', { cautious: 1 }, 'cautious is 1'],
  ['add', { alpha: 2n }, 'has no option alpha'],
])('%s refuses %o', async (name, options, said) => {
  expect(await refusal(name, options)).toContain(said);
});
