// The host side of a kernel as text: the functions of its definition that say how much its buffers hold, how many workgroups run, and
// what is wrong with dims, with all that they call, as `ucgm kernel` writes it into a file of the user's. Used by tools/build.mjs, for
// all kernels, and by the command from the sources.
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'acorn';
import { build, transformSync } from 'esbuild';
import { markPure } from './pure.mjs';

const KERNELS = fileURLToPath(new URL('../src/kernels', import.meta.url));
/** What of a definition runs when dims are bound; all else chooses and compiles a variant. */
const BOUND = new Set(['sizes', 'grid', 'check']);

/** A kernel of the wrappers in src/kernels. */
const EXPORTED =
  /(?:\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*)?^export const (\w+)(?: = defineKernel[\s\S]*?^\}\);| = define\w+\(\w+\);| = families\.\w+;)/gm;

/** Every kernel, by reading the wrappers: its name, its family, the comment above it and its definition. */
export function definitions() {
  const files = readdirSync(KERNELS).filter((file) => file !== 'index.ts' && !file.endsWith('_tile.ts'));
  return files.sort().flatMap((file) => {
    const text = readFileSync(join(KERNELS, file), 'utf8');
    return Array.from(text.matchAll(EXPORTED), ([code, comment = '', name]) => ({
      name,
      family: basename(file, '.ts'),
      about: comment.replace(/^\s*\* ?/gm, '').trim(),
      code: code.includes('defineKernel') ? code : text,
    }));
  });
}

/** Every node of a syntax tree. */
function* nodesOf(node) {
  if (typeof node?.type === 'string') yield node;
  for (const part of Object.values(node ?? {})) if (typeof part === 'object') yield* nodesOf(part);
}

/** The module with each `defineKernel({...})` as an object of those of its properties alone that run when dims are bound. */
function boundOnly(code) {
  const tree = parse(code, { ecmaVersion: 'latest', sourceType: 'module' });
  const nodes = [...nodesOf(tree)];
  const calls = nodes.filter(({ type, callee }) => type === 'CallExpression' && callee.name === 'defineKernel');
  const specs = calls.map((call) => call.arguments[0]);
  const shared = new Set(
    specs.flatMap((spec) =>
      spec.properties.flatMap(({ type, argument }) => (type === 'SpreadElement' ? [argument.name] : [])),
    ),
  );
  for (const { type, id, init } of nodes)
    if (type === 'VariableDeclarator' && shared.has(id.name) && init?.type === 'ObjectExpression') specs.push(init);
  const edits = calls.flatMap(({ start, end, arguments: [spec] }) => [
    { start, end: spec.start, text: '/* @__PURE__ */ (() => (' },
    { start: spec.end, end, text: '))()' },
  ]);
  for (const { properties } of specs)
    for (const [i, { type, key, start }] of properties.entries())
      if (type !== 'SpreadElement' && !BOUND.has(key.name))
        edits.push({ start, end: properties[i + 1]?.start ?? properties[i].end, text: '' });
  // A family that is a member of another object: reading it has no effect, which a bundler does not know.
  for (const { declarations = [] } of tree.body.map((statement) => statement.declaration ?? statement))
    for (const { init } of declarations)
      if (init?.type === 'MemberExpression') {
        edits.push({ start: init.start, end: init.start, text: '/* @__PURE__ */ (() => ' });
        edits.push({ start: init.end, end: init.end, text: ')()' });
      }
  edits.sort((a, b) => b.start - a.start);
  return edits.reduce((text, { start, end, text: put }) => text.slice(0, start) + put + text.slice(end), code);
}

/** What a module of the library is of the host side; read once. */
const modules = new Map();

function boundModule(path) {
  if (!modules.has(path)) {
    const { code } = transformSync(readFileSync(path, 'utf8'), { loader: 'ts', target: 'es2022' });
    modules.set(path, markPure(boundOnly(code)));
  }
  return modules.get(path);
}

const bound = {
  name: 'bound',
  setup(building) {
    building.onResolve({ filter: /^kernel:/ }, ({ path }) => ({ path, namespace: 'kernel' }));
    building.onLoad({ filter: /.*/, namespace: 'kernel' }, ({ path }) => {
      const [, family, name] = path.split(':');
      return { contents: `export { ${name} } from './${family}.ts';`, resolveDir: KERNELS };
    });
    // A definition names its shaders; none of them is part of what runs.
    building.onLoad({ filter: /shaders\.generated\.ts$/ }, () => ({ contents: '' }));
    building.onLoad({ filter: /src\/kernels?\/\w+\.ts$/ }, ({ path }) => ({ contents: boundModule(path) }));
  },
};

/**
 * Of each of these kernels declarations as the text of a module: functions and constants, last `const host = { sizes, grid, check }`, in
 * an object by name.
 */
export async function hostTexts(kernels) {
  const { outputFiles } = await build({
    entryPoints: kernels.map(({ name, family }) => ({ in: `kernel:${family}:${name}`, out: name })),
    outdir: '.',
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    logLevel: 'error',
    logOverride: { 'import-is-undefined': 'silent' },
    plugins: [bound],
  });
  return Object.fromEntries(
    outputFiles.map(({ path, text }) => [basename(path, '.js'), declarations(text, basename(path, '.js'))]),
  );
}

/** A bundle as what a person would have written: no paths, no exports, no marks for bundlers. */
function declarations(text, name) {
  const bare = text
    .replace(/^\/\/ .*\n/gm, '')
    .replace(/^export \{[^}]*\};\n/gm, '')
    .replace(/^var (?=\w+ = )/gm, 'const ')
    .replace(new RegExp(`^const ${name} = `, 'm'), 'const host = ');
  return unmarked(bare)
    .replace(/\bvoid 0\b/g, 'undefined')
    .replace(/\n{2,}/g, '\n')
    .trim();
}

/** Without the functions that `markPure` and `boundOnly` put around what makes a constant. */
function unmarked(code) {
  if (!code.includes('(() => ')) return code;
  const mark = [...nodesOf(parse(code, { ecmaVersion: 'latest', sourceType: 'module' }))].find(
    ({ type, callee }) => type === 'CallExpression' && callee.type === 'ArrowFunctionExpression',
  );
  if (!mark) return code;
  const { start, end, callee } = mark;
  const before = code.slice(0, start).replace(/\/\* @__PURE__ \*\/ $/, '');
  const body = code.slice(callee.body.start, callee.body.end);
  // An object that an arrow function gives back stands in parentheses.
  const given = callee.body.type === 'ObjectExpression' && /=>\s*$/.test(before);
  return unmarked(before + (given ? `(${body})` : body) + code.slice(end));
}
