import { readFileSync } from 'node:fs';
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
