import * as v from 'valibot';

const number = v.number();
const numberOrNone = v.nullable(v.number());

const row = v.object({
  steps: number,
  order: number,
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

/** Reads an evaluation; undefined where the text is none. */
export function parseEvaluation(text: string): Evaluation | undefined {
  try {
    const result = v.safeParse(schema, JSON.parse(text));
    return result.success ? result.output : undefined;
  } catch {
    return undefined;
  }
}

/** The later evaluation with the earlier's rows beside its own, where both are of the same model, features and number of images. */
export function mergeEvaluations(before: Evaluation | undefined, now: Evaluation): Evaluation {
  const same = (['features', 'images', 'reference', 'model'] as const).every((key) => before?.[key] === now[key]);
  if (!before || !same) return now;
  const replaced = (old: EvaluationRow) => now.rows.some((r) => r.setting === old.setting && r.steps === old.steps);
  const rows = [...before.rows.filter((old) => !replaced(old)), ...now.rows];
  return { ...now, rows: rows.sort((a, b) => a.setting.localeCompare(b.setting) || a.steps - b.steps) };
}
