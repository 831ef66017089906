// The embedded shaders with short names and no needless characters, for dist/ alone: the sources, the tests and dist/wgsl keep the text
// as it was written. Used by tools/build.mjs.

/** Words, numbers, line breaks, other white space, and all else a character a token. */
const TOKEN =
  /[A-Za-z_]\w*|0[xX][\da-fA-F.]+(?:[pP][+-]?\d+)?[fhui]?|\.?\d[\d.]*(?:[eE][+-]?\d+)?[fhui]?|\n+|[^\S\n]+|./g;
const WORD = /^[A-Za-z_]/;
/** What may stand behind a dot without being declared: the parts of a vector. */
const PARTS = /^(?:[xyzw]{1,4}|[rgba]{1,4})$/;
/** Declarations, parameters and fields. */
const DECLARED = /\b(?:fn|struct|const|alias|override|let|var(?:<[^>]*>)?)\s+(\w+)|\b([A-Za-z_]\w*)\s*:/g;
/** Attributes and values of the language, `@builtin(local_invocation_id)`: a declaration of that name must not change them. */
const ATTRIBUTE = /@(\w+)(?:\((\w+)\))?/g;

/** Tokens without white space, as the language reads them. */
export const tokensOf = (code) => (code.match(TOKEN) ?? []).filter((token) => token.trim() !== '');

/** The names of a source that may be others: all that it declares, but those that the host asks for and those of the language. */
function renameable({ code, entryPoint, bindings, knobs }) {
  const names = new Set();
  const functions = new Set(Array.from(code.matchAll(/\bfn\s+(\w+)/g), ([, name]) => name));
  const structs = new Set(Array.from(code.matchAll(/\b(?:struct|alias)\s+(\w+)/g), ([, name]) => name));
  for (const [, declared, typed] of code.matchAll(DECLARED)) names.add(declared ?? typed);
  for (const name of ['default', entryPoint, ...Object.keys(bindings), ...Object.keys(knobs)]) names.delete(name);
  for (const { element, holds } of Object.values(bindings)) for (const name of [element, holds]) names.delete(name);
  for (const [, attribute, value] of code.matchAll(ATTRIBUTE))
    for (const name of [attribute, value]) names.delete(name);
  for (const name of names) {
    // A variable that has the name of a function which is called is one of the language's too.
    const called = new RegExp(`\\b${name}[(<]`).test(code);
    if (PARTS.test(name) || (called && !functions.has(name) && !structs.has(name))) names.delete(name);
  }
  return names;
}

/** Words of the language that are as short, whether a source has them or not. */
const SHORT_WORDS = /^(?:as|do|fn|if|in|is|of|or|asm|for|get|let|mod|mut|new|nil|pub|ref|set|try|use|var)$/;

/** Short words that nothing in the source is called, the parts of vectors and the language's words aside. */
function* shortNames(taken) {
  const letters = [...'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'];
  for (let names = letters; ; names = names.flatMap((name) => letters.map((letter) => name + letter)))
    for (const name of names) if (!taken.has(name) && !PARTS.test(name) && !SHORT_WORDS.test(name)) yield name;
}

/** What lines begin with that keep their spaces, since the runtime finds them with those (src/kernel/specialise.ts, absent.ts). */
function keptLines({ knobs }) {
  const oneOf = (names) => `(?:${names.join('|') || '(?!)'})\\b`;
  return new RegExp(`^(?:enable |@group\\(|(?:const|alias) ${oneOf(Object.keys(knobs))})`);
}

/**
 * Short names for those of all these sources, one for one. A name is the same in each, so that what two share stays a text that a
 * compressor finds again; one that must stay in any of them stays in all.
 */
export function shortened(shaders) {
  const uses = new Map();
  const kept = new Set();
  for (const shader of shaders) {
    const names = renameable(shader);
    for (const token of shader.code.match(TOKEN).filter((word) => WORD.test(word))) {
      if (!names.has(token)) kept.add(token);
      uses.set(token, (uses.get(token) ?? 0) + 1);
    }
  }
  const often = [...uses].filter(([name]) => !kept.has(name)).sort(([, a], [, b]) => b - a);
  const short = shortNames(kept);
  return new Map(often.map(([name]) => [name, short.next().value]));
}

/** The same program: each name is that of `shortened`, and a space stands only where two tokens would run together. */
export function minified(shader, names) {
  const kept = keptLines(shader);
  const text = (line) =>
    line
      .match(TOKEN)
      .map((token) => names.get(token) ?? token)
      .join('');
  return shader.code
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (kept.test(line) ? text(line) : squeezed(text(line))))
    .join('\n');
}

/** A line without the spaces that nothing needs. */
function squeezed(line) {
  let out = '';
  let space = false;
  for (const token of line.match(TOKEN)) {
    if (token.trim() === '') {
      space = out !== '';
      continue;
    }
    const before = out[out.length - 1] ?? '';
    if (space && ((/\w/.test(before) && /\w/.test(token[0])) || runTogether(before, token[0]))) out += ' ';
    space = false;
    out += token;
  }
  return out;
}

/** Whether two characters would be read as one operator: `- -x`, `vec2<f32> =`. */
const runTogether = (a, b) => '+-*/%&|^<>=!'.includes(a) && '+-*/%&|^<>=!'.includes(b);
