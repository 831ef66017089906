import * as v from 'valibot';
import { deviation, limitOf, mean } from './statistics.ts';

const number = v.number();
const numberOrNone = v.nullable(v.number());
const bySize = v.array(v.object({ images: number, frechet: number }));

/** Scores that are averaged over seeds. */
const SCORES = ['frechet', 'kid', 'precision', 'recall', 'accuracy', 'nearest'] as const;

const row = v.object({
  steps: v.pipe(v.number(), v.integer(), v.minValue(1)),
  order: v.picklist([1, 2]),
  nfe: number,
  /** Everything else about the sampler, in words; a row is found by it and its steps. */
  setting: v.string(),
  /** Scores: of several seeds their means. */
  frechet: number,
  kid: number,
  precision: number,
  recall: number,
  accuracy: numberOrNone,
  nearest: numberOrNone,
  /** Sampling, of one seed. */
  seconds: number,
  /** Seeds of the noise; rows of earlier versions do not say. */
  seeds: v.optional(v.array(number)),
  /** Standard deviation of each score over the seeds; null of one. */
  deviation: v.optional(v.record(v.string(), numberOrNone)),
  /** The distance by number of samples, and that of endless ones by the line through these; see metrics/sample_size.ts and statistics.ts. */
  bySize: v.optional(bySize),
  limit: v.optional(numberOrNone),
});

const schema = v.object({
  /** Which network the features are of. */
  features: v.string(),
  /** Samples a row and seed. */
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

/** Scores of the samples of one seed, and what they took. */
export interface SeedScores extends Pick<EvaluationRow, (typeof SCORES)[number] | 'nfe' | 'seconds'> {
  readonly seed: number;
  readonly bySize: NonNullable<EvaluationRow['bySize']>;
}

/** One row of the scores of several seeds: means, deviations, and the distance of endless samples. */
export function rowOf(
  sampler: Pick<EvaluationRow, 'steps' | 'order' | 'setting'>,
  all: readonly SeedScores[],
): EvaluationRow {
  const [first] = all as [SeedScores, ...SeedScores[]];
  const over = <T>(of: (values: number[]) => T) =>
    Object.fromEntries(
      SCORES.map((name) => {
        const values = all.map((scores) => scores[name]).filter((value) => value !== null);
        return [name, values.length === 0 ? null : of(values)] as const;
      }),
    );
  const sizes = first.bySize.map(({ images }, i) => ({
    images,
    frechet: mean(all.map((scores) => scores.bySize[i]?.frechet as number)),
  }));
  return {
    ...sampler,
    ...(over(mean) as Pick<EvaluationRow, (typeof SCORES)[number]>),
    nfe: first.nfe,
    seconds: Number(mean(all.map(({ seconds }) => seconds)).toFixed(1)),
    seeds: all.map(({ seed }) => seed),
    deviation: over(deviation),
    bySize: sizes,
    limit: limitOf(sizes),
  };
}

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
