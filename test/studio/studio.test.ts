import { readFileSync } from 'node:fs';
import { unzipSync } from 'fflate';
import type { Page } from 'playwright';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadModel } from '../../src/run/index.ts';
import { PATIENCE, Studio, textOf, withoutGpu } from './browser.ts';
import { type MainThread, watchMainThread } from './main_thread.ts';

/** Thirty steps of the tiniest preset; four images a step, since a processor stands in for the GPU. */
const TRAINING = 'index.html?data=digits&preset=tiny&trainSteps=30&batch=4&keepEvery=10';

/** The share of ink in each column of the samples' canvas. */
const inkByColumn = (page: Page) =>
  page.evaluate(() => {
    const canvas = document.getElementById('samples') as HTMLCanvasElement;
    const { width, height } = canvas;
    const { data } = (canvas.getContext('2d') as CanvasRenderingContext2D).getImageData(0, 0, width, height);
    const sums = new Array<number>(10).fill(0);
    for (let i = 0; i < width * height; i++)
      sums[Math.floor(((i % width) * 10) / width)]! += (data[4 * i + 3] as number) / 255;
    return sums.map((sum) => sum / ((width * height) / 10));
  });

/** Waits for the table's row of the run that is shown, which begins with these cells. */
const rowOf = (page: Page, cells: string) =>
  page.waitForFunction(
    (text) => document.querySelector('#runs tr[aria-current]')?.textContent?.startsWith(text) === true,
    cells,
  );

/** Trains in a new page up to step 10 or 20, and says what its main thread did meanwhile. */
async function watchedTraining(studio: Studio): Promise<{ page: Page; main: MainThread }> {
  const page = await studio.open(TRAINING);
  const main = await watchMainThread(await studio.browser(), page, async () => {
    await page.click('#train');
    await page.waitForFunction(() => /step [12]0/.test(document.querySelector('.numbers')?.textContent ?? ''));
  });
  console.log(
    `studio, training: longest task ${main.longestTask.toFixed(1)} ms of the processor, ${main.longestWall.toFixed(1)} ms by the clock ` +
      `(${main.longTasks} above 50), ${main.framesPerSecond.toFixed(0)} frames a second`,
  );
  return { page, main };
}

