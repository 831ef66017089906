/**
 * npx tsx tools/choose-fixtures.ts FOLDER
 * Copies a choice of the reference's fixtures into test/fixtures, so that the parity tests run on a machine without all of them.
 */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { atomicWrite } from '../src/io/atomic.node.ts';
import { encodeSafetensors, parseSafetensors, toFloat32 } from '../src/io/safetensors.ts';
import { FixableError } from '../src/kernel/errors.ts';

/** Cases by file. Together under 10 MB, the cases that differ most. */
const CASES: { readonly [file: string]: RegExp } = {
  networks: /^(tit|tit_layernorm_qknorm|tit_unconditional|sit|lightningdit_qknorm|ddt)$/,
  training_step:
    /^(multi_(Linear|EDM|enhanced|enhanced_over1)|few_(Linear|ReLinear)|lambda0.5_Linear|lambda_enhanced|no_weight_huber)$/,
  training_run: /^multi$/,
  sampling: /./,
  optimizers: /./,
};
/** Entries of a file's configuration that are no case but what the cases share. */
const SHARED = ['model'];

const from = process.argv[2];
if (!from) throw new FixableError('no folder', 'npx tsx tools/choose-fixtures.ts FOLDER');
const to = resolve(import.meta.dirname, '../test/fixtures');
for (const [file, chosen] of Object.entries(CASES)) {
  const path = join(from, `${file}.safetensors`);
  const { tensors, metadata } = parseSafetensors(readFileSync(path), path);
  const config: { [name: string]: unknown } = JSON.parse(metadata.config as string);
  const left = Object.keys(config).filter((name) => !SHARED.includes(name) && !chosen.test(name));
  const kept = [...tensors].filter(([name]) => !left.includes(name.split('/')[0] as string));
  const chunks = encodeSafetensors(
    kept.map(([name, tensor]) => [name, { shape: tensor.shape, data: toFloat32(tensor) }]),
    {
      ...metadata,
      config: JSON.stringify(Object.fromEntries(Object.entries(config).filter(([name]) => !left.includes(name)))),
    },
  );
  atomicWrite(join(to, `${file}.safetensors`), chunks);
  const bytes = chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
  console.log(
    `${file}: ${Object.keys(config).length - left.length} of ${Object.keys(config).length} entries, ${(bytes / 1e6).toFixed(2)} MB`,
  );
}
