import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AdapterCache, cacheFolder } from '../../src/cli/adapter_cache.ts';
import { withKept } from '../../src/cli/open_device.ts';
import { capsOf, MATRIX_FEATURE, rememberAdapter } from '../../src/kernel/index.ts';
import { hasMatrices } from '../../src/kernels/matmul_matrix.ts';
import { rememberSelfTest } from '../../src/run/self_test.ts';

let folder: string;
let lines: string[];
let warnings: string[];
const say = (line: string) => void lines.push(line);
const warn = (line: string) => void warnings.push(line);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ucgm-kept-'));
  [lines, warnings] = [[], []];
});
afterEach(() => rmSync(folder, { recursive: true }));

const configs = [{ componentType: 'f16', resultComponentType: 'f32', M: 16, N: 16, K: 16 }];

/** As much of a device as choices read. */
function fake({ driver = 'driver 1', matrices = true } = {}): GPUDevice {
  const adapterInfo = {
    ...{ vendor: 'acme', architecture: 'roadrunner', device: 'x', description: driver },
    ...{ subgroupMinSize: 32, subgroupMaxSize: 32 },
  };
  const limits = { maxComputeWorkgroupStorageSize: 49152 };
  const features = new Set(matrices ? ['shader-f16', 'subgroups', MATRIX_FEATURE] : []);
  const device = { adapterInfo, limits, features } as unknown as GPUDevice;
  rememberAdapter(device, { ...adapterInfo, subgroupMatrixConfigs: configs } as unknown as GPUAdapterInfo);
  return device;
}

const right = async () => ({ ran: ['matmul_matrix'], wrong: [] });
const tuned = { date: '2026-11-27T00:00:00.000Z', numbers: { 'attention.groups': 32 } };

describe('what is kept of an adapter', () => {
  it('lies in the folder for caches', () => {
    expect(cacheFolder({ XDG_CACHE_HOME: '/c' }, 'linux')).toBe(join('/c', 'ucgm-webgpu'));
    expect(cacheFolder({}, 'linux')).toMatch(/\.cache.ucgm-webgpu$/);
    expect(cacheFolder({}, 'darwin')).toMatch(/Library.Caches.ucgm-webgpu$/);
    expect(cacheFolder({ LOCALAPPDATA: '/l' }, 'win32')).toBe(join('/l', 'ucgm-webgpu', 'Cache'));
  });

  it('is by adapter, driver and version', () => {
    const cache = new AdapterCache(fake(), folder);
    expect(cache.read()).toEqual({});
    cache.keep({ tuned });
    expect(new AdapterCache(fake(), folder).read().tuned).toEqual(tuned);
    expect(new AdapterCache(fake({ driver: 'driver 2' }), folder).read()).toEqual({});
    writeFileSync(cache.path, readFileSync(cache.path, 'utf8').replace(/"version": "[^"]+"/, '"version": "0.0.0"'));
    expect(cache.read()).toEqual({});
    writeFileSync(cache.path, '{');
    expect(cache.read()).toEqual({});
  });

  it('is taken at the start, with a line, unless it is to be left out', async () => {
    const cache = new AdapterCache(fake(), folder);
    cache.keep({ tuned });
    const device = await withKept(fake({ matrices: false }), cache, { say, warn });
    expect(capsOf(device).tuned).toEqual(tuned.numbers);
    expect(lines).toEqual([`tuned for this adapter on 2026-11-27: ${cache.path} (--no-tuned leaves it out)`]);
    const bare = await withKept(fake({ matrices: false }), cache, { tuned: false, say, warn });
    expect(capsOf(bare).tuned).toBeUndefined();
    expect(lines).toHaveLength(1);
  });
});

describe('the self-test of a start', () => {
  it('runs once an adapter and driver, beside what was tuned', async () => {
    const cache = new AdapterCache(fake(), folder);
    cache.keep({ tuned });
    let runs = 0;
    const test = () => {
      runs++;
      return right();
    };
    for (let start = 0; start < 2; start++)
      expect(hasMatrices(capsOf(await withKept(fake(), cache, { say, warn }, test)))).toBe(true);
    expect(runs).toBe(1);
    expect(cache.read().tuned).toEqual(tuned);
    expect(warnings).toEqual([]);
  });

  it('does without subgroup matrices where they are wrong, and says so at every start', async () => {
    const cache = new AdapterCache(fake(), folder);
    const test = async (device: GPUDevice) => {
      const found = { ran: [], wrong: ['matmul_matrix 2x2 differs from the plain variant by 1'] };
      rememberSelfTest(device, found);
      return found;
    };
    for (let start = 0; start < 2; start++) {
      const device = await withKept(fake(), cache, { say, warn }, start === 0 ? test : right);
      expect(hasMatrices(capsOf(device))).toBe(false);
    }
    expect(warnings).toHaveLength(2);
    expect(warnings[0]).toMatch(/^subgroup matrices are not used, since they are wrong on this adapter: matmul_matrix/);
  });

  it('costs a device without them nothing', async () => {
    const never = () => Promise.reject(new Error('it ran'));
    await withKept(fake({ matrices: false }), new AdapterCache(fake(), folder), { say, warn }, never);
    expect([lines, warnings]).toEqual([[], []]);
  });

  it('goes on where it cannot be kept', async () => {
    const path = join(folder, 'file');
    writeFileSync(path, '');
    await withKept(fake(), new AdapterCache(fake(), path), { say, warn }, right);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/^the self-test is not kept: /);
  });
});
