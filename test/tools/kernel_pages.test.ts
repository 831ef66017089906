import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Environment } from '../../bench/environment.ts';
import type { Line, Results } from '../../bench/results.ts';
import { readResults } from '../../bench/results_file.ts';
import * as kernels from '../../src/kernels/index.ts';
import { kernelPages } from '../../tools/kernel-pages.ts';

/** What `bench --suite kernels --json` writes of one case. */
function measured(software: boolean): Results {
  const environment = {
    ...{ adapter: 'Some GPU', cpu: '2 x Some CPU', date: '2026-11-26T10:00:00Z', commit: 'abc', software },
    ceilings: { gbps: 8, tflops: 0.05 },
  } as Environment;
  const line: Line = {
    suite: 'kernels',
    case: 'norm layer+stats 3x41/1',
    ms: 0.5,
    tflops: 0.00197,
    gbps: 1.97,
    ofRoofline: 0.25,
  };
  return { environment, cases: new Map([[line.case, line]]) };
}

describe('pages of kernels', () => {
  const pages = kernelPages();

  it('are there for every kernel that the package exports, with formula, buffers, dims, limits and bounds', () => {
    const families = Object.entries(kernels).filter(([, value]) => typeof value === 'object' && 'prepare' in value);
    expect(families.length).toBeGreaterThan(50);
    for (const [name] of families) {
      const page = pages.get(`${name}.md`) ?? '';
      expect(page, name).toMatch(/^import \{ \w+ \} from 'ucgm-webgpu\/kernels\/\w+';$/m);
      expect(page, name).toMatch(/^\| buffer \| elements \| access \| bound \|$/m);
      expect(page, name).toMatch(/^\| dim \| type \| given \|$/m);
      expect(page, name).toMatch(/^Storage buffers: [1-8][,;]/m);
      expect(page, name).toMatch(/^\d+ cases of the catalogue/m);
      expect(pages.get('index.md')).toContain(`| [${name}](${name}.md) |`);
    }
  });

  it('say what each knob is, of a library too', () => {
    const { length } = [...pages.values()].join('\n').match(/^\| `\w+` \| `[^`]+` \|.*\|$/gm) ?? [];
    expect(length).toBeGreaterThan(300);
    expect([...pages.values()].join('\n').match(/^\| `\w+` \| `[^`]+` \| +\|$/gm)).toBeNull();
  });

  it('show what was measured, with adapter, date and ceilings, and say where a processor stood in for a GPU', () => {
    const page = kernelPages(new Map([['some-gpu', measured(false)]])).get('norm.md') ?? '';
    expect(page).toContain('## Measured on some-gpu\n\nSome GPU, 2026-11-26, commit abc');
    expect(page).toContain('Ceilings of the same run: 8.00 GB/s, 0.0500 TFLOP/s.');
    expect(page).toContain('| norm layer+stats 3x41/1 | 0.500 | 0.00197 | 1.97 | 25% |');
    expect(page).not.toContain('software');
    const other = kernelPages(new Map([['a-processor', measured(true)]])).get('norm.md');
    expect(other).toContain('## Measured on a-processor, a software adapter\n\nSome GPU, 2026-11-26, commit abc');
    expect(other).toContain('A software adapter, two cores of Some CPU: these times say nothing about a GPU.');
  });

  it('show what bench/results holds of kernels, and it is of cases that there are', () => {
    const shown = [...pages.values()].flatMap((page) => page.split('## Measured on ').slice(1));
    const cases = shown.join().match(/^\| \w+ .* \| [\d.e-]+ \| /gm) ?? [];
    const kept = readdirSync('bench/results').flatMap((file) => [
      ...readResults(`bench/results/${file}`).cases.values(),
    ]);
    const suites = new Set(kept.map(({ suite }) => suite));
    expect([...suites].sort()).toEqual(['each', 'kernels', 'model']);
    expect(cases).toHaveLength(kept.filter(({ suite }) => suite !== 'model').length);
  });

  it('have a measured line each, but those of kernels that need subgroup matrices', () => {
    const without = [...pages].filter(([, page]) => !page.includes('## Measured on ')).map(([name]) => name);
    expect(without.filter((name) => !name.startsWith('matrix'))).toEqual(['index.md']);
  });
});
