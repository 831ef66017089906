import { cacheOf, type DeviceCache } from './cache.ts';
import { type Caps, capsOf } from './caps.ts';
import { compile } from './compile.ts';
import { KernelError } from './errors.ts';
import { foldGrid, type Grid } from './grid.ts';
import { checkOptions, none, type OptionGroup } from './options.ts';
import { type Resource, rangeOf } from './resource.ts';
import type { BindingInfo, BufferLike, BuffersOf, DimsOf, KnobsOf, KnobValue, ShaderSource } from './shader.ts';
import { type Specialised, specialise } from './specialise.ts';

/** Everything the host side of one kernel states: which shader, which knobs, how big the buffers, how many groups. */
export interface KernelSpec<S extends ShaderSource, O> {
  /** What errors about options call the family; the shader's name if left out. */
  name?: string;
  /** The values that each option may have. Without it the family takes no options, unless its shader or knobs depend on them. */
  options?: OptionGroup;
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

type HostSide<S extends ShaderSource> = Pick<KernelSpec<S, never>, 'sizes' | 'grid' | 'check'>;

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

/**
 * Declares a kernel family. `prepare` throws, and `create` rejects with, a KernelError for options that the family does not have.
 */
export function defineKernel<S extends ShaderSource, O = undefined>(spec: KernelSpec<S, O>): KernelFamily<S, O> {
  const prepare = (device: GPUDevice, options?: O): Kernel<S> => {
    const cache = cacheOf(device);
    // A step asks for hundreds of kernels by options: found by their text, they are checked and the source specialised once.
    const asked = cache.family(spec).byOptions;
    const text = textOf(spec, options);
    let kernel = asked.get(text) as Kernel<S> | undefined;
    if (!kernel) {
      checkAsked(spec, options);
      kernel = compiled(cache, spec, options as O);
      asked.set(text, kernel);
    }
    return kernel;
  };
  return { prepare, create: async (device, options) => prepare(device, options).ready } as KernelFamily<S, O>;
}

function checkAsked<S extends ShaderSource, O>(spec: KernelSpec<S, O>, options: O | undefined): void {
  const free = spec.options === undefined && (typeof spec.shader === 'function' || (spec.knobs?.length ?? 0) > 0);
  if (free) return;
  const refuse = (what: string, fix: string) => new KernelError('bad-option', nameOf(spec), '', what, fix);
  checkOptions(spec.options ?? none, options === undefined ? {} : options, refuse);
}

const nameOf = <S extends ShaderSource, O>(spec: KernelSpec<S, O>): string =>
  spec.name ?? (typeof spec.shader === 'function' ? 'kernel' : spec.shader.name);

function textOf<S extends ShaderSource, O>(spec: KernelSpec<S, O>, options: O | undefined): string {
  try {
    return JSON.stringify(options) ?? '';
  } catch (error) {
    // a circle, or a bigint
    checkAsked(spec, options);
    throw new KernelError('bad-option', nameOf(spec), '', `options: ${(error as Error).message}`, 'give plain values');
  }
}

/** The kernel of a family's options, shared by all options that come to the same variant. */
function compiled<S extends ShaderSource, O>(cache: DeviceCache, spec: KernelSpec<S, O>, options: O): Kernel<S> {
  const shader = typeof spec.shader === 'function' ? spec.shader(options) : spec.shader;
  const special = specialise(shader, spec.knobs?.(options, capsOf(cache.device)) ?? {});
  const { byShader } = cache.family(spec);
  let byVariant = byShader.get(shader);
  if (!byVariant) byShader.set(shader, (byVariant = new Map()));
  let kernel = byVariant.get(special.variant) as Kernel<S> | undefined;
  if (!kernel) {
    kernel = new Kernel(cache, spec, shader, special);
    byVariant.set(special.variant, kernel);
  }
  return kernel;
}

/** One compiled variant on one device. It owns no data: it validates, binds and dispatches. */
export class Kernel<S extends ShaderSource = ShaderSource> {
  readonly name: string;
  readonly variant: string;
  readonly knobs: Readonly<Record<string, KnobValue>>;
  /** Resolves to this kernel once compiled; rejects with a KernelError. */
  readonly ready: Promise<this>;
  readonly #cache: DeviceCache;
  readonly #spec: HostSide<S>;
  readonly #shader: S;
  #pipeline: GPUComputePipeline | undefined;

