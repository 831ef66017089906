import type { RunConfig } from '../../../src/run/settings.ts';
import { timeGrid } from '../../../src/ucgm/schedule.ts';
import { transportNamed } from '../../../src/ucgm/transport.ts';
import { Chart } from '../page/chart.ts';

/** The times at which the sampler asks the network, as the shares of noise and data at each. */
export class ScheduleChart {
  readonly #chart = new Chart({ title: 'Schedule', x: 'pass', range: [0, 1], width: 240 });
  readonly element = this.#chart.element;

  show({ sample, transport }: RunConfig): void {
    const path = transportNamed(transport.transport_type);
    const times = timeGrid(sample, path);
    const marks = times.length <= 30;
    const line = (name: string, colour: number, value: (t: number) => number) => ({
      name,
      colour,
      marks,
      points: times.map((t, i) => [i, value(t)] as const),
    });
    this.#chart.show([line('noise', 2, path.a), line('data', 1, path.g)]);
  }
}
