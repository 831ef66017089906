import { SingleBar } from 'cli-progress';
import type { Measured, RunEvents } from '../run/events.ts';
import type { RunConfig } from '../run/settings.ts';

/** A bar with loss, images/s and time left on a terminal; a line now and then elsewhere. */
export class Progress implements RunEvents {
  #total = 0;
  #batch = 0;
  #bar: SingleBar | undefined;
  #shown = 0;

  started(step: number, { train, data }: RunConfig): void {
    [this.#total, this.#batch] = [train.steps, data.batch_size];
    if (!process.stderr.isTTY) return;
    this.#bar = new SingleBar({
      format: '{bar} {value}/{total}  loss {loss}  {rate} images/s  {left} left',
      hideCursor: true,
      gracefulExit: false, // the command listens for signals
    });
    this.#bar.start(this.#total, step, { loss: '-', rate: '-', left: '-' });
  }

  measured({ step, loss, imagesPerSecond: rate, skipped = 0 }: Measured): void {
    const skips = skipped > 0 ? `  ${skipped} skipped` : '';
    const left = duration(((this.#total - step) * this.#batch) / rate);
    if (this.#bar) this.#bar.update(step, { loss: loss.toFixed(4), rate: rate.toFixed(0), left });
    else if (performance.now() - this.#shown > 5000 || step === this.#total) {
      this.#shown = performance.now();
      console.log(
        `step ${step}/${this.#total}  loss ${loss.toFixed(4)}  ${rate.toFixed(0)} images/s${skips}  ${left} left`,
      );
    }
  }

  ended(): void {
    this.#bar?.stop();
  }
}

function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '-';
  const whole = Math.max(0, Math.round(seconds));
  return whole < 60 ? `${whole}s` : `${Math.floor(whole / 60)}m ${whole % 60}s`;
}