describe('the studio', () => {
  let studio: Studio;

  beforeAll(async () => {
    studio = await Studio.build();
  });
  afterAll(() => studio?.close());

  it('opens with digits, without a click', async () => {
    const start = performance.now();
    const page = await studio.open('index.html');
    await page.waitForSelector('#samples[data-images]');
    console.log(`studio: digits ${((performance.now() - start) / 1000).toFixed(1)} s after the address`);
    expect(await textOf(page, '#model-facts')).toBe('mnist on digits, 4.26M parameters');
    await page.waitForFunction(() => Number(document.getElementById('samples')?.dataset.images) >= 10);
    console.log(`studio: a row of ten ${((performance.now() - start) / 1000).toFixed(1)} s after the address`);
    const ink = await inkByColumn(page);
    for (const share of ink) expect(share).toBeGreaterThan(0.02);
    for (const share of ink) expect(share).toBeLessThan(0.4);
    expect(Math.min(...ink)).toBe(ink[1]); // a one takes the least ink
    await page.context().close();
  });

  it('keeps every setting in the address, and takes them from one', async () => {
    const page = await studio.open('index.html?steps=4&guidance=1.5&data=shapes');
    await page.waitForFunction(() => /parameters/.test(document.getElementById('model-facts')?.textContent ?? ''));
    const slider = page.locator('#sampling').getByLabel('Steps', { exact: true });
    expect(await slider.inputValue()).toBe('4');
    expect(await page.locator('#data').inputValue()).toBe('shapes');
    await slider.focus();
    await page.keyboard.press('ArrowRight');
    await page.waitForURL(/steps=5/);
    expect(page.url()).toMatch(/guidance=1\.5/);
    await page.context().close();
  });

  it('trains, the loss falls, samples appear, and a reload goes on; its main thread stays free', async () => {
    let { page, main } = await watchedTraining(studio);
    // A host that takes its processors away charges some task with that; a task that is long is so each time.
    for (let again = 0; again < 2 && main.longestTask >= 50; again++) {
      await page.context().close();
      ({ page, main } = await watchedTraining(studio));
    }
    expect(main.longestTask).toBeGreaterThan(0);
    expect(main.longestTask).toBeLessThan(50);
    // As few passes as there are: what is drawn beside the training takes a processor longer than the training.
    await page.locator('#sampling').getByLabel('Steps', { exact: true }).fill('2');
    await page.locator('#sampling').getByLabel('Guidance').fill('1');
    await page.waitForURL(/[?&]steps=2&.*guidance=1(&|$)/);
    const { held = [] } = await page.evaluate(() => navigator.locks.query());
    expect(held.map(({ name }) => name)).toEqual(['ucgm run digits-1']); // another tab cannot write into it
    await page.reload();
    await page.waitForFunction(() => document.getElementById('training-status')?.textContent === 'Trained 30 steps');
    expect(await textOf(page, '#training-said')).toMatch(/^resumed at step [12]0$/);
    const drawn = Number(await page.locator('#samples').getAttribute('data-drawn'));
    await page.waitForFunction((before) => Number(document.getElementById('samples')?.dataset.drawn) > before, drawn);
    expect(await page.locator('#sampling').getByLabel('Steps', { exact: true }).inputValue()).toBe('2');
    const losses = await page.evaluate(async () => {
      const root = await navigator.storage.getDirectory();
      const runs = await root.getDirectoryHandle('ucgm-runs');
      const run = await runs.getDirectoryHandle('digits-1');
      const text = await (await (await run.getFileHandle('metrics.jsonl')).getFile()).text();
      return text
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { loss: number }).loss);
    });
    expect(losses).toHaveLength(30);
    const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(mean(losses.slice(-8))).toBeLessThan(0.85 * mean(losses.slice(0, 8)));
    await rowOf(page, 'digits-1digitstinymulti-step30 of 30');
    const byTime = page.getByRole('img', { name: /^Loss by time over time t: steps \d+ to \d+ from \d/ });
    expect(await byTime.locator('circle').count()).toBeGreaterThan(5);
    await page.context().close();
  });

  it('draws the flow of points in the plane while it learns it, and tunes it to few steps', async () => {
    const page = await studio.open('index.html?data=moons&trainSteps=12&batch=16&keepEvery=12');
    await page.click('#train');
    await page.waitForFunction(() => document.getElementById('training-status')?.textContent === 'Trained 12 steps');
    await page.waitForSelector('#plane[data-drawn]');
    expect(await page.locator('#plane').getAttribute('aria-label')).toMatch(/^400 points on their way .* in 20 moves/);
    await page.click('#tune:not([disabled])');
    await page.waitForFunction(() => document.getElementById('model-name')?.textContent === 'moons-tuned-1');
    await page.waitForFunction(() => document.getElementById('training-status')?.textContent === 'Trained 12 steps');
    await rowOf(page, 'moons-tuned-1moonstiny/1few-step12 of 12');
    expect(await page.locator('#runs tr:not([aria-current]) td.differs').allTextContents()).toContain('multi-step');
    await page.getByRole('button', { name: 'Show moons-1' }).click();
    await page.waitForFunction(() => document.getElementById('model-name')?.textContent === 'moons-1');
    const [saved] = await Promise.all([
      page.waitForEvent('download'),
      page.locator('#training').getByRole('button', { name: 'Download' }).click(),
    ]);
    expect(saved.suggestedFilename()).toBe('moons-1.safetensors');
    const { config, network } = await loadModel(readFileSync(await saved.path()));
    expect([config.data.name, ...network.input]).toEqual(['moons', 2, 1, 1]);

    const [zip] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download moons-1' }).click(),
    ]);
    const files = unzipSync(readFileSync(await zip.path()));
    const checkpoint = 'moons-1/checkpoints/12.safetensors';
    expect(Object.keys(files).sort()).toEqual([checkpoint, 'moons-1/config.yaml', 'moons-1/metrics.jsonl']);
    await page.getByText('Model, steps and rate').click();
    await page.getByLabel('Steps', { exact: true }).and(page.locator('#trainSteps')).fill('14');
    await page.locator('#keepEvery').fill('');
    await page.setInputFiles('#checkpoint', {
      name: '12.safetensors',
      mimeType: 'application/octet-stream',
      buffer: Buffer.from(files[checkpoint] as Uint8Array),
    });
    await page.waitForFunction(() => document.getElementById('training-status')?.textContent === 'Trained 14 steps');
    await rowOf(page, 'moons-2moonstiny/1multi-step14 of 14');

    await page.setViewportSize({ width: 390, height: 800 });
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
    await page.context().close();
  });

  it("trains on a person's own pictures, also after a reload, and says what to do where there are none", async () => {
    const page = await studio.open('index.html?data=own&trainSteps=6&batch=2&keepEvery=1');
    await page.click('#train');
    await page.waitForFunction(() =>
      /no pictures were chosen.*drop/.test(document.getElementById('training-status')?.textContent ?? ''),
    );
    await page.setInputFiles(
      '#own',
      [100, 300, 500].map((step) => `examples/studio/recorded/${step}.png`),
    );
    await page.click('#train:not([disabled])');
    await page.waitForFunction(() => /step \d/.test(document.querySelector('.numbers')?.textContent ?? ''));
    await page.reload(); // with it go the files that were chosen, but not those that are kept
    await page.waitForFunction(() => document.getElementById('training-status')?.textContent === 'Trained 6 steps');
    expect(await textOf(page, '#training-said')).toMatch(/^resumed at step \d+$/); // and not that the data are others
    await rowOf(page, 'own-1owntinymulti-step6 of 6');
    await page.getByRole('button', { name: 'Remove own-1' }).click();
    await page.waitForFunction(() => document.querySelector('#runs tbody tr') === null);
    const kept = await page.evaluate(async () => {
      const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle('ucgm-pictures');
      const names: string[] = [];
      for await (const name of folder.keys()) names.push(name);
      return names;
    });
    expect(kept).toEqual([]);
    await page.context().close();
  });

  it('says what to do without WebGPU, and shows a recorded run', async () => {
    const browser = await withoutGpu();
    try {
      const page = await browser.newPage();
      page.setDefaultTimeout(PATIENCE);
      await page.goto(`${studio.site.origin}index.html`);
      expect(await page.getByRole('alert').textContent()).toMatch(/WebGPU.*(Chrome|chrome:\/\/gpu)/s);
      expect(await page.locator('#recorded').getAttribute('alt')).toMatch(/after 1200 training steps/);
      await page.getByLabel('Training step').focus();
      await page.keyboard.press('ArrowLeft');
      expect(await page.locator('#recorded').getAttribute('alt')).toMatch(/after 1100 training steps/);
    } finally {
      await browser.close();
    }
  });
});
