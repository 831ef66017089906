// A shader a module, so that a page without a bundler downloads only those of the kernels that it imports. Used by tools/build.mjs.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { parse } from 'acorn';

const parsed = (code) => parse(code, { ecmaVersion: 'latest', sourceType: 'module' }).body;

/** Splits `dist/src/shaders.generated.js` into `dist/src/shaders/NAME.js`; it then exports them all again. */
export function splitShaders(folder) {
  const path = `${folder}/shaders.generated.js`;
  const code = readFileSync(path, 'utf8');
  const sources = new Map();
  const names = [];
  for (const statement of parsed(code)) {
    const [{ id, init }] = statement.declaration?.declarations ?? statement.declarations;
    if (statement.type === 'VariableDeclaration') sources.set(id.name, code.slice(init.start, init.end));
    else names.push([id.name, init.name]);
  }
  mkdirSync(`${folder}/shaders`);
  for (const [name, source] of names)
    writeFileSync(`${folder}/shaders/${name}.js`, `export const ${name} = ${sources.get(source)};\n`);
  writeFileSync(path, names.map(([name]) => `export * from './shaders/${name}.js';\n`).join(''));
}

/** A module that imports all shaders, importing those alone that it names: `shaders.norm_fwd`. Line numbers stay. */
export function importNamed(code) {
  const from = parsed(code).find(
    (node) => node.type === 'ImportDeclaration' && /shaders\.generated\.js$/.test(node.source.value),
  );
  if (!from) return code;
  const all = from.specifiers[0].local.name;
  const uses = code.slice(from.end);
  const named = [...new Set(Array.from(uses.matchAll(new RegExp(`\\b${all}\\.(\\w+)`, 'g')), ([, name]) => name))];
  const modules = from.source.value.replace('.generated.js', '');
  const imports = named.map((name) => `import { ${name} as ${all}_${name} } from '${modules}/${name}.js';`).join(' ');
  const rest = uses.replace(new RegExp(`\\b${all}\\.(?=\\w)`, 'g'), `${all}_`);
  const without = rest.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, ''); // comments may speak of shaders
  if (new RegExp(`\\b${all}\\b(?!/)`).test(without))
    throw new Error(`${from.source.value}: a use of ${all} that is no ${all}.NAME`);
  return code.slice(0, from.start) + imports + rest;
}
