import type { Browser, CDPSession } from 'playwright';

interface Reply {
  readonly id?: number;
  readonly error?: { readonly message: string };
  readonly result?: { readonly exceptionDetails?: object; readonly result?: { readonly value?: unknown } };
}

/**
 * A page that the browser may put to sleep, steered by its protocol alone: those of Playwright are always in focus, and a page in focus
 * does not freeze.
 */
export class BarePage {
  readonly #browser: CDPSession;
  readonly #sessionId: string;
  readonly #waiting = new Map<number, (reply: Reply) => void>();
  #sent = 0;

  private constructor(browser: CDPSession, session: string) {
    [this.#browser, this.#sessionId] = [browser, session];
    browser.on('Target.receivedMessageFromTarget', ({ sessionId, message }) => {
      const reply = JSON.parse(message) as Reply;
      if (sessionId === session && reply.id !== undefined) this.#waiting.get(reply.id)?.(reply);
    });
  }

  /** Opens an address, in a profile of its own. */
  static async open(of: Browser, url: string): Promise<BarePage> {
    const browser = await of.newBrowserCDPSession();
    const { browserContextId } = await browser.send('Target.createBrowserContext');
    const { targetId } = await browser.send('Target.createTarget', { url, browserContextId });
    const { sessionId } = await browser.send('Target.attachToTarget', { targetId });
    const page = new BarePage(browser, sessionId);
    while (!(await page.evaluate((url) => location.href === url && document.readyState === 'complete', url)));
    return page;
  }

  /** What a function gives in the page. @throws Error */
  async evaluate<A, T>(work: (argument: A) => T, argument: A): Promise<Awaited<T>> {
    const expression = `(${work})(${JSON.stringify(argument)})`;
    const result = await this.#send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
    if (result?.exceptionDetails) throw new Error(JSON.stringify(result.exceptionDetails));
    return result?.result?.value as Awaited<T>;
  }

  /** Puts it to sleep, its workers too, or wakes it. */
  async freeze(asleep: boolean): Promise<void> {
    await this.#send('Page.setWebLifecycleState', { state: asleep ? 'frozen' : 'active' });
  }

  async #send(method: string, params: object): Promise<Reply['result']> {
    const id = ++this.#sent;
    const message = JSON.stringify({ id, method, params });
    const reply = new Promise<Reply>((resolve) => this.#waiting.set(id, resolve));
    await this.#browser.send('Target.sendMessageToTarget', { sessionId: this.#sessionId, message });
    const { error, result } = await reply;
    this.#waiting.delete(id);
    if (error) throw new Error(`${method}: ${error.message}`);
    return result;
  }
}
