import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { build } from 'esbuild';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright';
// @ts-expect-error plain JavaScript: it runs before TypeScript is installed
import { BROWSER_ARGS, findBrowser } from '../../tools/browser.mjs';

const ROOT = resolve(import.meta.dirname, '../..');

/** What a page is served, by path. */
export type Files = { readonly [path: string]: { readonly type: string; readonly text: string } };

/** A module of the tests, and all that it imports, as one file for a page or a worker. */
export async function bundled(entry: string): Promise<string> {
  const { outputFiles } = await build({
    absWorkingDir: ROOT,
    entryPoints: [entry],
    bundle: true,
    write: false,
    platform: 'browser',
    format: 'esm',
    target: 'es2022',
    logLevel: 'silent',
  });
  return outputFiles[0]?.text ?? '';
}

/** A Chromium of a test's own, and the server of its files. */
export class TestBrowser {
  readonly context: BrowserContext;
  readonly #browser: Browser;
  readonly #server: Server;

  private constructor(browser: Browser, context: BrowserContext, server: Server) {
    [this.#browser, this.context, this.#server] = [browser, context, server];
  }

  static async open(files: Files): Promise<TestBrowser> {
    const server = createServer(({ url = '/' }, response) => {
      const file = files[new URL(url, 'http://localhost').pathname];
      if (file) response.setHeader('content-type', file.type).end(file.text);
      else response.writeHead(404).end();
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const executablePath = findBrowser();
    const browser = await chromium.launch({ ...(executablePath && { executablePath }), args: BROWSER_ARGS });
    return new TestBrowser(browser, await browser.newContext(), server);
  }

  /** The address of a path; localhost is a secure context, which WebGPU and the page's files need. */
  address(path: string): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}${path}`;
  }

  /** A page at a path. What it fails with is printed. */
  async page(path: string): Promise<Page> {
    const page = await this.context.newPage();
    page.on('pageerror', (error) => console.error(`page: ${error.message}`));
    await page.goto(this.address(path));
    return page;
  }

  async close(): Promise<void> {
    await this.#browser.close();
    this.#server.close();
  }
}
