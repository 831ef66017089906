import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fullReport } from '../report/full.ts';
import { TestBrowser } from './page.ts';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

describe('report.html in a browser', () => {
  let browser: TestBrowser;
  beforeAll(async () => {
    browser = await TestBrowser.open({ '/report.html': { type: 'text/html', text: fullReport() } });
  });
  afterAll(() => browser?.close());

  it.each([
    ['light', 1280],
    ['light', 390],
    ['dark', 1280],
    ['dark', 390],
  ] as const)('has no serious fault of accessibility, %s, %i pixels wide', async (colorScheme, width) => {
    const page = await browser.page('/report.html');
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 900 });
    await page.evaluate(() => {
      for (const details of document.querySelectorAll('details')) details.open = true;
    });
    await page.evaluate(AXE); // the page's policy lets no script in by an element
    const { violations, passes } = await page.evaluate(() =>
      (globalThis as unknown as { axe: { run(): Promise<AxeResults> } }).axe.run(),
    );
    expect(passes.length).toBeGreaterThan(10);
    const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
    expect(serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).slice(0, 3)}`)).toEqual([]);
    const scrolls = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    expect(scrolls).toBe(0); // tables and code scroll by themselves
    await page.close();
  });

  it('shows the values under the pointer, and letters of one size in all charts', async () => {
    const page = await browser.page('/report.html');
    await page.setViewportSize({ width: 1280, height: 900 });
    const chart = page.locator('svg').first();
    const strips = chart.locator('.hover g');
    const texts = strips.locator('text');
    expect(await strips.count()).toBe(80);
    await expect.poll(() => texts.nth(40).isVisible()).toBe(false);
    await strips.nth(40).locator('rect').hover();
    await expect.poll(() => texts.nth(40).isVisible()).toBe(true);
    expect(await texts.nth(40).textContent()).toMatch(/^step \d+, each step 0\.\d+, running mean 0\.\d+$/);
    await page.evaluate(() => {
      for (const details of document.querySelectorAll('details')) details.open = true;
    });
    const widths = await page.locator('figure > svg').evaluateAll((all) => all.map((svg) => svg.clientWidth));
    expect(widths.length).toBeGreaterThan(5);
    expect(new Set(widths).size).toBe(1);
    await page.close();
  });
});
