import { existsSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { build } from 'esbuild';
import { type Browser, chromium } from 'playwright';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
// @ts-expect-error plain JavaScript: it runs before TypeScript is installed
import { BROWSER_ARGS, findBrowser } from '../../tools/browser.mjs';
import { App } from './app.ts';
import { EXAMPLES, lossesOf, PARTS } from './examples.ts';

const TYPES: { readonly [extension: string]: string } = {
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wgsl': 'text/plain',
};

/** An import map of the package's exports, as a page without a bundler has it. */
function importMap(app: App): { imports: { [name: string]: string } } {
  const { name, exports } = JSON.parse(readFileSync(app.path('node_modules/ucgm-webgpu/package.json'), 'utf8')) as {
    name: string;
    exports: { [entry: string]: { default: string } };
  };
  return {
    imports: Object.fromEntries(
      Object.entries(exports).map(([entry, target]) => [
        join(name, entry),
        `/${join('node_modules', name, target.default)}`,
      ]),
    ),
  };
}

/** Serves the app's files, and at / a page with the import map. */
function serve(app: App): Server {
  const page = `<!doctype html><script type="importmap">${JSON.stringify(importMap(app))}</script>`;
  return createServer(({ url = '/' }, response) => {
    const { pathname } = new URL(url, 'http://localhost');
    const file = app.path(decodeURIComponent(pathname));
    const type = TYPES[extname(pathname)];
    if (pathname === '/') response.setHeader('content-type', 'text/html').end(page);
    else if (type && existsSync(file)) response.setHeader('content-type', type).end(readFileSync(file));
    else response.writeHead(404).end();
  });
}

describe('the packed package in a page', () => {
  let app: App;
  let server: Server;
  let browser: Browser;
  let origin = '';

  beforeAll(async () => {
    app = new App();
    app.embedScale();
    server = serve(app);
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const executablePath = findBrowser();
    browser = await chromium.launch({ ...(executablePath && { executablePath }), args: BROWSER_ARGS });
  });

  afterAll(async () => {
    await browser?.close();
    server?.close();
    app?.remove();
  });

  /** What a module prints in a page of its own, to its end or to a line. @throws what it throws. */
  async function printed(module: string, last?: RegExp): Promise<string[]> {
    const page = await browser.newPage();
    try {
      const lines: string[] = [];
      const reached = new Promise<void>((done) => {
        page.on('console', (message) => {
          if (message.type() === 'log') lines.push(...message.text().split('\n'));
          if (last && lines.some((line) => last.test(line))) done();
        });
      });
      await page.goto(origin);
      const ended = page.evaluate(`import('/${module}').then(() => undefined)`);
      ended.catch(() => {}); // of a page that is closed before
      await Promise.race([ended, reached]);
      return lines;
    } finally {
      await page.close();
    }
  }

  it.each(['one-kernel', 'product', 'own-kernel'])(
    'runs the example %s as it stands, by an import map',
    async (name) => {
      EXAMPLES[name]?.(await printed(`examples/${name}.mjs`));
    },
  );

  it.each(PARTS)('trains in the example %s as it stands, by an import map', async (name, last, loss) => {
    const losses = lossesOf(await printed(`examples/${name}.mjs`, last));
    expect(losses).toHaveLength(1);
    expect(losses[0]).toBeLessThan(loss);
  });

  it.each(['embedded-kernel.ts', 'product.mjs'])('runs the example %s in a bundle', async (file) => {
    const name = file.replace(/\..*/, '');
    await build({
      absWorkingDir: app.folder,
      entryPoints: [`examples/${file}`],
      outfile: `bundles/${name}.js`,
      bundle: true,
      platform: 'browser',
      format: 'esm',
      target: 'es2022',
      external: ['webgpu', 'node:*'], // asked for in Node alone
      logLevel: 'silent',
    });
    EXAMPLES[name]?.(await printed(`bundles/${name}.js`));
  });

  it('tells of what a page throws', async () => {
    await expect(printed('examples/none.mjs')).rejects.toThrow('none.mjs');
  });
});
