// Who may import whom: `npm run check` runs it over src and test/reference. docs/architecture.md draws the rooms.

/** The rooms of src that a room may import, beside itself; '.' is src/index.ts and the generated shaders. */
const MAY_IMPORT = {
  '.': ['kernel', 'kernels', 'device', 'rng', 'tensor', 'autograd', 'nn', 'optim', 'models', 'ucgm', 'run'],
  kernel: [],
  reflect: ['kernel'],
  kernels: ['kernel', '.'],
  device: ['kernel'],
  rng: ['kernel'],
  tensor: ['kernel', 'device', 'rng'],
  parallel: ['kernel', 'kernels', 'tensor'],
  autograd: ['kernel', 'kernels', 'tensor'],
  nn: ['kernel', 'kernels', 'tensor', 'autograd', 'rng'],
  optim: ['kernel', 'kernels', 'tensor', 'autograd', 'nn', 'rng'],
  models: ['kernel', 'tensor', 'autograd', 'nn'],
  ucgm: ['kernel', 'kernels', 'device', 'tensor', 'parallel', 'autograd', 'nn', 'optim', 'rng'],
  data: ['kernel', 'rng', 'io'],
  run: ['kernel', 'kernels', 'device', 'rng', 'tensor', 'parallel', 'nn', 'optim', 'models', 'ucgm', 'data', 'io'],
  io: ['kernel'],
  metrics: ['kernel', 'kernels', 'device', 'rng', 'tensor', 'parallel', 'autograd', 'models'],
  report: ['run', 'ucgm'],
  alone: ['kernel', 'reflect', '.'],
};

/** The packages that a room may import; the command line any, and no other room one. */
const PACKAGES = {
  reflect: ['wgsl_reflect'],
  data: ['@jsquash/jpeg', '@jsquash/webp', 'pngjs'],
  io: ['fast-png', 'fflate', 'yaml'],
  parallel: ['koffi'],
  run: ['valibot'],
  metrics: ['ml-matrix'],
  report: ['echarts'],
};

/** Files that run under Node alone: the command line, and files named so. */
const NODE_FILES = '^src/cli/|\\.node\\.ts$|^src/device/node\\.ts$';

const files = (rooms) => rooms.map((room) => (room === '.' ? '^src/[^/]+$' : `^src/${room}/`)).join('|');
const packages = (names) => names.map((name) => `(^|/)node_modules/${name}/|^${name}(/|$)`).join('|');

/** Files that need what only a page or a worker of one has: its files, its decoders. They are harmless where it is absent. */
const PAGE_FILES = '\\.page\\.ts$';

/** Entries of the package that export what lies above their room too. */
const ENTRIES = '^src/nn/index\\.ts$';

const rooms = Object.entries(MAY_IMPORT).map(([room, below]) => ({
  name: `room-${room === '.' ? 'src' : room}`,
  comment: `may import ${below.join(', ') || 'no other room'}`,
  severity: 'error',
  from: { path: files([room]), pathNot: ENTRIES },
  to: { path: '^src/', pathNot: files([room, ...below]) },
}));

const rule = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to });

export default {
  forbidden: [
    ...rooms,
    rule(
      'known-room',
      'a room of src has its line in .dependency-cruiser.mjs',
      { path: '^src/', pathNot: files([...Object.keys(MAY_IMPORT), 'cli']) },
      {},
    ),
    rule(
      'src-alone',
      'nothing of src imports what lies outside it',
      { path: '^src/' },
      { path: '\\.([mc]?ts|[mc]?js|json)$', pathNot: '^src/|(^|/)node_modules/', dependencyTypes: ['local'] },
    ),
    rule('no-cycle', 'modules form no cycle, not even of types', {}, { circular: true }),
    rule(
      'wrapper-alone',
      'a kernel wrapper imports no sibling but a *_tile.ts',
      { path: '^src/kernels/', pathNot: '^src/kernels/index\\.ts$' },
      { path: '^src/kernels/', pathNot: '_tile\\.ts$' },
    ),
    rule(
      'node-named',
      'only src/cli, *.node.ts and device/node.ts import what is of Node',
      { path: '^src/', pathNot: NODE_FILES },
      { dependencyTypes: ['core'] },
    ),
    rule(
      'node-above',
      'what runs in a page imports no file that is of Node',
      { path: '^src/', pathNot: NODE_FILES },
      { path: NODE_FILES },
    ),
    rule(
      'page-above',
      'only an entry of the package and *.page.ts import what is of a page: all else runs anywhere',
      { path: '^src/', pathNot: `${PAGE_FILES}|/index\\.ts$` },
      { path: PAGE_FILES },
    ),
    rule(
      'webgpu-once',
      'only src/device/node.ts imports Dawn',
      { path: '^src/', pathNot: '^src/device/node\\.ts$' },
      { path: packages(['webgpu']) },
    ),
    rule(
      'library-alone',
      'the library asks for no package',
      { path: '^src/', pathNot: files([...Object.keys(PACKAGES), 'cli']) },
      { pathNot: packages(['webgpu']), dependencyTypesNot: ['core', 'local'] },
    ),
    ...Object.entries(PACKAGES).map(([room, names]) =>
      rule(
        `packages-${room}`,
        `may import the packages ${names.join(', ')}`,
        { path: files([room]) },
        { pathNot: packages([...names, 'webgpu']), dependencyTypesNot: ['core', 'local'] },
      ),
    ),
    rule(
      'oracle-alone',
      'an oracle imports nothing of what it judges',
      { path: '^test/reference/', pathNot: '\\.test\\.ts$' },
      { path: '^src/' },
    ),
  ],
  options: {
    parser: 'swc', // TypeScript 7 has no interface for JavaScript
    tsPreCompilationDeps: true, // types are layers too
    doNotFollow: { path: 'node_modules' },
    preserveSymlinks: true,
  },
};
