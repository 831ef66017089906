import { FixableError } from '../kernel/index.ts';
import { Stopped } from './stop.ts';

/** A command line that asks for something impossible. */
export class UsageError extends FixableError {
  override readonly name = 'UsageError';
}

/**
 * Prints a failure and sets the exit code. A FixableError was expected: one line, exit code 2. Anything else is
 * a fault of the program: with its stack, exit code 1. A command that was stopped ends with the code of the signal.
 * @param who says so, where there are several: ends in `: `.
 */
export function reportFailure(error: unknown, who = ''): void {
  if (error instanceof Stopped) {
    console.error(`ucgm: ${who}${error.message}`);
    process.exitCode = error.exitCode;
  } else if (error instanceof FixableError) {
    console.error(`ucgm: ${who}${error.message.replace(/\s*[\r\n]+\s*/g, ' ')}`);
    process.exitCode = 2;
  } else {
    console.error(...(who ? [`ucgm: ${who}`, error] : [error]));
    process.exitCode = 1;
  }
}
