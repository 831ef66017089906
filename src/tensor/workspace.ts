import { watchLoss } from '../device/index.ts';
import {
  bfloatToFloat32,
  type Caps,
  callback,
  capsOf,
  checkOptions,
  group,
  halfToFloat32,
  number,
  optional,
} from '../kernel/index.ts';
import { Arena } from './arena.ts';
import type { Command } from './command.ts';
import { bytesOf, type DType } from './dtype.ts';
import { WorkspaceError } from './errors.ts';
import { Ledger, ledgerOf, type Owner } from './ledger.ts';
import { Ranges } from './ranges.ts';
import type { Section } from './section.ts';
import { Stream, type StreamOptions } from './stream.ts';
import { Tables } from './tables.ts';
import { Tasks } from './tasks.ts';
import { count, Storage, TENSOR_USAGE, Tensor } from './tensor.ts';

const MAP_READ = 0x1;
const STAGING_USAGE = 0x1 | 0x8; // MAP_READ | COPY_DST

const workspaces = new WeakMap<Ledger, Workspace>();

/** The workspace whose buffer this is, which may be a lease; undefined for a buffer of the caller's. */
export function homeOf(buffer: GPUBuffer): Workspace | undefined {
  for (let ledger = ledgerOf(buffer); ledger; ledger = ledger.parent) {
    const home = workspaces.get(ledger);
    if (home) return home;
  }
  return undefined;
}

/** How a workspace uses its device; a lease does as its workspace. */
export interface WorkspaceOptions extends StreamOptions {
  /** Bytes that all buffers may take together, those of leases with them; what the device has if left out. */
  readonly memoryLimit?: number | undefined;
}

const OPTIONS = group<WorkspaceOptions>(
  {
    submitMs: optional(number),
    memoryLimit: optional(number),
    onCompile: optional(callback<NonNullable<WorkspaceOptions['onCompile']>>()),
  },
  ({ submitMs = 1, memoryLimit = 1 }) => {
    const [name, value] = submitMs > 0 ? ['memoryLimit', memoryLimit] : ['submitMs', submitMs];
    return (value as number) > 0
      ? undefined
      : { what: `${name} is ${value}`, fix: 'give a number above 0, or leave it out' };
  },
);

/** How a lease is made. */
interface LeaseOf {
  readonly ledger: Ledger;
  /** It was disposed. */
  readonly ended: () => void;
}

/**
 * What one task on a device has for itself: the step arena, the stream of commands, and the order in which its work runs; and the ledger
 * of buffers, which counts those of its leases too. A lease is a workspace for another task beside it.
 */
export class Workspace {
  readonly device: GPUDevice;
  readonly caps: Caps;
  readonly ledger: Ledger;
  readonly arena: Arena;
  readonly stream: Stream;
  readonly ranges: Ranges;
  readonly tables: Tables;
  readonly #options: WorkspaceOptions;
  readonly #tasks: Tasks;
  readonly #leases = new Map<string, Workspace>();
  readonly #ended: (() => void) | undefined;

  /**
   * @param leaseOf given by `lease` alone.
   * @throws WorkspaceError for what is no device, and for options that do not exist.
   */
  constructor(device: GPUDevice, options: WorkspaceOptions = {}, leaseOf?: LeaseOf) {
    if (typeof device?.createBuffer !== 'function')
      throw new WorkspaceError(`a workspace of ${device}`, 'give a GPUDevice: await requestDevice(navigator.gpu)');
    checkOptions(OPTIONS, options, (what, fix) => new WorkspaceError(`Workspace: ${what}`, fix));
    watchLoss(device);
    this.device = device;
    this.#options = options;
    this.#tasks = new Tasks(device);
    this.caps = capsOf(device);
    this.ledger = leaseOf?.ledger ?? new Ledger(device, options.memoryLimit);
    this.#ended = leaseOf?.ended;
    workspaces.set(this.ledger, this);
    this.tables = new Tables(this.ledger);
    this.arena = new Arena(this.ledger, (buffer) => this.ranges.freed(buffer));
    this.ranges = new Ranges(this.arena, (from, to) => this.stream.copy(from, to));
    this.stream = new Stream(device, this.ledger, options, {
      written: (range) => this.ranges.written(range),
      flushed: () => this.ranges.forget(),
    });
  }

