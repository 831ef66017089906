import { watchLoss } from '../device/index.ts';
import { bfloatToFloat32, type Caps, capsOf, halfToNumber } from '../kernel/index.ts';
import { Arena } from './arena.ts';
import { bytesOf, type DType } from './dtype.ts';
import { WorkspaceError } from './errors.ts';
import { Ledger, type Owner } from './ledger.ts';
import { Stream } from './stream.ts';
import { Tasks } from './tasks.ts';
import { count, Storage, TENSOR_USAGE, Tensor } from './tensor.ts';

const MAP_READ = 0x1;
const STAGING_USAGE = 0x1 | 0x8; // MAP_READ | COPY_DST

/** All that works on one device shares: the ledger of buffers, the step arena and the stream of commands. */
export class Workspace {
  readonly device: GPUDevice;
  readonly caps: Caps;
  readonly ledger: Ledger;
  readonly arena: Arena;
  readonly stream: Stream;
  readonly #tasks: Tasks;

  constructor(device: GPUDevice) {
    if (typeof device?.createBuffer !== 'function')
      throw new WorkspaceError(`a workspace of ${device}`, 'give a GPUDevice: await requestDevice(navigator.gpu)');
    watchLoss(device);
    this.device = device;
    this.#tasks = new Tasks(device);
    this.caps = capsOf(device);
    this.ledger = new Ledger(device);
    this.arena = new Arena(this.ledger);
    this.stream = new Stream(device, this.ledger);
  }

  /**
   * Runs work on this workspace after all work that was asked for before: steps and samplings share step tensors and the stream.
   * Not to be called within such work. @throws WorkspaceError when disposed; DeviceError when the device is lost.
   */
  task<T>(work: () => Promise<T>): Promise<T> {
    return this.#tasks.run(work);
  }

  /** Calls a function of the caller within a task; tasks started meanwhile are refused with a WorkspaceError. */
  callback(call: () => void | Promise<void>): Promise<void> {
    return this.#tasks.within(call);
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
    this.stream.begin();
  }

  /** After an error while recording a step: forgets what of it is recorded, and gives the step tensors' memory back. */
  async abandonStep(): Promise<void> {
    this.stream.drop();
    await this.stream.flush(); // what was recorded before the step may name step tensors
    this.arena.dispose();
    await this.ledger.reclaim();
  }

  /** Submits what is recorded and copies a tensor's elements to the host: of f16 and bf16 their values, of u32 the words as a float array. */
  async read(tensor: Tensor): Promise<Float32Array<ArrayBuffer>> {
    await this.stream.flush();
    const size = Math.ceil(tensor.bytes / 4) * 4; // copies are of whole words
    const staging = this.ledger.create('staging', 'read', size, STAGING_USAGE);
    await this.ledger.check();
    const encoder = this.device.createCommandEncoder();
    encoder.copyBufferToBuffer(tensor.buffer, tensor.offset, staging, 0, size);
    this.device.queue.submit([encoder.finish()]);
    await staging.mapAsync(MAP_READ, 0, size);
    const bytes = staging.getMappedRange(0, size).slice(0);
    staging.unmap();
    this.ledger.destroy(staging);
    if (tensor.dtype === 'f16') return Float32Array.from(new Uint16Array(bytes, 0, tensor.count), halfToNumber);
    if (tensor.dtype === 'bf16') return bfloatToFloat32(new Uint16Array(bytes, 0, tensor.count));
    return new Float32Array(bytes);
  }

  /**
   * Destroys every buffer this workspace made, at once; its tensors are dead. The device stays its owner's. Resolves when the memory
   * can be had again: await it before something large is made.
   */
  async dispose(): Promise<void> {
    this.#tasks.close();
    this.stream.drop();
    this.arena.dispose();
    this.ledger.destroyAll();
    await this.ledger.reclaim();
  }
}
