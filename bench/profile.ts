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

const MAX_DISPATCHES = 2048;

type Span = readonly [begin: number, end: number];

/**
 * Measures every dispatch of a device's work by itself: while it is on, each compute pass of the device's encoders is cut into a
 * pass a dispatch, with timestamps. That takes away the overlap of neighbours, so the sum is somewhat above the undisturbed time.
 * @throws Error where the device has no timestamp-query.
 */
export class Profiler {
  readonly #device: GPUDevice;
  readonly #querySet: GPUQuerySet;
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
    this.#querySet = device.createQuerySet({ type: 'timestamp', count: 2 * MAX_DISPATCHES });
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
    this.#querySet.destroy();
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
        if (i >= MAX_DISPATCHES) throw new Error(`more than ${MAX_DISPATCHES} dispatches to profile`);
        const pass = encoder.beginComputePass({
          timestampWrites: {
            querySet: this.#querySet,
            beginningOfPassWriteIndex: 2 * i,
            endOfPassWriteIndex: 2 * i + 1,
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

  /** Beginning and end of each dispatch, from the first one's beginning on. */
  async #read(): Promise<Span[]> {
    const size = 16 * this.#labels.length;
    const device = this.#device;
    const resolved = device.createBuffer({ size, usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC });
    const staging = device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    const encoder = this.#create();
    encoder.resolveQuerySet(this.#querySet, 0, 2 * this.#labels.length, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, staging, 0, size);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    const ticks = new BigUint64Array(staging.getMappedRange().slice(0));
    for (const buffer of [resolved, staging]) buffer.destroy();
    const at = (i: number) => Number((ticks[i] as bigint) - (ticks[0] as bigint)) / 1e6;
    return this.#labels.map((_, i) => [at(2 * i), at(2 * i + 1)]);
  }
}
