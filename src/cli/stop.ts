/** How machines ask a process to end, and the exit code that says so: 128 and the signal's number. */
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
type StopSignal = keyof typeof EXIT_CODES;
const SIGNALS = Object.keys(EXIT_CODES) as StopSignal[];

/** A command that a signal of the machine ended: no failure, but it did not do all. */
export class Stopped extends Error {
  override readonly name = 'Stopped';
  readonly exitCode: number;

  constructor(by: StopSignal) {
    super(`stopped by ${by}`);
    this.exitCode = EXIT_CODES[by];
  }
}

/**
 * Listens for Ctrl-C (SIGINT), SIGTERM (docker stop, Slurm, spot machines) and SIGHUP (a closed terminal). Until `wait` is
 * called the first signal ends the process, as there is nothing to save; from then on the second does.
 */
export class StopSignals {
  /** The exit code of the signal that came; undefined before one did. */
  exitCode: number | undefined;
  readonly #controller = new AbortController();
  #waiting = false;
  readonly #listener = (signal: StopSignal) => {
    const code = EXIT_CODES[signal];
    if (!this.#waiting || this.exitCode !== undefined) process.exit(code);
    this.exitCode = code;
    this.#controller.abort(new Stopped(signal));
  };

  constructor() {
    for (const signal of SIGNALS) process.on(signal, this.#listener);
  }

  /** Aborted, with a Stopped as its reason, when `exitCode` is set: for work that need not be brought to its end. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** A signal is now a wish: `exitCode` is set, and whoever works saves and ends. */
  wait(): void {
    this.#waiting = true;
  }

  /** Gives the signals back. */
  close(): void {
    for (const signal of SIGNALS) process.off(signal, this.#listener);
  }
}
