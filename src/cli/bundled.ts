import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UsageError } from './failure.ts';

/** Path of a model file that comes with the package, in its folder `models`. @throws UsageError where it is not installed. */
export function bundledModel(name: string): string {
  // The command runs from src, or bundled into one file: the folder is beside one of the folders above.
  let folder = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    const path = join(folder, 'models', `${name}.safetensors`);
    if (existsSync(path)) return path;
    const above = dirname(folder);
    if (above === folder)
      throw new UsageError(`models/${name}.safetensors is not installed`, 'install the package again, or name a file');
    folder = above;
  }
}
