import { UsageError } from '../src/cli/failure.ts';
import type { Line } from './results.ts';
import { readTimes } from './results_file.ts';

/**
 * Times of another library at the same work, by case, precision and variant: what tools/torch_baseline.py writes, several such files one
 * after the other, or a results file of ours.
 */
export class Baseline {
  readonly #path: string;
  readonly #cases: readonly Line[];

  /** @throws UsageError for what is no results file. */
  constructor(path: string) {
    this.#path = path;
    const lines = readTimes(path);
    if (lines.length === 0) throw new UsageError(`${path} holds no times`, 'give what torch_baseline.py wrote');
    const keyOf = ({ case: name, dtype, variant }: Line) => JSON.stringify([name, dtype, variant]);
    this.#cases = [...new Map(lines.map((line) => [keyOf(line), line])).values()];
  }

  /**
   * Ours by theirs, as lines: time, and of a step also the forward pass and the memory, where both have them. Of f32 both our f32 and our
   * f32x3, a row each.
   */
  compare(results: readonly Ours[]): string[] {
    const ours = new Map(results.map((result) => [result.case, result]));
    const abouts = this.#cases.map(aboutOf);
    const isCommon = (word: string) => abouts.every((words) => words.includes(word));
    const rows = this.#cases.flatMap((theirs, i) => {
      const own = abouts[i]?.filter((word) => !isCommon(word)) ?? [];
      return sameWork(theirs, ours).map((result) => rowOf(theirs, result, own));
    });
    if (rows.length === 0) return [`${this.#path} has none of these cases`];
    const where = [this.#path, abouts[0]?.filter(isCommon).join(', ')].filter(Boolean).join(': ');
    return [`ours / theirs (${where})`, COLUMNS, ...rows];
  }
}

/** What of a result is held against theirs. */
interface Ours {
  readonly case: string;
  readonly ms: number;
  readonly dtype?: string;
  readonly forwardMs?: number;
  readonly peakBytes?: number;
}

/** Where times of PyTorch come from: said once where it is the same of all lines, else in each row. */
const aboutOf = ({ torch, device, variant }: Line): string[] =>
  torch === undefined ? [] : [`PyTorch ${torch}`, ...[device, variant].filter(Boolean).map(String)];

const COLUMNS = '      ours    theirs  ratio  forward  memory  dtypes      case (ms)';

/**
 * Our results at a case of theirs: its name's and, of one in f32, that in f32x3; or the sum of several that together do the same work
 * (`ours`).
 */
function sameWork(theirs: Line, ours: ReadonlyMap<string, Ours>): Ours[] {
  if (!Array.isArray(theirs.ours)) {
    const names = theirs.dtype === 'f32' ? [theirs.case, `${theirs.case} f32x3`] : [theirs.case];
    return names.flatMap((name) => ours.get(name) ?? []);
  }
  const found = (theirs.ours as string[]).flatMap((name) => ours.get(name) ?? []);
  if (found.length < theirs.ours.length || found.length === 0) return [];
  const [first] = found as [Ours];
  if (found.length === 1) return [first];
  const dtype = first.dtype === undefined ? {} : { dtype: first.dtype };
  return [{ case: theirs.case, ...dtype, ms: found.reduce((sum, { ms }) => sum + ms, 0) }];
}

/** @param about what else there is to say of theirs. */
function rowOf(theirs: Line, own: Ours, about: readonly string[]): string {
  const ratio = (a: number | undefined, b: unknown, width: number) =>
    (a !== undefined && typeof b === 'number' && b > 0 ? (a / b).toFixed(3) : '').padStart(width);
  return [
    own.ms.toFixed(4).padStart(10),
    (theirs.ms as number).toFixed(4).padStart(9),
    ratio(own.ms, theirs.ms, 6),
    ratio(own.forwardMs, theirs.forward_ms, 8),
    ratio(own.peakBytes, theirs.peak_bytes, 7),
    ` ${[`${own.dtype ?? '?'}/${theirs.dtype ?? '?'}`, ...about].join(' ').padEnd(10)}`,
    ` ${theirs.case}`,
  ].join(' ');
}
