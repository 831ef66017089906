import type { BufferLike, BuffersOf, DimsOf, DispatchRecord, Kernel, Resource, ShaderSource } from '../kernel/index.ts';
import type { Command, Words } from './command.ts';
import { bytesOf } from './dtype.ts';
import { TensorError } from './errors.ts';
import { BufferLimitError, type Ledger } from './ledger.ts';
import { Pieces } from './pieces.ts';
import type { Section } from './section.ts';
import type { Tensor } from './tensor.ts';
import { Uploads } from './uploads.ts';

/**
 * Dispatches after which what is recorded goes to the GPU, so that it works while the host records on. A submit takes the host as long as
 * some forty dispatches (0.2 ms beside an H100).
 */
const SUBMIT_EVERY = 192;

/** How commands go to the device; left out, as soon as there are some, and without a word. */
export interface StreamOptions {
  /** Milliseconds that one submit may take the device, about: the page, which shares it, can draw in between. */
  readonly submitMs?: number | undefined;
  /** Told whenever a kernel is compiled that is waited for, how many of those are. */
  readonly onCompile?: ((done: number, of: number) => void) | undefined;
}

/** Told what becomes of buffers. */
export interface StreamWatch {
  /** A command is recorded, other than those of a known section, that may write this range. */
  written(range: Resource): void;
  /** All that was recorded is submitted: from here on others may write. */
  flushed(): void;
}

interface Slot {
  kernel: Kernel;
  buffers: { [name: string]: BufferLike | undefined };
  dims: { [name: string]: number };
  record: DispatchRecord;
}

/**
 * Records dispatches, clears, copies and writes, and submits them in that order. Bound records are kept by position: when
 * the i-th dispatch since `begin` asks for what the i-th asked for last time, its record is used again. Recording needs no
 * compiled pipeline; `flush` waits for those still compiling, so the kernels of a first step compile in parallel.
 */
export class Stream {
  readonly device: GPUDevice;
  #commands: Command[] = [];
  #slots: Slot[] = [];
  #position = 0;
  /** Commands that were recorded before `begin` and are not submitted yet. */
  #earlier = 0;
  #waiting = new Set<Kernel>();
  #runs = 0;
  #held = false;
  /** Between `begin` and what ends the step. */
  #stepping = false;
  /** What a section records, while it does. */
  #section: Command[] | undefined;
  /** How often all records were forgotten. */
  #drops = 0;
  readonly #memory: Ledger;
  readonly #uploads: Uploads;
  readonly #pieces: Pieces | undefined;
  readonly #onCompile: StreamOptions['onCompile'];
  readonly #watch: StreamWatch | undefined;

  /** @param memory whether there was memory for the buffers: nothing is submitted before it is known. */
  constructor(device: GPUDevice, memory: Ledger, { submitMs, onCompile }: StreamOptions = {}, watch?: StreamWatch) {
    this.device = device;
    this.#memory = memory;
    this.#uploads = new Uploads(memory);
    this.#pieces = submitMs === undefined ? undefined : new Pieces(device.queue, submitMs);
    this.#onCompile = onCompile;
    this.#watch = watch;
  }

  /** Starts a new sequence of dispatches, to be matched with the last one's records. */
  begin(): void {
    this.#position = 0;
    this.#earlier = this.#commands.length;
    this.#held = false;
    this.#stepping = true;
  }

  /** From here on nothing is submitted before `flush`: what lasts of a step happens whole or not at all, and a device that has work needs no part of it. */
  hold(): void {
    this.#held = true;
  }

