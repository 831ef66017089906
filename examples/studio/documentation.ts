import { cpSync, existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Plugin } from 'vite';

/** Puts the site that `npm run docs` wrote beside the built pages, and a link to it into their bar; where there is none, no link. */
export function documentation(site: string): Plugin {
  const written = existsSync(join(site, 'index.html'));
  let folder = '';
  return {
    name: 'documentation',
    apply: 'build',
    configResolved({ root, build }) {
      folder = resolve(root, build.outDir, 'docs');
    },
    transformIndexHtml: (html) =>
      written ? html.replace('</nav>', '<a href="./docs/index.html">Documentation</a></nav>') : html,
    closeBundle() {
      if (written) cpSync(site, folder, { recursive: true });
    },
  };
}
