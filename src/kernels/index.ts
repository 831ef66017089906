/**
 * Every kernel by family, with the runtime that defines and binds them: all that an app needs to use one of them alone.
 * @module ucgm-webgpu/kernels
 */
export * from '../kernel/index.ts';
export * from './activation.ts';
export * from './attention.ts';
export * from './attention_matrix.ts';
export * from './cast.ts';
export * from './columns.ts';
export * from './combine.ts';
export * from './conv.ts';
export * from './conv_matrix.ts';
export * from './embedding.ts';
export * from './filter.ts';
export * from './group_norm.ts';
export * from './largest.ts';
export * from './lincomb.ts';
export * from './linear_attention.ts';
export * from './loss.ts';
export * from './matmul.ts';
export * from './matmul_matrix.ts';
export * from './norm.ts';
export * from './norm_backward.ts';
export * from './optimizer.ts';
export * from './patch.ts';
export * from './pixel_shuffle.ts';
export * from './qk_norm_rope.ts';
export * from './random.ts';
export * from './reduce.ts';
export * from './residual.ts';
export * from './resize.ts';
export * from './softmax.ts';
export * from './weight_norm.ts';
export * from './window.ts';
export * from './wire.ts';
