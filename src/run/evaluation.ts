import * as v from 'valibot';

const number = v.number();
const numberOrNone = v.nullable(v.number());

const row = v.object({
  steps: v.pipe(v.number(), v.integer(), v.minValue(1)),
  order: v.picklist([1, 2]),
  nfe: number,
  /** Everything else about the sampler, in words; a row is found by it and its steps. */
  setting: v.string(),
  frechet: number,
  kid: number,
  precision: number,
  recall: number,
  accuracy: numberOrNone,
  nearest: numberOrNone,
  seconds: number,
});

const schema = v.object({
  /** Which network the features are of. */
  features: v.string(),
  /** Samples a row. */
  images: number,
  /** What the samples are compared with. */
  reference: v.string(),
  /** Which weights were scored. */
  model: v.string(),
  rows: v.array(row),
  adapter: v.string(),
  /** Day of the last row. */
  date: v.string(),
});

/** Scores by number of steps: what `ucgm eval` writes as JSON. */
export type Evaluation = v.InferOutput<typeof schema>;
export type EvaluationRow = v.InferOutput<typeof row>;

/** Why a text is no evaluation. */
export interface EvaluationProblem {
  readonly problem: string;
}

/** Reads the text of an eval.json; one that does not fit is no reason to lose a report. */
export function parseEvaluation(text: string): Evaluation | EvaluationProblem {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { problem: `eval.json is no JSON: ${error instanceof Error ? error.message : error}` };
  }
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const where = v.getDotPath(issue);
  return { problem: `eval.json does not fit${where ? ` at ${where}` : ''}: ${issue.message}` };
}

/** The later evaluation with the earlier's rows beside its own, where both are of the same model, features and number of images. */
export function mergeEvaluations(before: Evaluation | EvaluationProblem | undefined, now: Evaluation): Evaluation {
  if (!before || 'problem' in before) return now;
  if (!(['features', 'images', 'reference', 'model'] as const).every((key) => before[key] === now[key])) return now;
  const replaced = (old: EvaluationRow) => now.rows.some((r) => r.setting === old.setting && r.steps === old.steps);
  const rows = [...before.rows.filter((old) => !replaced(old)), ...now.rows];
  return { ...now, rows: rows.sort((a, b) => a.setting.localeCompare(b.setting) || a.steps - b.steps) };
}
