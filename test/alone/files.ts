import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type KernelFiles, kernelFiles } from '../../src/alone/files.ts';
import { asCompiled } from '../../src/alone/variant.ts';
import type { BufferLike, Kernel } from '../../src/kernel/index.ts';
import { definitions, hostTexts } from '../../tools/hosts.mjs';
import { runtimeText, shaderText } from '../../tools/kernel_texts.ts';

/** What a written module exports, as its declarations say. */
export interface Alone {
  create(device: GPUDevice, options?: { code?: string }): Promise<AloneKernel>;
}

interface AloneKernel {
  sizes(dims: object): Record<string, number>;
  bind(buffers: Record<string, BufferLike>, dims: object): { grid: number[] };
  dispatch(to: GPUComputePassEncoder | GPUCommandEncoder, buffers: Record<string, BufferLike>, dims: object): void;
}

/** Kernels as files, in a folder of the test's own. */
export class Files {
  readonly #folder = mkdtempSync(join(tmpdir(), 'ucgm-alone-'));
  readonly #definitions = definitions();
  readonly #hosts = hostTexts(this.#definitions);
  #count = 0;

  /** The files of the very variant that a kernel is. @param name as the library exports it, or as the catalogue has it: in snake case. */
  async of(name: string, kernel: Pick<Kernel, 'name' | 'knobs'>): Promise<KernelFiles> {
    const snake = (text: string) => text.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    const found = this.#definitions.find((each) => each.name === name || snake(each.name) === name);
    if (!found) throw new Error(`no kernel ${name}`);
    return kernelFiles('kernel', asCompiled(kernel, shaderText), {
      ...found,
      host: (await this.#hosts)[found.name] as string,
      runtime: runtimeText(),
      command: `npx ucgm kernel ${found.name}`,
      version: '0',
    });
  }

  /** Imports a module by its text. */
  import(js: string): Promise<Alone> {
    const path = join(this.#folder, `kernel${this.#count++}.mjs`);
    writeFileSync(path, js);
    return import(/* @vite-ignore */ pathToFileURL(path).href);
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true });
  }
}
