import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright';
import { expect } from 'vitest';
// @ts-expect-error plain JavaScript: it runs before TypeScript is installed
import { BROWSER_ARGS, findBrowser } from '../../tools/browser.mjs';
import { buildStudio, Site } from './site.ts';

/** Ten times what the slowest step takes on two idle cores with a software adapter. */
export const PATIENCE = 300_000;

/** The built studio on a web server, and a browser that shows it. */
export class Studio {
  readonly site: Site;
  readonly #folder: string;
  #browser: Browser | undefined;

  private constructor(site: Site, folder: string) {
    [this.site, this.#folder] = [site, folder];
  }

  static async build(): Promise<Studio> {
    const folder = mkdtempSync(join(tmpdir(), 'ucgm-studio-'));
    await buildStudio(folder);
    return new Studio(await Site.serve(folder), folder);
  }

  /** Chromium on its software adapter, the same for all pages. */
  async browser(): Promise<Browser> {
    this.#browser ??= await launch(BROWSER_ARGS);
    return this.#browser;
  }

  /** A page in a profile of its own, which fails the test on an error of its script. */
  async open(path: string, options: BrowserContextOptions = {}): Promise<Page> {
    const context = await (await this.browser()).newContext({ viewport: { width: 1280, height: 800 }, ...options });
    context.setDefaultTimeout(PATIENCE);
    const page = await context.newPage();
    page.on('pageerror', (error) => expect.fail(`the page threw ${error.message}`));
    await page.goto(this.site.origin + path);
    return page;
  }

  async close(): Promise<void> {
    await this.#browser?.close();
    this.site.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** A browser without a GPU of any kind. */
export const withoutGpu = () => launch(['--no-sandbox', '--disable-dev-shm-usage', '--disable-features=WebGPU']);

function launch(args: string[]): Promise<Browser> {
  const executablePath = findBrowser();
  return chromium.launch({ ...(executablePath && { executablePath }), args });
}

/** The text of an element. */
export const textOf = (page: Page, selector: string) => page.locator(selector).textContent();
