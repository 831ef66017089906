/** The names of a JSON text's outermost object, as written, and the first name that some object holds twice. */
export interface JsonKeys {
  readonly top: readonly string[];
  readonly duplicate: string | undefined;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** The index after the string that opens at `at`: a plain scan, as a pattern would overflow on megabytes. */
function stringEnd(text: string, at: number): number {
  for (let i = at + 1; ; i++) {
    const code = text.charCodeAt(i);
    if (code === BACKSLASH) i++;
    else if (code === QUOTE) return i + 1;
  }
}

/**
 * Lists what JSON.parse loses: the order of names that look like integers, and names given twice.
 * @param text a text that JSON.parse accepts; nothing is checked again here.
 */
export function jsonKeys(text: string): JsonKeys {
  const top: string[] = [];
  const open: Set<string>[] = []; // an array has a set too, which stays empty
  const token = /["{[\]}]/g;
  for (let match = token.exec(text); match; match = token.exec(text)) {
    const at = match.index;
    if (match[0] === '{' || match[0] === '[') open.push(new Set());
    else if (match[0] === '}' || match[0] === ']') open.pop();
    else {
      const end = stringEnd(text, at);
      let next = end;
      while (text.charCodeAt(next) <= 0x20) next++;
      token.lastIndex = end;
      if (text[next] !== ':') continue; // a value, not a name
      const name = JSON.parse(text.slice(at, end)) as string;
      const names = open[open.length - 1] as Set<string>;
      if (names.has(name)) return { top, duplicate: name };
      names.add(name);
      if (open.length === 1) top.push(name);
    }
  }
  return { top, duplicate: undefined };
}
