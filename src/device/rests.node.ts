/** Milliseconds of a wait that are polled without a rest: a short command's result is not late. */
let restless = 2;
/** The same where the device is a GPU, which needs no core: a step of it takes so long, and a host that slept records the next slowly. */
const RESTLESS_FOR_A_GPU = 20;
/** Milliseconds between two looks after that. */
const REST = 1;

let resting = false;

/**
 * Lets this process sleep while it waits for the device. Dawn's addon looks for results in every turn of the event loop as long
 * as any is due, which keeps a core busy for nothing: a core that a software adapter computes and compiles on. It asks for those
 * turns by the global `setImmediate`, so it is replaced; callbacks of JavaScript pass through it as before. For a process of
 * one's own (the command line, a test), not for a library: a global is changed, and a long wait ends up to a millisecond late.
 */
export function restWhileWaiting(): void {
  if (resting) return;
  resting = true;
  const immediate = globalThis.setImmediate;
  let due = 0;
  let since = 0;
  const rested = (callback: (...args: unknown[]) => void, ...args: unknown[]) => {
    if (!isNative(callback)) return immediate(callback, ...args);
    const now = performance.now();
    if (due++ === 0) since = now;
    const look = () => {
      try {
        callback(...args); // asks for its next turn within, if anything is still due: the wait goes on then
      } finally {
        due--;
      }
    };
    return now - since < restless ? immediate(look) : setTimeout(look, REST);
  };
  globalThis.setImmediate = Object.assign(rested, immediate) as unknown as typeof setImmediate;
}

/**
 * A device was opened that is none of the processor's own: its waits are polled for longer.
 * @param always for ever: where each wait is one of others', too.
 */
export function restLess(always = false): void {
  restless = Math.max(restless, always ? Infinity : RESTLESS_FOR_A_GPU);
}

const isNative = (callback: unknown) =>
  typeof callback === 'function' && /\{\s*\[native code\]\s*\}$/.test(Function.prototype.toString.call(callback));
