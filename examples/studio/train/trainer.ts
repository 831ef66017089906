import { proxy, type Remote } from 'comlink';
import type { Beginning, Engine, ModelFacts } from '../engine/engine.ts';
import type { TrainingUpdate } from '../engine/training.ts';
import type { Store } from '../page/store.ts';
import type { Settings } from '../settings.ts';
import { TrainingCharts } from './charts.ts';
import { ProgressView } from './progress.ts';

/** Under which a tab remembers the run that it trains, to go on after a reload or a crash. */
const TRAINS = 'ucgm-trains';

/** What is to be trained, and how it begins. */
export interface Start {
  readonly how: Beginning;
  readonly run: string;
  readonly files: File[];
  readonly checkpoint?: Uint8Array | undefined;
  /** Settings to draw with, where they are not the model's own. */
  readonly drawn?: Partial<Settings> | undefined;
}

export interface TrainerEvents {
  /** The model that is drawn from is another one. */
  follow(model: ModelFacts, drawn?: Partial<Settings>): void;
  /** There are new weights to be seen. */
  moved(): void;
  /** The training is over. */
  ended(): void;
  /** The runs that are kept have changed. */
  kept(): void;
  failed(error: unknown): void;
  busy(is: boolean): void;
}

/** Trains in the worker, and shows how it goes. */
export class PageTrainer {
  readonly progress: ProgressView;
  readonly charts = new TrainingCharts();
  readonly #engine: Remote<Engine>;
  readonly #store: Store<Settings>;
  readonly #events: TrainerEvents;
  #step = -1;
  #batch = 0;
  #saved: number | undefined;

  constructor(engine: Remote<Engine>, store: Store<Settings>, events: TrainerEvents) {
    [this.#engine, this.#store, this.#events] = [engine, store, events];
    this.progress = new ProgressView({
      pause: (paused) => void engine.pause(paused),
      stop: () => void engine.stop(),
    });
  }

  /** The run that this tab trained when it was closed, if it did. */
  static interrupted(): string | undefined {
    return sessionStorage.getItem(TRAINS) ?? undefined;
  }

  /** Trains a new run, goes on with one or with a checkpoint, or tunes the model that is shown; resolves at its end. Whether it began. */
  async start({ how, run, files, checkpoint, drawn }: Start): Promise<boolean> {
    let began = false;
    const { failed, follow, kept, busy } = this.#events;
    busy(true);
    this.progress.begin();
    [this.#step, this.#saved] = [-1, undefined];
    try {
      const lines = how === 'resume' ? await this.#engine.lines(run) : [];
      const listener = {
        update: (update: TrainingUpdate) => this.#update(update),
        say: (text: string) => this.progress.say(text),
      };
      const model = await this.#engine.prepare(
        { run, settings: this.#store.value, files, how, ...(checkpoint && { checkpoint }) },
        proxy(listener),
      );
      this.#batch = model.config.data.batch_size;
      this.charts.begin(lines);
      follow(model, drawn);
      began = true;
      sessionStorage.setItem(TRAINS, run);
      await this.#engine.train();
      this.#events.ended();
    } catch (error) {
      this.progress.fail(error instanceof Error ? error.message : String(error));
      failed(error);
    } finally {
      sessionStorage.removeItem(TRAINS);
      busy(false);
      kept();
    }
    return began;
  }

  #update(update: TrainingUpdate): void {
    this.progress.show(update);
    this.charts.add(update.measured as never);
    if (update.samples) this.charts.addSamples(update.samples);
    if (update.state === 'training') this.progress.left((update.steps - update.step) * this.#batch);
    if (update.saved !== this.#saved) {
      this.#saved = update.saved;
      this.#events.kept();
    }
    if (update.step === this.#step || update.state === 'compiling') return;
    this.#step = update.step;
    this.#events.moved();
  }
}
