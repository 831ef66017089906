import { cacheOf, type DeviceCache } from './cache.ts';
import { type Caps, capsOf } from './caps.ts';
import { compile } from './compile.ts';
import { KernelError } from './errors.ts';
import { foldGrid, type Grid } from './grid.ts';
import type { BindingInfo, BufferLike, BuffersOf, DimsOf, KnobsOf, KnobValue, ShaderSource } from './shader.ts';
import { type Specialised, specialise } from './specialise.ts';

/** Everything the host side of one kernel states: which shader, which knobs, how big the buffers, how many groups. */
export interface KernelSpec<S extends ShaderSource, O> {
  /** The shader, or the choice among shaders with the same bindings and dims. */
  shader: S | ((options: O) => S);
  /** Knob values for these options. Leave out to use the shader's defaults. */
  knobs?: (options: O, caps: Caps) => KnobsOf<S>;
  /** Elements (of the binding's element type) each buffer must hold for these dims. */
  sizes: (dims: DimsOf<S>, knobs: Record<string, KnobValue>) => { [K in keyof S['bindings']]: number };
  /** Workgroups to dispatch: a count (folded to 2-D), or an explicit grid. */
  grid: (dims: DimsOf<S>, knobs: Record<string, KnobValue>) => number | Grid;
  /** Returns what is wrong with the dims and the fix, or nothing. */
  check?: (dims: DimsOf<S>, knobs: Record<string, KnobValue>) => { what: string; fix: string } | undefined;
}

/** One bound dispatch: frozen, reusable as long as its buffers live. */
export interface DispatchRecord {
  readonly label: string;
  readonly pipeline: GPUComputePipeline;
  readonly bindGroup: GPUBindGroup;
  readonly grid: Grid;
}

/** A kernel family: the typed entry to one or more shaders with one contract. */
export interface KernelFamily<S extends ShaderSource, O> {
  /** Compiles for this device, or shares what is compiled or in flight. */
  create(device: GPUDevice, ...options: undefined extends O ? [options?: O] : [options: O]): Promise<Kernel<S>>;
  /** Starts compiling and returns at once; `ready` resolves when the kernel can run. */
  prepare(device: GPUDevice, ...options: undefined extends O ? [options?: O] : [options: O]): Kernel<S>;
}

/** Declares a kernel family. */
export function defineKernel<S extends ShaderSource, O = undefined>(spec: KernelSpec<S, O>): KernelFamily<S, O> {
  const prepare = (device: GPUDevice, options?: O): Kernel<S> => {
    const cache = cacheOf(device);
    // A step asks for hundreds of kernels by options: found by their text, the source is specialised once.
    const asked = cache.options(spec);
    const text = JSON.stringify(options) ?? '';
    let kernel = asked.get(text) as Kernel<S> | undefined;
    if (!kernel) {
      kernel = compiled(cache, spec, options as O);
      asked.set(text, kernel);
    }
    return kernel;
  };
  return { prepare, create: (device, options) => prepare(device, options).ready } as KernelFamily<S, O>;
}

/** The kernel of a family's options, shared by all options that come to the same variant. */
function compiled<S extends ShaderSource, O>(cache: DeviceCache, spec: KernelSpec<S, O>, options: O): Kernel<S> {
  const shader = typeof spec.shader === 'function' ? spec.shader(options) : spec.shader;
  const special = specialise(shader, spec.knobs?.(options, capsOf(cache.device)) ?? {});
  const key = `${shader.name}[${special.variant}]`;
  let kernel = cache.kernels.get(key) as Kernel<S> | undefined;
  if (!kernel) {
    kernel = new Kernel(cache, spec, shader, special);
    cache.kernels.set(key, kernel);
  }
  return kernel;
}

const USAGE_STORAGE = 0x80;

/** One compiled variant on one device. It owns no data: it validates, binds and dispatches. */
export class Kernel<S extends ShaderSource = ShaderSource> {
  readonly name: string;
  readonly variant: string;
  readonly knobs: Readonly<Record<string, KnobValue>>;
  /** Resolves to this kernel once compiled; rejects with a KernelError. */
  readonly ready: Promise<this>;
  readonly #cache: DeviceCache;
  readonly #spec: KernelSpec<S, never>;
  readonly #shader: S;
  #pipeline: GPUComputePipeline | undefined;

