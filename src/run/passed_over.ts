import { IoError } from '../io/errors.ts';

/** Damaged checkpoints that were passed over on the way to the newest sound one. */
export class PassedOver {
  readonly warnings: string[] = [];
  #newest: IoError | undefined;

  /** Notes why a checkpoint could not be read. @throws what is no such reason. */
  add(error: unknown): void {
    if (!(error instanceof IoError)) throw error;
    this.#newest ??= error;
    this.warnings.push(`passed over a damaged checkpoint: ${error.message}`);
  }

  /** There is no other: nothing, where none was damaged. @throws IoError of the newest. */
  end(): undefined {
    if (this.#newest) throw this.#newest;
    return undefined;
  }
}
