import type { LearnerOptions, Module } from '../../src/nn/index.ts';

/** Sizes of a linear module, and of a batch for it. */
export const [IN, OUT, BATCH] = [3, 2, 8];

export const module: Module = {
  parameters: [
    { name: 'weight', shape: [OUT, IN], init: 'xavier' },
    { name: 'bias', shape: [OUT], init: 'zeros' },
  ],
  constants: [],
};

export const fine: LearnerOptions = {
  optimizer: { type: 'AdamW', lr: 0.05, betas: [0.9, 0.95], weight_decay: 0 },
  emaDecay: 0.9,
  maxGradNorm: null,
  seed: 1,
};
