/**
 * Runs some work for the newest of many requests: while one is under way only the last of those that come is kept, as a slider that is
 * being moved asks faster than a GPU draws.
 * @param work told by `stale` whether a newer request waits.
 * @param superseded called when a request comes while another is under way.
 */
export function latest<T>(
  work: (request: T, stale: () => boolean) => Promise<void>,
  superseded: () => void,
  failed: (error: unknown) => void,
): (request: T) => void {
  let waiting: { readonly request: T } | undefined;
  let busy = false;
  const next = async () => {
    busy = true;
    while (waiting) {
      const { request } = waiting;
      waiting = undefined;
      try {
        await work(request, () => waiting !== undefined);
      } catch (error) {
        if (waiting === undefined) failed(error); // what a newer request ended is no failure
      }
    }
    busy = false;
  };
  return (request) => {
    waiting = { request };
    if (busy) superseded();
    else void next();
  };
}
