import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { CASES } from '../autograd/cases.ts';
import { HALF_CASES } from '../autograd/half_cases.ts';

it('every op that has a backward is in the gradient check', () => {
  const folder = join(import.meta.dirname, '../../src/autograd/ops');
  const source = readdirSync(folder)
    .map((file) => readFileSync(join(folder, file), 'utf8'))
    .join('\n');
  const ops = [...source.matchAll(/op: '(\w+)'(?![^}]*vjp: undefined)/g)].map((m) => m[1] as string);
  const checked = new Set([...CASES, ...HALF_CASES].flatMap((c) => c.ops));
  expect(ops.length).toBeGreaterThan(checked.size / 2);
  expect(ops.filter((op) => !checked.has(op))).toEqual([]);
});
