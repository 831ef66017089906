import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import * as nn from '../../src/nn/index.ts';

/** A part of other ops, no op. */
const INTERNAL = [
  ...[
    'asHalves',
    'castInto',
    'convProduct',
    'convWeightProduct',
    'cutConvWeight',
    'gateBackward',
    'gatedProduct',
    'giveChunks',
    'giveColumnSums',
  ],
  ...['multipliesHalves', 'product', 'rangesOf', 'splitProduct', 'sumsApart', 'weightGradients'],
];

it('an app finds every op in ucgm-webgpu/nn', () => {
  const folder = join(import.meta.dirname, '../../src/autograd/ops');
  const names = readdirSync(folder).flatMap((file) => {
    const text = readFileSync(join(folder, file), 'utf8');
    return Array.from(text.matchAll(/^export (?:function|const) (\w+)/gm), (match) => match[1] as string);
  });
  expect(names.length).toBeGreaterThan(20);
  expect(names.filter((name) => !INTERNAL.includes(name) && !(name in nn))).toEqual([]);
});
