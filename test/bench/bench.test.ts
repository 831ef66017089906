import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { benchCommand, summary } from '../../bench/command.ts';
import { compareResults } from '../../bench/compare.ts';
import type { KernelResult } from '../../bench/kernels.ts';
import { UsageError } from '../../src/cli/failure.ts';

let folder = '';
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'ucgm-bench-'))));
afterAll(() => rmSync(folder, { recursive: true }));

const file = (name: string, lines: readonly object[]) => {
  const path = join(folder, name);
  writeFileSync(path, lines.map((line) => JSON.stringify(line)).join('\n'));
  return path;
};
const timed = (name: string, ms: number) => ({ suite: 'kernels', case: name, ms, p10: 0.95 * ms, p90: 1.05 * ms });

/** Runs the bench and gives its lines. */
async function bench(...args: string[]): Promise<string[]> {
  const log = vi.spyOn(console, 'log').mockImplementation(() => {});
  try {
    await benchCommand(new Command('bench').exitOverride().configureOutput({ outputError: () => {} })).parseAsync(
      args,
      { from: 'user' },
    );
    return log.mock.calls.map(([line]) => String(line));
  } finally {
    log.mockRestore();
  }
}

describe('the bench', () => {
  it('prints columns, cases and a summary, and writes where its numbers come from', async () => {
    const json = join(folder, 'out.jsonl');
    const lines = await bench('--suite', 'smoke', '--filter', '^(add|sumRows) ', '--json', json);
    expect(lines.findIndex((line) => /ms +TFLOP\/s +GB\/s +roof +error +case/.test(line))).toBeGreaterThan(0);
    expect(lines.at(-1)).toBe('2 passed, 0 failed');
    const [environment, ...cases] = readFileSync(json, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(environment).toMatchObject({ suite: 'environment', schema: 1, software: expect.any(Boolean) });
    expect(environment.date).toMatch(/^\d{4}-\d\d-\d\dT/);
    expect(environment.version).toMatch(/^\d+\.\d+\.\d+/);
    expect(environment.ceilings.gbps).toBeGreaterThan(0);
    for (const key of ['commit', 'adapter', 'driver', 'os', 'runtime'])
      expect(environment[key]).toEqual(expect.any(String));
    expect(cases.map((line) => line.suite)).toEqual(['smoke', 'smoke']);
    for (const line of cases) {
      expect(line.kernel).toMatch(/^(add|sum_rows)/);
      expect(line).toMatchObject({ dtype: 'f32', adapter: environment.adapter, commit: environment.commit });
      for (const key of ['ms', 'p10', 'p90', 'flops', 'bytes', 'tflops', 'gbps', 'ofRoofline', 'maxRelErr'])
        expect(line[key], key).toEqual(expect.any(Number));
    }
  });

  it('compares two runs: what changed most comes first, and what one run lacks is said', () => {
    const before = file('a.jsonl', [timed('same', 1), timed('slower', 1), timed('faster', 1), timed('gone', 1)]);
    const after = file('b.jsonl', [timed('same', 1.02), timed('slower', 2), timed('faster', 0.25), timed('new', 1)]);
    const lines = compareResults(before, after);
    const cases = lines.filter((line) => /^ +[\d.]+ +[\d.]+/.test(line)).map((line) => line.trim().split(/\s+/));
    expect(cases.map((words) => words.slice(2))).toEqual([
      ['0.250', '*', 'faster'],
      ['2.000', '*', 'slower'],
      ['1.020', 'same'],
    ]);
    expect(lines).toContain('only before: gone');
    expect(lines).toContain('only after: new');
    expect(lines.at(-1)).toBe('3 cases, 1 slower, 1 faster, geometric mean of the ratios 0.799');
  });

  it('refuses in one line what is no results file, or no suite', async () => {
    const path = join(folder, 'c.jsonl');
    writeFileSync(path, 'ms: 3');
    expect(() => compareResults(path, path)).toThrow(UsageError);
    expect(() => compareResults(join(folder, 'none'), path)).toThrow('cannot be read');
    await expect(bench('--suite', 'kernel')).rejects.toThrow('use one of smoke, kernels, compile, model, latents');
    await expect(bench('--json', join(folder, 'none', 'x.jsonl'))).rejects.toThrow('cannot be written');
    await expect(bench('--compare', path)).rejects.toThrow('takes two files');
    await expect(bench('--filter', 'no such kernel')).rejects.toThrow('no case matches');
  });

  it('ranks each kernel by its largest case, and leaves out what is too short to tell', () => {
    const result = (name: string, ms: number, bytes: number, ofRoofline: number) =>
      ({ case: name, ms, bytes, ofRoofline }) as KernelResult;
    const lines = summary(
      [
        result('norm a', 1, 100, 0.5),
        result('norm b', 0.5, 10, 0.01),
        result('add c', 0.001, 1, 0.001),
        result('mul d', 1, 5, 0.25),
      ],
      2,
    );
    expect(lines.slice(1)).toEqual(['  25.0%  mul d', '  50.0%  norm a', '4 passed, 2 failed']);
  });
});
