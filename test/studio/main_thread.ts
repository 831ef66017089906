import type { Browser, Page } from 'playwright';

/** What the main thread of a page did over a while. */
export interface MainThread {
  /** Processor time of its longest task, milliseconds: what a busy machine does not lengthen. */
  readonly longestTask: number;
  /** Its longest task by the wall's clock, and how many took more than 50 ms of it. */
  readonly longestWall: number;
  readonly longTasks: number;
  /** Frames a second that it drew. */
  readonly framesPerSecond: number;
}

interface TraceEvent {
  readonly name: string;
  readonly pid: number;
  readonly tid: number;
  readonly dur?: number;
  readonly tdur?: number;
  readonly args?: { readonly name?: string };
}

/** Watches the main thread of a page while something goes on. */
export async function watchMainThread(browser: Browser, page: Page, work: () => Promise<void>): Promise<MainThread> {
  await browser.startTracing(page, { categories: ['toplevel', 'disabled-by-default-devtools.timeline'] });
  await page.evaluate(() => {
    // A method: to a function with a name of its own tsx adds a call of what a page does not have.
    const seen = {
      frames: 0,
      since: performance.now(),
      on: true,
      frame() {
        seen.frames++;
        if (seen.on) requestAnimationFrame(seen.frame);
      },
    };
    Object.assign(globalThis, { seen });
    requestAnimationFrame(seen.frame);
  });
  await work();
  const framesPerSecond = await page.evaluate(() => {
    const { seen } = globalThis as unknown as { seen: { frames: number; since: number; on: boolean } };
    seen.on = false;
    return (1000 * seen.frames) / (performance.now() - seen.since);
  });
  const { traceEvents } = JSON.parse((await browser.stopTracing()).toString()) as { traceEvents: TraceEvent[] };
  const tasks = mainTasks(traceEvents);
  const wall = tasks.map(({ dur = 0 }) => dur / 1000);
  return {
    longestTask: Math.max(0, ...tasks.map(({ tdur = 0 }) => tdur / 1000)),
    longestWall: Math.max(0, ...wall),
    longTasks: wall.filter((ms) => ms > 50).length,
    framesPerSecond,
  };
}

/** The tasks of the renderer's main thread: the one with the most of them, as a page has one, and others' are idle. */
function mainTasks(events: readonly TraceEvent[]): TraceEvent[] {
  const mains = events.filter(({ name, args }) => name === 'thread_name' && args?.name === 'CrRendererMain');
  const all = mains.map(({ pid, tid }) =>
    events.filter((event) => event.pid === pid && event.tid === tid && /RunTask$/.test(event.name)),
  );
  return all.sort((a, b) => b.length - a.length)[0] ?? [];
}
