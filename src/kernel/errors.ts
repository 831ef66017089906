/** What went wrong, as a stable word a program can branch on. */
export type KernelErrorCode =
  | 'bad-dims'
  | 'bad-knob'
  | 'bad-option'
  | 'bad-device'
  | 'missing-feature'
  | 'bad-buffer'
  | 'missing-buffer'
  | 'unexpected-buffer'
  | 'buffer-too-small'
  | 'buffer-alignment'
  | 'buffer-usage'
  | 'buffer-alias'
  | 'limit'
  | 'reflect'
  | 'compile'
  | 'not-ready';

/** Text from outside (a name, a path, a file's contents) without the line breaks that would break a message of one line. */
export function oneLine(text: string): string {
  return text.replace(/[\r\n\u2028\u2029]+/g, ' ');
}

/**
 * Every error that says what to do about it: `what` is wrong, in words that name the place and the limit, and the `fix`. Whoever
 * catches one knows that it was expected, and that its message is for a person to read.
 */
export class FixableError extends Error {
  override readonly name: string = 'FixableError';
  readonly what: string;
  readonly fix: string;

  constructor(what: string, fix: string, options: ErrorOptions = {}) {
    super(`${what}. Fix: ${fix}`, options);
    this.what = what;
    this.fix = fix;
  }
}

/** A broken precondition of one kernel, found before WebGPU sees it. `fix` says what to change. */
export class KernelError extends FixableError {
  override readonly name = 'KernelError';
  readonly code: KernelErrorCode;
  readonly kernel: string;
  readonly variant: string;

  constructor(code: KernelErrorCode, kernel: string, variant: string, what: string, fix: string) {
    super(`${kernel}${variant ? `[${variant}]` : ''}: ${what}`, fix);
    this.code = code;
    this.kernel = kernel;
    this.variant = variant;
  }
}
