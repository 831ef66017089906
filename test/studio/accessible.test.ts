import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import type { Page } from 'playwright';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Studio } from './browser.ts';

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
const SERIOUS = ['serious', 'critical'];

/** What axe-core finds, as lines. */
async function faults(page: Page): Promise<string[]> {
  await page.addScriptTag({ path: AXE });
  const { violations } = (await page.evaluate('axe.run()')) as AxeResults;
  return violations
    .filter(({ impact }) => SERIOUS.includes(impact ?? ''))
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`);
}

describe('for everybody', () => {
  let studio: Studio;

  beforeAll(async () => {
    studio = await Studio.build();
  });
  afterAll(() => studio?.close());

  const looks = (['light', 'dark'] as const).flatMap((colorScheme) =>
    [1280, 390].map((width) => [colorScheme, width] as const),
  );

  it.each(looks)('axe-core finds no serious fault, %s, %i pixels wide', async (colorScheme, width) => {
    for (const path of ['index.html', 'kernels.html']) {
      const page = await studio.open(path, { colorScheme, viewport: { width, height: 800 } });
      await page.waitForFunction(() => document.getElementById('device')?.textContent !== 'Opening the GPU');
      await page.evaluate(() => {
        for (const details of document.querySelectorAll('details')) details.open = true;
        for (const id of ['progress', 'charts', 'toy']) document.getElementById(id)?.removeAttribute('hidden');
      });
      expect(await faults(page)).toEqual([]);
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
      await page.context().close();
    }
  });

  it('every control of the studio is reached by the keyboard alone', async () => {
    const page = await studio.open('index.html');
    await page.waitForFunction(() => /parameters/.test(document.getElementById('model-facts')?.textContent ?? ''));
    const reached = new Set<string>();
    for (let i = 0; i < 60; i++) {
      await page.keyboard.press('Tab');
      reached.add(await page.evaluate(() => document.activeElement?.id || document.activeElement?.textContent || ''));
    }
    for (const id of ['data', 'preset', 'train', 'tune', 'weights', 'order', 'seed', 'image'])
      expect(reached).toContain(id);
    await page.context().close();
  });
});
