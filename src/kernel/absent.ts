import { KernelError } from './errors.ts';
import type { BindingInfo } from './shader.ts';

/** Elements of what stands for an absent binding: constant places are below it. */
const ELEMENTS = 16;

/** The code without an optional binding: its declaration becomes a private array, for whatever still names it and never runs. */
export function withoutBinding(code: string, kernel: string, name: string, info: BindingInfo): string {
  const line = new RegExp(`^@group\\(0\\) @binding\\(${info.binding}\\) var<storage[^>]*> ${name}: array<(.+)>;`, 'm');
  if (!line.test(code))
    throw new KernelError('bad-knob', kernel, '', `${name} has no line of its own`, 'run npm run embed');
  return code.replace(line, `var<private> ${name}: array<$1, ${ELEMENTS}>;`);
}

/**
 * The code without what a knob that is false leaves out: every `if (KNOB) { ... }` and `if (KNOB && ...) { ... }` that begins a line; an
 * `else` of it stays. Blocks that only a compiler would drop are not free: with some an NVIDIA driver made 24 TFLOP/s of 37 in
 * matmul_tiled, and every variant has them to read and to compile.
 */
export function withoutBlocks(code: string, knob: string): string {
  if (code.match(new RegExp(`\\b${knob}\\s*[:=][^=]`, 'g'))?.[1]) return code; // something else has its name as well
  let rest = code;
  let done = '';
  for (;;) {
    const found = new RegExp(`^[ \\t]*if ?\\(${knob}(?:\\)| ?&&[^{]*\\)) ?\\{`, 'm').exec(rest);
    if (!found) return done + rest;
    const end = endOfBlock(rest, found.index + found[0].length);
    const otherwise = /^\s*else\b\s*/.exec(rest.slice(end))?.[0].length ?? 0;
    done += rest.slice(0, found.index);
    rest = rest.slice(end + otherwise);
  }
}

/** Where the block whose brace was just opened ends, comments aside. */
function endOfBlock(code: string, from: number): number {
  let depth = 1;
  let at = from;
  while (depth > 0 && at < code.length) {
    if (code.startsWith('//', at)) at = code.indexOf('\n', at);
    if (code[at] === '{') depth++;
    else if (code[at] === '}') depth--;
    at++;
  }
  return at;
}
