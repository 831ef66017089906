import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { Baseline } from '../../bench/baseline.ts';
import { addBench } from '../../bench/command.ts';
import { compareResults } from '../../bench/compare.ts';
import { decodeCases } from '../../bench/decode.ts';
import type { Environment } from '../../bench/environment.ts';
import { farthest, type KernelResult } from '../../bench/kernels.ts';
import type { ModelResult } from '../../bench/model.ts';
import { modelCase, modelCases } from '../../bench/model_cases.ts';
import { modelRows } from '../../bench/model_suite.ts';

import { ResultsFile, readResults } from '../../bench/results_file.ts';
import { type Measured, runSuite } from '../../bench/suite.ts';
import { UsageError } from '../../src/cli/failure.ts';
import { runCommand } from '../../src/cli/main.ts';
import { catalogue } from '../catalogue/index.ts';

let folder = '';
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'ucgm-bench-'))));
afterAll(() => rmSync(folder, { recursive: true }));

const file = (name: string, lines: readonly object[]) => {
  const path = join(folder, name);
  writeFileSync(path, lines.map((line) => JSON.stringify(line)).join('\n'));
  return path;
};
const timed = (name: string, ms: number) => ({ suite: 'kernels', case: name, ms, p10: 0.95 * ms, p90: 1.05 * ms });

/** Runs `ucgm bench`: its lines, what it says of a failure, and its exit code. */
async function bench(...args: string[]): Promise<{ lines: string[]; error: string; code: unknown }> {
  const [log, error] = (['log', 'error'] as const).map((name) => vi.spyOn(console, name).mockImplementation(() => {}));
  await runCommand(addBench, ['bench', ...args]);
  const said = (spy = log) => spy?.mock.calls.map(([line]) => String(line)) ?? [];
  return { lines: said(log), error: said(error).join('\n'), code: process.exitCode };
}

const jsonLines = (path: string) =>
  readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

