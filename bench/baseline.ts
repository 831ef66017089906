import { UsageError } from '../src/cli/failure.ts';
import { isTimed, type Line } from './results.ts';
import { readResults } from './results_file.ts';

/** Times of another library at the same work, by case: what tools/torch_baseline.py writes, or a results file of ours. */
export class Baseline {
  readonly #path: string;
  readonly #cases: readonly Line[];

  /** @throws UsageError for what is no results file. */
  constructor(path: string) {
    this.#path = path;
    this.#cases = [...readResults(path).cases.values()].filter(isTimed);
    if (this.#cases.length === 0) throw new UsageError(`${path} holds no times`, 'give what torch_baseline.py wrote');
  }

  /** Ours by theirs, as lines: time, and of a step also the forward pass and the memory, where both have them. */
  compare(results: readonly Ours[]): string[] {
    const ours = new Map(results.map((result) => [result.case, result]));
    const rows = this.#cases.flatMap((theirs) => {
      const own = sameWork(theirs, ours);
      return own ? [rowOf(theirs, own)] : [];
    });
    if (rows.length === 0) return [`${this.#path} has none of these cases`];
    const { torch, device, dtype, variant } = this.#cases[0] as Line;
    const what = [torch && `PyTorch ${torch}`, device, dtype, variant].filter(Boolean).join(', ');
    return [`ours / theirs (${[this.#path, what].filter(Boolean).join(': ')})`, COLUMNS, ...rows];
  }
}

/** What of a result is held against theirs. */
interface Ours {
  readonly case: string;
  readonly ms: number;
  readonly forwardMs?: number;
  readonly peakBytes?: number;
}

const COLUMNS = '      ours    theirs  ratio  forward  memory  case (ms)';

/** Our result at a case of theirs: its name's, or the sum of several that together do the same work (`ours`). */
function sameWork(theirs: Line, ours: ReadonlyMap<string, Ours>): Ours | undefined {
  const names = Array.isArray(theirs.ours) ? (theirs.ours as string[]) : [theirs.case];
  const found = names.map((name) => ours.get(name));
  if (names.length === 0 || found.includes(undefined)) return undefined;
  if (found.length === 1) return found[0];
  return { case: theirs.case, ms: (found as Ours[]).reduce((sum, { ms }) => sum + ms, 0) };
}

function rowOf(theirs: Line, own: Ours): string {
  const ratio = (a: number | undefined, b: unknown, width: number) =>
    (a !== undefined && typeof b === 'number' && b > 0 ? (a / b).toFixed(3) : '').padStart(width);
  return [
    own.ms.toFixed(4).padStart(10),
    (theirs.ms as number).toFixed(4).padStart(9),
    ratio(own.ms, theirs.ms, 6),
    ratio(own.forwardMs, theirs.forward_ms, 8),
    ratio(own.peakBytes, theirs.peak_bytes, 7),
    ` ${theirs.case}`,
  ].join(' ');
}
