import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'vite';
import { afterAll, expect, it } from 'vitest';
import { documentation } from '../../examples/studio/documentation.ts';

const folder = mkdtempSync(join(tmpdir(), 'ucgm-documentation-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** The page that is built, with the documentation of a folder. */
async function built(site: string): Promise<string> {
  const plugins = [documentation(join(folder, site))];
  await build({ root: folder, configFile: false, plugins, build: { outDir: 'out' }, logLevel: 'silent' });
  return readFileSync(join(folder, 'out/index.html'), 'utf8');
}

it('stands beside the built pages, with a link in their bar, where it was written', async () => {
  writeFileSync(join(folder, 'index.html'), '<!doctype html><nav><a href="./index.html">Studio</a></nav>');
  expect(await built('site')).not.toContain('Documentation');
  mkdirSync(join(folder, 'site/documents'), { recursive: true });
  writeFileSync(join(folder, 'site/index.html'), 'all of it');
  writeFileSync(join(folder, 'site/documents/norm.html'), 'a kernel');
  expect(await built('site')).toContain('<a href="./docs/index.html">Documentation</a></nav>');
  expect(readFileSync(join(folder, 'out/docs/documents/norm.html'), 'utf8')).toBe('a kernel');
});
