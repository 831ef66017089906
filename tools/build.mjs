// npm run build: the library as ES modules with types (dist/src), as one file for a page (dist/ucgm-webgpu.min.js), the shaders as text
// (dist/wgsl), the command line as one file (dist/ucgm.mjs), and what that writes kernels from (dist/alone.json).
import { execFileSync } from 'node:child_process';
import { chmodSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { definitions, hostTexts } from './hosts.mjs';
import { markPure } from './pure.mjs';
import { importNamed, splitShaders } from './split.mjs';
import { writeTypes } from './types.mjs';
import { writeShaders } from './wgsl.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
process.chdir(root);
rmSync('dist', { recursive: true, force: true });
execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], { stdio: 'inherit' });

const modules = readdirSync('dist/src', { recursive: true })
  .filter((name) => name.endsWith('.js'))
  .map((name) => join('dist/src', name));

/** What a module of the library asks for stays a module of its own. */
const ownModulesApart = {
  name: 'own-modules-apart',
  setup: (building) =>
    building.onResolve({ filter: /^\.\.?\// }, ({ path, importer, kind }) =>
      kind === 'entry-point' || importer.includes('node_modules') ? undefined : { path, external: true },
    ),
};
for (const path of modules) {
  const code = readFileSync(path, 'utf8');
  // Packages go into the file that imports them: the library asks for no other package.
  if (/^import .* from '(?![./]|node:|webgpu')/m.test(code)) {
    const options = { bundle: true, format: 'esm', target: 'es2022', legalComments: 'none' };
    await build({ entryPoints: [path], outfile: path, allowOverwrite: true, plugins: [ownModulesApart], ...options });
  }
  // Kernels are made by calls, which a bundler keeps: one that an app does not import is to cost it nothing.
  if (/kernels?$/.test(resolve(path, '..'))) writeFileSync(path, importNamed(markPure(code)));
}
splitShaders('dist/src', await import('../dist/src/shaders.generated.js'));
await build({
  entryPoints: ['dist/src/bundle.js'],
  outfile: 'dist/ucgm-webgpu.min.js',
  bundle: true,
  minify: true,
  format: 'esm',
  target: 'es2022',
  legalComments: 'none',
});
writeTypes();
writeShaders('dist/wgsl', (await import('../dist/src/reflect/embed.js')).withLibraries);

/** The decoders' WebAssembly goes into the one file. */
const codecsInside = {
  name: 'codecs-inside',
  setup: (building) =>
    building.onLoad({ filter: /src\/data\/codecs\.node\.ts$/ }, () => ({
      resolveDir: root,
      contents: `
        import jpeg from '@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm';
        import webp from '@jsquash/webp/codec/dec/webp_dec.wasm';
        export const jpegWasm = () => jpeg;
        export const webpWasm = () => webp;`,
    })),
};

const defined = definitions();
const hosts = await hostTexts(defined);
const kernels = Object.fromEntries(defined.map(({ name, about }) => [name, { about, host: hosts[name] }]));
writeFileSync('dist/alone.json', JSON.stringify({ kernels, runtime: readFileSync('src/alone/runtime.js', 'utf8') }));

/** tools/kernel_texts.ts of the package: what is read from the sources there lies beside the command here. */
const textsBeside = {
  name: 'texts-beside',
  setup: (building) =>
    building.onLoad({ filter: /tools\/kernel_texts\.ts$/ }, () => ({
      contents: `
        import { readFileSync } from 'node:fs';
        const read = (name) => readFileSync(new URL(name, import.meta.url), 'utf8');
        const alone = () => JSON.parse(read('alone.json'));
        export const kernelText = async (name) => alone().kernels[name];
        export const shaderText = (name) => read('wgsl/' + name + '.wgsl');
        export const runtimeText = () => alone().runtime;`,
    })),
};

/** What the bench of an installed package says that its numbers are of. */
function commit() {
  try {
    return execFileSync('git', ['describe', '--always', '--dirty', '--exclude', '*'], { encoding: 'utf8' }).trim();
  } catch {
    return 'unknown'; // from an archive of the sources
  }
}
const { metafile } = await build({
  metafile: true,
  entryPoints: ['tools/ucgm.ts'],
  outfile: 'dist/ucgm.mjs',
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  external: ['webgpu', 'koffi'],
  loader: { '.wasm': 'binary' },
  define: { UCGM_COMMIT: JSON.stringify(commit()) },
  plugins: [codecsInside, textsBeside],
  // Packages in CommonJS ask for require, which an ES module does not have.
  banner: {
    js: "#!/usr/bin/env node\nimport { createRequire as requireFrom } from 'node:module';\nconst require = requireFrom(import.meta.url);",
  },
});
chmodSync('dist/ucgm.mjs', 0o755);

// What is bundled keeps its licence beside it.
const packages = new Set(
  Object.keys(metafile.inputs).flatMap((path) => /(?:^|\/)node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? []),
);
const notices = [...packages].sort().map((name) => {
  const folder = join('node_modules', name);
  const { version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const texts = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile() && /^(licen[cs]e|notice)(\.(md|txt))?$/i.test(entry.name))
    .map((entry) => readFileSync(join(folder, entry.name), 'utf8').trim());
  return [`${name} ${version} (${license})`, ...texts].join('\n\n');
});
writeFileSync('dist/THIRD_PARTY_LICENSES.txt', `${notices.join(`\n\n${'-'.repeat(80)}\n\n`)}\n`);
