/**
 * npx tsx tools/measured-page.ts FILE.md
 * A page of what bench/results holds: of each file where it comes from, a roofline, and its cases. `npm run docs` puts it into the site.
 */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readResults } from '../bench/results_file.ts';
import { type NamedResults, resultsHtml } from '../bench/results_page.ts';

const RESULTS = join(new URL('..', import.meta.url).pathname, 'bench/results');

/** Names that src/report/style.ts has, in the site's two schemes. */
const STYLE = `<style>
.measured { --ink: var(--color-text); --muted: var(--color-text-aside); --rule: light-dark(#d8dee4, #40464d); --warn: light-dark(#9a3412, #ffb77c); --line-1: light-dark(#0969da, #58a6ff); --line-2: light-dark(#b35900, #f0a04b); --line-3: light-dark(#1a7f37, #56d364); }
.measured dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 14rem), 1fr)); gap: 0.75rem; }
.measured dt, .measured figcaption { color: var(--muted); font-size: 0.85rem; }
.measured dd { margin: 0; overflow-wrap: anywhere; }
.measured figure { margin: 1rem 0; }
.measured svg { display: block; width: 100%; height: auto; }
.measured .wide { overflow-x: auto; }
.measured th, .measured td { text-align: left; font-weight: 400; }
.measured td { white-space: nowrap; }
.measured tbody th { min-width: 16rem; }
.measured .warning { color: var(--warn); }
</style>`;

/** All that bench/results holds, by the names of its files. */
export function keptResults(): NamedResults[] {
  const files = readdirSync(RESULTS).filter((file) => file.endsWith('.jsonl'));
  return files
    .sort()
    .map((file) => ({ name: file.slice(0, -'.jsonl'.length), results: readResults(join(RESULTS, file)) }));
}

/** The page as Markdown with HTML in it. */
export function measuredPage(files: readonly NamedResults[] = keptResults()): string {
  const parts = files.flatMap((file) => [`## ${file.name}`, `<div class="measured">\n${resultsHtml(file)}\n</div>`]);
  return [
    '---\ntitle: Measured\n---',
    '# Measured',
    'Runs of the bench that are kept in `bench/results`, a file an adapter and suite. `ucgm bench --html PAGE.html FILE.jsonl` draws the same of your own.',
    STYLE,
    ...parts,
    '',
  ].join('\n\n');
}

if (process.argv[1]?.endsWith('measured-page.ts')) {
  const [path = 'site/pages/measured.md'] = process.argv.slice(2);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, measuredPage());
  console.log(path);
}
