import { Storage, Tensor, type Workspace } from '../tensor/index.ts';

/** What a training starts with, as torch.amp.GradScaler: 2^16. */
const FIRST_SCALE = 2 ** 16;
const MAP_READ = 0x1;
const STAGING_USAGE = 0x1 | 0x8; // MAP_READ | COPY_DST
const BYTES = 16;

/**
 * What the loss is multiplied by in mixed precision, so that gradients of activations lie in the range of f16 (Micikevicius et al. 2018). The
 * device changes it: where gradients overflow, the step is skipped and the scale halved; after 2000 sound steps it is doubled.
 */
export class LossScale {
  /** [4]: the scale, 1 where the last step was skipped, steps skipped in all, sound steps since it was changed. Part of a checkpoint. */
  readonly state: Tensor;
  readonly #workspace: Workspace;
  readonly #staging: GPUBuffer;
  /** The state as the host reads it. */
  readonly #read: Tensor;
  #unsettled: { readonly skipped: Promise<boolean>; readonly back: () => void } | undefined;

  constructor(workspace: Workspace) {
    this.#workspace = workspace;
    this.state = workspace.create('optimizer', 'loss scale', [4]);
    this.#staging = workspace.ledger.create('staging', 'loss scale', BYTES, STAGING_USAGE);
    this.#read = new Tensor([4], new Storage(this.#staging, 0, BYTES));
    workspace.stream.write(this.state, new Float32Array([FIRST_SCALE, 0, 0, 0]));
  }

  /** True while it is not known whether the last step was taken. */
  get unsettled(): boolean {
    return this.#unsettled !== undefined;
  }

  /** Records the keeping of what becomes of a step, for the host to read: at its end, when the one before is settled. */
  record(): void {
    this.#workspace.stream.copy(this.state, this.#read);
  }

  /** A step was submitted: `back` takes the numbers of the host to what they were before it. */
  submitted(back: () => void): void {
    const skipped = this.#skipped();
    skipped.catch(() => {}); // told to whoever settles
    this.#unsettled = { skipped, back };
  }

  /** Waits until it is known whether the last step was taken, and goes back where it was not. */
  async settle(): Promise<void> {
    const last = this.#unsettled;
    this.#unsettled = undefined;
    if (last && (await last.skipped)) last.back();
  }

  /** The state comes from a checkpoint: whatever became of the last step, there is no way back; what it is read from is still its own. */
  restored(): void {
    const last = this.#unsettled;
    if (!last) return;
    const skipped = last.skipped.then(() => false);
    skipped.catch(() => {}); // told to whoever settles
    this.#unsettled = { skipped, back: () => {} };
  }

  /** Whether the step that was submitted last is skipped, once the device knows. */
  async #skipped(): Promise<boolean> {
    await this.#staging.mapAsync(MAP_READ);
    const skipped = new Float32Array(this.#staging.getMappedRange())[1] === 1;
    this.#staging.unmap();
    return skipped;
  }

  free(): void {
    this.#workspace.free(this.state);
    this.#workspace.ledger.destroy(this.#staging);
  }
}
