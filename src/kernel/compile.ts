import { KernelError } from './errors.ts';
import type { ShaderSource } from './shader.ts';
import type { Specialised } from './specialise.ts';

/**
 * Compiles one specialised shader without blocking. WebGPU's own complaints are caught: the error thrown says them.
 * @throws KernelError compile, with the compiler's messages and the numbered source around each; bad-device when the device is lost.
 */
export async function compile(
  device: GPUDevice,
  layoutOf: () => GPUBindGroupLayout,
  shader: ShaderSource,
  special: Specialised,
): Promise<GPUComputePipeline> {
  device.pushErrorScope('validation');
  let complaint: Promise<GPUError | null>;
  let module: GPUShaderModule;
  let pipeline: Promise<GPUComputePipeline>;
  try {
    module = device.createShaderModule({ label: shader.name, code: special.code });
    pipeline = device.createComputePipelineAsync({
      label: special.variant ? `${shader.name}[${special.variant}]` : shader.name,
      layout: device.createPipelineLayout({ bindGroupLayouts: [layoutOf()] }),
      compute: { module, entryPoint: shader.entryPoint, constants: special.constants },
    });
  } finally {
    complaint = device.popErrorScope().catch(() => null);
  }
  const made = await pipeline.catch((error: Error) => error);
  const lost = await lossOf(device);
  if (lost) {
    const what = `the device is lost (${lost.message || lost.reason})`;
    throw new KernelError('bad-device', shader.name, special.variant, what, 'request a new device');
  }
  if (!(made instanceof Error)) return made;
  const info = await module.getCompilationInfo().catch(() => undefined);
  const found = (info?.messages ?? []).filter((m) => m.type === 'error');
  const text = found.map((m) => `line ${m.lineNum}: ${m.message}\n${numbered(special.code, m.lineNum)}`).join('\n');
  const what = `does not compile: ${text || ((await complaint)?.message ?? made.message)}`;
  const fix = 'correct the shader, or choose a variant that the device supports';
  throw new KernelError('compile', shader.name, special.variant, what, fix);
}

/** How the device was lost, if it is: a settled promise wins against one that settles next. */
function lossOf(device: GPUDevice): Promise<GPUDeviceLostInfo | undefined> {
  return Promise.race([device.lost, Promise.resolve().then(() => undefined)]);
}

function numbered(code: string, line: number): string {
  const lines = code.split('\n');
  const from = Math.max(0, line - 4);
  return lines
    .slice(from, line + 3)
    .map((text, i) => `${String(from + i + 1).padStart(5)}${from + i + 1 === line ? ' >' : '  '} ${text}`)
    .join('\n');
}
