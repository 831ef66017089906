import { KernelError } from './errors.ts';
import type { ShaderSource } from './shader.ts';
import type { Specialised } from './specialise.ts';

/**
 * Compiles one specialised shader without blocking.
 * @throws KernelError compile, with the compiler's messages and the numbered source around each.
 */
export async function compile(
  device: GPUDevice,
  layout: GPUBindGroupLayout,
  shader: ShaderSource,
  special: Specialised,
): Promise<GPUComputePipeline> {
  const module = device.createShaderModule({ label: shader.name, code: special.code });
  try {
    return await device.createComputePipelineAsync({
      label: special.variant ? `${shader.name}[${special.variant}]` : shader.name,
      layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module, entryPoint: shader.entryPoint, constants: special.constants },
    });
  } catch (error) {
    const info = await module.getCompilationInfo().catch(() => undefined);
    const found = (info?.messages ?? []).filter((m) => m.type === 'error');
    const text = found.map((m) => `line ${m.lineNum}: ${m.message}\n${numbered(special.code, m.lineNum)}`).join('\n');
    const what = text || (error instanceof Error ? error.message : String(error));
    const fix = 'correct the shader, or choose a variant that the device supports';
    throw new KernelError('compile', shader.name, special.variant, `does not compile: ${what}`, fix);
  }
}

function numbered(code: string, line: number): string {
  const lines = code.split('\n');
  const from = Math.max(0, line - 4);
  return lines
    .slice(from, line + 3)
    .map((text, i) => `${String(from + i + 1).padStart(5)}${from + i + 1 === line ? ' >' : '  '} ${text}`)
    .join('\n');
}
