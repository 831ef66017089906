import type { KernelCase } from '../test/catalogue/case.ts';
import { bindCase } from '../test/catalogue/run.ts';

/** Processor time that a kernel variant takes to compile, milliseconds; not the wall's, so that it holds on a busy machine. */
export interface CompileCost {
  readonly case: string;
  readonly kernel: string;
  readonly knobs: string;
  /** Making the pipeline: WGSL to the driver's language, and what the driver does then. */
  readonly pipelineMs: number;
  /** The first dispatch less the second: what the driver put off (llvmpipe compiles here). */
  readonly dispatchMs: number;
}

/** Each distinct variant among the cases once, in their order; the device must not have compiled any of them before. */
export async function* measureCompiles(device: GPUDevice, cases: readonly KernelCase[]): AsyncGenerator<CompileCost> {
  const seen = new Set<string>();
  for (const kase of cases) {
    const started = cpuMs();
    const run = kase.prepare(device);
    await run.kernel.ready;
    const made = cpuMs() - started;
    const key = `${run.kernel.name}[${run.kernel.variant}]`;
    if (seen.has(key)) continue;
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
    yield {
      case: `${kase.kernel} ${kase.name}`,
      kernel: run.kernel.name,
      knobs: run.kernel.variant,
      pipelineMs: Math.max(0, made - inputs),
      dispatchMs: Math.max(0, first - second),
    };
  }
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
