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

/** A broken precondition of one kernel, found before WebGPU sees it. `fix` says what to change. */
export class KernelError extends Error {
  override readonly name = 'KernelError';
  readonly code: KernelErrorCode;
  readonly kernel: string;
  readonly variant: string;
  readonly fix: string;

  constructor(code: KernelErrorCode, kernel: string, variant: string, what: string, fix: string) {
    super(`${kernel}${variant ? `[${variant}]` : ''}: ${what}. Fix: ${fix}`);
    this.code = code;
    this.kernel = kernel;
    this.variant = variant;
    this.fix = fix;
  }
}
