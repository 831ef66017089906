import type { Browser, Page } from 'playwright';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BarePage } from './bare_page.ts';
import { bundled, TestBrowser } from './page.ts';
import type { Commands } from './session_worker.ts';

const PAGE = '<!doctype html><html lang="en"><title>a page</title>';
const STEPS = 30;
/** Where a training waits, so that it is not at its end when it is cut off after its first steps, however late that is. */
const HOLD = 15;

type Answer = { readonly result?: unknown; readonly error?: string; readonly ended?: string; readonly lost?: string };

/** What the page's worker tells, in order. */
declare const answers: Answer[];
declare const worker: Worker;
declare const heard: string[];

/** A page of Playwright's, or a bare one. */
type Place = { evaluate<A, T>(work: (argument: A) => T, argument: A): Promise<Awaited<T>> };

/** Begins a worker of a page with a command. */
const begin = <Name extends keyof Commands>(page: Place, name: Name, request: Parameters<Commands[Name]>[0]) =>
  page.evaluate(
    ([name, request]) => {
      const worker = new Worker('/worker.js', { type: 'module' });
      const answers: Answer[] = [];
      Object.assign(globalThis, { worker, answers });
      worker.onmessage = ({ data }) => answers.push(data);
      worker.onerror = ({ message }) => answers.push({ error: message });
      worker.postMessage([name, request]);
    },
    [name, request] as const,
  );

/** The answer of a number, when it is there. */
async function answer(page: Place, n = 0): Promise<Answer> {
  let given: Answer | undefined;
  while (!given) {
    await new Promise((done) => setTimeout(done, 50));
    given = await page.evaluate((n) => answers[n], n);
  }
  if (given.error) throw new Error(given.error);
  return given;
}

describe('a training that is cut off', () => {
  let browser: TestBrowser;
  let whole: string;
  beforeAll(async () => {
    browser = await TestBrowser.open({
      '/': { type: 'text/html', text: PAGE },
      '/worker.js': { type: 'text/javascript', text: await bundled('test/page/session_worker.ts') },
    });
    const page = await browser.page('/');
    await begin(page, 'train', { run: 'whole', steps: STEPS });
    whole = trained(await answer(page)).checkpoint;
    await page.close();
  });
  afterAll(() => browser?.close());

  const trained = ({ result }: Answer) => result as Awaited<ReturnType<Commands['train']>>;

  /** Goes on with a run, to the bits of one that nothing cut off. */
  async function goesOn(page: Page, run: string, from?: number): Promise<void> {
    await begin(page, 'train', { run, steps: STEPS, resume: true });
    const { begun, heard, steps, checkpoint } = trained(await answer(page));
    if (from !== undefined) expect(begun).toBe(from);
    expect(begun).toBeLessThan(STEPS);
    expect(heard).toEqual([`resumed at step ${begun}`]); // no checkpoint was damaged
    expect(steps).toEqual(Array.from({ length: STEPS }, (_, i) => i + 1));
    expect(checkpoint).toBe(whole);
    await begin(page, 'files', { run });
    expect((await answer(page)).result).toEqual([`${STEPS}.safetensors`]);
    await page.close();
  }

  it('goes on from the last whole checkpoint when its worker ends in the middle of a write', async () => {
    const page = await browser.page('/');
    await begin(page, 'trainUntil', { run: 'half written', steps: STEPS, moment: { writing: 4 } });
    expect((await answer(page)).result).toBe('in the middle of 4.safetensors');
    await page.evaluate(() => worker.terminate());
    await goesOn(page, 'half written', 2);
  });

  it('goes on when the page crashes in a step', async () => {
    const page = await browser.page('/');
    const protocol = await browser.context.newCDPSession(page);
    await begin(page, 'trainUntil', { run: 'crashed', steps: STEPS, moment: { after: 3, holdAt: HOLD } });
    expect((await answer(page)).result).toBe('after step 3');
    const crashed = page.waitForEvent('crash');
    await Promise.race([protocol.send('Page.crash').catch(() => {}), crashed]);
    await crashed;
    await goesOn(await browser.page('/'), 'crashed');
  });

  it('goes on with another device when the process of the GPU crashes', async () => {
    const page = await browser.page('/');
    const protocol = await (browser.context.browser() as Browser).newBrowserCDPSession();
    await begin(page, 'trainUntil', { run: 'without a GPU', steps: STEPS, moment: { after: 1, holdAt: HOLD } });
    expect((await answer(page)).result).toBe('after step 1');
    await protocol.send('Browser.crashGpuProcess');
    await page.evaluate(() => worker.postMessage(['goOn']));
    expect((await answer(page, 1)).lost).toMatch(/lost/);
    expect((await answer(page, 2)).ended).toBe(whole);
    await page.close();
  });

  it('goes on where it was when the browser puts the tab to sleep and wakes it', async () => {
    const page = await BarePage.open(browser.context.browser() as Browser, browser.address('/'));
    await begin(page, 'trainUntil', { run: 'asleep', steps: STEPS, moment: { after: 1, holdAt: HOLD } });
    expect((await answer(page)).result).toBe('after step 1');
    await page.evaluate(() => {
      const heard: string[] = [];
      Object.assign(globalThis, { heard });
      document.addEventListener('freeze', () => worker.postMessage(['goOn']));
      for (const event of ['freeze', 'resume']) document.addEventListener(event, () => heard.push(event));
      worker.addEventListener('message', () => heard.push('ended'));
    }, undefined);
    await page.freeze(true);
    await new Promise((done) => setTimeout(done, 3000)); // one that is awake would end meanwhile
    await page.freeze(false);
    expect((await answer(page, 1)).ended).toBe(whole);
    expect(await page.evaluate(() => heard, undefined)).toEqual(['freeze', 'resume', 'ended']);
  });
});
