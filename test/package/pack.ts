import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** Folder of the archives that `npm pack` wrote, of the package and of the models. */
    readonly packed: string;
  }
}

const ROOT = resolve(import.meta.dirname, '../..');

/** Builds and packs the sources, once for all tests of the package. Returns what removes the archives. */
export default function pack(project: TestProject): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'ucgm-packed-'));
  execFileSync(process.execPath, ['tools/build.mjs'], { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] });
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const args = ['pack', '.', './models', '--silent', '--ignore-scripts', '--pack-destination', folder];
  execFileSync(npm, args, { cwd: ROOT, stdio: 'pipe', shell: process.platform === 'win32' });
  if (readdirSync(folder).length !== 2) throw new Error(`npm pack wrote ${readdirSync(folder).join(', ')}`);
  project.provide('packed', folder);
  return () => rmSync(folder, { recursive: true, force: true });
}
