// npx tsx tools/studio-screenshots.ts: the studio as docs/images shows it, from the built page in headless Chromium; wide and narrow, light and dark.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { chromium, type Page } from 'playwright';
import { buildStudio, Site } from '../test/studio/site.ts';
// @ts-expect-error plain JavaScript: it runs before TypeScript is installed
import { BROWSER_ARGS, findBrowser } from './browser.mjs';
import { indexedPng } from './indexed_png.ts';

const LOOKS = [
  { width: 1280, height: 900, colorScheme: 'light' },
  { width: 1280, height: 900, colorScheme: 'dark' },
  { width: 390, height: 844, colorScheme: 'light' },
  { width: 390, height: 844, colorScheme: 'dark' },
] as const;
const PATIENCE = 600_000;

const to = resolve(import.meta.dirname, '../docs/images');
mkdirSync(to, { recursive: true });
const folder = mkdtempSync(join(tmpdir(), 'ucgm-studio-'));
await buildStudio(folder);
const site = await Site.serve(folder);
const executablePath = findBrowser();
const browser = await chromium.launch({ ...(executablePath && { executablePath }), args: BROWSER_ARGS });

/** Photographs a page in every look, without loading it again. */
async function photograph(name: string, path: string, ready: (page: Page) => Promise<unknown>): Promise<void> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  page.setDefaultTimeout(PATIENCE);
  await page.goto(site.origin + path);
  await ready(page);
  for (const { width, height, colorScheme } of LOOKS) {
    await page.setViewportSize({ width, height });
    await page.emulateMedia({ colorScheme });
    await page.waitForTimeout(300);
    const file = join(to, `${name}-${width}-${colorScheme}.png`);
    const bytes = indexedPng(await page.screenshot({ fullPage: true }));
    writeFileSync(file, bytes);
    console.log(`${file}: ${(bytes.length / 1000).toFixed(0)} kB`);
  }
  await page.close();
}

await photograph('studio', 'index.html', async (page) => {
  await page.waitForFunction(() => document.getElementById('strip')?.dataset.drawn === '4');
});
await photograph('training', 'index.html?data=moons&trainSteps=300&batch=64&keepEvery=100', async (page) => {
  await page.click('#train');
  await page.waitForFunction(() => document.getElementById('training-status')?.textContent === 'Trained 300 steps');
  const drawn = Number(await page.locator('#plane').getAttribute('data-drawn'));
  await page.waitForFunction((before) => Number(document.getElementById('plane')?.dataset.drawn) > before, drawn);
});
await photograph('kernels', 'kernels.html', async (page) => {
  await page.click('#measure:not([disabled])');
  await page.waitForSelector('#share:not([disabled])');
});
await browser.close();
site.close();
rmSync(folder, { recursive: true, force: true });
