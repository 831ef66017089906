import { capsOf, type Kernel, KernelError } from '../src/kernel/index.ts';
import { attention, attentionDims } from '../src/kernels/attention.ts';
import { matmul } from '../src/kernels/matmul.ts';
import { matrixMatmul } from '../src/kernels/matmul_matrix.ts';
import { sumCols } from '../src/kernels/reduce.ts';
import { QUICK, timeDispatch, warm } from './time.ts';
import type { Measure, Way } from './tune.ts';

const STORAGE = 0x80 | 0x8;

type Dispatch = readonly [kernel: Kernel, buffers: object, dims: object];

/** Measures ways on a device, each warm, by its clock. Data are zeros: what is timed depends on none. */
export function measureOn(device: GPUDevice): Measure {
  let isWarm = false;
  return async (way) => {
    const buffers: GPUBuffer[] = [];
    const empty = (numbers: number, bytes = 4) => {
      const buffer = device.createBuffer({ size: Math.ceil((numbers * bytes) / 4) * 4, usage: STORAGE });
      buffers.push(buffer);
      return buffer;
    };
    try {
      let ms = 0;
      for (const [kernel, given, dims] of await dispatchesOf(device, way, empty)) {
        const record = kernel.bind(given as never, dims as never);
        if (!isWarm) await warm(device, kernel, [record]);
        isWarm = true;
        ms += (await timeDispatch(device, kernel, [record], QUICK)).ms;
      }
      return ms;
    } catch (error) {
      if (error instanceof KernelError) return undefined; // a tile that the device does not allow
      throw error;
    } finally {
      for (const buffer of buffers) buffer.destroy();
    }
  };
}

async function dispatchesOf(
  device: GPUDevice,
  way: Way,
  empty: (numbers: number, bytes?: number) => GPUBuffer,
): Promise<Dispatch[]> {
  if (way.kind === 'attention') {
    const { batch, heads, n, head_dim } = way.shape;
    const tile = { kind: 'tiled', rows: way.rows, cols: 64, lanes: 16 } as const;
    const kernel = await attention.create(device, { headDim: head_dim, tile });
    const [q, k, v, out] = [0, 1, 2, 3].map(() => empty(batch * heads * n * head_dim));
    const given = { q, k, v, out, lse: empty(batch * heads * n) };
    return [[kernel as unknown as Kernel, given, attentionDims(way.shape)]];
  }
  const { m, n, k } = way.shape;
  const unit = way.kind === 'matrix' ? 32 : 16;
  const k_chunk = way.splits === 1 ? k : Math.ceil(k / way.splits / unit) * unit;
  const splits = Math.ceil(k / k_chunk);
  const half = way.kind === 'matrix';
  const vec = { m: true, n: true, k: true };
  const kernel = (
    half
      ? await matrixMatmul.create(device, {
          ...{ layout: 'nt', precision: 'f16', dtype: 'f16', outDtype: 'f32' },
          tile: { kind: 'matrix', tm: way.tm, tn: way.tn, vec },
        })
      : await matmul.create(device, { layout: 'nt', tile: { kind: 'tiled', qm: way.qm, qn: way.qn, vec } })
  ) as Kernel;
  const out = empty(splits * m * n);
  const bytes = half ? 2 : 4;
  const product: Dispatch = [kernel, { a: empty(m * k, bytes), b: empty(n * k, bytes), out }, { m, n, k, k_chunk }];
  if (splits === 1) return [product];
  const sizes = { rows: splits, cols: m * n, chunk_rows: splits };
  const sums = (await sumCols.create(device, {}, sizes)) as unknown as Kernel;
  return [product, [sums, { x: out, out: empty(m * n) }, sizes]];
}

/** Whether there is something to choose: on a CPU adapter plain kernels run. */
export const isTunable = (device: GPUDevice): boolean => !capsOf(device).software;
