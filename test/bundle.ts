import { rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { buildSync } from 'esbuild';
import { afterAll } from 'vitest';

export const ROOT = resolve(import.meta.dirname, '..');

/** In the repository, from where programs find models and packages; gone after the test file. */
const BUNDLES = join(ROOT, `bundles-${process.pid}.tmp`);
afterAll(() => rmSync(BUNDLES, { recursive: true, force: true }));

const bundled = new Map<string, string>();

/** A program of the repository in one file, made once a test file: a process that compiles its sources itself takes a second to start. */
export function bundle(entry: string): string {
  let outfile = bundled.get(entry);
  if (outfile === undefined) {
    outfile = join(BUNDLES, `${entry.replaceAll(/\W/g, '_')}.mjs`);
    buildSync({
      absWorkingDir: ROOT,
      entryPoints: [entry],
      outfile,
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      external: ['webgpu', 'koffi', 'esbuild'], // esbuild, of `ucgm kernel` from the sources, has its program beside it
      // Packages in CommonJS ask for require, which an ES module does not have.
      banner: { js: "import { createRequire as from } from 'node:module'; const require = from(import.meta.url);" },
    });
    bundled.set(entry, outfile);
  }
  return outfile;
}
