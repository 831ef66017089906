import { FixableError, oneLine } from '../kernel/errors.ts';

/** Sizes every diffusion transformer has; names are the reference's. */
export interface DiTConfig {
  /** Height and width of the square input. */
  input_size: number;
  in_channels: number;
  /** K; below 2 the network takes no label. */
  num_classes: number;
  patch_size: number;
  hidden_size: number;
  depth: number;
  num_heads: number;
}

/** A model that cannot be built, or an input it cannot take. `fix` says what to change. */
export class ModelError extends FixableError {
  override readonly name = 'ModelError';

  constructor(what: string, fix: string) {
    super(oneLine(what), oneLine(fix)); // of weights the file is named
  }
}

/** @throws ModelError for sizes that do not fit together. */
export function validateDiT(c: DiTConfig, rope: boolean): void {
  for (const name of ['input_size', 'in_channels', 'patch_size', 'hidden_size', 'depth', 'num_heads'] as const) {
    if (!Number.isInteger(c[name]) || c[name] < 1)
      throw new ModelError(`${name} is ${c[name]}`, `give a whole number of at least 1`);
  }
  if (!Number.isInteger(c.num_classes) || c.num_classes < 0)
    throw new ModelError(`num_classes is ${c.num_classes}`, 'give 0 or more');
  if (c.input_size % c.patch_size !== 0) {
    throw new ModelError(
      `patch_size ${c.patch_size} does not divide input_size ${c.input_size}`,
      'choose a patch size that divides the image',
    );
  }
  if (c.hidden_size % c.num_heads !== 0) {
    throw new ModelError(
      `num_heads ${c.num_heads} does not divide hidden_size ${c.hidden_size}`,
      'choose heads that divide the width',
    );
  }
  if (c.hidden_size % 4 !== 0)
    throw new ModelError(`hidden_size ${c.hidden_size} is no multiple of 4`, 'the 2-D position table needs one');
  const headDim = c.hidden_size / c.num_heads;
  if (headDim > 128) throw new ModelError(`head size ${headDim} is above 128`, 'use more heads');
  if (rope && headDim % 4 !== 0)
    throw new ModelError(
      `head size ${headDim} is no multiple of 4`,
      'rotary positions need one: change heads, or use_rope: false',
    );
}
