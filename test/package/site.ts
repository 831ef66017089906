import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright';
// @ts-expect-error plain JavaScript: it runs before TypeScript is installed
import { BROWSER_ARGS, findBrowser } from '../../tools/browser.mjs';
import type { App } from './app.ts';

const TYPES: { readonly [extension: string]: string } = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
  '.wgsl': 'text/plain',
};

/** An import map of the package's exports, as a page without a bundler has it. */
function importMap(app: App): { imports: { [name: string]: string } } {
  const folder = 'node_modules/ucgm-webgpu';
  const { name, exports } = JSON.parse(readFileSync(app.path(folder, 'package.json'), 'utf8')) as {
    name: string;
    exports: { [entry: string]: { default: string } | string | null };
  };
  const imports: { [name: string]: string } = {};
  for (const [entry, target] of Object.entries(exports)) {
    if (target === null || typeof target === 'string') continue;
    const file = target.default;
    const inFolder = file.includes('*') ? readdirSync(app.path(folder, file, '..')) : [''];
    for (const each of inFolder.filter((found) => !file.includes('*') || found.endsWith('.js'))) {
      const fill = (pattern: string) => pattern.replace('*', each.replace(/\.js$/, ''));
      imports[join(name, fill(entry)).replaceAll('\\', '/')] = `/${folder}/${fill(file).slice('./'.length)}`;
    }
  }
  return { imports };
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

/** An app's files on a web server, and a headless Chromium that opens them. */
export class Site {
  readonly #server: Server;
  readonly #browser: Browser;
  readonly #origin: string;

  private constructor(server: Server, browser: Browser) {
    this.#server = server;
    this.#browser = browser;
    this.#origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async of(app: App): Promise<Site> {
    const server = serve(app);
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const executablePath = findBrowser();
    return new Site(server, await chromium.launch({ ...(executablePath && { executablePath }), args: BROWSER_ARGS }));
  }

  async close(): Promise<void> {
    await this.#browser.close();
    this.#server.close();
  }

  /** What a module prints in a page of its own, to its end or to a line. @throws what it throws. */
  async printed(module: string, last?: RegExp): Promise<string[]> {
    const page = await this.#browser.newPage();
    try {
      const lines: string[] = [];
      const reached = new Promise<void>((done) => {
        page.on('console', (message) => {
          if (message.type() === 'log') lines.push(...message.text().split('\n'));
          if (last && lines.some((line) => last.test(line))) done();
        });
      });
      await page.goto(this.#origin);
      const ended = page.evaluate(`import('/${module}').then(() => undefined)`);
      ended.catch(() => {}); // of a page that is closed before
      await Promise.race([ended, reached]);
      return lines;
    } finally {
      await page.close();
    }
  }

  /**
   * Opens a page of the app, or of another server's URL, with a script that runs before its own, and looks at it once it has printed
   * `count` lines.
   * @throws what the page throws.
   */
  async opened<T>(path: string, before: string, count: number, look: (page: Page, lines: string[]) => Promise<T>) {
    const page = await this.#browser.newPage();
    try {
      const lines: string[] = [];
      await page.addInitScript(before);
      const printed = new Promise<void>((done, fail) => {
        page.on('pageerror', fail);
        page.on('console', (message) => {
          if (message.type() === 'log') lines.push(message.text());
          if (lines.length === count) done();
        });
      });
      await page.goto(new URL(path, this.#origin).href);
      await printed;
      return await look(page, lines);
    } finally {
      await page.close();
    }
  }
}
