import type { DeviceCache } from './cache.ts';
import { compile } from './compile.ts';
import { allDims, dimWords } from './dims.ts';
import { type Element, elementOf } from './element.ts';
import { KernelError } from './errors.ts';
import { foldGrid, type Grid } from './grid.ts';
import { type Resource, rangeOf } from './resource.ts';
import type { AllDims, BufferLike, BuffersOf, DimsOf, KnobValue, ShaderSource } from './shader.ts';
import type { KernelSpec } from './spec.ts';
import type { PresentBinding, Specialised } from './specialise.ts';

type HostSide<S extends ShaderSource> = Pick<KernelSpec<S, never>, 'sizes' | 'grid' | 'check'>;

/** One bound dispatch: frozen, reusable as long as its buffers live. */
export interface DispatchRecord {
  readonly label: string;
  readonly pipeline: GPUComputePipeline;
  readonly bindGroup: GPUBindGroup;
  readonly grid: Grid;
  /** Ranges of buffers that it may write. */
  readonly written: readonly Resource[];
}

/** What an app holds of a kernel on one device. It owns no data: it validates, binds and dispatches. */
export interface Kernel<S extends ShaderSource = ShaderSource> {
  readonly name: string;
  readonly variant: string;
  readonly knobs: Readonly<Record<string, KnobValue>>;
  /** Resolves to this kernel once compiled; rejects with a KernelError. */
  readonly ready: Promise<Kernel<S>>;
  /** True once `bind`'s records can be encoded. */
  readonly compiled: boolean;
  /**
   * Validates buffers and dims and makes the record of one dispatch. Allocates no data buffers. Work of size 0 is a record that
   * runs as nothing.
   * @throws KernelError for a missing, superfluous, too small, misaligned or aliased buffer, bad dims, a passed limit, a lost device.
   */
  bind(buffers: BuffersOf<S>, dims: DimsOf<S>): DispatchRecord;
  /** Sets pipeline and bind group and dispatches. Nothing else. */
  encode(pass: GPUComputePassEncoder, record: DispatchRecord): void;
}

function encode(pass: GPUComputePassEncoder, record: DispatchRecord): void {
  const [x, y, z] = record.grid;
  if (x === 0 || y === 0 || z === 0) return;
  pass.setPipeline(record.pipeline);
  pass.setBindGroup(0, record.bindGroup);
  // Each number costs Node's binding a conversion, a tenth of the call.
  if (z !== 1) pass.dispatchWorkgroups(x, y, z);
  else if (y !== 1) pass.dispatchWorkgroups(x, y);
  else pass.dispatchWorkgroups(x);
}

/** A variant, and the dims that it serves. */
export interface Member<S extends ShaderSource> {
  readonly kernel: CompiledKernel<S>;
  readonly when: (dims: AllDims<S>) => boolean;
}

/** Variants of one family for dims that are not known yet: each record is of the first that serves its dims. */
export class KernelSet<S extends ShaderSource> implements Kernel<S> {
  readonly name: string;
  readonly variant: string;
  readonly knobs: Readonly<Record<string, KnobValue>>;
  readonly ready: Promise<this>;
  readonly encode = encode;
  readonly #members: readonly Member<S>[];
  readonly #last: CompiledKernel<S>;

  /** At least one; the last serves all dims. */
  constructor(members: readonly Member<S>[]) {
    const { kernel } = members[members.length - 1] as Member<S>;
    this.#last = kernel;
    this.name = kernel.name;
    this.variant = kernel.variant;
    this.knobs = kernel.knobs;
    this.#members = members;
    this.ready = Promise.all(members.map((member) => member.kernel.ready)).then(() => this);
    this.ready.catch(() => {}); // reported to whoever awaits it
  }

  get compiled(): boolean {
    return this.#members.every((member) => member.kernel.compiled);
  }

  bind(buffers: BuffersOf<S>, dims: DimsOf<S>): DispatchRecord {
    const all = this.#last.dims(dims);
    const member = this.#members.find(({ when }) => when(all));
    return (member?.kernel ?? this.#last).bind(buffers, dims);
  }
}

/** One compiled variant on one device. */
export class CompiledKernel<S extends ShaderSource = ShaderSource> implements Kernel<S> {
  readonly name: string;
  readonly variant: string;
  readonly knobs: Readonly<Record<string, KnobValue>>;
  readonly ready: Promise<this>;
  readonly encode = encode;
  readonly #cache: DeviceCache;
  readonly #spec: HostSide<S>;
  readonly #shader: S;
  readonly #bindings: readonly PresentBinding[];
  readonly #layout: () => GPUBindGroupLayout;
  #pipeline: GPUComputePipeline | undefined;

