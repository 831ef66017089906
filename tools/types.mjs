// The package's declarations for every TypeScript from 5.4 on. Used by tools/build.mjs.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';

const TYPES = 'dist/src';
const OLD_TYPES = 'dist/ts5.4';

const declarations = () =>
  readdirSync(TYPES, { recursive: true })
    .filter((name) => name.endsWith('.d.ts'))
    .map((name) => join(TYPES, name));

/** @throws Error for a declaration that reads a package's: an app would have to install it. */
function checkAlone() {
  for (const path of declarations()) {
    const found = /(?:from |import\()['"]([a-z@][^'"]*)['"]/.exec(readFileSync(path, 'utf8'));
    if (found)
      throw new Error(`${path} needs the types of ${found[1]}. Fix: declare the type in the library's own words`);
  }
}

/** The modules that package.json exports, `kernels/norm`. */
function entries() {
  const { exports } = JSON.parse(readFileSync('package.json', 'utf8'));
  const all = declarations().map((path) =>
    relative(TYPES, path)
      .replaceAll('\\', '/')
      .replace(/\.d\.ts$/, ''),
  );
  return Object.values(exports).flatMap((target) => {
    const path = target?.types;
    if (!path?.startsWith(`./${TYPES}/`)) return [];
    const name = path.slice(`./${TYPES}/`.length, -'.d.ts'.length);
    return name.endsWith('*')
      ? all.filter((each) => each.startsWith(name.slice(0, -1)) && !each.endsWith('_tile'))
      : [name];
  });
}

/**
 * TypeScript knows WebGPU from 6.0 on, and @webgpu/types would contradict it there: `types@<6.0` in package.json gives these entries to
 * older ones. Before 5.7 typed arrays had no parameter: `types@<5.7` gives a copy without it.
 */
export function writeTypes() {
  checkAlone();
  for (const entry of entries()) {
    const types = `/// <reference types="@webgpu/types" />\nexport * from './${basename(entry)}.js';\n`;
    writeFileSync(`${TYPES}/${entry}.webgpu.d.ts`, types);
  }
  for (const path of declarations()) {
    const text = readFileSync(path, 'utf8').replace(
      /\b((?:Ui|I)nt\d+|Float\d+)(Clamped)?Array<ArrayBuffer(?:Like)?>/g,
      '$1$2Array',
    );
    const target = join(OLD_TYPES, relative(TYPES, path));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, text);
  }
}
