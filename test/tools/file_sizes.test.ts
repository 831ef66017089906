import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
const MOST_LINES = 400;
const FOLDERS = ['src', 'shaders', 'test', 'bench', 'tools', 'examples'];

it('no file that a person writes is longer than one sitting', () => {
  const files = FOLDERS.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((path) => /\.(ts|mjs|wgsl)$/.test(path) && !path.endsWith('.generated.ts'))
      .map((path) => join(folder, path)),
  );
  expect(files.length).toBeGreaterThan(400);
  const lines = (path: string) => readFileSync(join(root, path), 'utf8').split('\n').length - 1;
  expect(files.filter((path) => lines(path) > MOST_LINES)).toEqual([]);
});