  constructor(cache: DeviceCache, spec: HostSide<S>, shader: S, special: Specialised) {
    this.name = shader.name;
    this.variant = special.variant;
    this.knobs = special.knobs;
    this.#cache = cache;
    this.#spec = spec;
    this.#shader = shader;
    this.#bindings = special.bindings;
    this.#layout = () => cache.layout(special.bindings, shader.uniform.binding);
    this.ready = compile(cache.device, this.#layout, shader, special).then((pipeline) => {
      this.#pipeline = pipeline;
      return this;
    });
    this.ready.catch(() => {}); // reported to whoever awaits it; never an unhandled rejection
  }

  get compiled(): boolean {
    return this.#pipeline !== undefined;
  }

  /** @throws KernelError not-ready before `ready` has resolved. */
  get pipeline(): GPUComputePipeline {
    if (!this.#pipeline) this.#fail('not-ready', 'is still compiling', 'await kernel.ready, or use create()');
    return this.#pipeline as GPUComputePipeline;
  }

  bind(buffers: BuffersOf<S>, dims: DimsOf<S>): DispatchRecord {
    const { lost } = this.#cache;
    if (lost !== undefined) this.#fail('bad-device', `the device is lost (${lost})`, 'request a new device');
    const all = this.dims(dims);
    const grid = this.#grid(all);
    const sizes = this.#spec.sizes(all, this.knobs as Record<string, KnobValue>) as Record<string, number>;
    const entries: GPUBindGroupEntry[] = [];
    const seen: BoundRange[] = [];
    if (typeof buffers !== 'object' || buffers === null)
      this.#fail('missing-buffer', `the buffers are ${buffers}`, 'give an object of buffers by name');
    const given = buffers as Record<string, BufferLike | undefined>;
    for (const binding of this.#bindings) {
      const { name } = binding;
      const resource = this.#resource(binding, given[name], sizes[name] ?? 0);
      const range = { name, writes: binding.access === 'read_write', ...resource };
      for (const other of seen) this.#checkAlias(range, other);
      seen.push(range);
      entries.push({ binding: binding.binding, resource });
    }
    for (const name of Object.keys(given)) this.#checkName(name, given[name]);
    const { uniform } = this.#shader;
    entries.push({ binding: uniform.binding, resource: this.#cache.uniform(dimWords(uniform, all)) });
    const layout = this.#layout();
    const label = this.variant ? `${this.name}[${this.variant}]` : this.name;
    const kernel = this;
    const { device } = this.#cache;
    const written = seen.filter((range) => range.writes);
    let bindGroup: GPUBindGroup | undefined;
    return Object.freeze({
      label,
      grid,
      written,
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

  /** All dims, those left out as the shader says. @throws KernelError bad-dims. */
  dims(given: DimsOf<S>): AllDims<S> {
    const fail = this.#fail.bind(this);
    return allDims(this.#shader.uniform, given, this.knobs, fail) as AllDims<S>;
  }

  #grid(dims: AllDims<S>): Grid {
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

  #resource({ name, binding, element }: PresentBinding, given: BufferLike | undefined, count: number): Resource {
    if (given === undefined || given === null)
      this.#fail(
        'missing-buffer',
        `buffer ${name} is missing`,
        `give ${name} (array<${element.type}>, ${count} numbers)`,
      );
    const bytes = Math.ceil(count / element.scalars) * element.scalars * element.scalarBytes;
    const needed = Math.ceil(bytes / 4) * 4; // a binding is whole words
    const resource = rangeOf(given, needed, this.#cache.device.limits, ({ code, what, fix }) =>
      this.#fail(code, `${name} ${what}`, fix),
    );
    this.#checkType(name, element, given);
    return needed === 0 ? this.#hole(binding) : resource;
  }

  #checkType(name: string, element: Element, given: BufferLike): void {
    const dtype = 'dtype' in given ? given.dtype : undefined;
    if (dtype === undefined || elementOf(dtype)?.scalarBytes === element.scalarBytes) return;
    const fix = `give numbers of ${element.scalarBytes} bytes, or create the kernel for ${dtype}`;
    this.#fail('bad-buffer', `${name} holds ${dtype}, and this variant reads array<${element.type}>`, fix);
  }

  #checkName(name: string, given: BufferLike | undefined): void {
    if (this.#bindings.some((binding) => binding.name === name)) return;
    const info = this.#shader.bindings[name];
    if (!info) {
      const known = Object.keys(this.#shader.bindings).join(', ');
      this.#fail('unexpected-buffer', `has no buffer ${name}`, `its buffers are: ${known}`);
    }
    if (!given) return;
    const fix = `leave ${name} out, or create the kernel with ${info?.optional}`;
    this.#fail('unexpected-buffer', `this variant has no ${name}`, fix);
  }

  /** What stands in for a binding without data: WebGPU has no empty ones. */
  #hole(binding: number): Resource {
    const buffer = this.#cache.hole(binding);
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

  #fail(code: ConstructorParameters<typeof KernelError>[0], what: string, fix: string): never {
    throw new KernelError(code, this.name, this.variant, what, fix);
  }
}

interface BoundRange extends Resource {
  readonly name: string;
  readonly writes: boolean;
}
