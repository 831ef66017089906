/** Milliseconds after which there will be no answer, and after which what has not answered is asked again. */
export const MINUTE = 60_000;
const PATIENCE = 10_000;

/**
 * What a browser answers: asked again where it does not, as one whose GPU process died forgets what it was asked. The first answer counts,
 * whichever asking it is to. Undefined where there is none within a minute.
 */
export async function answered<T>(ask: () => Promise<T>): Promise<T | undefined> {
  const asked: Promise<{ readonly answer: T }>[] = [];
  for (let waited = 0; waited < MINUTE; waited += PATIENCE) {
    asked.push(ask().then((answer) => ({ answer })));
    const first = await within(Promise.race(asked), PATIENCE);
    if (first) return first.answer;
  }
  return undefined;
}

/** What a promise comes to, undefined where it takes longer than so many milliseconds. */
export async function within<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const over = new Promise<undefined>((done) => {
    timer = setTimeout(() => done(undefined), ms);
  });
  try {
    return await Promise.race([promise, over]);
  } finally {
    clearTimeout(timer);
  }
}
