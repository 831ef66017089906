import { DataError, type ImageArrays } from './dataset.ts';
import { type Crop, type Pixels, squareOf } from './resize.ts';

/** Files that an error names before it only counts. */
const NAMED = 3;
/** Sizes that an error lists. */
const LISTED = 10;

/** Images in files, by class, and how they are read. */
export interface ImageSet<File> {
  /** Where they are, for errors. */
  readonly where: string;
  /** Of the dataset. */
  readonly name: string;
  readonly classes: readonly { readonly name: string; readonly files: readonly File[] }[];
  /** What was left out, in one line. */
  readonly notice?: string | undefined;
  /** Resizes and crops all to this square; all have one size otherwise. */
  readonly size?: number | undefined;
  readonly crop?: Crop | undefined;
  /** Bytes that the images may take. */
  readonly most: number;
  /** @throws Error that says what is wrong with a file. */
  readonly decode: (file: File) => Promise<Pixels>;
  /** What a file that cannot be decoded is, for the error: `a/x.png is no readable PNG`. */
  readonly unreadable: (file: File) => string;
}

/**
 * Decodes images to the arrays of a dataset: grey ones become RGB where any image has colour.
 * @throws DataError naming the place, the files that cannot be decoded, or how many there are of each size.
 */
export async function gatherImages<File>(set: ImageSet<File>): Promise<ImageArrays> {
  const { where, name, classes, notice, size } = set;
  if (classes.length === 0) {
    throw new DataError(
      `${where} holds no images${notice ? `; ${notice}` : ''}`,
      'give PNG, JPEG or WebP files, those of each class in a folder of their own',
    );
  }
  const files = classes.flatMap((one, label) => one.files.map((file) => ({ file, label })));
  if (size !== undefined) checkMemory(set, files.length, 3 * size * size);
  const images: Pixels[] = [];
  const faults: string[] = [];
  const sizes = new Map<string, number>();
  for (const { file } of files) {
    try {
      const decoded = await set.decode(file);
      const image = size === undefined ? decoded : squareOf(decoded, size, set.crop);
      const key = `${image.width}x${image.height}`;
      sizes.set(key, (sizes.get(key) ?? 0) + 1);
      if (sizes.size === 1) images.push(image);
    } catch (error) {
      faults.push(`${set.unreadable(file)} (${error instanceof Error ? error.message : error})`);
    }
  }
  if (faults.length > 0) {
    const more = faults.length > NAMED ? `; and ${faults.length - NAMED} more` : '';
    throw new DataError(faults.slice(0, NAMED).join('; ') + more, 'write the images again, or remove them');
  }
  if (sizes.size > 1) {
    const list = [...sizes].sort((a, b) => b[1] - a[1]).map(([key, count]) => `${count} of ${key}`);
    const more = list.length > LISTED ? ` and ${list.length - LISTED} more sizes` : '';
    throw new DataError(
      `${where} holds images of differing sizes: ${list.slice(0, LISTED).join(', ')}${more}`,
      'set data.size: all are then resized and cropped to that square',
    );
  }
  const { height, width } = images[0] as Pixels;
  const channels = images.some((image) => image.channels === 3) ? 3 : 1;
  checkMemory(set, images.length, channels * height * width);
  return {
    name,
    channels,
    height,
    width,
    classNames: classes.map((each) => each.name),
    labels: Uint32Array.from(files, ({ label }) => label),
    images: together(images, channels * height * width),
    ...(notice !== undefined && { notice }),
  };
}

/** Images of `each` values in one array, a grey one three times where there is colour. */
function together(images: readonly Pixels[], each: number): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(images.length * each);
  for (const [i, { data }] of images.entries())
    for (let at = 0; at < each; at += data.length) all.set(data, i * each + at);
  return all;
}

function checkMemory({ where, most }: Pick<ImageSet<never>, 'where' | 'most'>, count: number, bytes: number): void {
  if (count * bytes <= most) return;
  throw new DataError(
    `${where}: ${count} images at this size take ${((count * bytes) / 2 ** 30).toFixed(1)} GiB of memory`,
    'set data.size lower, or encode them to latent shards',
  );
}
