import { FixableError, oneLine } from '../kernel/errors.ts';

/** What went wrong with a file or its contents, as a stable word a program can branch on. */
export type IoErrorCode =
  | 'too-short'
  | 'header-length'
  | 'header-json'
  | 'header-object'
  | 'metadata'
  | 'duplicate'
  | 'dtype'
  | 'shape'
  | 'offsets'
  | 'size'
  | 'overlap'
  | 'hole'
  | 'trailing'
  | 'argument'
  | 'read'
  | 'write'
  | 'exists'
  | 'missing'
  | 'locked'
  | 'log-line'
  | 'closed'
  | 'zip'
  | 'npy'
  | 'pickle'
  | 'global'
  | 'storage'
  | 'limit'
  | 'torch'
  | 'ambiguous';

/** A file that cannot be read, written or understood. One line: `where` names the file, `fix` says what to change. */
export class IoError extends FixableError {
  override readonly name = 'IoError';
  readonly code: IoErrorCode;
  readonly where: string;

  constructor(code: IoErrorCode, where: string, what: string, fix: string, cause?: unknown) {
    // Names and paths come from files: a line break in one must not break the message.
    super(oneLine(`${where}: ${what}`), oneLine(fix), cause === undefined ? {} : { cause });
    this.code = code;
    this.where = where;
  }
}

/** The system's short name of a failure (ENOENT, ENOSPC ...), or its message. */
export function systemReason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return (error as { code?: unknown }).code === undefined ? error.message : String((error as { code?: unknown }).code);
}
