export * from './matmul.ts';
export * from './norm.ts';
export * from './norm_gradients.ts';
export * from './pointwise.ts';
export * from './slices.ts';
export * from './sums.ts';
export * from './util.ts';
