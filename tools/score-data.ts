/**
 * npx tsx tools/score-data.ts MNIST_FOLDER
 * npx tsx tools/score-data.ts TRAIN HELD_OUT FEATURES.safetensors
 * Frechet distances of real images to the training images, in the features that come along or in others: what samples can hope for,
 * and whether the metric gives the figures that are known.
 */
import { resolve } from 'node:path';
import { featureNetwork, readFeatures } from '../src/cli/features.ts';
import { loadIdxFolder } from '../src/data/idx.node.ts';
import { loadDataset } from '../src/data/load.node.ts';
import { openNodeDevice } from '../src/device/node.ts';
import { FixableError } from '../src/kernel/errors.ts';
import { embed } from '../src/metrics/embed.ts';
import { frechetDistance, momentsOfFeatures } from '../src/metrics/frechet.ts';
import { copyRows } from '../src/metrics/rows.ts';
import { Workspace } from '../src/tensor/index.ts';

/** Images whose distance is known and compared with that of as many samples. */
const COUNT = 10_000;

const [folder, other, features] = process.argv.slice(2);
if (!folder || (other && !features)) throw new FixableError('no folder', 'npx tsx tools/score-data.ts MNIST_FOLDER');
const device = await openNodeDevice();
const workspace = new Workspace(device);
const [train, test] = other
  ? [await loadDataset({ name: folder }), await loadDataset({ name: other })]
  : [loadIdxFolder(resolve(folder)), loadIdxFolder(resolve(folder), 't10k')];
const network = featureNetwork(workspace, readFeatures(train, features));
const { dim } = network;
const [all, held] = [await embed(workspace, network, train), await embed(workspace, network, test)];
const reference = momentsOfFeatures(all.features, dim);
const distance = (features: Float32Array) => frechetDistance(reference, momentsOfFeatures(features, dim)).toFixed(4);
const right = held.classes?.reduce((sum, c, i) => sum + (c === test.labels[i] ? 1 : 0), 0) ?? 0;
console.log(
  `${test.size} other images: Frechet distance ${distance(held.features)}, read ${((100 * right) / test.size).toFixed(2)}%`,
);
if (train.size > COUNT) {
  console.log(`first 10,000 training images: ${distance(all.features.subarray(0, COUNT * dim))}`);
  const each = Math.floor(COUNT / new Set(train.labels).size);
  const taken = new Map<number, number>();
  const even = Uint32Array.from(train.labels.keys()).filter((i) => {
    const label = train.labels[i] as number;
    const before = taken.get(label) ?? 0;
    taken.set(label, before + 1);
    return before < each;
  });
  const rows = new Float32Array(even.length * dim);
  copyRows(all.features, dim, even, rows);
  console.log(`${even.length} training images, the first ${each} of each class, as samples are: ${distance(rows)}`);
}
workspace.dispose();
device.destroy();
