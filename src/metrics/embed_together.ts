import type { FeatureNetwork } from '../models/features/feature_network.ts';
import { gatherNumbers } from '../parallel/agree.ts';
import type { Communicator } from '../parallel/communicator.ts';
import { partOf } from '../parallel/share.ts';
import type { Workspace } from '../tensor/index.ts';
import { type Embedding, embed, type ImageSource, type Interruptible } from './embed.ts';

/** As embed, by all ranks: each takes a part of the images, and all get the features of all. @throws as embed; ParallelError for fewer images than ranks. */
export async function embedTogether(
  workspace: Workspace,
  network: FeatureNetwork,
  images: ImageSource,
  ranks: Communicator,
  control: Interruptible = {},
): Promise<Embedding> {
  const { first, size } = partOf(images.size, ranks.rank, ranks.size);
  const part = {
    ...images,
    size,
    image: (index: number, out: Float32Array, offset: number) => images.image(first + index, out, offset),
  };
  const { features, classes } = await embed(workspace, network, part, control);
  return {
    features: await gatherNumbers(ranks, features),
    ...(classes && { classes: Uint32Array.from(await gatherNumbers(ranks, Float32Array.from(classes))) }),
  };
}
