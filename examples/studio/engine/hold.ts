import { RunError } from '../../../src/run/index.ts';

/** Holds a run for this tab alone, and gives what lets it go; a tab that ends lets go by itself. @throws RunError where another tab has it. */
export function hold(run: string): Promise<() => void> {
  return new Promise((held, refused) => {
    const request = navigator.locks.request(`ucgm run ${run}`, { ifAvailable: true }, (lock) => {
      if (!lock) throw new RunError(`${run} is being trained in another tab`, 'stop it there, or begin another run');
      return new Promise<void>((release) => held(release));
    });
    request.catch(refused);
  });
}
