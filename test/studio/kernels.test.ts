import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseResults } from '../../bench/results.ts';
import { Studio, textOf } from './browser.ts';

describe('the page of kernels', () => {
  let studio: Studio;

  beforeAll(async () => {
    studio = await Studio.build();
  });
  afterAll(() => studio?.close());

  it('runs the bench as Node does, gives a file and a link, and shows two results side by side', async () => {
    const page = await studio.open('kernels.html');
    await page.fill('#filter', '^(add|sumRows) ');
    await page.click('#measure:not([disabled])');
    await page.waitForSelector('#share:not([disabled])');
    expect(await textOf(page, '#measured')).toBe('2 passed, 0 failed');
    const [saved] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download JSON' }).click(),
    ]);
    expect(saved.suggestedFilename()).toBe('smoke.jsonl');
    const path = await saved.path();
    const results = parseResults(readFileSync(path, 'utf8'), path);
    expect([...results.cases.keys()].map((name) => name.split(' ')[0]).sort()).toEqual(['add', 'sumRows']);
    expect(results.environment).toMatchObject({ suite: 'environment', schema: 3, software: true });
    expect(results.environment?.ceilings?.gbps).toBeGreaterThan(0);
    for (const line of results.cases.values()) expect(line).toMatchObject({ suite: 'smoke', ms: expect.any(Number) });

    await page.click('#share');
    await page.waitForURL(/#r=/);
    const other = await studio.open(`kernels.html${new URL(page.url()).hash}`);
    await other.waitForSelector('#share:not([disabled])');
    expect(await other.locator('#bench tbody tr').count()).toBe(2);
    await other.setInputFiles('#other', path);
    await other.waitForSelector('#compared table');
    expect(await textOf(other, '#compared')).toMatch(/2 cases in common; B takes 1\.00 times as long as A/);
    for (const each of [page, other]) await each.context().close();
  });

  it('runs the doctor: kernels in all variants against their oracles', async () => {
    const page = await studio.open('kernels.html');
    await page.fill('#doctor-filter', '^(softmax|sumColumns) ');
    await page.click('#examine:not([disabled])');
    await page.waitForFunction(() => /all agree/.test(document.getElementById('examined')?.textContent ?? ''));
    const [, count] = /^(\d+) cases checked, 0 wrong: all agree/.exec((await textOf(page, '#examined')) ?? '') ?? [];
    expect(Number(count)).toBeGreaterThan(1);
    expect(await page.locator('#doctor tbody tr').count()).toBe(Number(count));
    await page.context().close();
  });
});