  /** Records one dispatch. @throws KernelError as `bind` does. */
  run<S extends ShaderSource>(kernel: Kernel<S>, buffers: BuffersOf<S>, dims: DimsOf<S>): void {
    const any = kernel as unknown as Kernel;
    let slot = this.#slots[this.#position];
    if (!slot || slot.kernel !== any || !sameBuffers(slot.buffers, buffers) || !sameDims(slot.dims, dims)) {
      const record = kernel.bind(buffers, dims);
      slot = { kernel: any, buffers: buffers as Slot['buffers'], dims: dims as Slot['dims'], record };
      this.#slots[this.#position] = slot;
    }
    this.#position++;
    if (!kernel.compiled) this.#waiting.add(any);
    for (const range of slot.record.written) this.#watch?.written(range);
    this.#record({ kind: 'run', kernel: any, record: slot.record, buffers: slot.buffers });
  }

  /**
   * Records what `record` records, or, where `section` knows what that is, the same commands without asking it. `record` must make
   * the same calls each time; what changes is written before. @throws TensorError within another section.
   */
  repeat(section: Section, record: () => void): void {
    if (this.#section)
      throw new TensorError('a section of a step was begun within another', 'end the first before the second begins');
    const situation = this.#situation;
    const kept = section.kept(situation);
    if (kept) {
      this.#give(kept);
      return;
    }
    const commands: Command[] = [];
    this.#section = commands;
    try {
      record();
    } finally {
      this.#section = undefined;
    }
    section.recorded(commands, situation);
  }

  /**
   * As `repeat`; but commands that are known go to the device in the parts that `endsOf` cuts them into, by where each ends. After each
   * part that was submitted `between` is told how many commands were, and waited for.
   */
  async repeatInParts(
    section: Section,
    record: () => void,
    endsOf: (commands: readonly Command[]) => readonly number[],
    between: (given: number) => Promise<void>,
  ): Promise<void> {
    const kept = this.#section ? undefined : section.kept(this.#situation);
    if (!kept) return this.repeat(section, record);
    let given = 0;
    for (const end of [...endsOf(kept), kept.length]) {
      this.#give(kept.slice(given, end));
      given = end;
      this.#submitIfReady();
      if (this.#commands.length === 0) await between(given);
    }
  }

  get #situation() {
    return { position: this.#position, age: this.#drops + this.#memory.destroyed };
  }

  #give(commands: readonly Command[]): void {
    for (const command of commands) {
      if (command.kind === 'run') this.#position++;
      this.#record(command);
    }
  }

  #record(command: Command): void {
    this.#section?.push(command);
    this.#commands.push(command);
    if (command.kind === 'run' && ++this.#runs >= SUBMIT_EVERY) this.#submitIfReady();
  }

  /** Fills a tensor with zeros. */
  clear(tensor: Tensor): void {
    this.#watch?.written(tensor);
    this.#record({ kind: 'clear', tensor });
  }

  /** Copies the elements of one tensor to another of the same count. */
  copy(from: Tensor, to: Tensor): void {
    if (from.count !== to.count)
      throw new TensorError(
        `cannot copy [${from.shape}] to [${to.shape}]: the counts differ`,
        'give tensors of one count',
      );
    if (from.dtype !== to.dtype)
      throw new TensorError(
        `cannot copy [${from.shape}] ${from.dtype} to [${to.shape}] ${to.dtype}: the dtypes differ`,
        'give tensors of one dtype',
      );
    const bytes = wholeWords(from, to);
    this.#watch?.written(to);
    this.#record({ kind: 'copy', from, to, bytes });
  }

  /** Writes host numbers into a tensor, in order with the dispatches around it. The data is copied now. */
  write(tensor: Tensor, data: Words, elementOffset = 0): void {
    const byteOffset = bytesOf(tensor.dtype, elementOffset);
    if (data.BYTES_PER_ELEMENT !== bytesOf(tensor.dtype, 1))
      throw new TensorError(
        `cannot write a ${data.constructor.name} to a tensor of ${tensor.dtype}`,
        'give float32ToHalf(data) for f16, a Float32Array for f32',
      );
    if (elementOffset + data.length > tensor.count) {
      throw new TensorError(
        `cannot write ${data.length} elements at ${elementOffset} of [${tensor.shape}]`,
        'give as many as there is room for',
      );
    }
    if (data instanceof Uint16Array) wholeHalves(data, tensor, elementOffset);
    this.#watch?.written(tensor);
    const staged = this.#stepping ? this.#uploads.stage(data) : undefined; // weights of a file need no lasting staging
    if (staged) this.#record({ kind: 'upload', staged, tensor, byteOffset });
    else this.#record({ kind: 'write', tensor, data: copyOf(data), byteOffset });
  }

  /**
   * Submits all that is recorded, once its pipelines are compiled, and ends the step, unless it `goesOn`: then what the host writes later
   * still goes in order with the rest. @throws KernelError compile, BufferLimitError.
   */
  async flush({ goesOn = false } = {}): Promise<void> {
    await this.#checkMemory();
    if (this.#waiting.size > 0) {
      await this.#compiled();
      await this.#checkMemory(); // compiling takes seconds: the buffers may be gone
    }
    this.#waiting.clear();
    const commands = this.#taken();
    this.#watch?.flushed();
    this.#stepping &&= goesOn;
    const takeBack = this.#uploads.unmap();
    try {
      const dispatch = (command: Command) => (command.kind === 'run' ? command.record : undefined);
      if (this.#pieces) await this.#pieces.send(commands, dispatch, (piece) => this.#submit(piece));
      else this.#submit(commands);
    } finally {
      takeBack();
    }
  }

  /** @throws BufferLimitError that also says which kernel asked first for what there was no memory for. */
  async #checkMemory(): Promise<void> {
    try {
      await this.#memory.check();
    } catch (error) {
      const buffer = error instanceof BufferLimitError ? error.buffer : undefined;
      if (!buffer) throw error;
      const { what, fix } = error as BufferLimitError;
      throw new BufferLimitError(`${what}${this.#firstUse(buffer)}`, fix, buffer);
    }
  }

  /** Where this step uses a buffer first: `, out of matmul`. */
  #firstUse(buffer: GPUBuffer): string {
    for (const { kernel, buffers } of this.#slots.slice(0, this.#position))
      for (const [name, given] of Object.entries(buffers))
        if (given && ('buffer' in given ? given.buffer : given) === buffer) return `: ${name} of ${kernel.name}`;
    return '';
  }

  async #compiled(): Promise<void> {
    const kernels = [...this.#waiting];
    let done = kernels.filter((kernel) => kernel.compiled).length;
    const one = async (kernel: Kernel) => {
      if (kernel.compiled) return;
      await kernel.ready;
      this.#onCompile?.(++done, kernels.length);
    };
    await Promise.all(kernels.map(one));
  }

  /** What is recorded, and is recorded no more. */
  #taken(): readonly Command[] {
    const commands = this.#commands;
    this.#commands = [];
    this.#earlier = 0;
    this.#runs = 0;
    return commands;
  }

