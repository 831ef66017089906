import { encodeSafetensors, parseSafetensors } from '../io/safetensors.ts';
import { ArrayDataset, DataError, type Dataset } from './dataset.ts';
import { gunzipped } from './gunzip.ts';

const CLASSES = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'];
const AGAIN = 'make it by npx ucgm digits --out FILE';

/** Digits as a file for pages, in chunks: safetensors of images u8 [N, H, W] and labels u8 [N]. */
export function encodeDigits(dataset: Dataset): Uint8Array[] {
  const { size, height, width, labels } = dataset;
  const pixels = height * width;
  const image = new Float32Array(pixels);
  const images = new Uint8Array(size * pixels);
  for (let i = 0; i < size; i++) {
    dataset.image(i, image, 0);
    for (let k = 0; k < pixels; k++) images[i * pixels + k] = Math.round(((image[k] as number) + 1) * 127.5);
  }
  return encodeSafetensors(
    [
      ['images', { dtype: 'U8', shape: [size, height, width], data: images }],
      ['labels', { dtype: 'U8', shape: [size], data: Uint8Array.from(labels) }],
    ],
    {},
  );
}

/**
 * The digits of a file that encodeDigits wrote, gzipped or not: the same images in the same order as in Node.
 * @throws DataError or IoError for another file.
 */
export async function digitsOfBytes(bytes: Uint8Array<ArrayBuffer>, where = 'the digits'): Promise<ArrayDataset> {
  const { tensors } = parseSafetensors(await gunzipped(bytes, where), where);
  const [images, labels] = [tensors.get('images'), tensors.get('labels')];
  const [, height, width] = images?.shape ?? [];
  if (images?.dtype !== 'U8' || images.shape.length !== 3 || labels?.dtype !== 'U8' || !height || !width)
    throw new DataError(`${where} holds no images [N, H, W] and labels [N] of bytes`, AGAIN);
  return new ArrayDataset({
    name: 'digits',
    channels: 1,
    height,
    width,
    classNames: [...CLASSES],
    labels: Uint32Array.from(labels.data),
    images: images.data,
  });
}

/** The digits of a file by its address; see digitsOfBytes. @throws DataError where it cannot be fetched. */
export async function fetchDigits(url: string | URL, signal?: AbortSignal): Promise<ArrayDataset> {
  let response: Response;
  try {
    response = await fetch(url, signal ? { signal } : {});
  } catch (error) {
    signal?.throwIfAborted();
    throw new DataError(`${url} cannot be fetched (${(error as Error).message})`, 'check the address, and its server');
  }
  if (!response.ok) throw new DataError(`${url} answers ${response.status}`, 'check the address');
  return digitsOfBytes(new Uint8Array(await response.arrayBuffer()), String(url));
}
