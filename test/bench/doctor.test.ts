import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { diagnose, doctorCases } from '../../bench/doctor.ts';
import { addDoctor } from '../../bench/doctor_command.ts';
import { AdapterCache } from '../../src/cli/adapter_cache.ts';
import { type Caps, defineKernel, PORTABLE } from '../../src/kernel/index.ts';
import { type AttentionShape, chooseAttention } from '../../src/kernels/attention.ts';
import { chooseConv, chooseConvWeight } from '../../src/kernels/conv.ts';
import { chooseMatmul } from '../../src/kernels/matmul.ts';
import { chooseNorm } from '../../src/kernels/norm.ts';
import { chooseQkNormRope } from '../../src/kernels/qk_norm_rope.ts';
import { chooseSoftmax } from '../../src/kernels/softmax.ts';
import * as shaders from '../../src/shaders.generated.ts';
import { type KernelCase, prepared } from '../catalogue/case.ts';
import {
  attentionChoices,
  convTiles,
  matmulTiles,
  normTiles,
  qkNormRopeChoices,
  softmaxTiles,
} from '../catalogue/choosable.ts';
import { catalogue } from '../catalogue/index.ts';
import { testDevice } from '../gpu.ts';

const CAPS: { [name: string]: Caps } = {
  'a GPU at default limits': PORTABLE,
  'a large GPU': { ...PORTABLE, maxWorkgroupSize: 1024, maxWorkgroupMemory: 49152, maxBinding: 2 ** 31 },
  'a GPU of small workgroups': { ...PORTABLE, maxWorkgroupSize: 128 },
  'a GPU of smaller ones': { ...PORTABLE, maxWorkgroupSize: 64 },
  'a CPU': { ...PORTABLE, software: true },
};

const size = (max: number) => fc.oneof(fc.integer({ min: 1, max: 150 }), fc.integer({ min: 1, max }));
const RUNS = { numRuns: 1000 };

describe.each(Object.entries(CAPS))('doctor on %s runs what is chosen', (_, caps) => {
  it('for products', () => {
    const known = new Set(matmulTiles(caps).map((tile) => JSON.stringify(tile)));
    const shape = fc.record({ m: size(70000), n: size(9000), k: size(70000), batch: size(500), split: fc.boolean() });
    fc.assert(
      fc.property(shape, (s) => {
        const { splits: _, kChunk: __, ...tile } = chooseMatmul(s, caps);
        expect(known).toContain(JSON.stringify(tile));
      }),
      RUNS,
    );
  });

  it('for attention', () => {
    const known = new Set(attentionChoices(caps).map(({ tile, vec }) => JSON.stringify([tile, vec])));
    const head = fc.integer({ min: 1, max: 256 });
    const counts = { batch: size(300), heads: size(40), n: size(5000), keys: size(5000) };
    const shape = fc.oneof(
      fc.record({ ...counts, head_dim: head, value_dim: head }),
      fc.record({ ...counts, head_dim: head }),
    );
    fc.assert(
      fc.property(shape, (s: AttentionShape) => {
        const { head_dim, value_dim = head_dim } = s;
        const vec = head_dim % 4 === 0 && value_dim % 4 === 0;
        expect(known).toContain(JSON.stringify([chooseAttention(s, caps), vec]));
      }),
      RUNS,
    );
  });

  it.each(['forward', 'backward'] as const)('for norms, %s', (pass) => {
    const known = new Set(normTiles(caps, pass).map((tile) => JSON.stringify(tile)));
    fc.assert(
      fc.property(size(20000), (cols) => {
        expect(known).toContain(JSON.stringify(chooseNorm(cols, caps, pass)));
      }),
      RUNS,
    );
  });

  it('for convolutions', () => {
    const { forward, weight } = convTiles(caps);
    const [known, knownWeight] = [forward, weight].map((tiles) => new Set(tiles.map((tile) => JSON.stringify(tile))));
    const shape = fc.record({
      m: size(100_000),
      n: size(2000),
      depth: size(2000),
      taps: fc.constantFrom(1, 4, 9, 25),
      width: size(2000),
    });
    fc.assert(
      fc.property(shape, ({ taps, width, ...s }) => {
        expect(known).toContain(JSON.stringify(chooseConv({ ...s, k: taps * s.depth }, caps)));
        const byWeight = chooseConvWeight({ m: s.n, n: taps * s.depth, k: s.m, depth: s.depth, out_w: width }, caps);
        expect(knownWeight).toContain(JSON.stringify(byWeight.tile));
      }),
      RUNS,
    );
  });

  it('for softmax', () => {
    const known = new Set(softmaxTiles(caps).map((tile) => JSON.stringify(tile)));
    fc.assert(
      fc.property(size(1_000_000), (cols) => {
        expect(known).toContain(JSON.stringify(chooseSoftmax(cols, caps)));
      }),
      RUNS,
    );
  });

  it('for q/k norm', () => {
    const known = new Set(qkNormRopeChoices(caps).map(({ tile }) => JSON.stringify(tile ?? null)));
    for (let headDim = 1; headDim <= 300; headDim++)
      expect(known).toContain(JSON.stringify(chooseQkNormRope(headDim, caps) ?? null));
  });

  it('in every layout, and every kernel of the catalogue', () => {
    const cases = doctorCases(caps);
    const names = (of: readonly KernelCase[]) => [...new Set(of.map((kase) => kase.kernel))].sort();
    expect(names(cases)).toEqual(names(catalogue.filter((kase) => kase.smoke)));
    const products = new Set(
      cases.filter((kase) => kase.kernel === 'matmul').map((kase) => kase.name.split(/[ +]/)[0]),
    );
    expect([...products].sort()).toEqual(['nn', 'nt', 'tn']);
  });
});

