import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { loadDigits } from '../../src/data/digits.node.ts';
import { digitsOfBytes } from '../../src/data/digits.ts';
import { temporaryFolder, ucgm } from './run.ts';

const inFolder = temporaryFolder();

it('writes the digits as a file for a page, and refuses another name', async () => {
  const out = inFolder('digits.safetensors.gz');
  const { code, stdout } = await ucgm(['digits', '--out', out]);
  expect(code).toBe(0);
  expect(stdout).toMatch(/: 10000 digits of 28 x 28, \d\.\d\d MB\n$/);
  const [read, own] = [await digitsOfBytes(new Uint8Array(readFileSync(out))), await loadDigits()];
  expect(read.fingerprint).toBe(own.fingerprint); // of all pixels
  expect(read.labels).toEqual(own.labels);
  const other = await ucgm(['digits', '--out', inFolder('digits.png')]);
  expect(other.code).toBe(2);
  expect(other.stderr).toMatch(/is no name of a \.safetensors file\. Fix: /);
});
