import type { KernelCase } from '../test/catalogue/case.ts';
import { bindCase } from '../test/catalogue/run.ts';
import type { Suite } from './suite.ts';

/** Processor time that a kernel variant takes to compile, milliseconds; not the wall's, so that it holds on a busy machine. */
export interface CompileCost {
  readonly case: string;
  readonly kernel: string;
  readonly variant: string;
  /** Of both that follow. */
  readonly ms: number;
  /** Making the pipeline: WGSL to the driver's language, and what the driver does then. */
  readonly pipelineMs: number;
  /** The first dispatch less the second: what the driver put off (llvmpipe compiles here). */
  readonly dispatchMs: number;
}

/** What variants among the cases take to compile, as a suite: each once. The device must not have compiled any of them before. */
export function compileSuite(device: GPUDevice, cases: readonly KernelCase[]): Suite<CompileCost> {
  const seen = new Set<string>();
  return {
    columns: '  pipeline  dispatch  variant (ms of processor time)  case',
    cases: new Map(cases.map((kase) => [`${kase.kernel} ${kase.name}`, () => measureCompile(device, kase, seen)])),
    rows: (cost) => {
      const ms = [cost.pipelineMs, cost.dispatchMs].map((value) => value.toFixed(0).padStart(10)).join('');
      return [`${ms}  ${cost.kernel}[${cost.variant}]  ${cost.case}`];
    },
    summary: (costs) => {
      const total = costs.reduce((sum, { ms }) => sum + ms, 0);
      return [`${costs.length} variants, ${(total / 1000).toFixed(1)} s of processor time`];
    },
  };
}

/** Compiles the variant of a case, unless it was compiled before. */
async function measureCompile(
  device: GPUDevice,
  kase: KernelCase,
  seen: Set<string>,
): Promise<CompileCost | undefined> {
  const started = cpuMs();
  const run = kase.prepare(device);
  await run.kernel.ready;
  const made = cpuMs() - started;
  const key = `${run.kernel.name}[${run.kernel.variant}]`;
  if (seen.has(key)) return undefined;
  seen.add(key);
  // The inputs again, with the pipeline at hand.
  const again = cpuMs();
  await kase.prepare(device).kernel.ready;
  const inputs = cpuMs() - again;
  const bound = bindCase(device, run);
  const record = run.kernel.bind(bound.buffers as never, run.dims as never);
  await device.queue.onSubmittedWorkDone();
  const dispatch = async () => {
    const before = cpuMs();
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    run.kernel.encode(pass, record);
    pass.end();
    device.queue.submit([encoder.finish()]);
    await device.queue.onSubmittedWorkDone();
    return cpuMs() - before;
  };
  const first = await dispatch();
  const second = await dispatch();
  bound.destroy();
  const pipelineMs = Math.max(0, made - inputs);
  const dispatchMs = Math.max(0, first - second);
  return {
    case: `${kase.kernel} ${kase.name}`,
    kernel: run.kernel.name,
    variant: run.kernel.variant || 'default',
    ms: pipelineMs + dispatchMs,
    pipelineMs,
    dispatchMs,
  };
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
