import type { Work, WorkMeter } from './work.ts';

/** Milliseconds and dispatches of one kernel variant within a recorded stretch of work, and what they do, where there is a meter. */
export interface KernelTime extends Work {
  readonly label: string;
  readonly ms: number;
  readonly count: number;
}

/** From the end of one dispatch to the beginning of the next. */
export interface Gap {
  readonly ms: number;
  readonly after: string;
  readonly before: string;
}

/** Dispatches of one query set: WebGPU allows 4096 queries, two a dispatch. */
const PER_SET = 2048;

type Span = readonly [begin: number, end: number];

/**
 * Measures every dispatch of a device's work by itself: while it is on, each compute pass of the device's encoders is cut into a
 * pass a dispatch, with timestamps. That takes away the overlap of neighbours, so the sum is somewhat above the undisturbed time.
 * @throws Error where the device has no timestamp-query.
 */
export class Profiler {
  readonly #device: GPUDevice;
  readonly #querySets: GPUQuerySet[] = [];
  readonly #create: GPUDevice['createCommandEncoder'];
  readonly #meter: WorkMeter | undefined;
  #labels: string[] = [];
  #works: (Work | undefined)[] = [];
  /** Of the last work that was measured, in its order. */
  gaps: readonly Gap[] = [];

  constructor(device: GPUDevice, meter?: WorkMeter) {
    if (!device.features.has('timestamp-query')) throw new Error('the device has no timestamp-query');
    this.#device = device;
    this.#meter = meter;
    this.#create = device.createCommandEncoder.bind(device);
  }

  /** Runs some work that submits to the device, and returns its kernels, slowest first. */
  async measure(work: () => Promise<void>): Promise<KernelTime[]> {
    this.#labels = [];
    this.#works = [];
    Object.defineProperty(this.#device, 'createCommandEncoder', { configurable: true, value: () => this.#encoder() });
    try {
      await work();
    } finally {
      Reflect.deleteProperty(this.#device, 'createCommandEncoder');
    }
    const times = await this.#read();
    const sums = new Map<string, Omit<KernelTime, 'label'>>();
    for (const [i, label] of this.#labels.entries()) {
      const sum = sums.get(label) ?? { ms: 0, count: 0, flops: 0, bytes: 0 };
      const [begin, end] = times[i] as Span;
      const { flops, bytes } = this.#works[i] ?? { flops: 0, bytes: 0 };
      sums.set(label, {
        ms: sum.ms + end - begin,
        count: sum.count + 1,
        flops: sum.flops + flops,
        bytes: sum.bytes + bytes,
      });
    }
    this.gaps = times.slice(1).map(([begin], i) => ({
      ms: begin - (times[i] as Span)[1],
      after: this.#labels[i] as string,
      before: this.#labels[i + 1] as string,
    }));
    return [...sums].map(([label, sum]) => ({ label, ...sum })).sort((a, b) => b.ms - a.ms);
  }

  dispose(): void {
    for (const set of this.#querySets) set.destroy();
  }

  /** An encoder whose compute passes are cut up. */
  #encoder(): GPUCommandEncoder {
    const encoder = this.#create();
    return new Proxy(encoder, {
      get: (real, name) => {
        if (name === 'beginComputePass') return () => this.#pass(real);
        const value: unknown = Reflect.get(real, name, real);
        return typeof value === 'function' ? value.bind(real) : value;
      },
    });
  }

  #pass(
    encoder: GPUCommandEncoder,
  ): Pick<GPUComputePassEncoder, 'setPipeline' | 'setBindGroup' | 'dispatchWorkgroups' | 'end'> {
    let pipeline: GPUComputePipeline | undefined;
    let group: GPUBindGroup | null = null;
    return {
      setPipeline: (given) => void (pipeline = given),
      setBindGroup: (_: number, given: GPUBindGroup | null) => void (group = given),
      dispatchWorkgroups: (x, y, z) => {
        const i = this.#labels.push(pipeline?.label ?? '') - 1;
        this.#works.push(this.#meter?.of(group));
        const pass = encoder.beginComputePass({
          timestampWrites: {
            querySet: this.#querySetOf(i),
            beginningOfPassWriteIndex: 2 * (i % PER_SET),
            endOfPassWriteIndex: 2 * (i % PER_SET) + 1,
          },
        });
        pass.setPipeline(pipeline as GPUComputePipeline);
        pass.setBindGroup(0, group);
        pass.dispatchWorkgroups(x, y, z);
        pass.end();
      },
      end: () => undefined,
    };
  }

  /** Where the times of a dispatch are written. */
  #querySetOf(dispatch: number): GPUQuerySet {
    const at = Math.floor(dispatch / PER_SET);
    this.#querySets[at] ??= this.#device.createQuerySet({ type: 'timestamp', count: 2 * PER_SET });
    return this.#querySets[at];
  }

  /** Beginning and end of each dispatch, from the first one's beginning on. */
  async #read(): Promise<Span[]> {
    const size = 16 * this.#labels.length;
    const device = this.#device;
    const resolved = device.createBuffer({ size, usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC });
    const staging = device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    const encoder = this.#create();
    for (let first = 0; first < this.#labels.length; first += PER_SET) {
      const queries = 2 * Math.min(PER_SET, this.#labels.length - first);
      encoder.resolveQuerySet(this.#querySetOf(first), 0, queries, resolved, 16 * first);
    }
    encoder.copyBufferToBuffer(resolved, 0, staging, 0, size);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    const ticks = new BigUint64Array(staging.getMappedRange().slice(0));
    for (const buffer of [resolved, staging]) buffer.destroy();
    const at = (i: number) => Number((ticks[i] as bigint) - (ticks[0] as bigint)) / 1e6;
    return this.#labels.map((_, i) => [at(2 * i), at(2 * i + 1)]);
  }
}
