// npm run build: the library as ES modules with types (dist/src), and the command line as one file (dist/ucgm.mjs).
import { execFileSync } from 'node:child_process';
import { chmodSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
process.chdir(root);
rmSync('dist', { recursive: true, force: true });
execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], { stdio: 'inherit' });
// TypeScript knows WebGPU from 6.0 on, and @webgpu/types would contradict it there: package.json gives these to older ones.
for (const entry of ['index', 'kernels/index', 'nn/index', 'reflect/index', 'run/index', 'device/node']) {
  const types = `/// <reference types="@webgpu/types" />\nexport * from './${basename(entry)}.js';\n`;
  writeFileSync(`dist/src/${entry}.webgpu.d.ts`, types);
}

/** What is of this package stays a module of its own, one for all that import it. */
const ownOutside = {
  name: 'own-outside',
  setup: (building) =>
    building.onResolve({ filter: /^\.\.?\// }, ({ kind, path, resolveDir }) =>
      kind === 'entry-point' || resolveDir.includes('node_modules') ? undefined : { path, external: true },
    ),
};

// A package goes into each file that imports it: the library asks for no other.
for (const file of ['reflect/reflect', 'io/png', 'io/yaml', 'io/zip', 'run/settings']) {
  await build({
    entryPoints: [`dist/src/${file}.js`],
    outfile: `dist/src/${file}.js`,
    allowOverwrite: true,
    bundle: true,
    format: 'esm',
    target: 'es2022',
    plugins: [ownOutside],
  });
}

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
  external: ['webgpu'],
  loader: { '.wasm': 'binary' },
  define: { UCGM_COMMIT: JSON.stringify(commit()) },
  plugins: [codecsInside],
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
