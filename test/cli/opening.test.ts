import { rmSync, writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { AdapterCache } from '../../src/cli/adapter_cache.ts';
import { drawPictures } from '../data/drawn_pictures.ts';
import { testDevice } from '../gpu.ts';
import { mpiVersion, startRanks } from '../parallel/mpirun.ts';
import { SMALL, temporaryFolder, ucgm, writeDigits } from './run.ts';

describe('commands that open a device', () => {
  const path = temporaryFolder();
  const env = { XDG_CACHE_HOME: path('cache') };
  const says = /^tuned for this adapter on 2026-11-27: .*\.json \(--no-tuned leaves it out\)$/gm;

  beforeAll(async () => {
    const cache = new AdapterCache(await testDevice(), path('cache', 'ucgm-webgpu'));
    cache.keep({ tuned: { date: '2026-11-27T00:00:00.000Z', numbers: { 'attention.groups': 32 } } });
    await writeDigits(path('digits'), 60);
    writeFileSync(path('small.yaml'), SMALL.replace('name: digits', `name: ${path('digits')}`));
    const args = ['train', '--config', path('small.yaml'), '--steps', '2', '--out', path('run')];
    expect((await ucgm(args, env)).stdout.match(says)).toHaveLength(1);
  });

  it.each([
    [['eval', '--steps', '1', '--images', '20'], true],
    [['eval', '--steps', '1', '--images', '20', '--no-tuned'], false],
    [
      [
        ...['search-sampler', '--steps', '1', '--trials', '2', '--images', '20'],
        ...['--held-out', '1', '--json', path('x.json')],
      ],
      true,
    ],
    [['report'], true],
  ])('%j of a run takes what is kept of the adapter: %s', async (args, takes) => {
    rmSync(path('run', 'samples', 'strip-2.png'), { force: true }); // report opens a device for it alone
    const { code, stdout, stderr } = await ucgm([...args, '--from', path('run')], env);
    expect([code, stdout.match(says)?.length ?? 0], stderr).toEqual([0, takes ? 1 : 0]);
  });

  it('encode and decode take it too', async () => {
    drawPictures(path('pictures'), { classes: ['cat'], count: 2, width: 8, height: 8 });
    const encoding = ['encode', '--data', path('pictures'), '--vae', 'idae_f1c3', '--out', path('shards')];
    expect((await ucgm(encoding, env)).stdout.match(says)).toHaveLength(1);
    const decoding = ['decode', path('shards', '00000.safetensors'), '--grid', path('back.png')];
    expect((await ucgm(decoding, env)).stdout.match(says)).toHaveLength(1);
    expect((await ucgm([...decoding, '--no-tuned'], env)).stdout).not.toMatch(says);
  });

  it.runIf(mpiVersion)('several ranks say it once', async () => {
    const args = ['train', '--config', path('small.yaml'), '--steps', '1', '--share-device', '--out', path('two')];
    const { code, stdout, stderr } = await startRanks(2, 'tools/ucgm.ts', args, env).ended;
    expect([code, stdout.match(says)], stderr).toEqual([0, [expect.any(String)]]);
  });
});
