/**
 * npx tsx tools/choose-outside.ts FOLDER
 * Copies a choice of the numbers of other projects into test/outside/cases: all but the large cases of ONNX, every gradient case,
 * what was covered, and the notice of where they come from and under which licences.
 */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { atomicWrite } from '../src/io/atomic.node.ts';
import { encodeSafetensors, parseSafetensors, type RawTensor } from '../src/io/safetensors.ts';
import { FixableError } from '../src/kernel/errors.ts';

/** Bytes of tensors of one case, and of the whole choice. */
const MAX_CASE = 32e3;
const MAX_ALL = 2e6;

interface Case {
  name: string;
  inputs: ({ key: string } | null)[];
  outputs: ({ key: string } | null)[];
}

const from = process.argv[2];
if (!from) throw new FixableError('no folder', 'npx tsx tools/choose-outside.ts FOLDER');
const to = resolve(import.meta.dirname, '../test/outside/cases');
const read = (name: string) => readFileSync(join(from, name));

const { tensors } = parseSafetensors(read('onnx.safetensors'), join(from, 'onnx.safetensors'));
const onnx: { cases: Case[] } = JSON.parse(read('onnx.json').toString());
const keysOf = (c: Case) => [...c.inputs, ...c.outputs].flatMap((t) => (t ? [t.key] : []));
const bytesOf = (keys: readonly string[]) => keys.reduce((sum, key) => sum + (tensors.get(key)?.data.length ?? 0), 0);
const chosen = onnx.cases.filter((c) => bytesOf(keysOf(c)) <= MAX_CASE);
const kept = chosen.flatMap(keysOf).map((key): [string, RawTensor] => {
  const tensor = tensors.get(key);
  if (!tensor) throw new Error(`onnx.safetensors has no ${key}`);
  return [key, tensor];
});
const coverage: { cases: { set: string; name: string }[] } = JSON.parse(read('coverage.json').toString());
const names = new Set(chosen.map((c) => c.name));
const covered = coverage.cases.filter((c) => c.set !== 'onnx' || names.has(c.name));

const bytes = (value: object) => new TextEncoder().encode(`${JSON.stringify(value)}\n`);
const files: [name: string, chunks: Uint8Array<ArrayBuffer>[]][] = [
  ['onnx.safetensors', encodeSafetensors(kept, {}) as Uint8Array<ArrayBuffer>[]],
  ['onnx.json', [bytes({ ...onnx, cases: chosen })]],
  ['gradients.json', [bytes(JSON.parse(read('gradients.json').toString()))]],
  ['coverage.json', [bytes({ ...coverage, cases: covered })]],
  ['NOTICE', [new Uint8Array(read('NOTICE'))]],
];
const sizes = files.map(([, chunks]) => chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0));
const all = sizes.reduce((a, b) => a + b, 0);
if (all > MAX_ALL) throw new FixableError(`the choice has ${all} bytes, more than ${MAX_ALL}`, 'lower MAX_CASE');
for (const [name, chunks] of files) atomicWrite(join(to, name), chunks);
files.forEach(([name], i) => void console.log(`${name}: ${((sizes[i] as number) / 1e6).toFixed(2)} MB`));
console.log(`${chosen.length} of ${onnx.cases.length} ONNX cases, ${(all / 1e6).toFixed(2)} MB in all`);
