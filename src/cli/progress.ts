import { SingleBar } from 'cli-progress';

/** A bar with loss, images/s and time left on a terminal; a line now and then elsewhere. */
export class Progress {
  readonly #total: number;
  readonly #first: number;
  readonly #batch: number;
  readonly #start = performance.now();
  readonly #bar: SingleBar | undefined;
  #shown = 0;

  constructor(total: number, first: number, batch: number) {
    this.#total = total;
    this.#first = first;
    this.#batch = batch;
    if (process.stderr.isTTY) {
      this.#bar = new SingleBar({
        format: '{bar} {value}/{total}  loss {loss}  {rate} images/s  {left} left',
        hideCursor: true,
        gracefulExit: false, // the training loop listens for signals
      });
      this.#bar.start(total, first, { loss: '-', rate: '-', left: '-' });
    }
  }

  imagesPerSecond(step: number): number {
    return ((step - this.#first) * this.#batch * 1000) / (performance.now() - this.#start);
  }

  show(step: number, loss: number): void {
    const rate = this.imagesPerSecond(step);
    const left = duration(((this.#total - step) * this.#batch) / rate);
    if (this.#bar) this.#bar.update(step, { loss: loss.toFixed(4), rate: rate.toFixed(0), left });
    else if (performance.now() - this.#shown > 5000 || step === this.#total) {
      this.#shown = performance.now();
      console.log(`step ${step}/${this.#total}  loss ${loss.toFixed(4)}  ${rate.toFixed(0)} images/s  ${left} left`);
    }
  }

  stop(): void {
    this.#bar?.stop();
  }
}

function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '-';
  const whole = Math.max(0, Math.round(seconds));
  return whole < 60 ? `${whole}s` : `${Math.floor(whole / 60)}m ${whole % 60}s`;
}
