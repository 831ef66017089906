import { KernelError } from './errors.ts';
import type { ShaderSource } from './shader.ts';

const UNIFORM_BLOCK_BYTES = 1 << 16;
/** Blocks of dims kept to be found again; a record holds the block it was bound with for as long as it lives itself. */
const UNIFORM_BLOCKS = 64;
const HOLE_BYTES = 256;

interface UniformSlice {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly size: number;
}

/** A buffer of slices, by their content. */
interface UniformBlock {
  readonly buffer: GPUBuffer;
  readonly slices: Map<string, UniformSlice>;
}

/** Kernels by the text of their options, and by shader and variant. A shader is known by its object: names need not be unique. */
interface FamilyKernels {
  readonly byOptions: Map<string, unknown>;
  readonly byShader: Map<ShaderSource, Map<string, unknown>>;
}

/**
 * What kernels share on one device: compiled kernels, layouts, and two kinds of tiny buffers. Uniform blocks are
 * immutable and found by content, so equal dims share one slice and no slice is ever rewritten under a pending dispatch; beyond
 * 4 MiB the oldest are forgotten. Holes stand in for bindings of size 0, which WebGPU does not have.
 */
export class DeviceCache {
  readonly device: GPUDevice;
  readonly #families = new Map<object, FamilyKernels>();
  readonly #layouts = new Map<string, GPUBindGroupLayout>();
  readonly #blocks: UniformBlock[] = [];
  readonly #holes = new Map<number, GPUBuffer>();
  #used = 0;
  #lost: string | undefined;

  constructor(device: GPUDevice) {
    this.device = device;
    void device.lost.then(({ reason, message }) => {
      this.#lost = message || reason;
    });
  }

  /** Why the device was lost; undefined while it lives, or nobody has heard yet. */
  get lost(): string | undefined {
    return this.#lost;
  }

  /** Bytes of the buffers this cache owns. */
  get bytes(): number {
    return this.#blocks.length * UNIFORM_BLOCK_BYTES + this.#holes.size * HOLE_BYTES;
  }

  /** The layout of these bindings and a uniform block; equal ones are one object. */
  layout(bindings: readonly { binding: number; access: 'read' | 'read_write' }[], uniform: number): GPUBindGroupLayout {
    const key = `${bindings.map((b) => `${b.binding}${b.access}`)} ${uniform}`;
    let layout = this.#layouts.get(key);
    if (!layout) {
      const entries: GPUBindGroupLayoutEntry[] = bindings.map((b) => ({
        binding: b.binding,
        visibility: 4, // GPUShaderStage.COMPUTE; the global is absent in Node
        buffer: { type: b.access === 'read' ? 'read-only-storage' : 'storage' },
      }));
      entries.push({ binding: uniform, visibility: 4, buffer: { type: 'uniform' } });
      layout = this.device.createBindGroupLayout({ label: `ucgm ${key}`, entries });
      this.#layouts.set(key, layout);
    }
    return layout;
  }

  /** The kernels of one family. */
  family(spec: object): FamilyKernels {
    let found = this.#families.get(spec);
    if (!found) this.#families.set(spec, (found = { byOptions: new Map(), byShader: new Map() }));
    return found;
  }

  /** A slice of a uniform buffer that holds exactly these bytes. */
  uniform(words: Uint32Array<ArrayBuffer>): UniformSlice {
    const key = words.join(',');
    for (let i = this.#blocks.length - 1; i >= 0; i--) {
      const found = this.#blocks[i]?.slices.get(key);
      if (found) return found;
    }
    const align = this.device.limits.minUniformBufferOffsetAlignment;
    const size = words.byteLength;
    if (this.#blocks.length === 0 || this.#used + size > UNIFORM_BLOCK_BYTES) {
      // UNIFORM | COPY_DST. A forgotten block is not destroyed: records may hold it, and it goes when they do.
      const buffer = this.device.createBuffer({ label: 'ucgm dims', size: UNIFORM_BLOCK_BYTES, usage: 0x40 | 0x8 });
      this.#blocks.push({ buffer, slices: new Map() });
      if (this.#blocks.length > UNIFORM_BLOCKS) this.#blocks.shift();
      this.#used = 0;
    }
    const block = this.#blocks[this.#blocks.length - 1] as UniformBlock;
    const slice = { buffer: block.buffer, offset: this.#used, size };
    this.device.queue.writeBuffer(slice.buffer, slice.offset, words);
    this.#used += Math.ceil(size / align) * align;
    block.slices.set(key, slice);
    return slice;
  }

  /** A small buffer for a binding of size 0; one a binding number, so that no two bindings of a dispatch alias. */
  hole(binding: number): GPUBuffer {
    let buffer = this.#holes.get(binding);
    if (!buffer) {
      buffer = this.device.createBuffer({ label: `ucgm hole ${binding}`, size: HOLE_BYTES, usage: 0x80 }); // STORAGE
      this.#holes.set(binding, buffer);
    }
    return buffer;
  }

  destroy(): void {
    for (const { buffer } of this.#blocks) buffer.destroy();
    for (const buffer of this.#holes.values()) buffer.destroy();
    this.#blocks.length = 0;
    this.#holes.clear();
    this.#families.clear();
  }
}

const caches = new WeakMap<GPUDevice, DeviceCache>();

/**
 * The cache of a device, made at first use.
 * @throws KernelError bad-device for what is no GPUDevice.
 */
export function cacheOf(device: GPUDevice): DeviceCache {
  if (typeof device?.createComputePipelineAsync !== 'function') {
    const what = `the device is ${device === null ? 'null' : typeof device === 'object' ? 'another object' : typeof device}`;
    throw new KernelError('bad-device', 'kernels', '', what, 'give a GPUDevice: await adapter.requestDevice()');
  }
  let cache = caches.get(device);
  if (!cache) {
    cache = new DeviceCache(device);
    caches.set(device, cache);
  }
  return cache;
}

/** Drops every kernel compiled on a device and destroys the cache's own small buffers. Records bound before are dead. */
export function releaseKernels(device: GPUDevice): void {
  caches.get(device)?.destroy();
  caches.delete(device);
}
