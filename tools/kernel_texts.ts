/** What `ucgm kernel` writes kernels from, read from the sources; the build puts what it reads of the package in this file's place. */
import { readFileSync } from 'node:fs';
import { withLibraries } from '../src/reflect/embed.ts';

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');

/** What a kernel computes and its host side, by its name. */
export async function kernelText(name: string): Promise<{ about: string; host: string }> {
  const { definitions, hostTexts } = await import('./hosts.mjs'); // with esbuild, which no other command needs
  const definition = definitions().find((kernel) => kernel.name === name);
  if (!definition) throw new Error(`src/kernels defines no ${name}`);
  const { [name]: host = '' } = await hostTexts([definition]);
  return { about: definition.about, host };
}

/** A shader as it was written, with its libraries. */
export const shaderText = (name: string): string =>
  withLibraries(read(`shaders/${name}.wgsl`), (library) => read(`shaders/lib/${library}.wgsl`));

/** What compiles, checks, binds and dispatches any kernel. */
export const runtimeText = (): string => read('src/alone/runtime.js');
