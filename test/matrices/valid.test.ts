/** The shaders of subgroup matrices before Dawn's compiler of WGSL, whose null adapter has every feature: no device need run them. */
import { expect, it } from 'vitest';
import { create, globals } from 'webgpu';
import { type KnobValue, MATRIX_FEATURE, type ShaderSource, specialise } from '../../src/kernel/index.ts';
import {
  attention_matrix_bwd_kv,
  attention_matrix_bwd_q,
  attention_matrix_fwd,
  ceiling_matrices,
  conv2d_bwd_weight_matrix,
  conv2d_matrix,
  matmul_f32x3,
  matmul_matrix,
} from '../../src/shaders.generated.ts';

type Knobs = { [name: string]: KnobValue };

const LAYOUTS: Knobs[] = [{}, { TRANS_B: true }, { TRANS_A: true }];
const EPILOGUES: Knobs[] = [{}, { HAS_BIAS: true, HAS_GATE: true, HAS_RESIDUAL: true, HAS_PRE: true, ACT: 1 }];
const RESULTS: Knobs[] = [
  {},
  { VEC_N: true, RElem: 'vec4f', OElem: 'vec4f' },
  { VEC_N: true, OScalar: 'f16', RElem: 'vec4h', OElem: 'vec4h' },
  { OScalar: 'f16', RElem: 'f16', OElem: 'array<f16, 1>' },
];
const EIGHTS: Knobs = { VEC_A: true, VEC_B: true, AElem: 'vec4f', BElem: 'vec4f' };
const OPERANDS: [shader: ShaderSource, knobs: Knobs][] = [
  [matmul_matrix, {}],
  [matmul_matrix, EIGHTS],
  [matmul_matrix, { ...EIGHTS, TM: 2, TN: 2, WORDS_B: true, BStored: 'f16', BScalar: 'u32', BElem: 'vec4u' }],
  [matmul_matrix, { AStored: 'f16', AScalar: 'f16', AElem: 'f16' }],
  [matmul_f32x3, {}],
  [matmul_f32x3, EIGHTS],
];

const SOURCES: Knobs[] = [
  {},
  { CAT: true },
  { DOUBLED: true },
  { SILU: true },
  { CAT: true, DOUBLED: true, SILU: true },
];
const HALVES_X: Knobs = { HALVES_X: true, XStored: 'f16', XElem: 'vec4u' };
const FOURS: Knobs = { VEC_N: true, RElem: 'vec4f', OElem: 'vec4f' };
const CONV_EPILOGUES: Knobs[] = [
  {},
  { ...FOURS, HAS_BIAS: true, HAS_PRE: true, ACT: 2, SCALED: true, HAS_RESIDUAL: true },
  { TRANSPOSED: true, SCALED: true, HAS_SLOPE: true, HAS_RESIDUAL: true },
  { ...FOURS, TRANSPOSED: true, STRIDED: true, HAS_SLOPE: true },
];

function* variants(): Generator<[shader: ShaderSource, knobs: Knobs]> {
  for (const [shader, operands] of OPERANDS)
    for (const layout of LAYOUTS)
      for (const epilogue of EPILOGUES)
        for (const result of RESULTS) yield [shader, { ...layout, ...epilogue, ...result, ...operands }];
  for (const [shader, operands] of OPERANDS)
    if (shader === matmul_matrix)
      for (const result of RESULTS)
        for (const parts of [{}, { HAS_BIAS: true, HAS_PRE: true }] as Knobs[])
          yield [shader, { TRANS_B: true, GLU: true, ...parts, ...result, ...operands }];
  for (const [shader, operands] of OPERANDS)
    if (shader === matmul_matrix) yield [shader, { TRANS_A: true, HAS_SUMS: true, ...operands }];
  for (const [TM, TN] of [
    [2, 2],
    [2, 4],
    [4, 4],
  ] as const)
    yield [ceiling_matrices, { TM, TN }];
  for (const size of [{}, { TM: 2, TN: 2 }] as Knobs[])
    for (const source of SOURCES) {
      for (const epilogue of CONV_EPILOGUES)
        for (const stored of [{}, HALVES_X, { ...HALVES_X, HALVES_W: true, WStored: 'f16', WElem: 'vec4u' }] as Knobs[])
          yield [conv2d_matrix, { ...size, ...source, ...epilogue, ...stored }];
      for (const stored of [
        {},
        HALVES_X,
        { ...HALVES_X, HALVES_DY: true, DyStored: 'f16', DyElem: 'vec4u' },
      ] as Knobs[])
        yield [conv2d_bwd_weight_matrix, { ...size, ...source, ...stored }];
    }
  for (const size of [{}, { TM: 2, TN: 2 }] as Knobs[])
    for (const window of [{}, { TRANSPOSED: true }, { ...HALVES_X, WHOLE: true }, FOURS] as Knobs[])
      yield [conv2d_matrix, { ...size, ...window, SPLITS: 3 }];
  for (const shader of [attention_matrix_fwd, attention_matrix_bwd_kv, attention_matrix_bwd_q])
    for (const HEAD_DIM of [8, 64, 72, 128]) yield [shader, { HEAD_DIM, GROUPED: HEAD_DIM === 8 }];
}

let gpu: GPU | undefined; // Dawn's, which lives as long as its devices

it('are valid in every variant', async () => {
  Object.assign(globalThis, globals);
  gpu = create(['backend=null', 'enable-dawn-features=allow_unsafe_apis,use_vulkan_memory_model']);
  const adapter = (await gpu.requestAdapter()) as GPUAdapter;
  const requiredFeatures = ['shader-f16', 'subgroups', MATRIX_FEATURE] as GPUFeatureName[];
  const device = await adapter.requestDevice({ requiredFeatures });
  const wrong: string[] = [];
  let checked = 0;
  for (const [shader, knobs] of variants()) {
    const { code, variant } = specialise(shader, knobs);
    device.pushErrorScope('validation');
    const { messages } = await device.createShaderModule({ code }).getCompilationInfo();
    await device.popErrorScope();
    checked++;
    for (const { type, lineNum, message } of messages)
      if (type === 'error') wrong.push(`${shader.name}[${variant}] line ${lineNum}: ${message}`);
  }
  expect(wrong).toEqual([]);
  expect(checked).toBe(195 + 2 * 5 * (4 * 3 + 3) + 2 * 4);
});
