import { proxy, wrap } from 'comlink';
import digits from '../../models/mnist_anystep.safetensors?url';
import { Gallery } from './draw/gallery.ts';
import { SamplingPanel } from './draw/sampling.ts';
import type { Beginning, Engine, ModelFacts } from './engine/engine.ts';
import { byId, download } from './page/dom.ts';
import { Store } from './page/store.ts';
import { keepInLink, readLink } from './page/url.ts';
import { showRecorded } from './recorded/view.ts';
import { DEFAULTS, type Settings, samplingSettings } from './settings.ts';
import { TrainingPanel } from './train/panel.ts';
import { RunsTable } from './train/runs.ts';
import { PageTrainer, type Start } from './train/trainer.ts';

const linked = readLink(DEFAULTS, location.search);
const store = new Store<Settings>({ ...DEFAULTS, ...linked });
const engine = wrap<Engine>(new Worker(new URL('./engine/worker.ts', import.meta.url), { type: 'module' }));
let model: ModelFacts | undefined;
let defaults: Settings = DEFAULTS;
/** Whether somebody began a training before the model that comes along was there. */
let begun = false;

const gallery = new Gallery(engine, store, report, () => training.speed(seconds));
const sampling = new SamplingPanel(byId('sampling'), store);
const training = new TrainingPanel(byId('training'), store, {
  train: () => void begin('new'),
  tune: () => void begin('tune'),
  load: (file) => void attempt(async () => follow(await engine.load(await bytesOf(file), file.name, file.name))),
  save: () =>
    void attempt(async () => {
      const bytes = await engine.save();
      download(`${model?.title ?? 'model'}.safetensors`, bytes as BlobPart, 'application/octet-stream');
    }),
});
const trainer = new PageTrainer(engine, store, {
  follow,
  moved: () => gallery.moved(),
  ended: () => gallery.refresh(),
  kept: () => void attempt(listRuns),
  failed: report,
  busy: (is) => training.busy(is),
});
const runs = new RunsTable(byId('runs'), {
  open: (name) =>
    void attempt(async () => {
      const opened = await engine.openRun(name);
      trainer.charts.begin(opened.lines as never);
      byId('charts').hidden = false;
      follow(opened.model);
      await listRuns();
    }),
  resume: (name) => void begin('resume', name),
  download: (name) =>
    void attempt(async () => {
      download(`${name}.zip`, (await engine.archive(name)) as BlobPart, 'application/zip');
    }),
  upload: (file) =>
    void attempt(async () => void (await begin('checkpoint', undefined, { checkpoint: await bytesOf(file) }))),
  remove: (name) =>
    void attempt(async () => {
      await engine.removeRun(name);
      await listRuns();
    }),
});
byId('progress').append(trainer.progress.element);
byId('charts').append(trainer.charts.element);

/** Says what went wrong where the model's facts are, which everybody reads. */
function report(error: unknown): void {
  const facts = byId('model-facts');
  facts.textContent = error instanceof Error ? error.message : String(error);
  facts.classList.add('warn');
  console.error(error);
}

async function attempt(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    report(error);
  }
}

/** Another model is shown: its own settings of the sampler, but for those given. */
function follow(facts: ModelFacts, settings: Partial<Settings> = {}): void {
  model = facts;
  defaults = { ...DEFAULTS, ...samplingSettings(facts.config) };
  const { config, parameters, title } = facts;
  byId('model-name').textContent = title;
  const about = byId('model-facts');
  about.textContent = `${config.model.name} on ${config.data.name}, ${(parameters / 1e6).toFixed(2)}M parameters`;
  about.classList.remove('warn');
  sampling.follow(facts);
  gallery.follow(facts);
  const before = store.value;
  store.set({ ...samplingSettings(config), ...settings });
  if (drawn(store.value) === drawn(before)) gallery.refresh(); // a change of settings draws by itself
}

/** Begins a training, and shows how it goes, to its end. Whether it began. */
async function begin(how: Beginning, name?: string, more: Pick<Start, 'checkpoint' | 'drawn'> = {}): Promise<boolean> {
  begun = true;
  for (const id of ['progress', 'charts']) byId(id).hidden = false;
  byId('progress').scrollIntoView({ block: 'nearest' });
  return trainer.start({ how, run: name ?? (await newName(how)), files: training.files, ...more });
}

/** What is trained, and a number: digits-2. */
async function newName(how: Beginning): Promise<string> {
  const what = how === 'tune' ? `${model?.config.data.name ?? 'model'}-tuned` : store.value.data;
  const taken = new Set(await engine.runNames());
  let n = 1;
  while (taken.has(`${what}-${n}`)) n++;
  return `${what}-${n}`;
}

async function listRuns(): Promise<void> {
  runs.show(await engine.runs(proxy(report)), model?.title);
}

/** Seconds for so many multiply-adds, by how long the last samples took: short work, so rather too many. */
function seconds(cost: number): number | undefined {
  if (!gallery.rate) return undefined;
  const { perSecond, model: drawn } = gallery.rate;
  const { input_size: side = 1, patch_size: patch = 1 } = drawn.config.model;
  const own = drawn.parameters * Math.ceil(side / patch) ** 2;
  return cost / (perSecond * own);
}

const bytesOf = async (file: Blob) => new Uint8Array(await file.arrayBuffer());

async function start(): Promise<void> {
  const bytes = fetch(digits).then(async (answer) => bytesOf(await answer.blob()));
  const { adapter, software } = await engine.open();
  byId('device').textContent = software ? `${adapter}, a software adapter` : adapter;
  gallery.onSoftware(software);
  store.onChange((settings, before) => {
    if (drawn(settings) !== drawn(before)) gallery.refresh();
  });
  keepInLink(store, () => defaults);
  await listRuns();
  const interrupted = PageTrainer.interrupted();
  if (interrupted !== undefined && (await begin('resume', interrupted, { drawn: linked }))) return;
  const file = await bytes;
  if (!begun || interrupted !== undefined) follow(await engine.load(file, 'Any-step digits'), linked);
}

/** What of the settings decides the pictures. */
function drawn({
  data,
  preset,
  model: name,
  trainSteps,
  batch,
  rate,
  trainSeed,
  keepEvery,
  ...rest
}: Settings): string {
  return JSON.stringify(rest);
}

start().catch((error) => showRecorded(error));
