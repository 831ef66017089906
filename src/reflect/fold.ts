/** Branches of a shader that its constants decide, taken out: what is left of a variant is what runs. */
import { blanked } from './compact.ts';

type Value = number | boolean;
type Constants = ReadonlyMap<string, Value>;

const TOKEN = /\s*(\d+[ui]?\b(?![.\w])|[A-Za-z_]\w*|&&|\|\||[=!<>]=|<<|>>|[(),!<>+\-*/%&|^])/y;
/** Operators by how strongly they bind; those of one line from left to right. */
const LEVELS: readonly (readonly string[])[] = [
  ['||'],
  ['&&'],
  ['|'],
  ['^'],
  ['&'],
  ['==', '!='],
  ['<', '>', '<=', '>='],
  ['<<', '>>'],
  ['+', '-'],
  ['*', '/', '%'],
];

/** Functions of the language that constants are made with. */
const CALLS: { readonly [name: string]: (given: Value[]) => Value | undefined } = {
  select: ([otherwise, value, taken]) => (taken ? value : otherwise),
  max: (given) => Math.max(...(given as number[])),
  min: (given) => Math.min(...(given as number[])),
};

/** The value of an expression of whole numbers and truths; undefined where it depends on what runs, or is of another kind. */
export function constantOf(expression: string, constants: Constants): Value | undefined {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  const text = expression.trim();
  for (let match = TOKEN.exec(text); match; match = TOKEN.exec(text)) {
    tokens.push(match[1] as string);
    if (TOKEN.lastIndex === text.length) break;
  }
  if (tokens.join('') !== text.replace(/\s+/g, '')) return undefined;
  let at = 0;
  let broken = false;
  const single = (): Value | undefined => {
    const token = tokens[at++];
    if (token === '(') {
      const inner = level(0);
      if (tokens[at++] !== ')') broken = true;
      return inner;
    }
    if (token === '!') {
      const inner = single();
      return typeof inner === 'boolean' ? !inner : undefined;
    }
    if (token !== undefined && token in CALLS && tokens[at] === '(') {
      const given: (Value | undefined)[] = [];
      do {
        at++;
        given.push(level(0));
      } while (tokens[at] === ',');
      if (tokens[at++] !== ')') broken = true;
      return given.includes(undefined) ? undefined : CALLS[token]?.(given as Value[]);
    }
    if (token === undefined || !/^\w/.test(token) || tokens[at] === '(') {
      broken = true;
      return undefined;
    }
    if (/^\d/.test(token)) return Number.parseInt(token, 10);
    return token === 'true' ? true : token === 'false' ? false : constants.get(token);
  };
  const level = (depth: number): Value | undefined => {
    const operators = LEVELS[depth];
    if (!operators) return single();
    let left = level(depth + 1);
    while (operators.includes(tokens[at] as string)) left = applied(tokens[at++] as string, left, level(depth + 1));
    return left;
  };
  const value = level(0);
  return broken || at < tokens.length ? undefined : value;
}

function applied(operator: string, a: Value | undefined, b: Value | undefined): Value | undefined {
  if (operator === '&&') return a === false || b === false ? false : a === true ? b : undefined;
  if (operator === '||') return a === true || b === true ? true : a === false ? b : undefined;
  if (a === undefined || b === undefined) return undefined;
  if (operator === '==') return a === b;
  if (operator === '!=') return a !== b;
  if (typeof a === 'boolean' || typeof b === 'boolean') return undefined;
  const result = {
    '<': a < b,
    '>': a > b,
    '<=': a <= b,
    '>=': a >= b,
    '+': a + b,
    '-': a - b,
    '*': a * b,
    '/': b === 0 ? undefined : Math.trunc(a / b),
    '%': b === 0 ? undefined : a % b,
  }[operator];
  // A number below 0 or past 2^31 depends on its type.
  return typeof result !== 'number' || (result >= 0 && result < 2 ** 31) ? result : undefined;
}

