import { FixableError } from '../kernel/index.ts';
import { WorkspaceError } from './errors.ts';
import { heldBy, whatHelps } from './memory_advice.ts';
import { OWNERS, type Owner } from './owner.ts';

export type { Owner } from './owner.ts';

/** A lost device owes no answer: reading from it says that it is lost. */
const ignoreLoss = () => {};

/** A buffer that the device cannot hold, by its limits or because its memory is full. */
export class BufferLimitError extends FixableError {
  override readonly name = 'BufferLimitError';
  /** The buffer for which there was no memory, where the device said so. */
  readonly buffer: GPUBuffer | undefined;

  constructor(what: string, fix: string, buffer?: GPUBuffer) {
    super(what, fix);
    this.buffer = buffer;
  }
}

/** WebGPU does not tell whose a buffer is. */
const ledgers = new WeakMap<GPUBuffer, Ledger>();

/** The ledger that made this buffer; undefined for a buffer of the caller's. */
export function ledgerOf(buffer: GPUBuffer): Ledger | undefined {
  return ledgers.get(buffer);
}

/** The device on which a ledger made this buffer; undefined for a buffer of the caller's. */
export function deviceOf(buffer: GPUBuffer): GPUDevice | undefined {
  return ledgers.get(buffer)?.device;
}

/**
 * Creates and destroys every data buffer of a workspace and counts its bytes by owner. A branch is the ledger of one task beside others:
 * whether there was memory for its buffers is its own matter, its bytes are counted with those of the ledger it is of.
 */
export class Ledger {
  readonly device: GPUDevice;
  /** What this is a branch of. */
  parent: Ledger | undefined;
  /** What the buffers are for, where there are others: a word for their labels. */
  #task = '';
  readonly #branches = new Set<Ledger>();
  readonly #live = new Map<GPUBuffer, Owner>();
  readonly #bytes = Object.fromEntries(OWNERS.map((owner) => [owner, 0])) as Record<Owner, number>;
  #total = 0;
  #peak = 0;
  #destroyed = 0;
  /** Answers that the device owes: whether there was memory. */
  readonly #asked = new Set<Promise<void>>();
  #refused: BufferLimitError | undefined;
  #ended = false;
  /** Whether a buffer was destroyed whose memory the device may still hold. */
  #owed = false;

  /** Bytes that all buffers may take together. */
  readonly #most: number;

  /** @param most bytes that all buffers may take together. */
  constructor(device: GPUDevice, most = Number.POSITIVE_INFINITY) {
    this.device = device;
    this.#most = most;
  }

  /** A ledger of one task, until its `end`. */
  branch(task: string): Ledger {
    const branch = new Ledger(this.device, this.#most);
    branch.#task = `${task} `;
    branch.parent = this;
    this.#branches.add(branch);
    return branch;
  }

  /** Destroys every buffer, makes no other, and is no branch any more. */
  end(): void {
    this.#ended = true;
    this.destroyAll();
    if (!this.parent) return;
    this.parent.#branches.delete(this);
    this.parent.#owed ||= this.#owed;
  }

  /** A zeroed buffer of `size` bytes, rounded up to 16. @throws BufferLimitError naming owner, size and limit when the device's maxBufferSize, or what all may take together, is passed; WorkspaceError once ended. */
  create(owner: Owner, label: string, size: number, usage: number, mappedAtCreation = false): GPUBuffer {
    this.usable();
    const rounded = Math.max(16, Math.ceil(size / 16) * 16);
    const max = this.device.limits.maxBufferSize;
    if (rounded > max) {
      throw new BufferLimitError(
        `${owner} buffer "${label}" needs ${rounded} bytes; maxBufferSize of this device is ${max}`,
        "a smaller batch or model, or request the adapter's limits",
      );
    }
    const root = this.#root;
    if (root.total + rounded > this.#most) {
      throw new BufferLimitError(
        `${owner} buffer "${label}" needs ${rounded} bytes, ${root.total + rounded} with all before it (${heldBy(root.bytes())}); the memory limit is ${this.#most}`,
        `${whatHelps(root.bytes())}, or another memory limit`,
      );
    }
    // A device without memory answers later, and until then gives a buffer that turns every command with it into nothing.
    this.device.pushErrorScope('out-of-memory');
    const descriptor = { label: `${owner}: ${this.#task}${label}`, size: rounded, usage, mappedAtCreation };
    const buffer = this.device.createBuffer(descriptor);
    this.#grow(owner, rounded);
    const held = root.bytes();
    const { total } = root;
    const answer = this.device
      .popErrorScope()
      .then((error) => {
        if (!error) return;
        this.#refused ??= new BufferLimitError(
          `the device has no memory for ${owner} buffer "${label}" of ${rounded} bytes, ${total} with all before it (${heldBy(held)})`,
          whatHelps(held),
          buffer,
        );
      }, ignoreLoss)
      .then(() => void this.#asked.delete(answer));
    this.#asked.add(answer);
    this.#live.set(buffer, owner);
    ledgers.set(buffer, this);
    return buffer;
  }

  /** @throws WorkspaceError once ended: its buffers are gone. */
  usable(): void {
    if (this.#ended) throw new WorkspaceError('the workspace was disposed', 'make a new one');
  }

  /** Whether the device has said yes to every buffer. */
  get settled(): boolean {
    return this.#asked.size === 0 && this.#refused === undefined;
  }

  /** Waits until the device has said yes to every buffer. @throws BufferLimitError when its memory was full; as `usable`. */
  async check(): Promise<void> {
    while (this.#asked.size > 0) await Promise.all(this.#asked);
    const refused = this.#refused;
    this.#refused = undefined;
    if (refused) throw refused;
    this.usable();
  }

  destroy(buffer: GPUBuffer): void {
    const owner = this.#live.get(buffer);
    if (!owner) return;
    if (owner !== 'staging') this.#destroyed++;
    this.#live.delete(buffer);
    this.#grow(owner, -buffer.size);
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
    const { queue } = this.device;
    for (let round = 0; round < 2; round++) {
      queue.submit([]);
      await queue.onSubmittedWorkDone().catch(ignoreLoss);
    }
  }

  /** Live bytes of every owner, those of branches with them; owners without buffers are 0. */
  bytes(): Record<Owner, number> {
    return { ...this.#bytes };
  }

  /** How many buffers were destroyed that a kept record may name: all but staging. */
  get destroyed(): number {
    return this.#destroyed;
  }

  /** Live bytes of all owners together, those of branches with them. */
  get total(): number {
    return this.#total;
  }

  /** The most bytes that were live at once, those of branches with them. */
  get peak(): number {
    return this.#peak;
  }

  #grow(owner: Owner, bytes: number): void {
    this.#bytes[owner] += bytes;
    this.#total += bytes;
    this.#peak = Math.max(this.#peak, this.#total);
    if (this.parent) this.parent.#grow(owner, bytes);
  }

  get #root(): Ledger {
    return this.parent ? this.parent.#root : this;
  }

  /** Destroys every buffer, those of branches with them. */
  destroyAll(): void {
    for (const branch of this.#branches) branch.end();
    for (const buffer of this.#live.keys()) this.destroy(buffer);
  }
}
