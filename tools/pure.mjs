// What a bundler may leave out of an app that does not import it: the constants of a module, one by one. Used by tools/build.mjs.
import { parse } from 'acorn';

/** Whether an initialiser calls or spreads something: what it makes must be kept, for all that a bundler knows. */
function acts(node) {
  if (!node || /Function/.test(node.type ?? '')) return false;
  if (/^(Call|New)Expression$|^SpreadElement$/.test(node.type ?? '')) return true;
  return Object.values(node).some((part) => typeof part === 'object' && acts(part));
}

/**
 * The module with each constant that a call or a spread makes marked as pure: `const norm = defineKernel({...})` becomes the result
 * of a function that nobody needs to call where `norm` is not used. Line numbers stay.
 */
export function markPure(code) {
  const marks = [];
  for (const statement of parse(code, { ecmaVersion: 'latest', sourceType: 'module' }).body) {
    const { declarations = [] } = statement.declaration ?? statement;
    for (const { init } of declarations) {
      if (acts(init)) marks.push([init.end, '))()'], [init.start, '/* @__PURE__ */ (() => (']);
    }
  }
  marks.sort(([a], [b]) => b - a);
  return marks.reduce((text, [at, mark]) => text.slice(0, at) + mark + text.slice(at), code);
}
