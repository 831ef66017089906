/** What several ranks draw and score is what one process does; commands that one process does refuse more. */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { openBatches } from '../../src/data/load.node.ts';
import { ALONE } from '../../src/parallel/communicator.ts';
import { temporaryFolder, ucgm, writeDigits } from '../cli/run.ts';
import { testDevice } from '../gpu.ts';
import { mpiVersion, startRanks } from './mpirun.ts';
import { configOf, trainIn } from './training.ts';

const at = temporaryFolder();
const together = (ranks: number, ...args: string[]) => startRanks(ranks, 'tools/ucgm.ts', args).ended;

describe.runIf(mpiVersion)('ranks', () => {
  beforeAll(async () => {
    await writeDigits(at('digits'), 60);
    const config = configOf({ steps: 1 });
    config.model.patch_size = 7;
    config.data.name = at('digits');
    const source = await openBatches(config.data, 1);
    await trainIn(at('run'), ALONE, await testDevice(), { config, source });
  });

  it('draw the images that one process does, the last of them fewer', async () => {
    const args = (path: string) => [
      'sample',
      '--from',
      at('run'),
      '--count',
      '7',
      '--seed',
      '5',
      '--steps',
      '1',
      '--npz',
      path,
    ];
    const one = await ucgm(args(at('one.npz')));
    expect(one.code, one.stderr).toBe(0);
    const three = await together(3, ...args(at('three.npz')), '--share-device');
    expect(three.code, three.stderr).toBe(0);
    expect(three.stdout.match(/three\.npz: /g)).toHaveLength(1);
    const [a, b] = ['one.npz', 'three.npz'].map((name) => readFileSync(at(name))) as [Buffer, Buffer];
    expect(b).toHaveLength(a.length);
    let off = 0;
    a.forEach((byte, i) => void (Math.abs(byte - (b[i] as number)) > 1 && off++));
    expect(off).toBeLessThan(64); // times and checksums of the archive
  });

  it('score what one process does', async () => {
    const args = (path: string) => ['eval', '--from', at('run'), '--images', '20', '--steps', '1', '--json', path];
    const one = await ucgm(args(at('one.json')));
    expect(one.code, one.stderr).toBe(0);
    const two = await together(2, ...args(at('two.json')), '--share-device');
    expect(two.code, two.stderr).toBe(0);
    const [ours, theirs] = ['two.json', 'one.json'].map((name) => JSON.parse(readFileSync(at(name), 'utf8')).rows[0]);
    for (const key of ['frechet', 'kid', 'precision', 'recall', 'accuracy', 'nearest'])
      expect(ours[key], key).toBeCloseTo(theirs[key], 4);
    expect(two.stdout.match(/in the features of/g)).toHaveLength(1);
  });

  it('are refused on one card, and by what one process does, in one line', async () => {
    const shared = await together(2, 'sample', '--from', at('run'), '--npz', at('no.npz'));
    expect(shared.code).toBe(2);
    expect(shared.stderr.match(/^ucgm: .*$/gm)).toEqual([
      expect.stringMatching(
        /^ucgm: rank 0 of 2 on \S+: ranks 0 and 1 on \S+ have one card, the processor \(.*\)\. Fix: .* --share-device$/,
      ),
    ]);
    const auto = await together(2, 'train', '--batch', 'auto', '--out', at('auto'));
    expect(auto.code).toBe(2);
    expect(auto.stderr.match(/^ucgm: .*$/gm)).toEqual([
      expect.stringContaining('a batch size of auto with 2 ranks. Fix: '),
    ]);
    const report = await together(2, 'report', '--from', at('nothing'));
    expect(report.code).toBe(2);
    expect(report.stderr.match(/^ucgm: .*$/gm)).toEqual([
      expect.stringContaining('2 processes were started, and ucgm report works in one'),
    ]);
  });
});
