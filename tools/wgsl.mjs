// The shaders as text for other tools than ours: dist/wgsl/NAME.wgsl, and NAME.js, whose default export it is. Used by tools/build.mjs.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

/** Writes every shader with its libraries, as it stands on disk. `withLibraries` is that of src/reflect. */
export function writeShaders(folder, withLibraries) {
  mkdirSync(folder, { recursive: true });
  const read = (name) => readFileSync(join('shaders', `${name}.wgsl`), 'utf8');
  for (const file of readdirSync('shaders').filter((name) => name.endsWith('.wgsl'))) {
    const name = basename(file, '.wgsl');
    const text = withLibraries(read(name), (library) => read(join('lib', library)));
    writeFileSync(join(folder, file), text);
    writeFileSync(join(folder, `${name}.js`), `export default ${JSON.stringify(text)};\n`);
    const types = `/** The text of shaders/${file}, with the libraries that it uses. */\ndeclare const code: string;\nexport default code;\n`;
    writeFileSync(join(folder, `${name}.d.ts`), types);
  }
}
