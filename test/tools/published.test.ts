import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { parse } from 'yaml';

const root = resolve(import.meta.dirname, '../..');

it('the public workflow runs what .ci/run does, on three systems', () => {
  const { jobs } = parse(readFileSync(join(root, '.github/workflows/ci.yml'), 'utf8'));
  const commands = readFileSync(join(root, '.ci/run'), 'utf8').match(/^npm .*$/gm);
  const steps: { run?: string }[] = jobs.test.steps;
  expect(commands?.length).toBeGreaterThan(1);
  expect(steps.flatMap(({ run }) => run ?? [])).toEqual(commands);
  expect(jobs.test.env.REQUIRE_GPU).toBe('1');
  expect(jobs.test.strategy.matrix.os.map((os: string) => os.split('-')[0])).toEqual(['ubuntu', 'macos', 'windows']);
});

it('the site covers every entry of the package that has types of its own', () => {
  const { entryPoints } = JSON.parse(readFileSync(join(root, 'typedoc.json'), 'utf8')) as { entryPoints: string[] };
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const modules = Object.entries<{ types?: string } | string | null>(exports).flatMap(([entry, target]) => {
    const types = typeof target === 'object' ? target?.types : undefined;
    return types === undefined || /\*|bundle/.test(entry) ? [] : [types.replace('./dist/', '').replace('.d.ts', '.ts')];
  });
  expect(modules.length).toBeGreaterThan(10);
  expect([...entryPoints].sort()).toEqual(modules.sort());
  for (const path of modules) {
    const named = /@module (\S+)/.exec(readFileSync(join(root, path), 'utf8'))?.[1] ?? '';
    const entry = named.replace('ucgm-webgpu', '.');
    expect(exports[entry]?.types, path).toBe(`./dist/${path.replace('.ts', '.d.ts')}`);
  }
});

it('the page of the package names every family of kernels', () => {
  const page = readFileSync(join(root, 'docs/package.md'), 'utf8');
  const named = /one family: (.*) \|/.exec(page)?.[1]?.replaceAll('`', '').split(' ');
  const modules = readdirSync(join(root, 'src/kernels')).map((file) => file.replace(/\.ts$/, ''));
  expect(named).toEqual(modules.filter((name) => name !== 'index' && !name.endsWith('_tile')).sort());
});
