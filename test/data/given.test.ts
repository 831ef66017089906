import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { ArrayDataset, DataError, type Dataset } from '../../src/data/dataset.ts';
import { digitsOfBytes, encodeDigits, fetchDigits } from '../../src/data/digits.ts';
import { imagesFingerprint } from '../../src/data/fingerprint.node.ts';
import { fingerprintOf } from '../../src/data/fingerprint.ts';
import { picturesDataset, type RgbaImage } from '../../src/data/pictures.ts';
import { encodeSafetensors } from '../../src/io/safetensors.ts';

const arrays = {
  name: 'few',
  channels: 1,
  height: 3,
  width: 5,
  classNames: ['a', 'b', 'c'],
  labels: Uint32Array.of(2, 0, 1, 2),
  images: Uint8Array.from({ length: 60 }, (_, i) => (i * 41) % 256),
};
const few = new ArrayDataset(arrays);

const imagesOf = (dataset: Dataset) =>
  Array.from({ length: dataset.size }, (_, i) => {
    const image = new Float32Array(dataset.channels * dataset.height * dataset.width);
    dataset.image(i, image, 0);
    return image;
  });

it('digits in a file are those that were written, gzipped or not', async () => {
  const bytes = new Uint8Array(Buffer.concat(encodeDigits(few)));
  for (const file of [bytes, new Uint8Array(gzipSync(bytes))]) {
    const read = await digitsOfBytes(file);
    expect(imagesOf(read)).toEqual(imagesOf(few));
    expect(read).toMatchObject({ name: 'digits', labels: few.labels, height: 3, width: 5, numClasses: 10 });
  }
});

it('files that hold no digits, and addresses without an answer, are refused by name', async () => {
  const other = new Uint8Array(Buffer.concat(encodeSafetensors([['x', { shape: [1], data: Float32Array.of(1) }]], {})));
  await expect(digitsOfBytes(other, 'x.safetensors')).rejects.toThrow(/^x.safetensors holds no images .*ucgm digits/);
  const broken = new Uint8Array(gzipSync(other)).slice(0, 30);
  await expect(digitsOfBytes(broken, 'x.gz')).rejects.toThrow(/^x.gz cannot be unpacked/);
  await expect(fetchDigits('http://127.0.0.1:9/digits')).rejects.toThrow(DataError);
});

it('the fingerprint of a page is that of Node', async () => {
  expect(await fingerprintOf(arrays)).toBe(imagesFingerprint(arrays));
});

const rgba = (size: number, ...colour: [number, number, number]): RgbaImage => ({
  width: size,
  height: size,
  data: Uint8ClampedArray.from({ length: 4 * size * size }, (_, i) => [...colour, 255][i % 4] as number),
});

it('pictures in memory are grey where none has a colour, and are brought to one size', async () => {
  const grey = await picturesDataset([rgba(4, 255, 255, 255), rgba(4, 0, 0, 0)], { labels: [1, 0] });
  expect(grey).toMatchObject({
    channels: 1,
    height: 4,
    numClasses: 2,
    classNames: ['0', '1'],
    labels: Uint32Array.of(1, 0),
  });
  expect(imagesOf(grey).map(([first]) => first)).toEqual([1, -1]);
  const mixed = await picturesDataset([rgba(8, 255, 0, 0), rgba(6, 0, 0, 0)], { size: 2, classNames: ['all', 'none'] });
  expect(mixed).toMatchObject({ channels: 3, height: 2, width: 2, numClasses: 2, labels: Uint32Array.of(0, 0) });
  expect([...(imagesOf(mixed)[0] as Float32Array)]).toEqual([1, 1, 1, 1, ...Array(8).fill(-1)]);
});

it('pictures that do not go together are refused', async () => {
  const two = [rgba(4, 1, 2, 3), rgba(5, 1, 2, 3)];
  await expect(picturesDataset(two)).rejects.toThrow('pictures holds images of differing sizes: 1 of 4x4, 1 of 5x5');
  await expect(picturesDataset(two, { labels: [0] })).rejects.toThrow('2 pictures, 1 labels');
  await expect(picturesDataset(two, { labels: [0, -1] })).rejects.toThrow('a label is -1');
  await expect(picturesDataset([])).rejects.toThrow('pictures holds no images');
});
