import { groupNormCases } from '../catalogue/group_norm.ts';
import { linearAttentionCases } from '../catalogue/linear_attention.ts';
import { pixelCases } from '../catalogue/pixels.ts';
import { unetCases } from '../catalogue/unet.ts';
import { kernelSuite } from './suite.ts';

kernelSuite('group norm', groupNormCases);
kernelSuite('maps of U-nets', unetCases);
kernelSuite('pixels', pixelCases);
kernelSuite('linear attention', linearAttentionCases);
