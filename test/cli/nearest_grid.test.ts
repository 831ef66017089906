import { readFileSync } from 'node:fs';
import { decode } from 'fast-png';
import { expect, it } from 'vitest';
import { writeNearest } from '../../src/cli/nearest_grid.ts';
import { ArrayDataset } from '../../src/data/dataset.ts';
import { Workspace } from '../../src/tensor/index.ts';
import { testDevice } from '../gpu.ts';
import { temporaryFolder } from './run.ts';

it('shows below each sample the image whose features are nearest', async () => {
  const path = temporaryFolder();
  const workspace = new Workspace(await testDevice());
  const greys = [0, 51, 102, 153, 204];
  const dataset = new ArrayDataset({
    name: 'greys',
    ...{ channels: 1, height: 1, width: 1 },
    classNames: ['all'],
    labels: new Uint32Array(5),
    images: Uint8Array.from(greys),
  });
  const reference = Float32Array.from([0, 0, 3, 0, 0, 3, 3, 3, 9, 9]); // of two numbers each
  const features = Float32Array.from([2.9, 2.6, 0.4, 2, 8, 7, 2, 0.1]);
  const images = Float32Array.from([-1, -1, 1, 1]);
  await writeNearest(path('nearest.png'), workspace, { images, features }, dataset, reference);
  const { width, height, data } = decode(readFileSync(path('nearest.png')));
  expect([width, height]).toEqual([8 * 3 - 2, 2 * 3 - 2]);
  const at = (column: number, row: number) => data[3 * row * width + 3 * column];
  expect([0, 1, 2, 3, 4].map((i) => at(i, 0))).toEqual([0, 0, 255, 255, 0]);
  expect([0, 1, 2, 3, 4].map((i) => at(i, 1))).toEqual([153, 102, 204, 51, 0]);
  await workspace.dispose();
});
