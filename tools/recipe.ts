/**
 * npx tsx tools/recipe.ts RUN PRESET ADAPTER
 * Writes recipes/PRESET.json: the losses of a run, and its scores where it has an eval.json, for reports of others that follow the
 * preset. Losses are means, some fifty of them.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { FixableError } from '../src/kernel/errors.ts';
import { parseEvaluation } from '../src/run/evaluation.ts';
import { type Expected, follows } from '../src/run/expected.ts';
import { FolderStore } from '../src/run/folder_store.node.ts';
import { readSoundMetrics } from '../src/run/metrics_log.node.ts';
import { presetNamed } from '../src/run/presets.ts';
import { mergeConfig } from '../src/run/settings.ts';

const MEANS = 50;
const [folder, preset, adapter] = process.argv.slice(2);
if (!folder || !preset || !adapter) throw new FixableError('no run', "npx tsx tools/recipe.ts RUN PRESET 'ADAPTER'");
const run = FolderStore.open(folder);
const config = run.settings();
const rows = readSoundMetrics(run.metricsPath).lines;
const each = Math.max(1, Math.ceil(rows.length / MEANS));
const loss = Array.from({ length: Math.floor(rows.length / each) }, (_, i): [number, number] => {
  const part = rows.slice(i * each, (i + 1) * each);
  const sum = part.reduce((total, row) => total + (row.loss ?? Number.NaN), 0);
  return [part.at(-1)?.step as number, Number((sum / part.length).toPrecision(4))];
});
const evaluation = existsSync(run.evaluationPath)
  ? parseEvaluation(readFileSync(run.evaluationPath, 'utf8'))
  : undefined;
if (evaluation && 'problem' in evaluation) throw new FixableError(evaluation.problem, 'score the run again');
const [made] = run.commands();
if (!made) throw new FixableError(`${folder} does not say which command made it`, 'give a run of this version');
const expected: Expected = {
  preset,
  command: made.command,
  adapter,
  date: made.date.slice(0, 10),
  model: config.model.name,
  batch: config.data.batch_size,
  data: config.data.fingerprint ?? config.data.name,
  loss,
  ...(evaluation && {
    scored: {
      how: `${evaluation.images} samples of ${evaluation.rows[0]?.seeds?.length ?? 1} seeds each, features of ${evaluation.features}`,
      frechet: evaluation.rows.map(({ steps, frechet }): [number, number] => [steps, Number(frechet.toFixed(2))]),
    },
  }),
};
if (!follows(config, mergeConfig(preset, presetNamed(preset)), expected))
  throw new FixableError(`${folder} does not follow preset ${preset}`, 'give a run of the preset as it is');
writeFileSync(`recipes/${preset}.json`, `${JSON.stringify(expected)}\n`);
