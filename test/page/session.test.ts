import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadImageFolder } from '../../src/data/folder.node.ts';
import { encodePicture } from '../../src/io/png.ts';
import { FolderStore } from '../../src/run/folder_store.node.ts';
import { openSession, shapesDataset } from '../../src/run/index.ts';
import { testDevice } from '../gpu.ts';
import { bundled, TestBrowser } from './page.ts';
import { DATA, DRAWN, SMALL } from './session_case.ts';
import type { Commands } from './session_worker.ts';

const PAGE = '<!doctype html><html lang="en"><title>a page</title>';

describe('a session in a worker of a page', () => {
  let browser: TestBrowser;
  beforeAll(async () => {
    browser = await TestBrowser.open({
      '/': { type: 'text/html', text: PAGE },
      '/worker.js': { type: 'text/javascript', text: await bundled('test/page/session_worker.ts') },
    });
  });
  afterAll(() => browser?.close());

  /** What a worker answers, in a page that is closed afterwards; only its files stay. */
  async function inWorker<Name extends keyof Commands>(
    name: Name,
    request: Parameters<Commands[Name]>[0],
  ): Promise<Awaited<ReturnType<Commands[Name]>>> {
    const page = await browser.page('/');
    try {
      const { result, error } = await page.evaluate(
        ([name, request]) =>
          new Promise<{ result?: unknown; error?: string }>((resolve) => {
            const worker = new Worker('/worker.js', { type: 'module' });
            worker.onmessage = ({ data }) => resolve(data);
            worker.onerror = ({ message }) => resolve({ error: message });
            worker.postMessage([name, request]);
          }),
        [name, request] as const,
      );
      if (error) throw new Error(error);
      return result as Awaited<ReturnType<Commands[Name]>>;
    } finally {
      await page.close();
    }
  }

  /** The same in Node, in a folder. */
  async function inNode(steps: number, checkpoint?: Uint8Array) {
    const folder = mkdtempSync(join(tmpdir(), 'ucgm-session-'));
    try {
      const store = FolderStore.create(join(folder, 'run'));
      const session = await openSession({
        device: await testDevice(),
        config: SMALL,
        data: shapesDataset(DATA),
        steps,
        store,
        ...(checkpoint && { checkpoint }),
      });
      await session.train();
      const { samples } = await session.sample(DRAWN);
      const bytes = await session.checkpoint();
      await session.close();
      return { samples, bytes };
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  const furthest = (a: ArrayLike<number>, b: ArrayLike<number>) =>
    Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] as number))), 0);

  it('keeps a run in the files of the page, and a page that is opened again goes on with it', async () => {
    const first = await inWorker('train', { run: 'reload', steps: 4 });
    expect(first).toMatchObject({ begun: 0, same: true, checkpoints: [4], pictures: [2, 4], steps: [1, 2, 3, 4] });
    expect(first.runs).toContain('reload');
    const second = await inWorker('train', { run: 'reload', steps: 6, resume: true });
    expect(second).toMatchObject({ begun: 4, heard: ['resumed at step 4'], steps: [1, 2, 3, 4, 5, 6] });
    const whole = await inWorker('train', { run: 'whole', steps: 6 });
    expect(second.checkpoint).toBe(whole.checkpoint);
  });

  it("and Node load each other's checkpoints with the same bits, and draw the same within 1e-4", async () => {
    const page = await inWorker('train', { run: 'to Node', steps: 4 });
    const bytes = Buffer.from(page.checkpoint, 'base64');
    const node = await inNode(4, bytes);
    expect(Buffer.from(node.bytes).equals(bytes)).toBe(true);
    expect(node.samples).toHaveLength(4 * 256);
    expect(furthest(node.samples, page.samples)).toBeLessThan(1e-4);

    const from = await inNode(4);
    const checkpoint = Buffer.from(from.bytes).toString('base64');
    const back = await inWorker('train', { run: 'from Node', steps: 4, checkpoint });
    expect(back.checkpoint).toBe(checkpoint);
    expect(furthest(back.samples, from.samples)).toBeLessThan(1e-4);
  });

  it('reads pictures as Node reads their folder, and those of a canvas', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ucgm-pictures-'));
    try {
      const files: [string, string][] = [];
      for (const [i, name] of ['cats/a.png', 'cats/b.png', 'dogs/c.png'].entries()) {
        const data = Uint8Array.from({ length: 6 * 6 * 3 }, (_, at) => (at * 37 + 91 * i) % 256);
        const png = encodePicture({ width: 6, height: 6, channels: 3, data });
        mkdirSync(join(folder, 'pets', name, '..'), { recursive: true });
        writeFileSync(join(folder, 'pets', name), png);
        files.push([`pets/${name}`, Buffer.from(png).toString('base64')]);
      }
      files.push(['pets/cats/notes.txt', btoa('these are cats')]);
      const [ours, red] = await inWorker('pictures', { files });
      const theirs = await loadImageFolder(join(folder, 'pets'));
      expect(ours).toMatchObject({ name: 'pets', classNames: ['cats', 'dogs'], labels: [0, 0, 1] });
      expect(ours?.fingerprint).toBe(theirs.fingerprint); // of all pixels
      expect(ours?.notice).toBe('left out: 1 .txt file (pets/cats/notes.txt)');
      expect(red).toMatchObject({ channels: 3, classNames: ['red'] });
      expect(red?.images[0]).toEqual([...Array(16).fill(1), ...Array(32).fill(-1)]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
