import { expect, it } from 'vitest';
import { keptResults, measuredPage } from '../../tools/measured-page.ts';

it('the page of what was measured has every file of bench/results, each named by its adapter and suite, and says which is no GPU', () => {
  const kept = keptResults();
  const page = measuredPage(kept);
  expect(kept.length).toBeGreaterThan(0);
  for (const { name, results } of kept) {
    // Markdown keeps HTML as it is up to an empty line.
    const part = page.split(`\n## ${name}\n\n`)[1] ?? '';
    expect(part.slice(0, part.indexOf('\n\n')), name).toMatch(/^<div class="measured">[\s\S]*<table>[\s\S]*<\/div>$/);
    expect(part.includes('A software adapter: these times say nothing about a GPU.'), name).toBe(
      results.environment?.software,
    );
    for (const { suite } of results.cases.values()) expect(name.endsWith(`-${suite}`), name).toBe(true);
  }
});
