import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { atomicWrite } from '../io/atomic.node.ts';
import { type Evaluation, type EvaluationRow, parseEvaluation } from '../run/evaluation.ts';
import { HEADER, lineOf } from './eval_table.ts';
import { UsageError } from './failure.ts';
import { prepareFiles, statOf } from './output.ts';

/** Scores of several models as one table, on the terminal and, with a picture, in a page. @throws UsageError where there are none. */
export async function compareEvaluations(paths: readonly string[], html: string): Promise<void> {
  if (paths.length < 2) throw new UsageError(`--compare ${paths.join(' ')}`, 'give at least two runs');
  const scored = paths.map((path) => ({ name: path, evaluation: scoresOf(path) }));
  prepareFiles([{ flag: '--html', path: html, extension: '.html' }]);
  const { comparedEvaluations } = await import('../report/compared_evaluations.ts'); // a plotting library, for this alone
  const page = comparedEvaluations(scored);
  console.log(`${HEADER}; run`);
  const rows = scored.flatMap(({ name, evaluation }) => evaluation.rows.map((row) => ({ name, row, evaluation })));
  rows.sort((a, b) => a.row.steps - b.row.steps || a.row.frechet - b.row.frechet);
  for (const { name, row, evaluation } of rows) console.log(`${lineOf(row, evaluation.images)}; ${name}`);
  for (const note of page.notes) console.log(`note: ${note}`);
  atomicWrite(html, page.html);
  console.log(`written: ${html}`);
}

/** What `ucgm eval` found of a run, or wrote into a file. @throws UsageError. */
function scoresOf(path: string): Evaluation & { rows: EvaluationRow[] } {
  const file = statOf(path)?.isDirectory() ? join(path, 'eval.json') : path;
  if (!existsSync(file)) throw new UsageError(`${file} is not there`, `score it first: ucgm eval --from ${path}`);
  const evaluation = parseEvaluation(readFileSync(file, 'utf8'));
  if ('problem' in evaluation) throw new UsageError(`${file}: ${evaluation.problem}`, 'make it again with ucgm eval');
  return evaluation;
}
