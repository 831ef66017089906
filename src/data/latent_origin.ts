import { DataError } from './dataset.ts';

/** What shards say of how their latents were made: metadata of each that `ucgm encode` writes. */
export interface LatentOrigin {
  /** Key of the autoencoder that they are of. */
  readonly autoencoder?: string | undefined;
  /** Its weights: a path, absolute or from the shards' folder; none where the key alone says which. */
  readonly weights?: string | undefined;
  /** Of the first classes. */
  readonly classNames?: readonly string[] | undefined;
}

/** An origin as a shard's metadata. */
export function originMetadata({ autoencoder, weights, classNames }: LatentOrigin): { [key: string]: string } {
  return {
    ...(autoencoder !== undefined && { autoencoder }),
    ...(weights !== undefined && { autoencoder_weights: weights }),
    ...(classNames && { class_names: JSON.stringify(classNames) }),
  };
}

/** The origin in a shard's metadata; empty for shards of other programs. @throws DataError for class names that are none. */
export function originOf(metadata: Readonly<Record<string, string>>, where: string): LatentOrigin {
  const { autoencoder, autoencoder_weights: weights, class_names: names } = metadata;
  return {
    ...(autoencoder !== undefined && { autoencoder }),
    ...(weights !== undefined && { weights }),
    ...(names !== undefined && { classNames: namesIn(names, where) }),
  };
}

function namesIn(text: string, where: string): string[] {
  let names: unknown;
  try {
    names = JSON.parse(text);
  } catch {} // refused below
  if (Array.isArray(names) && names.every((name) => typeof name === 'string')) return names;
  throw new DataError(
    `${where}: its metadata key class_names is no list of names`,
    'write a JSON array of strings, or none',
  );
}
