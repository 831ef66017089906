const INDEX = String.raw`\s*\[(?:[^[\]]|\[[^[\]]*\])*\]`;
const ASSIGN = String.raw`\s*(?:(?:[-+*/%&|^]|<<|>>)?=(?!=)|\+\+|--)`;

/**
 * Lines that write a component of a vector in workgroup or storage memory: WGSL lets such a write store the whole vector, so two
 * invocations that write components of one vector race. An alias may be a vector in some variant, and counts as one.
 */
export function componentWrites(code: string): number[] {
  const bare = code.replace(/\/\/.*$/gm, '');
  const aliases = new Set(Array.from(bare.matchAll(/^\s*alias (\w+)/gm), (match) => match[1]));
  const found = new Set<number>();
  for (const match of bare.matchAll(/var<(?:workgroup|storage[^>]*)>\s*(\w+)\s*:\s*((?:array<\s*)*)(\w+)/g)) {
    const [, name, arrays = '', element = ''] = match;
    const indices = INDEX.repeat(arrays.split('array<').length - 1);
    const isVector = /^vec[234]/.test(element) || aliases.has(element);
    // A component by name, through structs too; by index only where the element is a vector.
    const component = String.raw`(?:(?:\s*\.\s*\w+|${INDEX})*\s*\.\s*[xyzwrgba]\b${isVector ? `|${INDEX}` : ''})`;
    const write = new RegExp(String.raw`\b${name}${indices}${component}${ASSIGN}`, 'g');
    for (const at of bare.matchAll(write)) found.add(bare.slice(0, at.index).split('\n').length);
  }
  return [...found].sort((a, b) => a - b);
}
