/**
 * npx tsx tools/choose-fixtures.ts FOLDER
 * Copies a choice of the reference's fixtures, of those that FOLDER has, into test/fixtures, so that the parity tests run on a machine without all of them.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { atomicWrite } from '../src/io/atomic.node.ts';
import { encodeSafetensors, parseSafetensors } from '../src/io/safetensors.ts';
import { FixableError } from '../src/kernel/errors.ts';

/** Cases by file. Together some 10 MB, the cases that differ most. */
const CASES: { readonly [file: string]: RegExp } = {
  networks: /^(tit|tit_layernorm_qknorm|tit_unconditional|sit|lightningdit_qknorm|ddt)$/,
  training_step:
    /^(multi_(Linear|EDM|enhanced|enhanced_over1)|few_(Linear|ReLinear)|lambda0.5_Linear|lambda_enhanced|no_weight_huber)$/,
  training_run: /^multi$/,
  sampling: /./,
  optimizers: /./,
  edm2: /^(no_heads|step)$/,
  unetplus: /^(ncsnpp|step)$/,
  autoencoders: /^(sdvae|edm2_stability|dcae_diffusers|taef2|identity)$/,
};
/** Entries of a file's configuration that are no case but what the cases share. */
const SHARED = ['model'];
/** Of an entry that holds steps and samples: those that are kept; no run. */
const WITHIN = { cases: /^lambda$/, samples: /^euler$/ };
/** Tensors that are left out: they follow from others. */
const FOLLOWS: { readonly [file: string]: RegExp } = { autoencoders: /^(?!identity|edm2_stability).*\/picture$/ };
/** Numbers of the largest gradients that are kept, where many cases have those of a network. */
const LARGEST: { readonly [file: string]: number } = { training_step: 8000, edm2: 1000, unetplus: 1000 };

/** An entry of a configuration, and which of its tensors stay. */
function within(name: string, entry: unknown): { entry: unknown; keeps: (tensor: string) => boolean } {
  const { cases, samples, run, ...rest } = entry as { [key: string]: { [key: string]: unknown } };
  if (!cases) return { entry, keeps: () => true };
  const some = (all: { [key: string]: unknown } | undefined, chosen: RegExp) =>
    Object.fromEntries(Object.entries(all ?? {}).filter(([key]) => chosen.test(key)));
  const kept = { ...rest, cases: some(cases, WITHIN.cases), samples: some(samples, WITHIN.samples) };
  const left = [
    ...Object.keys(cases).filter((key) => !(key in kept.cases)),
    ...Object.keys(samples ?? {}).flatMap((key) => (key in kept.samples ? [] : [`sample/${key}`])),
    ...(run ? ['run'] : []),
  ];
  return { entry: kept, keeps: (tensor) => !left.some((part) => tensor.startsWith(`${name}/${part}/`)) };
}

const from = process.argv[2];
if (!from) throw new FixableError('no folder', 'npx tsx tools/choose-fixtures.ts FOLDER');
const to = resolve(import.meta.dirname, '../test/fixtures');
for (const [file, chosen] of Object.entries(CASES)) {
  const path = join(from, `${file}.safetensors`);
  if (!existsSync(path)) {
    console.log(`${file}: not in ${from}, left as it is`);
    continue;
  }
  const { tensors, metadata } = parseSafetensors(readFileSync(path), path);
  const config: { [name: string]: unknown } = JSON.parse(metadata.config as string);
  const left = Object.keys(config).filter((name) => !SHARED.includes(name) && !chosen.test(name));
  const entries = Object.entries(config).filter(([name]) => !left.includes(name));
  const parts = new Map(entries.map(([name, entry]) => [name, within(name, entry)]));
  const most = LARGEST[file] ?? Number.POSITIVE_INFINITY;
  const isLarge = (name: string, shape: readonly number[]) =>
    name.includes('/grad/') && shape.reduce((product, length) => product * length, 1) > most;
  const kept = [...tensors].filter(([name, { shape }]) => {
    const kase = name.split('/')[0] as string;
    if (FOLLOWS[file]?.test(name)) return false;
    return !left.includes(kase) && (parts.get(kase)?.keeps(name) ?? true) && !isLarge(name, shape);
  });
  const chunks = encodeSafetensors(kept, {
    ...metadata,
    config: JSON.stringify(Object.fromEntries([...parts].map(([name, { entry }]) => [name, entry]))),
  });
  atomicWrite(join(to, `${file}.safetensors`), chunks);
  const bytes = chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
  console.log(
    `${file}: ${Object.keys(config).length - left.length} of ${Object.keys(config).length} entries, ${(bytes / 1e6).toFixed(2)} MB`,
  );
}