  constructor(cache: DeviceCache, spec: HostSide<S>, shader: S, special: Specialised) {
    this.name = shader.name;
    this.variant = special.variant;
    this.knobs = special.knobs;
    this.#cache = cache;
    this.#spec = spec;
    this.#shader = shader;
    this.ready = compile(cache.device, () => cache.layout(shader), shader, special).then((pipeline) => {
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
   * Validates buffers and dims and makes the record of one dispatch. Allocates no data buffers. Work of size 0 is a record that
   * runs as nothing.
   * @throws KernelError for a missing, superfluous, too small, misaligned or aliased buffer, bad dims, a passed limit, a lost device.
   */
  bind(buffers: BuffersOf<S>, dims: DimsOf<S>): DispatchRecord {
    const { lost } = this.#cache;
    if (lost !== undefined) this.#fail('bad-device', `the device is lost (${lost})`, 'request a new device');
    const grid = this.#grid(dims);
    const sizes = this.#spec.sizes(dims, this.knobs as Record<string, KnobValue>) as Record<string, number>;
    const entries: GPUBindGroupEntry[] = [];
    const seen: BoundRange[] = [];
    if (typeof buffers !== 'object' || buffers === null)
      this.#fail('missing-buffer', `the buffers are ${buffers}`, 'give an object of buffers by name');
    const given = buffers as Record<string, BufferLike | undefined>;
    for (const [name, info] of Object.entries(this.#shader.bindings)) {
      const resource = this.#resource(name, info, given[name], sizes[name] ?? 0);
      const range = { name, writes: info.access === 'read_write', ...resource };
      for (const other of seen) this.#checkAlias(range, other);
      seen.push(range);
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
    const { fields } = this.#shader.uniform;
    if (typeof dims !== 'object' || dims === null)
      this.#fail('bad-dims', `the dims are ${dims}`, `give an object of: ${Object.keys(fields).join(', ')}`);
    for (const [name, field] of Object.entries(fields)) {
      const value: unknown = (dims as Record<string, number>)[name];
      if (!inRange(value, field.type)) {
        const what = value === undefined ? `${name} is missing` : `${name} is ${shown(value)}`;
        this.#fail('bad-dims', what, `give ${name} ${RANGES[field.type]}`);
      }
    }
    for (const name of Object.keys(dims)) {
      if (!(name in fields))
        this.#fail('bad-dims', `has no dim ${name}`, `its dims are: ${Object.keys(fields).join(', ')}`);
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

  #resource(name: string, info: BindingInfo, given: BufferLike | undefined, elements: number): Resource {
    if (info.optional !== undefined && this.knobs[info.optional] === false) {
      if (given) {
        this.#fail(
          'unexpected-buffer',
          `this variant has no ${name}`,
          `leave ${name} out, or create the kernel with ${info.optional}`,
        );
      }
      return this.#hole(info);
    }
    if (given === undefined || given === null)
      this.#fail('missing-buffer', `buffer ${name} is missing`, `give ${name} (${info.element}, ${elements} elements)`);
    const needed = elements * info.elementBytes;
    const resource = rangeOf(given, needed, this.#cache.device.limits, ({ code, what, fix }) =>
      this.#fail(code, `${name} ${what}`, fix),
    );
    return needed === 0 ? this.#hole(info) : resource;
  }

  /** What stands in for a binding without data: WebGPU has no empty ones. */
  #hole(info: BindingInfo): Resource {
    const buffer = this.#cache.hole(info.binding);
    return { buffer, offset: 0, size: buffer.size };
  }

  #checkAlias(range: BoundRange, other: BoundRange): void {
    if (range.buffer !== other.buffer || !(range.writes || other.writes)) return;
    const both = `${range.name} and ${other.name}`;
    if (range.writes !== other.writes) {
      const what = `${both} are in one GPUBuffer, which would be read and written in one dispatch`;
      this.#fail('buffer-alias', what, 'give the output a buffer of its own');
    }
    if (range.offset < other.offset + other.size && other.offset < range.offset + range.size)
      this.#fail('buffer-alias', `${both} are written and overlap in one GPUBuffer`, 'give them ranges apart');
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

interface BoundRange extends Resource {
  readonly name: string;
  readonly writes: boolean;
}

const RANGES = {
  f32: 'a finite number',
  i32: 'a whole number from -2^31 to 2^31 - 1',
  u32: 'a whole number from 0 to 2^32 - 1',
};

function inRange(value: unknown, type: 'f32' | 'i32' | 'u32'): boolean {
  if (type === 'f32') return typeof value === 'number' && Number.isFinite(Math.fround(value));
  const [least, end] = type === 'i32' ? [-(2 ** 31), 2 ** 31] : [0, 2 ** 32];
  return Number.isInteger(value) && (value as number) >= least && (value as number) < end;
}

const shown = (value: unknown): string => (typeof value === 'string' ? JSON.stringify(value) : String(value));
