import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { UsageError } from './failure.ts';
import { installed } from './installed.ts';

const AGAIN = 'install the package again';

/**
 * Path of a trained model: of the package ucgm-webgpu-models, or of the folder `models` of the sources.
 * @throws UsageError where neither is there.
 */
export function bundledModel(name: string): string {
  const file = `${name}.safetensors`;
  const path = packaged(`ucgm-webgpu-models/${file}`) ?? installed('models', file);
  if (path) return path;
  throw new UsageError(`${file} is not installed`, 'npm install ucgm-webgpu-models, or name a file');
}

/** Where Node finds a file of a package that is installed beside this one, or in the user's folder. */
function packaged(id: string): string | undefined {
  for (const from of [import.meta.url, pathToFileURL(join(process.cwd(), 'package.json'))]) {
    try {
      return createRequire(from).resolve(id);
    } catch {} // not from there
  }
  return undefined;
}

/** The package's version. @throws UsageError where its package.json is not beside it. */
export function packageVersion(): string {
  const path = installed('package.json');
  if (!path) throw new UsageError('package.json is not installed', AGAIN);
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
}