/** Constants of the module that are whole numbers or truths, but those whose name something else has too. */
function constantsOf(bare: string): Constants {
  const texts = new Map(
    Array.from(bare.matchAll(/^\s*const (\w+)(?:: (?:bool|u32|i32))? = ([^;]+);/gm), ([, name = '', text = '']) => [
      name,
      text,
    ]),
  );
  for (const [, declared = '', typed = ''] of bare.matchAll(
    /\b(?:let|var|const)\s+(\w+)(?=[^;]*?=)|[(,]\s*(\w+)\s*:/g,
  )) {
    const name = declared || typed;
    const local = new RegExp(`\\b(?:let|var|const) ${name}\\b|[(,]\\s*${name}\\s*:`, 'g');
    if (texts.has(name) && (bare.match(local) ?? []).length > 1) texts.delete(name);
  }
  const known = new Map<string, Value>();
  for (let before = -1; before < known.size; ) {
    before = known.size;
    for (const [name, text] of texts) {
      const value = known.has(name) ? undefined : constantOf(text, known);
      if (value !== undefined) known.set(name, value);
    }
  }
  return known;
}

/** Past the bracket that closes the one at `open`, in code without comments. */
function closing(bare: string, open: number): number {
  let depth = 0;
  for (let at = open; at < bare.length; at++) {
    if ('({'.includes(bare[at] as string)) depth++;
    else if (')}'.includes(bare[at] as string) && --depth === 0) return at + 1;
  }
  return bare.length;
}

/** The value of a condition; of several joined by `&&` false where one in front is, whatever the others ask. */
function decided(condition: string, constants: Constants): Value | undefined {
  const value = constantOf(condition, constants);
  if (value !== undefined || condition.includes('||')) return value;
  for (let at = condition.indexOf('&&'); at >= 0; at = condition.indexOf('&&', at + 2))
    if (constantOf(condition.slice(0, at), constants) === false) return false;
  return undefined;
}

/** The inside of a block, a step less indented; the block itself where it declares something, which is of that block. */
function inside(block: string): string {
  const inner = block
    .slice(1, -1)
    .replace(/^[ \t]*\n/, '')
    .replace(/\s+$/, '');
  let depth = 0;
  for (const token of blanked(inner).match(/[{}]|\b(?:let|var|const)\b/g) ?? []) {
    if (token === '{') depth++;
    else if (token === '}') depth--;
    else if (depth === 0) return block;
  }
  return inner.replace(/^ {2}/gm, '').trim();
}

/** Where the block ends that encloses a place: at its closing brace. */
function endOfEnclosing(bare: string, from: number): number {
  let depth = 0;
  for (let at = from; at < bare.length; at++) {
    if (bare[at] === '{') depth++;
    else if (bare[at] === '}' && depth-- === 0) return at;
  }
  return bare.length;
}

/**
 * The code without branches that are never taken: `if` whose condition constants of the module decide, with what follows a branch that is
 * always taken and returns. Comments of what stays stay. The rest of the text is as it was.
 */
export function folded(code: string): string {
  const constants = constantsOf(blanked(code));
  let text = evaluated(selected(code, constants), constants);
  let bare = blanked(text);
  let from = 0;
  for (;;) {
    const found = /\bif\s*\(/g;
    found.lastIndex = from;
    const match = found.exec(bare);
    if (!match) return text;
    const start = match.index;
    const open = start + match[0].length - 1;
    const body = closing(bare, open);
    const value = decided(bare.slice(open + 1, body - 1), constants);
    const block = bare.indexOf('{', body);
    if (typeof value !== 'boolean') {
      from = block;
      continue;
    }
    const end = closing(bare, block);
    const otherwise = /^\s*else\b\s*/.exec(bare.slice(end))?.[0];
    const next = end + (otherwise?.length ?? 0);
    if (value) {
      let past = end;
      for (let chain = otherwise, at = next; chain !== undefined; ) {
        const opened = bare[at] === '{' ? at : bare.indexOf('{', closing(bare, bare.indexOf('(', at)));
        past = closing(bare, opened);
        chain = /^\s*else\b\s*/.exec(bare.slice(past))?.[0];
        at = past + (chain?.length ?? 0);
      }
      const returns = /\breturn\b[^;{}]*;\s*$/.test(bare.slice(block + 1, end - 1));
      const isElse = /\belse\s*$/.test(bare.slice(0, start));
      if (returns && !isElse) past = endOfEnclosing(bare, past);
      const taken = text.slice(block, end);
      text =
        text.slice(0, start) + (isElse ? taken : inside(taken)) + (returns && !isElse ? '\n' : '') + text.slice(past);
      from = start;
    } else if (otherwise !== undefined) {
      text = text.slice(0, start) + text.slice(next);
      from = start;
    } else {
      const dangling = /\s*\belse\s*$/.exec(bare.slice(0, start))?.[0].length ?? 0;
      text = withoutLine(text, start - dangling, end);
      from = start - dangling;
    }
    bare = blanked(text);
  }
}

/** Declarations of constants that are known, with their value in place of how it comes about. */
function evaluated(code: string, constants: Constants): string {
  return code.replace(/^const (\w+): (u32|bool) = ([^;]+);/gm, (line, name: string, type: string) => {
    const value = constants.get(name);
    return value === undefined ? line : `const ${name}: ${type} = ${value}${type === 'u32' ? 'u' : ''};`;
  });
}

/** Calls of `select` whose condition constants decide, as what they select. */
function selected(code: string, constants: Constants): string {
  let text = code;
  let bare = blanked(text);
  const call = /\bselect\(/g;
  for (let match = call.exec(bare); match; match = call.exec(bare)) {
    const open = match.index + 'select'.length;
    const end = closing(bare, open);
    const [first = '', second = '', condition = '', ...more] = given(bare.slice(open + 1, end - 1));
    const value = more.length === 0 ? constantOf(condition, constants) : undefined;
    if (typeof value !== 'boolean') continue;
    const taken = (value ? second : first).trim();
    const alone = /^[\w.]+$|^\w+\([^()]*\)$/.test(taken);
    text = text.slice(0, match.index) + (alone ? taken : `(${taken})`) + text.slice(end);
    bare = blanked(text);
    call.lastIndex = match.index;
  }
  return text;
}

/** What a call is given, between its commas. */
function given(list: string): string[] {
  const parts = [''];
  let depth = 0;
  for (const char of list) {
    if ('([{'.includes(char)) depth++;
    else if (')]}'.includes(char)) depth--;
    if (char === ',' && depth === 0) parts.push('');
    else parts[parts.length - 1] += char;
  }
  return parts;
}

/** Without what stands from one place to another, and its line where nothing else is on it. */
function withoutLine(text: string, from: number, to: number): string {
  const before = text.slice(0, from).replace(/[ \t]+$/, '');
  const after = text.slice(to);
  if (before.endsWith('\n') && after.startsWith('\n')) return before + after.slice(1);
  return text.slice(0, from) + after;
}
