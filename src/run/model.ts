import { ModelError } from '../models/config.ts';
import { createNetwork, namedModel } from '../models/registry.ts';
import type { VelocityNetwork } from '../nn/network.ts';
import type { RunConfig } from './settings.ts';

/** Sizes that come from the data. */
export interface DataSizes {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly numClasses: number;
}

/** The model section with every size filled in, from the model's name and the data. @throws ModelError where they do not fit. */
export function resolveModel(config: RunConfig['model'], data: DataSizes): RunConfig['model'] {
  if (data.height !== data.width) {
    throw new ModelError(
      `the images are ${data.width} x ${data.height}`,
      'set data.size: the images of a folder are resized and cropped to that square, others padded',
    );
  }
  const { class_: _, ...sizes } = namedModel(config.name);
  const own = Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined));
  const model = {
    ...sizes,
    input_size: data.height,
    in_channels: data.channels,
    num_classes: data.numClasses,
    ...own,
    name: config.name,
  };
  if (model.input_size !== data.height || model.in_channels !== data.channels) {
    throw new ModelError(
      `the model takes ${model.in_channels} x ${model.input_size} x ${model.input_size}, the data is ${data.channels} x ${data.height} x ${data.width}`,
      'leave input_size and in_channels out, or set data.size',
    );
  }
  if (model.num_classes >= 2 && model.num_classes < data.numClasses) {
    throw new ModelError(
      `the model has ${model.num_classes} classes, the data ${data.numClasses}`,
      'leave num_classes out',
    );
  }
  checkTokens(model);
  return model;
}

/** @throws ModelError for more tokens than a table of their positions can hold, before it is made. */
function checkTokens({ input_size = 1, patch_size, hidden_size }: SizesOfTokens): void {
  if (patch_size === undefined || hidden_size === undefined) return; // a network without tokens
  const bytes = 4 * Math.ceil(input_size / patch_size) ** 2 * hidden_size;
  if (bytes >= 2 ** 32)
    throw new ModelError(
      `the table of positions of ${input_size} x ${input_size} in patches of ${patch_size} takes ${bytes} bytes, a buffer holds less than ${2 ** 32}`,
      'use smaller images (data.size), larger patches or a smaller hidden_size',
    );
}

type SizesOfTokens = Pick<RunConfig['model'], 'input_size' | 'patch_size' | 'hidden_size'>;

/** The network of a resolved model section. */
export function networkOf(model: RunConfig['model']): VelocityNetwork {
  const { name, ...config } = model;
  return createNetwork(namedModel(name).class_, config as Parameters<typeof createNetwork>[1]);
}
