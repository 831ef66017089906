import { readFileSync } from 'node:fs';
import { UsageError } from './failure.ts';
import { installed } from './installed.ts';

const AGAIN = 'install the package again';

/** Path of a model file that comes with the package, in its folder `models`. @throws UsageError where it is not installed. */
export function bundledModel(name: string): string {
  const path = installed('models', `${name}.safetensors`);
  if (path) return path;
  throw new UsageError(`models/${name}.safetensors is not installed`, `${AGAIN}, or name a file`);
}

/** The package's version. @throws UsageError where its package.json is not beside it. */
export function packageVersion(): string {
  const path = installed('package.json');
  if (!path) throw new UsageError('package.json is not installed', AGAIN);
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
}
