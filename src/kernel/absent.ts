import { KernelError } from './errors.ts';
import type { BindingInfo } from './shader.ts';

/** Elements of what stands for an absent binding: constant places are below it. */
const ELEMENTS = 16;

/**
 * The code without an optional binding whose knob is false: every `if (KNOB) { ... }` and `if (KNOB && ...) { ... }` that begins a
 * line goes with it, an `else` of it stays. The declaration becomes a private array, for whatever still names it and never runs.
 * Blocks that only a compiler would drop are not free: with them an NVIDIA driver made 24 TFLOP/s of 37 in matmul_tiled.
 */
export function withoutBinding(code: string, kernel: string, name: string, info: BindingInfo): string {
  const line = new RegExp(`^@group\\(0\\) @binding\\(${info.binding}\\) var<storage[^>]*> ${name}: array<(.+)>;`, 'm');
  if (!line.test(code))
    throw new KernelError('bad-knob', kernel, '', `${name} has no line of its own`, 'run npm run embed');
  return withoutBlocks(code, info.optional as string).replace(line, `var<private> ${name}: array<$1, ${ELEMENTS}>;`);
}

function withoutBlocks(code: string, knob: string): string {
  let rest = code;
  let done = '';
  for (;;) {
    const found = new RegExp(`^[ \\t]*if \\(${knob}(?:\\)| &&[^{]*\\)) \\{`, 'm').exec(rest);
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
