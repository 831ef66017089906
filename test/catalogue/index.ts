import { activationCases } from './activation.ts';
import { attentionCases } from './attention.ts';
import { matrixAttentionBench, matrixAttentionCases } from './attention_matrix.ts';
import type { KernelCase } from './case.ts';
import { castCases } from './cast.ts';
import { columnsCases } from './columns.ts';
import { convCases } from './conv.ts';
import { conv2dFinishCases } from './conv_finish.ts';
import { convHalvesCases, matrixConvBenchCases, matrixConvCases } from './conv_matrix.ts';
import { embeddingCases } from './embedding.ts';
import { groupNormCases } from './group_norm.ts';
import { largestCases } from './largest.ts';
import { lincombCases } from './lincomb.ts';
import { linearAttentionCases } from './linear_attention.ts';
import { lossCases } from './loss.ts';
import { matmulCases } from './matmul.ts';
import { matrixBenchCases, matrixCases } from './matmul_matrix.ts';
import { normCases } from './norm.ts';
import { normBackwardCases } from './norm_backward.ts';
import { optimizerCases } from './optimizer.ts';
import { patchCases, resizeCases } from './patch.ts';
import { pixelCases } from './pixels.ts';
import { qkNormRopeCases } from './qk_norm_rope.ts';
import { randomCases } from './random.ts';
import { reduceCases } from './reduce.ts';
import { residualCases } from './residual.ts';
import { crossEntropyCases, softmaxCases } from './softmax.ts';
import { unetCases } from './unet.ts';
import { weightNormCases } from './weight_norm.ts';
import { windowCases } from './window.ts';
import { wireCases } from './wire.ts';

/** Every case of every kernel, by family. */
export const catalogue: readonly KernelCase[] = [
  ...matmulCases,
  ...matrixCases,
  ...matrixBenchCases,
  ...largestCases,
  ...attentionCases,
  ...matrixAttentionCases,
  ...matrixAttentionBench,
  ...qkNormRopeCases,
  ...normCases,
  ...normBackwardCases,
  ...activationCases,
  ...residualCases,
  ...reduceCases,
  ...optimizerCases,
  ...randomCases,
  ...patchCases,
  ...resizeCases,
  ...embeddingCases,
  ...lincombCases,
  ...lossCases,
  ...softmaxCases,
  ...crossEntropyCases,
  ...windowCases,
  ...convCases,
  ...matrixConvCases,
  ...matrixConvBenchCases,
  ...convHalvesCases,
  ...conv2dFinishCases,
  ...weightNormCases,
  ...groupNormCases,
  ...unetCases,
  ...pixelCases,
  ...linearAttentionCases,
  ...columnsCases,
  ...castCases,
  ...wireCases,
];