/** out = a + b by a shader of the test's, against the sum. */
function sumCase(code: string, name: string): KernelCase {
  const family = defineKernel({
    shader: { ...shaders.add, name, code },
    sizes: (d) => ({ a: d.count, b: d.count, out: d.count }),
    grid: () => 1,
  });
  const [a, b] = [new Float32Array([1, 2, 3]), new Float32Array([4, 5, 6])];
  return {
    kernel: 'sum',
    name: 'of three',
    variant: '',
    shape: [3],
    tolerance: 1e-6,
    toleranceFrom: 'one rounding',
    flops: 3,
    bytes: 36,
    prepare: (device) =>
      prepared(
        family.prepare(device),
        { count: 3 },
        {
          inputs: { a, b },
          outputs: { out: 3 },
          oracle: () => ({ out: [5, 7, 9] }),
        },
      ),
  };
}

const right = sumCase(shaders.add.code, 'sum_right');
const wrong = sumCase(shaders.add.code.replace('f32(a[at]) + f32', 'f32(a[at]) - f32'), 'sum_wrong');
const broken = sumCase('this is not WGSL', 'sum_broken');

describe('doctor', () => {
  afterEach(() => {
    vi.restoreAllMocks();
    vi.unstubAllEnvs();
    process.exitCode = undefined;
  });

  it('says which kernels, in which variants, are wrong', async () => {
    const log = vi.spyOn(console, 'log').mockImplementation(() => {});
    const lines = () => log.mock.calls.map(([line]) => String(line));
    const device = await testDevice();
    expect(await diagnose(device, [right])).toBe(0);
    expect(lines().at(-1)).toBe(
      '1 variants of 1 kernels, forward and backward, in 1 cases: all agree with their oracles',
    );
    expect(await diagnose(device, [right, wrong, broken])).toBe(2);
    expect(lines().at(-1)).toMatch(
      /in 3 cases: 2 WRONG on this adapter\n {2}sum of three: out is off by 1\.\d+, tolerance 0.000001.*\n {2}sum_broken/,
    );
  });

  it('ends with exit code 1 if one is wrong', async () => {
    vi.spyOn(console, 'log').mockImplementation(() => {});
    const run = async (cases: KernelCase[]) => {
      const ucgm = new Command();
      addDoctor(ucgm, () => cases);
      await ucgm.parseAsync(['doctor'], { from: 'user' });
      return process.exitCode;
    };
    expect(await run([right])).toBeUndefined();
    expect(await run([right, wrong])).toBe(1);
  });

  it('says which numbers choices take and where they are kept, and runs what they come to', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ucgm-doctor-'));
    vi.stubEnv('XDG_CACHE_HOME', folder);
    const log = vi.spyOn(console, 'log').mockImplementation(() => {});
    const run = async () => {
      log.mockClear();
      const ucgm = new Command();
      addDoctor(ucgm, ({ tuned }) => (tuned ? [right, named] : [right]));
      await ucgm.parseAsync(['doctor'], { from: 'user' });
      const lines = log.mock.calls.map(([line]) => String(line));
      return [lines.find((line) => line.startsWith('tuned')), lines.filter((line) => line.startsWith('ok')).length];
    };
    const named = { ...right, name: 'of a tuned choice' };
    const cache = new AdapterCache(await testDevice());
    expect(await run()).toEqual([expect.stringContaining(`bench --tune keeps others in ${cache.path}`), 1]);
    cache.keep({ tuned: { date: '2026-11-27T00:00:00.000Z', numbers: { 'attention.groups': 32 } } });
    const line = `tuned        on 2026-11-27, unless --no-tuned is given: attention.groups = 32 (${cache.path})`;
    expect(await run()).toEqual([line, 2]);
    rmSync(folder, { recursive: true });
  });
});
