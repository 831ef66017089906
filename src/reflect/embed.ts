/** TypeScript source of reflected shaders, so that a misspelt buffer or dim is a compile error. */
import type { ShaderSource } from '../kernel/index.ts';
import { compact } from './compact.ts';

/** Appends the libraries that `// @use name` lines ask for, each once, libraries' own uses included. */
export function withLibraries(code: string, read: (name: string) => string): string {
  const parts = [code];
  const seen = new Set<string>();
  for (let i = 0; i < parts.length; i++) {
    for (const match of (parts[i] as string).matchAll(/^\/\/ @use (\w+)/gm)) {
      const name = match[1] as string;
      if (seen.has(name)) continue;
      seen.add(name);
      parts.push(read(name));
    }
  }
  return parts.join('\n');
}

const oneLine = (value: object): string =>
  JSON.stringify(value)
    .replace(/"(\w+)":/g, ' $1: ')
    .replace(/"/g, "'")
    .replace(/}/g, ' }');

/** The comment that a shader opens with: what an editor shows of its kernel. */
function headOf(code: string): string[] {
  const lines = code.split('\n');
  const end = lines.findIndex((line) => !line.startsWith('//'));
  return lines
    .slice(0, end)
    .filter((line) => !line.startsWith('// @use'))
    .map((line) => line.slice(2).trim().replaceAll('*/', '* /'));
}

/** The TypeScript of one shader: a type named after it with the head of its file, and the constant: reflection a line each, then the source, its comments and what it never calls left out. */
export function embedded(shader: ShaderSource): string {
  const { name } = shader;
  const type = name.replace(/(?:^|_+)([a-zA-Z0-9])/g, (_, letter: string) => letter.toUpperCase());
  const group = (entries: { [name: string]: object }) =>
    Object.entries(entries)
      .map(([key, info]) => `    ${key}: ${oneLine(info)},\n`)
      .join('');
  const source = compact(shader).replace(/[\\`]|\$\{/g, '\\$&');
  const { fields, ...block } = shader.uniform;
  return [
    `const ${name}_ = {`,
    `  name: '${name}',`,
    `  entryPoint: '${shader.entryPoint}',`,
    `  bindings: {\n${group(shader.bindings)}  },`,
    `  uniform: {${oneLine(block).slice(1, -2)}, fields: {\n${group(fields)}  } },`,
    `  knobs: {\n${group(shader.knobs)}  },`,
    ...(shader.workgroup
      ? [`  workgroup: [${shader.workgroup.map((t) => (typeof t === 'number' ? t : `'${t}'`)).join(', ')}],`]
      : []),
    ...(shader.enables ? [`  enables: [${shader.enables.map((word) => `'${word}'`).join(', ')}],`] : []),
    `  code: \`${source}\` as string,`,
    '} as const satisfies ShaderSource;\n',
    `/**\n${headOf(shader.code)
      .map((line) => ` * ${line}`)
      .join('\n')}\n */`,
    `export interface ${type} extends Same<typeof ${name}_> {}`,
    `export const ${name}: ${type} = ${name}_;\n`,
  ].join('\n');
}

/** A whole file of them. `from` is where the types of kernels are imported from. */
export function embeddedFile(shaders: readonly ShaderSource[], from: string, written: string): string {
  return [
    `// ${written}`,
    `import type { ShaderSource } from '${from}';\n`,
    'type Same<T> = T;\n',
    ...shaders.map(embedded),
  ].join('\n');
}