describe('the bench', () => {
  it('prints columns, cases and a summary, and writes where its numbers come from', async () => {
    const json = join(folder, 'out.jsonl');
    const { lines, code } = await bench('--suite', 'smoke', '--filter', '^(add|sumRows) ', '--json', json);
    expect(code).toBeUndefined();
    expect(lines.findIndex((line) => /ms +TFLOP\/s +GB\/s +roof +error +case/.test(line))).toBeGreaterThan(0);
    expect(lines.at(-1)).toBe('2 passed, 0 failed');
    const [environment, ...cases] = jsonLines(json);
    expect(environment).toMatchObject({ suite: 'environment', schema: 3, software: expect.any(Boolean) });
    expect(environment.date).toMatch(/^\d{4}-\d\d-\d\dT/);
    expect(environment.version).toMatch(/^\d+\.\d+\.\d+/);
    expect(environment.runtime).toMatch(/^node \d+\.\d+\.\d+, webgpu \d/);
    for (const ceiling of ['gbps', 'tflops']) expect(environment.ceilings[ceiling]).toBeGreaterThan(0);
    for (const key of ['commit', 'adapter', 'driver', 'os', 'runtime'])
      expect(environment[key]).toEqual(expect.any(String));
    expect(cases.map((line) => line.suite)).toEqual(['smoke', 'smoke']);
    for (const line of cases) {
      expect(line.kernel).toMatch(/^(add|sum_rows)$/);
      expect(line).toMatchObject({ dtype: 'f32', adapter: environment.adapter, commit: environment.commit });
      expect(line.variant).toMatch(/^(default|\w+=.*)$/); // the knobs of what was compiled
      for (const key of ['ms', 'p10', 'p90', 'flops', 'bytes', 'tflops', 'gbps', 'ofRoofline', 'maxRelErr'])
        expect(line[key], key).toEqual(expect.any(Number));
    }
  });

  it('measures a training step: the host, the forward pass, the first step, the memory, and every kernel', async () => {
    const json = join(folder, 'model.jsonl');
    const { lines } = await bench('--suite', 'model', '--filter', 'tiny', '--json', json);
    expect(lines.at(-1)).toBe('1 passed, 0 failed');
    expect(lines.filter((line) => /^ +[\d.]+ +100\.0% +\d+ {2}total$/.test(line))).toHaveLength(1);
    const [, step] = jsonLines(json);
    expect(step).toMatchObject({ suite: 'model', case: 'step tiny preset', dtype: 'f32', shape: [32, 1, 28, 28] });
    expect(step.hostMs).toBeLessThan(step.ms);
    expect(step.forwardMs).toBeLessThan(step.ms);
    expect(step.peakBytes).toBeGreaterThan(40e6);
    expect(step.p10).toBeLessThanOrEqual(step.p90);
    const sum = (of: 'ms' | 'share') =>
      step.kernels.reduce((total: number, kernel: { ms: number; share: number }) => total + kernel[of], 0);
    expect(sum('ms')).toBeCloseTo(step.kernelMs);
    expect(sum('share')).toBeCloseTo(1);
  });

  it('counts a case that is wrong or not finite, says which, runs the others and ends with exit code 1', async () => {
    const log = vi.spyOn(console, 'log').mockImplementation(() => {});
    const json = join(folder, 'wrong.jsonl');
    const suite = {
      columns: 'ms case',
      cases: new Map<string, () => Promise<Measured | undefined>>([
        ['nan', async () => ({ case: 'nan', ms: 1, kernels: [{ ms: Number.NaN }] })],
        ['off', async () => Promise.reject(new Error('off: y is off by 1\nand more'))],
        ['again', async () => undefined],
        ['good', async () => ({ case: 'good', ms: 2 })],
      ]),
      rows: ({ ms, case: name }: Measured) => [`${ms} ${name}`],
    };
    const environment = { suite: 'environment', adapter: 'a', commit: 'c' } as Environment;
    expect(await runSuite('own', suite, environment, new ResultsFile(json))).toBe(2);
    expect(log.mock.calls.map(([line]) => line)).toEqual([
      'ms case',
      '     WRONG  nan: kernels.0.ms is NaN',
      '     WRONG  off: y is off by 1',
      '2 good',
      'failed: nan',
      'failed: off',
      '1 passed, 2 failed',
    ]);
    expect(jsonLines(json).slice(1)).toEqual([
      { suite: 'own', adapter: 'a', commit: 'c', case: 'nan', error: 'kernels.0.ms is NaN' },
      { suite: 'own', adapter: 'a', commit: 'c', case: 'off', error: 'off: y is off by 1' },
      { suite: 'own', adapter: 'a', commit: 'c', case: 'good', ms: 2 },
    ]);
  });

  it('refuses in one line what it cannot do, before any work, and lists what it can', async () => {
    const path = join(folder, 'c.jsonl');
    writeFileSync(path, 'ms: 3');
    const good = file('good.jsonl', [timed('a', 1)]);
    const refused: [args: string[], message: RegExp][] = [
      [['--suite', 'kernel'], /use one of smoke, kernels, each, compile, ceilings, model, latents/],
      [
        ['--sweet'],
        /unknown option '--sweet'.*bench takes --suite, --filter, --json, --baseline, --compare, --profile, --tune, --no-tuned, --allow, --html/,
      ],
      [['--filter', '('], /give a regular expression/],
      [['--filter', 'no such kernel'], /no case matches/],
      [['--json', join(folder, 'none', 'x.jsonl')], /cannot be written \(ENOENT\)/],
      [['--json', folder], /cannot be written \(EISDIR\)/],
      [['--baseline', path], /line 1 is no object of JSON/],
      [['--compare', good], /takes two files, not 1/],
      [['--compare', good, good, good], /takes two files, not 3/],
      [['--compare', path, good], /line 1 is no object of JSON/],
      [['--compare', join(folder, 'none'), good], /cannot be read/],
      [['--compare', '--suite', 'smoke', good, good], /--compare has no use for --suite/],
      [['--tune', '--filter', 'x'], /--tune has no use for --filter/],
      [['--profile', '--json', 'x'], /--profile has no use for --json/],
      [['--profile', '--filter', 'no such step'], /no step matches/],
      [['--compare', '--allow', 'much', good, good], /give a number of at least 0/],
      [['--compare', '--filter', 'b', good, good], /no case in common/],
      [['--allow', '5'], /--allow goes with --compare/],
      [[good], /is no option.*files go with --compare or --html/],
    ];
    for (const [args, message] of refused) {
      process.exitCode = undefined;
      const { error, code } = await bench(...args);
      expect(error, args.join(' ')).toMatch(message);
      expect(error.split('\n'), args.join(' ')).toHaveLength(1);
      expect(code, args.join(' ')).toBe(2);
      vi.restoreAllMocks();
    }
    const json = join(folder, 'untouched.jsonl');
    await bench('--filter', 'no such kernel', '--json', json);
    expect(existsSync(json)).toBe(false);
  });

  it('compares two runs: what changed most comes first, and what one run lacks is said', () => {
    const before = file('a.jsonl', [
      { ...timed('same', 1), kernel: 'k', variant: 'A=1' },
      ...['slower', 'faster', 'gone', 'broken'].map((name) => timed(name, 1)),
    ]);
    const after = file('b.jsonl', [
      { ...timed('same', 1.02), kernel: 'k', variant: 'A=2' },
      ...[timed('slower', 2), timed('faster', 0.25), timed('new', 1)],
      { suite: 'kernels', case: 'broken', error: 'y is off by 1' },
    ]);
    const { lines, worse } = compareResults(readResults(before), readResults(after), /(?:)/, 1.1);
    const cases = lines.filter((line) => /^ +[\d.]+ +[\d.]+/.test(line)).map((line) => line.trim().split(/\s+/));
    expect(cases.map((words) => words.slice(2))).toEqual([
      ['0.250', '*', 'faster'],
      ['2.000', '*', 'slower'],
      ['1.020', 'same', '(k[A=1]', '->', 'k[A=2])'],
    ]);
    expect(lines).toContain('failed after: broken: y is off by 1');
    expect(lines).toContain('only before: gone');
    expect(lines).toContain('only after: new');
    expect(lines.at(-1)).toBe('3 cases, 1 slower, 1 faster, 1 failed, 1 missing, geometric mean of the ratios 0.799');
    expect(worse).toBe(3);
  });

  it('ends a comparison with exit code 1 where the newer run is worse, and counts only what is asked for', async () => {
    const before = file('d.jsonl', [timed('a 1', 1), timed('a 2', 1), timed('b', 1)]);
    const after = file('e.jsonl', [timed('a 1', 1.2), timed('a 2', 0.5)]);
    expect((await bench('--compare', before, after)).code).toBe(1); // a 1 is slower, b is missing
    process.exitCode = undefined;
    expect((await bench('--compare', '--filter', '^a', before, after)).code).toBe(1);
    process.exitCode = undefined;
    expect((await bench('--compare', '--filter', '^a', '--allow', '25', before, after)).code).toBeUndefined();
    expect((await bench('--compare', after, after)).code).toBeUndefined();
  });

  it("holds results against another library's times of the same work", () => {
    const about = { torch: '2.11', device: 'H100' };
    const path = file('torch.jsonl', [
      { ...timed('step', 20), ...about, dtype: 'f32', forward_ms: 8, peak_bytes: 400 },
      { ...timed('backward', 4), ...about, dtype: 'f32', ours: ['by q', 'by k and v'] },
      { ...timed('half known', 4), ...about, dtype: 'f32', ours: ['by q', 'by x'] },
      { ...timed('other', 1), ...about, dtype: 'f32' },
    ]);
    const results = [
      { case: 'step', dtype: 'f32', ms: 10, forwardMs: 2, peakBytes: 100 },
      { case: 'step f32x3', dtype: 'f32x3', ms: 5 },
      { case: 'step mixed', dtype: 'mixed', ms: 3 },
      { case: 'by q', dtype: 'f32', ms: 1 },
      { case: 'by k and v', dtype: 'f32', ms: 5 },
    ];
    const rowsOf = (lines: readonly string[]) => lines.slice(2).map((line) => line.trim().split(/\s+/));
    const lines = new Baseline(path).compare(results);
    expect(lines[0]).toBe(`ours / theirs (${path}: PyTorch 2.11, H100)`);
    expect(lines[1]).toMatch(/ dtypes +case \(ms\)$/);
    const inF32 = [
      ['10.0000', '20.0000', '0.500', '0.250', '0.250', 'f32/f32', 'step'],
      ['5.0000', '20.0000', '0.250', 'f32x3/f32', 'step'],
      ['6.0000', '4.0000', '1.500', 'f32/f32', 'backward'],
    ];
    expect(rowsOf(lines)).toEqual(inF32);
    const half = { ...timed('step', 6), ...about, dtype: 'bf16', ours: ['step mixed'] };
    const both = join(folder, 'both.jsonl');
    writeFileSync(both, `${readFileSync(path, 'utf8')}\n${JSON.stringify(half)}\n`);
    const inHalf = ['3.0000', '6.0000', '0.500', 'mixed/bf16', 'step'];
    expect(rowsOf(new Baseline(both).compare(results))).toEqual([...inF32, inHalf]);
    const variants = file('variants.jsonl', [
      { ...half, variant: 'eager' },
      { ...half, variant: 'compiled', ms: 3 },
    ]);
    expect(rowsOf(new Baseline(variants).compare(results))).toEqual([
      ['3.0000', '6.0000', '0.500', 'mixed/bf16', 'eager', 'step'],
      ['3.0000', '3.0000', '1.000', 'mixed/bf16', 'compiled', 'step'],
    ]);
    expect(new Baseline(path).compare([])).toEqual([`${path} has none of these cases`]);
    expect(() => new Baseline(file('wrong.jsonl', [{ case: 'x', error: 'no' }]))).toThrow(UsageError);
  });

  it('ranks each kernel by its largest case, and leaves out what is too short to tell', () => {
    const result = (name: string, ms: number, bytes: number, ofRoofline: number) =>
      ({ case: name, ms, bytes, ofRoofline }) as KernelResult;
    const lines = farthest([
      result('norm a', 1, 100, 0.5),
      result('norm b', 0.5, 10, 0.01),
      result('add c', 0.001, 1, 0.001),
      result('mul d', 1, 5, 0.25),
    ]);
    expect(lines.slice(1)).toEqual(['  25.0%  mul d', '  50.0%  norm a']);
  });

  it("shows a step's kernels with their share, the rest in one row, and the total", () => {
    const kernels = Array.from({ length: 26 }, (_, i) => ({ label: `k${i}`, ms: 2, count: 3, share: 1 / 26 }));
    const times = { ms: 10, p10: 9, p90: 11, hostMs: 1, forwardMs: 3, firstMs: 500, kernelMs: 52 };
    const rows = modelRows({ case: 'step x', ...times, peakBytes: 2.5e6, kernels } as unknown as ModelResult);
    const words = rows.map((row) => row.trim().split(/\s+/).join(' '));
    expect(words[0]).toBe('10.00 9.00 11.00 1.00 3.00 500.00 52.00 2.5 step x');
    expect(words[1]).toBe('2.000 3.8% 3 k0');
    expect(words.slice(-2)).toEqual(['4.000 7.7% 6 2 others', '52.000 100.0% 78 total']);
    expect(rows).toHaveLength(1 + 24 + 2);
  });

  it('measures the decoding of a picture', async () => {
    const json = join(folder, 'decode.jsonl');
    const { lines } = await bench('--suite', 'model', '--filter', 'decode', '--json', json);
    expect(lines.at(-1)).toBe('1 passed, 0 failed');
    const [, pass] = jsonLines(json);
    expect(pass).toMatchObject({ suite: 'model', case: 'taef2 decode 32', variant: 'taef2', shape: [1, 32, 4, 4] });
    for (const key of ['ms', 'hostMs', 'firstMs', 'peakBytes']) expect(pass[key], key).toBeGreaterThan(0);
  });

  it("has every case of the PyTorch baseline under the baseline's names", () => {
    const source = readFileSync('tools/torch_baseline.py', 'utf8');
    const named = [...source.matchAll(/^ {4}"((?:step|matmul|norm) [^"]+)": \(/gm)].map(([, name]) => name);
    const kernels = [...source.matchAll(/"(attention[A-Z]\w+)"/g)].map(([, name]) => name);
    const shapes = /^ATTENTION = \[(.*)\]$/m.exec(source)?.[1]?.match(/\d+, \d+, \d+, \d+/g) ?? [];
    const attention = shapes.flatMap((shape) =>
      ['attention', ...kernels].map((kernel) => `${kernel} ${shape.replaceAll(', ', 'x')}`),
    );
    const decoded = [...source.matchAll(/^ {4}"([^"]+ decode \d+)": \(/gm)].map(([, name]) => name);
    const convolutions = [...source.matchAll(/^3x3\/1 pad .*$/gm)].map(([text]) => `conv2d ${text}`);
    const all = [...named, ...attention, ...decoded, ...convolutions];
    expect(all.length).toBe(9 + 8 + 2 * 4 + 3 + 16);
    const models = [modelCases, decodeCases].flatMap((cases) => cases(/(?:)/, false));
    const ours = new Set([...models, ...catalogue.map((kase) => `${kase.kernel} ${kase.name}`)]);
    expect(all.filter((name) => !ours.has(name as string))).toEqual([]);
  });

  it("has networks of as many parameters as the PyTorch baseline's", () => {
    const source = readFileSync('tools/torch_baseline.py', 'utf8');
    const theirs = [...source.matchAll(/^ {4}"(step [^"]+)": \(.* (\d+)\),$/gm)].map(([, name, n]) => [
      name,
      Number(n),
    ]);
    const parametersOf = (name: string) =>
      modelCase(name).network.parameters.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
    expect(theirs).toHaveLength(9);
    expect(theirs).toEqual(theirs.map(([name]) => [name, parametersOf(name as string)]));
  });

  it('knows every case of the catalogue by a name of its own', () => {
    const names = catalogue.map((kase) => `${kase.kernel} ${kase.name}`);
    expect(names.filter((name, i) => names.indexOf(name) < i)).toEqual([]);
  });
});
