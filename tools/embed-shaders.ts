/**
 * Reads every shaders/*.wgsl and writes source, bindings, uniform layout and knobs as typed constants into
 * src/shaders.generated.ts. With --check it writes nothing and exits 1 when that file is out of date.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ShaderSource } from '../src/kernel/index.ts';
import { embeddedFile, reflect, withLibraries } from '../src/reflect/index.ts';

const ROOT = new URL('..', import.meta.url).pathname;
const TARGET = join(ROOT, 'src/shaders.generated.ts');
const WRITTEN =
  'Written by `npm run embed` from shaders/*.wgsl; do not edit. `npm run check` fails when it is out of date.';

/** What a shader of this library keeps to, beside what `reflect` asks of any. @throws Error */
export function checkStyle(code: string): void {
  if (!code.startsWith('//')) throw new Error('must open with a comment that says what it computes');
  if (code.includes('${')) throw new Error('is a template; WGSL files must be valid as they stand');
}

function generate(): { text: string; failures: string[] } {
  const files = readdirSync(join(ROOT, 'shaders'))
    .filter((f) => f.endsWith('.wgsl'))
    .sort();
  const library = (name: string) => readFileSync(join(ROOT, 'shaders/lib', `${name}.wgsl`), 'utf8');
  const shaders: ShaderSource[] = [];
  const failures: string[] = [];
  for (const file of files) {
    try {
      const code = withLibraries(readFileSync(join(ROOT, 'shaders', file), 'utf8'), library);
      checkStyle(code);
      shaders.push(reflect(code, file.slice(0, -'.wgsl'.length)));
    } catch (error) {
      failures.push(`shaders/${file}: ${error instanceof Error ? error.message : error}`);
    }
  }
  return { text: embeddedFile(shaders, './kernel/shader.ts', WRITTEN), failures };
}

if (process.argv[1]?.endsWith('embed-shaders.ts')) {
  const { text, failures } = generate();
  const stale = readFileSync(TARGET, { encoding: 'utf8', flag: 'a+' }) !== text;
  if (process.argv.includes('--check')) {
    if (stale) failures.push('src/shaders.generated.ts is out of date. Fix: npm run embed');
  } else if (stale && failures.length === 0) writeFileSync(TARGET, text);
  for (const failure of failures) console.error(failure);
  if (failures.length > 0) process.exit(1);
}
