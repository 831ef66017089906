import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';
import { thisPlace } from '../../bench/place.ts';

const { version, commit } = thisPlace();
const here = fileURLToPath(new URL('.', import.meta.url));

/** npm run studio, and npm run studio:build: a folder of files with relative addresses, for any web server. */
export default defineConfig({
  root: here,
  base: './',
  publicDir: false,
  define: { UCGM_BUILT: JSON.stringify({ version, commit }) },
  server: { fs: { allow: [fileURLToPath(new URL('../..', import.meta.url))] } },
  worker: { format: 'es' },
  build: {
    target: 'es2022',
    outDir: fileURLToPath(new URL('../../dist-studio', import.meta.url)),
    emptyOutDir: true,
    assetsInlineLimit: 0,
    rolldownOptions: { input: { studio: `${here}index.html`, kernels: `${here}kernels.html` } },
  },
});
