import { FixableError } from '../kernel/index.ts';

/** Tensors that do not fit an operation: shapes, names, another device. `fix` says what to give. */
export class TensorError extends FixableError {
  override readonly name = 'TensorError';
}

/** A workspace, trainer or set of weights that cannot work any more, or not now. `fix` says what to do. */
export class WorkspaceError extends FixableError {
  override readonly name = 'WorkspaceError';
}
