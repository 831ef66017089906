import type { DispatchRecord } from '../src/kernel/index.ts';
import { CompiledKernel } from '../src/kernel/kernel.ts';

/** Operations of a dispatch, as far as they are known, and the bytes of its buffers, each read or written once. */
export interface Work {
  readonly flops: number;
  readonly bytes: number;
}

type Dims = { readonly [name: string]: number };

const product = ({ m = 0, n = 0, k = 0, batch = 1 }: Dims) => 2 * m * n * k * batch;
const scores = (products: number) => (d: Dims) =>
  2 * products * (d.batch ?? 1) * (d.heads ?? 1) * (d.n ?? 0) * (d.keys ?? d.n ?? 0) * (d.head_dim ?? 0);

/** Multiplications and additions of the kernels that have many, by the beginning of their names. All others are bound by their bytes. */
const OPERATIONS: readonly (readonly [kernel: string, (dims: Dims) => number])[] = [
  ['matmul_', product],
  ['conv2d_bwd_weight', product],
  ['conv2d', product],
  ['attention_fwd_plain', scores(2)],
  ['attention_tiled_fwd', scores(2)],
  ['attention_matrix_fwd', scores(2)],
  ['attention_bwd_q_plain', scores(3)],
  ['attention_tiled_bwd_q_stored', scores(1)],
  ['attention_matrix_bwd_q', scores(1)],
  ['attention_tiled_bwd_q', scores(3)],
  ['attention_bwd_kv_plain', scores(4)],
  ['attention_tiled_bwd_kv', scores(4)],
  ['attention_matrix_bwd_kv', scores(4)],
];

/** The operations of a kernel with these dims; 0 where they are not known. */
export const operationsOf = (kernel: string, dims: Dims): number =>
  OPERATIONS.find(([name]) => kernel.startsWith(name))?.[1](dims) ?? 0;

/** Notes the work of each bind group that is made while it is on. */
export class WorkMeter {
  readonly #device: GPUDevice;
  readonly #works = new WeakMap<GPUBindGroup, Work>();
  readonly #bind = CompiledKernel.prototype.bind;

  constructor(device: GPUDevice) {
    this.#device = device;
    const bytes = new WeakMap<GPUBindGroup, number>();
    const create = device.createBindGroup.bind(device);
    const createBindGroup = (descriptor: GPUBindGroupDescriptor) => {
      const group = create(descriptor);
      const sizes = [...descriptor.entries].map(({ resource }) => (resource as GPUBufferBinding).size ?? 0);
      bytes.set(
        group,
        sizes.reduce((sum, size) => sum + size, 0),
      );
      return group;
    };
    Object.defineProperty(device, 'createBindGroup', { configurable: true, value: createBindGroup });
    const [works, bind] = [this.#works, this.#bind];
    CompiledKernel.prototype.bind = function (this: CompiledKernel, buffers: never, dims: never): DispatchRecord {
      const record = bind.call(this, buffers, dims);
      const flops = operationsOf(this.name, this.dims(dims));
      return Object.freeze({
        label: record.label,
        grid: record.grid,
        written: record.written,
        get pipeline() {
          return record.pipeline;
        },
        get bindGroup() {
          const group = record.bindGroup;
          works.set(group, { flops, bytes: bytes.get(group) ?? 0 });
          return group;
        },
      });
    } as typeof CompiledKernel.prototype.bind;
  }

  /** Of a bind group that was made meanwhile. */
  of(group: GPUBindGroup | null): Work | undefined {
    return group ? this.#works.get(group) : undefined;
  }

  dispose(): void {
    CompiledKernel.prototype.bind = this.#bind;
    Reflect.deleteProperty(this.#device, 'createBindGroup');
  }
}
