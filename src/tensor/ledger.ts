import { FixableError } from '../kernel/index.ts';

/** Who owns a buffer, declared at its birth. */
export type Owner = 'parameter' | 'gradient' | 'optimizer' | 'average' | 'arena' | 'data' | 'staging';

const OWNERS: readonly Owner[] = ['parameter', 'gradient', 'optimizer', 'average', 'arena', 'data', 'staging'];

/** A lost device owes no answer: reading from it says that it is lost. */
const ignoreLoss = () => {};

/** A buffer that the device cannot hold, by its limits or because its memory is full. */
export class BufferLimitError extends FixableError {
  override readonly name = 'BufferLimitError';
}

/** WebGPU does not tell whose a buffer is. */
const devices = new WeakMap<GPUBuffer, GPUDevice>();

/** The device on which a ledger made this buffer; undefined for a buffer of the caller's. */
export function deviceOf(buffer: GPUBuffer): GPUDevice | undefined {
  return devices.get(buffer);
}

/** Creates and destroys every data buffer of a workspace and counts its bytes by owner. */
export class Ledger {
  readonly #device: GPUDevice;
  readonly #live = new Map<GPUBuffer, Owner>();
  #total = 0;
  #peak = 0;
  /** Answers that the device owes: whether there was memory. */
  #asked: Promise<void>[] = [];
  #refused: BufferLimitError | undefined;
  /** Whether a buffer was destroyed whose memory the device may still hold. */
  #owed = false;

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** A zeroed buffer of `size` bytes, rounded up to 16. @throws BufferLimitError naming owner, size and limit when the device's maxBufferSize is passed. */
  create(owner: Owner, label: string, size: number, usage: number): GPUBuffer {
    const rounded = Math.max(16, Math.ceil(size / 16) * 16);
    const max = this.#device.limits.maxBufferSize;
    if (rounded > max) {
      throw new BufferLimitError(
        `${owner} buffer "${label}" needs ${rounded} bytes; maxBufferSize of this device is ${max}`,
        "a smaller batch or model, or request the adapter's limits",
      );
    }
    // A device without memory answers later, and until then gives a buffer that turns every command with it into nothing.
    this.#device.pushErrorScope('out-of-memory');
    const buffer = this.#device.createBuffer({ label: `${owner}: ${label}`, size: rounded, usage });
    const total = this.#total + rounded;
    this.#asked.push(
      this.#device.popErrorScope().then((error) => {
        if (!error) return;
        this.#refused ??= new BufferLimitError(
          `the device has no memory for ${owner} buffer "${label}" of ${rounded} bytes, ${total} with all before it`,
          'a smaller batch or model, or gradient_checkpointing',
        );
      }, ignoreLoss),
    );
    this.#live.set(buffer, owner);
    this.#total = total;
    this.#peak = Math.max(this.#peak, total);
    devices.set(buffer, this.#device);
    return buffer;
  }

  /** Whether the device has answered for every buffer, and `check` has heard it. */
  get settled(): boolean {
    return this.#asked.length === 0;
  }

  /** Waits until the device has said yes to every buffer. @throws BufferLimitError when its memory was full. */
  async check(): Promise<void> {
    if (this.#asked.length === 0) return;
    const asked = this.#asked;
    this.#asked = [];
    await Promise.all(asked);
    const refused = this.#refused;
    this.#refused = undefined;
    if (refused) throw refused;
  }

  destroy(buffer: GPUBuffer): void {
    if (!this.#live.delete(buffer)) return;
    this.#total -= buffer.size;
    buffer.destroy();
    this.#owed = true;
  }

  /**
   * Waits until the memory of destroyed buffers can be had again. Dawn gives it back when a submit that came after the destroying
   * has ended, and looks for that at the submit after it (an H100: 80 GB come back with the second, never without one).
   */
  async reclaim(): Promise<void> {
    if (!this.#owed) return;
    this.#owed = false;
    const { queue } = this.#device;
    for (let round = 0; round < 2; round++) {
      queue.submit([]);
      await queue.onSubmittedWorkDone().catch(ignoreLoss);
    }
  }

  /** Live bytes of every owner; owners without buffers are 0. */
  bytes(): Record<Owner, number> {
    const out = Object.fromEntries(OWNERS.map((o) => [o, 0])) as Record<Owner, number>;
    for (const [buffer, owner] of this.#live) out[owner] += buffer.size;
    return out;
  }

  /** Live bytes of all owners together. */
  get total(): number {
    return this.#total;
  }

  /** The most bytes that were live at once. */
  get peak(): number {
    return this.#peak;
  }

  destroyAll(): void {
    for (const buffer of this.#live.keys()) this.destroy(buffer);
  }
}
