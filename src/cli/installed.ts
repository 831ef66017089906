import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Path of a file of the package; undefined where it is not installed. */
export function installed(...parts: string[]): string | undefined {
  // The command runs from src, or bundled into one file: the package is one of the folders above.
  let folder = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    const path = join(folder, ...parts);
    if (existsSync(path)) return path;
    const above = dirname(folder);
    if (above === folder) return undefined;
    folder = above;
  }
}
