import { capsOf } from '../src/kernel/index.ts';
import { decodeCases, measureDecode } from './decode.ts';
import { type ModelResult, measureModel } from './model.ts';
import { modelCases } from './model_cases.ts';
import type { KernelShare } from './passes.ts';
import type { Suite } from './suite.ts';

const MOST_ROWS = 24;

/**
 * Training steps, and pictures that autoencoders decode, as a suite: a row each, and under it the kernels that it spends its time in.
 * @param open opens another device like this one.
 */
export function modelSuite(device: GPUDevice, filter: RegExp, open: () => Promise<GPUDevice>): Suite<ModelResult> {
  const { software } = capsOf(device);
  const steps = modelCases(filter, software).map((name) => [name, measureModel] as const);
  const decodes = decodeCases(filter, software).map((name) => [name, measureDecode] as const);
  return {
    columns:
      '   step ms       p10       p90      host   forward     first   kernels    peak MB  case\n          ms  share  times  kernel, each timed by itself',
    cases: new Map(
      [...steps, ...decodes].map(([name, measure]) => [name, () => onOwnDevice(name, measure, open)] as const),
    ),
    rows: modelRows,
  };
}

/** Dawn keeps the pipelines of a device: the first step on a new one compiles them all. */
async function onOwnDevice(
  name: string,
  measure: (device: GPUDevice, name: string) => Promise<ModelResult>,
  open: () => Promise<GPUDevice>,
): Promise<ModelResult> {
  const device = await open();
  try {
    return await measure(device, name);
  } finally {
    device.destroy();
  }
}

/** A result as lines: the step, then its kernels by time, with what the rest comes to, and the total. */
export function modelRows(result: ModelResult): string[] {
  const { case: name, ms, p10, p90, hostMs, forwardMs, firstMs, kernelMs, kernels = [], peakBytes } = result;
  const times = [ms, p10, p90, hostMs, forwardMs, firstMs, kernelMs].map((value) =>
    (value?.toFixed(2) ?? '').padStart(9),
  );
  const rest = kernels.slice(MOST_ROWS);
  return [
    `${times.join(' ')} ${(peakBytes / 1e6).toFixed(1).padStart(10)}  ${name}`,
    ...kernels.slice(0, MOST_ROWS).map(kernelRow),
    ...(rest.length > 0 ? [kernelRow(sumOf(`${rest.length} others`, rest))] : []),
    ...(kernels.length > 0 ? [kernelRow(sumOf('total', kernels))] : []),
  ];
}

const kernelRow = ({ label, ms, count, share }: KernelShare) =>
  `${ms.toFixed(3).padStart(12)} ${`${(100 * share).toFixed(1)}%`.padStart(6)} ${String(count).padStart(6)}  ${label}`;

function sumOf(label: string, kernels: readonly KernelShare[]): KernelShare {
  const sum = (of: (kernel: KernelShare) => number) => kernels.reduce((total, kernel) => total + of(kernel), 0);
  const [ms, count, share, flops, bytes] = (['ms', 'count', 'share', 'flops', 'bytes'] as const).map((name) =>
    sum((kernel) => kernel[name]),
  ) as [number, number, number, number, number];
  return { label, ms, count, share, flops, bytes };
}
