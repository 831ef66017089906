import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DeviceLostError } from '../../src/device/index.ts';
import * as node from '../../src/device/node.ts';
import * as main from '../../src/index.ts';
import { FixableError } from '../../src/kernel/errors.ts';
import * as kernels from '../../src/kernels/index.ts';
import * as nn from '../../src/nn/index.ts';
import * as reflect from '../../src/reflect/index.ts';

type ErrorClass = new (...given: string[]) => FixableError;

const root = join(import.meta.dirname, '../..');
const sources = (folder: string) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.d.ts'))
    .map((path) => ({ path: join(folder, path), text: readFileSync(join(root, folder, path), 'utf8') }));
const files = ['src', 'bench', 'tools'].flatMap(sources);

/** A command that was stopped did not fail: there is nothing to mend. */
const NO_FAILURE = ['Stopped'];

/** Every class of errors that a file exports, by name. */
async function exportedErrors(): Promise<Map<string, ErrorClass>> {
  const found = new Map<string, ErrorClass>();
  for (const { path, text } of sources('src')) {
    if (!/\bclass \w+ extends \w*Error\b/.test(text)) continue;
    const module = (await import(join(root, path))) as { [name: string]: unknown };
    for (const [name, value] of Object.entries(module))
      if (typeof value === 'function' && value.prototype instanceof Error && !NO_FAILURE.includes(name))
        found.set(name, value as ErrorClass);
  }
  return found;
}

/** Made of what WebGPU says of a loss: its words and its fix are its own. */
const OF_A_LOSS = ['DeviceLostError'];

describe('errors', () => {
  it('have one base class, and carry what is wrong and the fix', async () => {
    const classes = await exportedErrors();
    expect([...classes.keys()]).toEqual(
      expect.arrayContaining(['FixableError', 'KernelError', 'TapeError', 'IoError']),
    );
    expect(classes.size).toBeGreaterThan(14);
    for (const [name, Class] of classes) {
      if (OF_A_LOSS.includes(name)) continue;
      const given = Array.from({ length: Class.length || 2 }, (_, i) => `word${i}`); // a constructor of the base class has 0
      const error = new Class(...given);
      expect(error, name).toBeInstanceOf(FixableError);
      expect(error.name).toBe(name);
      expect(given, name).toContain(error.fix);
      expect(error.what, name).toContain(given[given.indexOf(error.fix) - 1]);
      expect(error.message, name).toBe(`${error.what}. Fix: ${error.fix}`);
    }
  });

  it('of a lost device carry its reason, and a fix', () => {
    const error = new DeviceLostError({ reason: 'unknown', message: 'the driver was reset\nmore' });
    expect(error).toBeInstanceOf(FixableError);
    expect(error).toMatchObject({
      name: 'DeviceLostError',
      reason: 'unknown',
      what: 'the device is lost: the driver was reset',
    });
    expect(error.message).toBe(`${error.what}. Fix: ${error.fix}`);
  });

  it('are declared under no other base, and write no fix into their text', () => {
    for (const { path, text } of files) {
      const bases = Array.from(text.matchAll(/\bclass (\w+) extends (\w*Error)\b/g), ([, name, base]) => [name, base]);
      for (const [name, base] of bases)
        if (name !== 'FixableError' && !NO_FAILURE.includes(name as string))
          expect(base, path).toBe(OF_A_LOSS.includes(name as string) ? 'DeviceError' : 'FixableError');
      expect(/\bnew \w*Error\(\s*[`'"][^;]*?\. Fix: /.test(text), path).toBe(false);
    }
  });

  it('can be told by the base class from every entry of the package', () => {
    for (const entry of [main, kernels, nn, reflect, node]) expect(entry.FixableError).toBe(FixableError);
  });
});