  /**
   * A workspace for one task beside this one, by the task's name: `sampling` or `scoring` while this one trains. Its step tensors, stream
   * and order of tasks are its own, so that work on either leaves the other's as they are; device and ledger are shared. The same
   * name gives the same lease, until that is disposed; it ends with this workspace. Tensors of this workspace that its work changes are
   * read as copies (`takeCopies`): `sample` takes one of the weights. What else it reads is made on the lease. @throws WorkspaceError for no name, and when disposed.
   */
  lease(name: string): Workspace {
    if (typeof name !== 'string' || name === '')
      throw new WorkspaceError(`a lease named ${JSON.stringify(name)}`, "give the task's name: 'sampling'");
    this.ledger.usable();
    const known = this.#leases.get(name);
    if (known) return known;
    const ended = () => void this.#leases.delete(name);
    const lease = new Workspace(this.device, this.#options, { ledger: this.ledger.branch(name), ended });
    this.#leases.set(name, lease);
    return lease;
  }

  /**
   * Copies tensors of this workspace as they are between two of its tasks, after those that were asked for before; asked for within a
   * function that a task calls, as they were before that task. The copies belong to `ledger`.
   * @param from called when it is their turn. @throws BufferLimitError where there is no memory for them; what `from` throws.
   */
  async takeCopies(ledger: Ledger, from: () => readonly Tensor[]): Promise<Tensor[]> {
    const room = async () => {
      const copies = from().map((tensor) => {
        const buffer = ledger.create('average', 'copy', tensor.size, TENSOR_USAGE);
        return new Tensor(tensor.shape, new Storage(buffer, 0, buffer.size), tensor.dtype);
      });
      await ledger.check();
      return copies;
    };
    const copy = (copies: Tensor[]) => {
      ledger.usable(); // it may have ended while this waited for its turn
      const encoder = this.device.createCommandEncoder();
      from().forEach(({ buffer, offset, size }, i) => {
        encoder.copyBufferToBuffer(buffer, offset, (copies[i] as Tensor).buffer, 0, size);
      });
      this.device.queue.submit([encoder.finish()]);
      return copies;
    };
    const inTurn = async (copies?: Tensor[]) =>
      this.task(async () => {
        const made = copies ?? (await room());
        await this.stream.flush();
        return copy(made);
      });
    if (!this.#tasks.calling) return inTurn();
    const copies = await room();
    return this.#tasks.calling ? copy(copies) : inTurn(copies); // the call may have ended meanwhile
  }

  /**
   * Runs work on this workspace after all work that was asked for before: steps and samplings share step tensors and the stream.
   * Not to be called within such work. @throws WorkspaceError when disposed; DeviceError when the device is lost.
   */
  task<T>(work: () => Promise<T>): Promise<T> {
    return this.#tasks.run(work);
  }

  /**
   * Submits what is recorded, then calls a function of the caller within a task; tasks started meanwhile are refused with a
   * WorkspaceError.
   */
  async callback(call: () => void | Promise<void>): Promise<void> {
    await this.stream.flush({ goesOn: true });
    await this.#tasks.within(call);
  }

  /** A zeroed tensor that lives until `free`, with a buffer of its own. */
  create(owner: Owner, label: string, shape: readonly number[], dtype: DType = 'f32'): Tensor {
    const buffer = this.ledger.create(owner, label, bytesOf(dtype, count(shape)), TENSOR_USAGE);
    return new Tensor(shape, new Storage(buffer, 0, buffer.size), dtype);
  }

  /** Destroys a tensor made by `create`. */
  free(tensor: Tensor): void {
    this.ledger.destroy(tensor.buffer);
  }

  /** Starts a step: step tensors of the last one are dead, records are matched from the first again. */
  beginStep(): void {
    this.arena.reset();
    this.tables.begin();
    this.stream.begin();
  }

  /**
   * Runs a part of a step that records the same commands every time: after two recordings in a row gave the same, `section` gives them
   * and `record` is not called any more, until something that they name is gone. What changes from step to step is written before it.
   * Step tensors are dead at its end; where some are alive at its start, it records each time.
   */
  repeat(section: Section, record: () => void): void {
    if (!this.arena.isEmpty) {
      section.forget();
      record();
      return;
    }
    this.stream.repeat(section, this.#toTheEnd(record));
  }

  /** As `repeat`; where the commands are known they go to the device in parts: see `Stream.repeatInParts`. */
  async repeatInParts(
    section: Section,
    record: () => void,
    endsOf: (commands: readonly Command[]) => readonly number[],
    between: (given: number) => Promise<void>,
  ): Promise<void> {
    if (this.arena.isEmpty) await this.stream.repeatInParts(section, this.#toTheEnd(record), endsOf, between);
    else this.repeat(section, record);
  }

  /** A record after which the rest of the step finds the arena as it does where nothing was recorded. */
  #toTheEnd(record: () => void): () => void {
    return () => {
      record();
      this.arena.reset();
    };
  }

  /** After an error while recording a step: forgets what of it is recorded, and gives back the memory of step tensors and of what was written to them. */
  async abandonStep(): Promise<void> {
    this.stream.drop();
    await this.stream.flush(); // what was recorded before the step may name step tensors
    this.arena.dispose();
    this.tables.free();
    this.stream.freeUploads();
    await this.ledger.reclaim();
  }

  /** Submits what is recorded and copies a tensor's elements to the host: of f16 and bf16 their values, of u32 the words as a float array. */
  read(tensor: Tensor): Promise<Float32Array<ArrayBuffer>> {
    return this.#mapped(tensor, (mapped) => {
      if (tensor.dtype === 'f16') return halfToFloat32(new Uint16Array(mapped, 0, tensor.count));
      if (tensor.dtype === 'bf16') return bfloatToFloat32(new Uint16Array(mapped, 0, tensor.count));
      return new Float32Array(mapped.slice(0));
    });
  }

  /**
   * The same of an f32 tensor where it is mapped, without a copy on the host: what `look` is given is gone when it returns.
   * @throws WorkspaceError for another dtype.
   */
  async readInPlace<T>(tensor: Tensor, look: (values: Float32Array) => T): Promise<T> {
    if (tensor.dtype !== 'f32')
      throw new WorkspaceError(`reading a tensor of ${tensor.dtype} in place`, 'give an f32 tensor, or read it');
    return this.#mapped(tensor, (mapped) => look(new Float32Array(mapped)));
  }

  async #mapped<T>(tensor: Tensor, look: (mapped: ArrayBuffer) => T): Promise<T> {
    await this.stream.flush();
    const size = Math.ceil(tensor.bytes / 4) * 4; // copies are of whole words
    const staging = this.ledger.create('staging', 'read', size, STAGING_USAGE);
    await this.ledger.check();
    const encoder = this.device.createCommandEncoder();
    encoder.copyBufferToBuffer(tensor.buffer, tensor.offset, staging, 0, size);
    this.device.queue.submit([encoder.finish()]);
    await staging.mapAsync(MAP_READ, 0, size);
    try {
      return look(staging.getMappedRange(0, size));
    } finally {
      staging.unmap();
      this.ledger.destroy(staging);
    }
  }

  /**
   * Destroys every buffer that this workspace and its leases made, at once; their tensors are dead. The device stays its owner's. Resolves when the memory
   * can be had again: await it before something large is made.
   */
  async dispose(): Promise<void> {
    this.#close();
    await this.ledger.reclaim();
  }

  #close(): void {
    for (const lease of this.#leases.values()) lease.#close();
    this.#tasks.close();
    this.stream.drop();
    this.arena.dispose();
    this.ledger.end();
    this.#ended?.();
  }
}