  constructor(cache: DeviceCache, spec: KernelSpec<S, never>, shader: S, special: Specialised) {
    this.name = shader.name;
    this.variant = special.variant;
    this.knobs = special.knobs;
    this.#cache = cache;
    this.#spec = spec;
    this.#shader = shader;
    this.ready = compile(cache.device, cache.layout(shader), shader, special).then((pipeline) => {
      this.#pipeline = pipeline;
      return this;
    });
    this.ready.catch(() => {}); // reported to whoever awaits it; never an unhandled rejection
  }

  /** True once `bind`'s records can be encoded. */
  get compiled(): boolean {
    return this.#pipeline !== undefined;
  }

  /** @throws KernelError not-ready before `ready` has resolved. */
  get pipeline(): GPUComputePipeline {
    if (!this.#pipeline) this.#fail('not-ready', 'is still compiling', 'await kernel.ready, or use create()');
    return this.#pipeline as GPUComputePipeline;
  }

  /**
   * Validates buffers and dims and makes the record of one dispatch. Allocates no data buffers.
   * @throws KernelError for a missing, superfluous, too small, misaligned or aliased buffer, bad dims, or a passed limit.
   */
  bind(buffers: BuffersOf<S>, dims: DimsOf<S>): DispatchRecord {
    const grid = this.#grid(dims);
    const sizes = this.#spec.sizes(dims, this.knobs as Record<string, KnobValue>) as Record<string, number>;
    const entries: GPUBindGroupEntry[] = [];
    const seen = new Map<GPUBuffer, { name: string; writes: boolean }>();
    const given = buffers as Record<string, BufferLike | undefined>;
    for (const [name, info] of Object.entries(this.#shader.bindings)) {
      const resource = this.#resource(name, info, given[name], sizes[name] ?? 0);
      const writes = info.access === 'read_write';
      const other = seen.get(resource.buffer);
      if (other && (writes || other.writes)) {
        this.#fail(
          'buffer-alias',
          `${name} and ${other.name} are the same GPUBuffer and one of them is written`,
          'give the output a buffer of its own',
        );
      }
      seen.set(resource.buffer, { name, writes });
      entries.push({ binding: info.binding, resource });
    }
    for (const name of Object.keys(given)) {
      if (!(name in this.#shader.bindings)) {
        const known = Object.keys(this.#shader.bindings).join(', ');
        this.#fail('unexpected-buffer', `has no buffer ${name}`, `its buffers are: ${known}`);
      }
    }
    entries.push({ binding: this.#shader.uniform.binding, resource: this.#cache.uniform(this.#words(dims)) });
    const layout = this.#cache.layout(this.#shader);
    const label = this.variant ? `${this.name}[${this.variant}]` : this.name;
    const kernel = this;
    const { device } = this.#cache;
    let bindGroup: GPUBindGroup | undefined;
    return Object.freeze({
      label,
      grid,
      // Made when it is first encoded: a step whose buffers found no memory is never encoded, and WebGPU has nothing to complain of.
      get bindGroup() {
        bindGroup ??= device.createBindGroup({ label, layout, entries });
        return bindGroup;
      },
      get pipeline() {
        return kernel.pipeline;
      },
    });
  }

  /** Sets pipeline and bind group and dispatches. Nothing else. */
  encode(pass: GPUComputePassEncoder, record: DispatchRecord): void {
    const [x, y, z] = record.grid;
    if (x === 0 || y === 0 || z === 0) return;
    pass.setPipeline(record.pipeline);
    pass.setBindGroup(0, record.bindGroup);
    pass.dispatchWorkgroups(x, y, z);
  }

  #grid(dims: DimsOf<S>): Grid {
    for (const [name, field] of Object.entries(this.#shader.uniform.fields)) {
      const value = (dims as Record<string, number>)[name];
      const ok =
        field.type === 'f32'
          ? typeof value === 'number' && !Number.isNaN(value)
          : Number.isInteger(value) &&
            (field.type === 'i32' || ((value as number) >= 0 && (value as number) < 2 ** 32));
      if (!ok) this.#fail('bad-dims', `${name} is ${value}`, `give ${name} a ${field.type}`);
    }
    const wrong = this.#spec.check?.(dims, this.knobs as Record<string, KnobValue>);
    if (wrong) this.#fail('bad-dims', wrong.what, wrong.fix);
    const limit = this.#cache.device.limits.maxComputeWorkgroupsPerDimension;
    const asked = this.#spec.grid(dims, this.knobs as Record<string, KnobValue>);
    const grid = typeof asked === 'number' ? foldGrid(asked, limit) : asked;
    for (const count of grid) {
      if (!Number.isInteger(count))
        this.#fail(
          'bad-dims',
          `comes to a grid of ${grid.join(' x ')} workgroups`,
          'give every dim that the grid depends on',
        );
      if (count > limit) {
        this.#fail(
          'limit',
          `needs a grid of ${grid.join(' x ')} workgroups; the device allows ${limit} a dimension`,
          'split the work over several dispatches',
        );
      }
    }
    return grid;
  }

  #resource(name: string, info: BindingInfo, given: BufferLike | undefined, elements: number): Required<BufferRangeOf> {
    if (info.optional !== undefined && this.knobs[info.optional] === false) {
      if (given) {
        this.#fail(
          'unexpected-buffer',
          `this variant has no ${name}`,
          `leave ${name} out, or create the kernel with ${info.optional}`,
        );
      }
      const buffer = this.#cache.hole(info.binding);
      return { buffer, offset: 0, size: buffer.size };
    }
    if (!given)
      this.#fail('missing-buffer', `buffer ${name} is missing`, `give ${name} (${info.element}, ${elements} elements)`);
    const range = 'buffer' in given ? given : { buffer: given };
    const offset = range.offset ?? 0;
    const size = range.size ?? range.buffer.size - offset;
    const limits = this.#cache.device.limits;
    const needed = elements * info.elementBytes;
    if (offset % limits.minStorageBufferOffsetAlignment !== 0) {
      this.#fail(
        'buffer-alignment',
        `${name} starts at byte ${offset}`,
        `start it at a multiple of ${limits.minStorageBufferOffsetAlignment}`,
      );
    }
    if (size < needed || offset + size > range.buffer.size) {
      this.#fail(
        'buffer-too-small',
        `${name} needs ${needed} bytes (${elements} of ${info.element}), the range has ${size} from byte ${offset} of a buffer of ${range.buffer.size}`,
        'give a larger buffer or smaller dims',
      );
    }
    if (size > limits.maxStorageBufferBindingSize) {
      const max = limits.maxStorageBufferBindingSize;
      if (needed > max) {
        this.#fail(
          'limit',
          `${name} needs ${needed} bytes; a binding of this device holds ${max}`,
          'give a smaller batch, split the tensor, or request a device with a larger maxStorageBufferBindingSize',
        );
      }
    }
    if ((range.buffer.usage & USAGE_STORAGE) === 0) {
      this.#fail('buffer-usage', `${name} is not a storage buffer`, 'create it with GPUBufferUsage.STORAGE');
    }
    // The binding is cut to what the dims need (in whole words of 16 bytes where the range has them), so that a shader's arrayLength cannot exceed it.
    const rounded = Math.min(size, Math.max(16, Math.ceil(needed / 16) * 16));
    return { buffer: range.buffer, offset, size: Math.floor(rounded / 4) * 4 };
  }

  #words(dims: DimsOf<S>): Uint32Array<ArrayBuffer> {
    const { size, fields } = this.#shader.uniform;
    const bytes = new DataView(new ArrayBuffer(Math.ceil(size / 16) * 16));
    for (const [name, field] of Object.entries(fields)) {
      const value = (dims as Record<string, number>)[name] as number;
      if (field.type === 'f32') bytes.setFloat32(field.offset, value, true);
      else bytes.setUint32(field.offset, value >>> 0, true);
    }
    return new Uint32Array(bytes.buffer);
  }

  #fail(code: ConstructorParameters<typeof KernelError>[0], what: string, fix: string): never {
    throw new KernelError(code, this.name, this.variant, what, fix);
  }
}

interface BufferRangeOf {
  buffer: GPUBuffer;
  offset: number;
  size: number;
}