  /** Forgets what was recorded since `begin` and every kept record: after an error, or before buffers they name are destroyed. */
  drop(): void {
    this.#commands.length = this.#earlier; // writes of weights before the step stay
    this.#slots = [];
    this.#drops++;
    const runs = this.#commands.filter((command) => command.kind === 'run');
    this.#waiting = new Set(runs.map((run) => run.kernel).filter((kernel) => !kernel.compiled));
    this.#position = 0;
    this.#runs = runs.length;
    this.#held = false;
    this.#stepping = false;
  }

  /** Gives the memory back through which writes went: those to come may be of other sizes. What is recorded must have been submitted. */
  freeUploads(): void {
    this.#uploads.free();
  }

  #submitIfReady(): void {
    // Where it is held or not settled, the last part of a step may run without its first; pieces wait for each other, as only flush does.
    if (this.#held || !this.#memory.settled || this.#pieces) return;
    for (const kernel of this.#waiting) if (!kernel.compiled) return;
    this.#waiting.clear();
    const takeBack = this.#uploads.unmap();
    this.#submit(this.#taken());
    takeBack();
  }

  #submit(commands: readonly Command[]): void {
    const { device } = this;
    let encoder: GPUCommandEncoder | undefined;
    let pass: GPUComputePassEncoder | undefined;
    const endPass = () => {
      pass?.end();
      pass = undefined;
    };
    const send = () => {
      endPass();
      if (encoder) device.queue.submit([encoder.finish()]);
      encoder = undefined;
    };
    for (const command of commands) {
      if (command.kind === 'write') {
        // A queue write takes effect at once, ahead of an encoder that is not submitted yet.
        send();
        const { tensor, data, byteOffset } = command;
        device.queue.writeBuffer(tensor.buffer, tensor.offset + byteOffset, data);
        continue;
      }
      encoder ??= device.createCommandEncoder();
      if (command.kind === 'run') {
        pass ??= encoder.beginComputePass();
        command.kernel.encode(pass, command.record);
        continue;
      }
      endPass();
      if (command.kind === 'clear') {
        const { tensor } = command;
        encoder.clearBuffer(tensor.buffer, tensor.offset, tensor.size);
      } else if (command.kind === 'copy') {
        const { from, to, bytes } = command;
        encoder.copyBufferToBuffer(from.buffer, from.offset, to.buffer, to.offset, bytes);
      } else {
        const { staged, tensor, byteOffset } = command;
        const { buffer, offset, bytes } = staged;
        encoder.copyBufferToBuffer(buffer, offset, tensor.buffer, tensor.offset + byteOffset, bytes);
      }
    }
    send();
  }
}

