import type { ShaderSource } from './shader.ts';

const UNIFORM_BLOCK_BYTES = 1 << 16;
const HOLE_BYTES = 256;

/**
 * What kernels share on one device: compiled kernels, layouts, and two kinds of tiny buffers. Uniform blocks are
 * immutable and found by content, so equal dims share one slice and no slice is ever rewritten under a pending dispatch.
 * Holes stand in for the bindings that a variant does not use.
 */
export class DeviceCache {
  readonly device: GPUDevice;
  readonly kernels = new Map<string, unknown>();
  readonly #byOptions = new Map<object, Map<string, unknown>>();
  readonly #layouts = new Map<string, GPUBindGroupLayout>();
  readonly #uniforms = new Map<string, { buffer: GPUBuffer; offset: number; size: number }>();
  readonly #blocks: GPUBuffer[] = [];
  readonly #holes = new Map<number, GPUBuffer>();
  #used = UNIFORM_BLOCK_BYTES;

  constructor(device: GPUDevice) {
    this.device = device;
  }

  /** Bytes of the buffers this cache owns. */
  get bytes(): number {
    return this.#blocks.length * UNIFORM_BLOCK_BYTES + this.#holes.size * HOLE_BYTES;
  }

  layout(shader: ShaderSource): GPUBindGroupLayout {
    let layout = this.#layouts.get(shader.name);
    if (!layout) {
      const entries: GPUBindGroupLayoutEntry[] = Object.values(shader.bindings).map((b) => ({
        binding: b.binding,
        visibility: 4, // GPUShaderStage.COMPUTE; the global is absent in Node
        buffer: { type: b.access === 'read' ? 'read-only-storage' : 'storage' },
      }));
      entries.push({ binding: shader.uniform.binding, visibility: 4, buffer: { type: 'uniform' } });
      layout = this.device.createBindGroupLayout({ label: shader.name, entries });
      this.#layouts.set(shader.name, layout);
    }
    return layout;
  }

  /** The kernels of one family by the text of their options. */
  options(family: object): Map<string, unknown> {
    let found = this.#byOptions.get(family);
    if (!found) this.#byOptions.set(family, (found = new Map()));
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
    this.kernels.clear();
    this.#byOptions.clear();
  }
}

const caches = new WeakMap<GPUDevice, DeviceCache>();

/** The cache of a device, made at first use. */
export function cacheOf(device: GPUDevice): DeviceCache {
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
