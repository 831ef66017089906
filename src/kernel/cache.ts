import { KernelError } from './errors.ts';
import type { ShaderSource } from './shader.ts';

const UNIFORM_BLOCK_BYTES = 1 << 16;
const HOLE_BYTES = 256;

/** Kernels by the text of their options, and by shader and variant. A shader is known by its object: names need not be unique. */
interface FamilyKernels {
  readonly byOptions: Map<string, unknown>;
  readonly byShader: Map<ShaderSource, Map<string, unknown>>;
}

/**
 * What kernels share on one device: compiled kernels, layouts, and two kinds of tiny buffers. Uniform blocks are
 * immutable and found by content, so equal dims share one slice and no slice is ever rewritten under a pending dispatch.
 * Holes stand in for the bindings that a variant does not use.
 */
export class DeviceCache {
  readonly device: GPUDevice;
  readonly #families = new Map<object, FamilyKernels>();
  readonly #layouts = new WeakMap<ShaderSource, GPUBindGroupLayout>();
  readonly #uniforms = new Map<string, { buffer: GPUBuffer; offset: number; size: number }>();
  readonly #blocks: GPUBuffer[] = [];
  readonly #holes = new Map<number, GPUBuffer>();
  #used = UNIFORM_BLOCK_BYTES;
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

  layout(shader: ShaderSource): GPUBindGroupLayout {
    let layout = this.#layouts.get(shader);
    if (!layout) {
      const entries: GPUBindGroupLayoutEntry[] = Object.values(shader.bindings).map((b) => ({
        binding: b.binding,
        visibility: 4, // GPUShaderStage.COMPUTE; the global is absent in Node
        buffer: { type: b.access === 'read' ? 'read-only-storage' : 'storage' },
      }));
      entries.push({ binding: shader.uniform.binding, visibility: 4, buffer: { type: 'uniform' } });
      layout = this.device.createBindGroupLayout({ label: shader.name, entries });
      this.#layouts.set(shader, layout);
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
  uniform(words: Uint32Array<ArrayBuffer>): { buffer: GPUBuffer; offset: number; size: number } {
    const key = words.join(',');
    let slice = this.#uniforms.get(key);
    if (!slice) {
      const align = this.device.limits.minUniformBufferOffsetAlignment;
      const size = words.byteLength;
      if (this.#used + size > UNIFORM_BLOCK_BYTES) {
        // UNIFORM | COPY_DST
        this.#blocks.push(
          this.device.createBuffer({ label: 'ucgm dims', size: UNIFORM_BLOCK_BYTES, usage: 0x40 | 0x8 }),
        );
        this.#used = 0;
      }
      slice = { buffer: this.#blocks[this.#blocks.length - 1] as GPUBuffer, offset: this.#used, size };
      this.device.queue.writeBuffer(slice.buffer, slice.offset, words);
      this.#used += Math.ceil(size / align) * align;
      this.#uniforms.set(key, slice);
    }
    return slice;
  }

  /** A small buffer for an unused binding; one a binding number, so that no two bindings of a dispatch alias. */
  hole(binding: number): GPUBuffer {
    let buffer = this.#holes.get(binding);
    if (!buffer) {
      buffer = this.device.createBuffer({ label: `ucgm hole ${binding}`, size: HOLE_BYTES, usage: 0x80 }); // STORAGE
      this.#holes.set(binding, buffer);
    }
    return buffer;
  }

  destroy(): void {
    for (const buffer of [...this.#blocks, ...this.#holes.values()]) buffer.destroy();
    this.#blocks.length = 0;
    this.#holes.clear();
    this.#uniforms.clear();
    this.#used = UNIFORM_BLOCK_BYTES;
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
