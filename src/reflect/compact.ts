/** The bytes of a shader that only its readers need, taken out where it is embedded. */
import type { ShaderSource } from '../kernel/index.ts';

const DECLARED = /\b(?:fn|struct|const|alias|override|var(?:<[^>]*>)?)\s+(\w+)/;

/**
 * The source without comments, indentation and declarations that nothing reaches from the entry point, a buffer or a knob. Every line
 * break stays: a compiler's line number is that of the file.
 */
export function compact({ code, ...roots }: Sources): string {
  const bare = withoutComments(code).replace(/^[ \t]+|[ \t]+$/gm, '');
  return reachable({ code: bare, ...roots })
    .map(({ text, reached }) => (reached ? text : text.replace(/[^\n]+/g, '')))
    .join('')
    .trimEnd();
}

/** The source without the lines of declarations that nothing reaches, nor of the comments before them. */
export function trimmed({ code, ...roots }: Sources): string {
  const lines = code.split('\n');
  const kept = new Set<number>();
  let first = 0;
  let last = -1;
  for (const { text, reached } of reachable({ code: withoutComments(code), ...roots })) {
    const end = first + (text.match(/\n/g) ?? []).length;
    if (reached) for (let line = Math.max(first, last + 1); line <= end; line++) kept.add(line);
    if (reached) kept.add(end);
    first = last = end;
  }
  return lines.filter((_, line) => kept.has(line)).join('\n');
}

/** A shader, and what its declarations are reached from. */
type Sources = Pick<ShaderSource, 'code' | 'entryPoint' | 'knobs'>;

/** The parts of a source without comments, a declaration each with what stands before it, and whether anything reaches them. */
function reachable({ code, entryPoint, knobs }: Sources): { text: string; reached: boolean }[] {
  const parts = declarations(code);
  const named = new Map(parts.map((part) => [DECLARED.exec(part)?.[1], part]));
  const reached = new Set<string | undefined>([undefined]); // what declares no name stays
  const reach = (name: string) => {
    if (reached.has(name)) return;
    const part = named.get(name);
    if (part === undefined) return;
    reached.add(name);
    for (const [word] of part.matchAll(/\w+/g)) reach(word);
  };
  for (const name of [entryPoint, ...Object.keys(knobs)]) reach(name);
  for (const [name, part] of named) if (name && /^\s*@group\b/.test(part)) reach(name);
  return parts.map((text) => ({ text, reached: reached.has(DECLARED.exec(text)?.[1]) }));
}

/** Comments of a line, and those of several with their line breaks left. */
function withoutComments(code: string): string {
  return code.replace(/\/\/.*|\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]+/g, ''));
}

/** The code with spaces where its comments are: every place stays. */
export function blanked(code: string): string {
  return code.replace(/\/\/.*|\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ' '));
}

/** Module-scope declarations and directives, each with what stands before it. */
function declarations(code: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (let at = 0; at < code.length; at++) {
    const char = code[at] as string;
    if ('{(['.includes(char)) depth++;
    else if ('})]'.includes(char)) depth--;
    if (depth === 0 && (char === ';' || char === '}')) {
      parts.push(code.slice(from, at + 1));
      from = at + 1;
    }
  }
  return [...parts, code.slice(from)];
}
