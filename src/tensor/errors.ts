/** Tensors that do not fit an operation: shapes, names, another device. `fix` says what to give. */
export class TensorError extends RangeError {
  override readonly name = 'TensorError';
  readonly fix: string;

  constructor(what: string, fix: string) {
    super(`${what}. Fix: ${fix}`);
    this.fix = fix;
  }
}

/** A workspace, trainer or set of weights that cannot work any more, or not now. `fix` says what to do. */
export class WorkspaceError extends Error {
  override readonly name = 'WorkspaceError';
  readonly fix: string;

  constructor(what: string, fix: string) {
    super(`${what}. Fix: ${fix}`);
    this.fix = fix;
  }
}
