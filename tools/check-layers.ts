/**
 * npm run check: fails where a file of src imports upward or from outside src, a kernel wrapper imports a sibling, modules form a
 * cycle, or a file of the library mentions what only Node or only a page has.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** Which rooms a room may import, beside itself. */
const MAY_IMPORT: { readonly [room: string]: readonly string[] } = {
  '.': ['kernel', 'kernels', 'device', 'rng', 'tensor', 'autograd', 'nn', 'optim', 'models', 'ucgm', '.'],
  kernel: [],
  reflect: ['kernel'],
  kernels: ['kernel', '.'],
  device: ['kernel'],
  rng: [],
  tensor: ['kernel', 'device', 'rng'],
  autograd: ['kernel', 'kernels', 'tensor'],
  nn: ['kernel', 'kernels', 'tensor', 'autograd', 'rng'],
  optim: ['kernel', 'kernels', 'tensor', 'autograd', 'nn'],
  models: ['kernel', 'tensor', 'autograd', 'nn'],
  ucgm: ['kernel', 'kernels', 'device', 'tensor', 'autograd', 'nn', 'optim', 'rng'],
  data: ['rng', 'io'],
  io: ['kernel'],
  metrics: ['kernel', 'kernels', 'device', 'rng', 'tensor', 'autograd', 'nn'],
  report: ['io', 'ucgm'],
  cli: [
    '.',
    'kernel',
    'kernels',
    'reflect',
    'device',
    'tensor',
    'autograd',
    'nn',
    'optim',
    'models',
    'ucgm',
    'data',
    'io',
    'metrics',
    'report',
    'rng',
  ],
};

/** Files that may mention Node: the command line, and files named so. */
const NODE_FILES = /^cli\/|\.node\.ts$|^device\/node\.ts$/;
const NODE_WORDS = /\bprocess\.|\bBuffer\.|from '(node:[^']*|fs|path|webgpu)'|import\('(node:[^']*|webgpu)'\)/;
const PAGE_WORDS = /(?<!\/)\b(document|window|localStorage)\./;

/** What an app imports of a room and of others with it, so it may import what src/index.ts may. */
const ENTRIES: readonly string[] = ['nn/index.ts'];

export interface SourceFile {
  /** Path under src, with forward slashes: `kernels/norm.ts`. */
  readonly path: string;
  readonly text: string;
}

/** One line for each rule that is broken. */
export function checkLayers(files: readonly SourceFile[]): string[] {
  const imports = new Map(files.map((file) => [file.path, importsOf(file)]));
  return [...files.flatMap((file) => faultsOf(file, imports.get(file.path) as string[])), ...cycles(imports)];
}

function faultsOf({ path, text }: SourceFile, imports: readonly string[]): string[] {
  const faults: string[] = [];
  const room = ENTRIES.includes(path) ? '.' : roomOf(path);
  for (const imported of imports) {
    if (imported.startsWith('../')) {
      faults.push(`${path} imports ${imported.slice(3)}: nothing of src may import what lies outside it`);
      continue;
    }
    const target = roomOf(imported);
    if (target !== room && !MAY_IMPORT[room]?.includes(target)) {
      faults.push(`${path} imports ${imported}: ${room} may import ${MAY_IMPORT[room]?.join(', ') || 'no other room'}`);
    }
    const siblings =
      path !== 'kernels/index.ts' && room === 'kernels' && target === 'kernels' && !/_tile\.ts$/.test(imported);
    if (siblings) faults.push(`${path} imports ${imported}: a kernel wrapper imports no sibling but a *_tile.ts`);
  }
  const code = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
  const node = NODE_FILES.test(path) ? undefined : NODE_WORDS.exec(code)?.[0];
  if (node) faults.push(`${path} mentions ${node}: only src/cli, *.node.ts and device/node.ts may`);
  const page = PAGE_WORDS.exec(code)?.[0];
  if (page) faults.push(`${path} mentions ${page}: only examples may touch a page`);
  return faults;
}

function roomOf(path: string): string {
  return path.includes('/') ? (path.split('/')[0] as string) : '.';
}

/**
 * The files that a file imports, those outside src as ../PATH; a type alone makes no cycle at run time, but still counts as a layer.
 */
function importsOf({ path, text }: SourceFile): string[] {
  const found = [...text.matchAll(/\b(?:from|import)\s*\(?\s*(['"`])(\.[^'"`]+)\1/g)].map((match) =>
    join(dirname(path), match[2] as string),
  );
  return [...new Set(found.map((p) => p.split(sep).join('/')))];
}

function cycles(imports: ReadonlyMap<string, readonly string[]>): string[] {
  const found: string[] = [];
  const state = new Map<string, 'open' | 'done'>();
  const visit = (path: string, trail: readonly string[]): void => {
    if (state.get(path) === 'done') return;
    if (state.get(path) === 'open') {
      found.push(`cycle: ${[...trail.slice(trail.indexOf(path)), path].join(' -> ')}`);
      return;
    }
    state.set(path, 'open');
    for (const next of imports.get(path) ?? []) visit(next, [...trail, path]);
    state.set(path, 'done');
  };
  for (const path of imports.keys()) visit(path, []);
  return found;
}

function sources(root: string): SourceFile[] {
  const paths = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.ts'));
  return paths.map((path) => ({ path: path.split(sep).join('/'), text: readFileSync(join(root, path), 'utf8') }));
}

if (process.argv[1] && import.meta.url === pathToFileURL(resolve(process.argv[1])).href) {
  const root = fileURLToPath(new URL('../src', import.meta.url));
  const files = sources(root);
  const faults = checkLayers(files);
  for (const fault of faults) console.error(`layers: ${fault}`);
  if (faults.length > 0) process.exitCode = 1;
  else console.log(`layers: ${files.length} files of ${relative(process.cwd(), root) || root} import downward only`);
}