/** Bytes to copy: a last half takes the rest of its word along, which whole tensors have room for. */
function wholeWords(from: Tensor, to: Tensor): number {
  const bytes = Math.ceil(from.bytes / 4) * 4;
  if (bytes <= Math.min(from.size, to.size) && from.offset % 4 === 0 && to.offset % 4 === 0) return bytes;
  throw new TensorError(
    `cannot copy [${from.shape}] ${from.dtype}: WebGPU copies whole words of 4 bytes`,
    'copy an even number of halves from an even place',
  );
}

/** @throws TensorError for halves that are no whole words: an odd number may only end their tensor, and takes the last word's rest along. */
function wholeHalves(data: Uint16Array, tensor: Tensor, elementOffset: number): void {
  const end = elementOffset + data.length;
  if (elementOffset % 2 === 1 || (end % 2 === 1 && end !== tensor.count))
    throw new TensorError(
      `cannot write halves ${elementOffset} to ${end} of [${tensor.shape}]: WebGPU writes whole words of 4 bytes`,
      'write an even number of halves to an even place',
    );
}

/** A copy in whole words. */
function copyOf(data: Words): Words {
  if (!(data instanceof Uint16Array)) return data.slice();
  const copy = new Uint16Array(data.length + (data.length % 2));
  copy.set(data);
  return copy;
}

function sameDims(a: { [name: string]: number }, b: { [name: string]: number }): boolean {
  for (const name in b) if (a[name] !== b[name]) return false;
  for (const name in a) if (!(name in b)) return false;
  return true;
}

function sameBuffers(
  a: { [name: string]: BufferLike | undefined },
  b: { [name: string]: BufferLike | undefined },
): boolean {
  for (const name in b) if (!sameRange(a[name], b[name])) return false;
  for (const name in a) if (!(name in b)) return false;
  return true;
}

function sameRange(a: BufferLike | undefined, b: BufferLike | undefined): boolean {
  if (a === b) return true;
  if (!a || !b) return false;
  const [x, y] = ['buffer' in a ? a : { buffer: a }, 'buffer' in b ? b : { buffer: b }];
  return x.buffer === y.buffer && (x.offset ?? 0) === (y.offset ?? 0) && x.size === y.size;
}
