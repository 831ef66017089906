// A shader a module, so that a page without a bundler downloads only those of the kernels that it imports. Used by tools/build.mjs.
import { mkdirSync, writeFileSync } from 'node:fs';
import { parse } from 'acorn';
import { minified, shortened } from './minify.mjs';

const parsed = (code) => parse(code, { ecmaVersion: 'latest', sourceType: 'module' }).body;

/** Splits `dist/src/shaders.generated.js`, which exports `shaders`, into `dist/src/shaders/NAME.js`; it then exports them all again. */
export function splitShaders(folder, shaders) {
  mkdirSync(`${folder}/shaders`);
  const short = shortened(Object.values(shaders));
  for (const [name, shader] of Object.entries(shaders)) {
    const text = JSON.stringify({ ...shader, code: minified(shader, short) });
    writeFileSync(`${folder}/shaders/${name}.js`, `export const ${name} = ${text};\n`);
  }
  const names = Object.keys(shaders);
  writeFileSync(
    `${folder}/shaders.generated.js`,
    names.map((name) => `export * from './shaders/${name}.js';\n`).join(''),
  );
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
