// npx tsx tools/studio-time.ts [FLAG ...]: how long the built studio takes until digits are on the screen, in three new profiles and one that was
// used, and how long a training takes beside it: frames a second, its main thread's longest task. Chromium is started with the
// flags given, such as --enable-unsafe-webgpu --use-angle=vulkan --enable-features=Vulkan, else on its software adapter.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Page } from 'playwright';
import { watchMainThread } from '../test/studio/main_thread.ts';
import { buildStudio, Site } from '../test/studio/site.ts';
// @ts-expect-error plain JavaScript: it runs before TypeScript is installed
import { BROWSER_ARGS, findBrowser } from './browser.mjs';

const TRAINING = 'index.html?data=digits&preset=tiny';
const PATIENCE = 600_000;
/** Steps of a training on a processor that stands in for the GPU. */
const SOFTWARE_STEPS = 30;

const PROFILES = [
  { folder: 'first', state: 'new profile' },
  { folder: 'second', state: 'new profile' },
  { folder: 'third', state: 'new profile' },
  { folder: 'third', state: 'used profile' },
];

const given = process.argv.slice(2);
const executablePath = findBrowser();
const how = { ...(executablePath && { executablePath }), args: given.length > 0 ? given : BROWSER_ARGS };
const folder = mkdtempSync(join(tmpdir(), 'ucgm-studio-'));

/** Opens the studio and gives milliseconds from the address to the first digits, by the page's own clock. */
async function digits(page: Page, address: string): Promise<number> {
  page.setDefaultTimeout(PATIENCE);
  page.on('pageerror', ({ message }) => console.error(`the page threw ${message}`));
  await page.goto(address);
  await page.waitForSelector('#samples[data-images]');
  return page.evaluate(() => performance.now());
}

const textOf = async (page: Page, id: string) => (await page.locator(`#${id}`).textContent()) ?? '';

/** Gives what the page calls its device. */
async function timeOpenings(origin: string): Promise<string> {
  let device = '';
  for (const { folder: profile, state } of PROFILES) {
    const context = await chromium.launchPersistentContext(join(folder, profile), how);
    const page = await context.newPage();
    const ms = await digits(page, origin);
    device = await textOf(page, 'device');
    console.log(`digits ${ms.toFixed(0)} ms after the address, ${state}, ${device}`);
    await context.close();
  }
  return device;
}

async function timeTraining(origin: string, software: boolean): Promise<void> {
  const browser = await chromium.launch(how);
  const page = await browser.newPage();
  await digits(page, `${origin}${TRAINING}${software ? `&trainSteps=${SOFTWARE_STEPS}&batch=4` : ''}`);
  const start = performance.now();
  const { longestTask, longTasks, framesPerSecond } = await watchMainThread(browser, page, async () => {
    await page.click('#train');
    await page.waitForFunction(() => /^Trained/.test(document.getElementById('training-status')?.textContent ?? ''));
  });
  console.log(
    `${await textOf(page, 'training-status')} in ${((performance.now() - start) / 1000).toFixed(1)} s: ` +
      `${framesPerSecond.toFixed(1)} frames a second, longest task of the page ${longestTask.toFixed(1)} ms of the processor, ` +
      `${longTasks} of more than 50 ms by the clock`,
  );
  await browser.close();
}

await buildStudio(join(folder, 'site'));
const site = await Site.serve(join(folder, 'site'));
try {
  const device = await timeOpenings(site.origin);
  await timeTraining(site.origin, device.includes('software'));
} finally {
  site.close();
  rmSync(folder, { recursive: true, force: true });
}
