import { proxy, wrap } from 'comlink';
import digits from '../../models/mnist_fewstep.safetensors?url';
import { Pictures, ROWS } from './draw/pictures.ts';
import { SamplingPanel } from './draw/sampling.ts';
import type { Engine, ModelFacts } from './engine/engine.ts';
import { byId } from './page/dom.ts';
import { latest } from './page/latest.ts';
import { Store } from './page/store.ts';
import { keepInLink, readLink } from './page/url.ts';
import { DEFAULTS, type Settings, samplingSettings } from './settings.ts';

const linked = readLink(DEFAULTS, location.search);
let defaults: Settings = DEFAULTS;
const store = new Store<Settings>({ ...DEFAULTS, ...linked });
const engine = wrap<Engine>(new Worker(new URL('./engine/worker.ts', import.meta.url), { type: 'module' }));
const pictures = new Pictures(byId('pictures'), store);
const sampling = new SamplingPanel(byId('sampling'), store);
let model: ModelFacts | undefined;

const refresh = latest<Settings>(
  async (settings, stale) => {
    pictures.busy();
    await engine.draw(
      settings,
      { rows: ROWS, seed: settings.seed },
      proxy((part) => pictures.grid(part)),
    );
    if (stale()) return;
    const columns = model?.columns ?? 10;
    const { image: index, seed } = settings;
    pictures.way(await engine.trajectory(settings, { index, label: index % columns, seed }));
    if (stale()) return;
    pictures.strip(await engine.strip(settings));
  },
  () => void engine.cancel(),
  report,
);

function report(error: unknown): void {
  const text = error instanceof Error ? error.message : String(error);
  byId('model-facts').textContent = text;
  console.error(error);
}

/** Another model is drawn from. */
function follow(facts: ModelFacts, settings: Partial<Settings> = {}): void {
  model = facts;
  defaults = { ...DEFAULTS, ...samplingSettings(facts.config) };
  byId('model-name').textContent = facts.title;
  byId('model-facts').textContent = `${facts.config.model.name}, ${(facts.parameters / 1e6).toFixed(2)}M parameters`;
  sampling.follow(facts);
  pictures.follow(facts);
  store.set({ ...samplingSettings(facts.config), ...settings });
  refresh(store.value);
}

async function start(): Promise<void> {
  const bytes = fetch(digits).then((answer) => answer.arrayBuffer());
  const { adapter, software } = await engine.open();
  byId('device').textContent = software ? `${adapter}, a software adapter` : adapter;
  follow(await engine.load(new Uint8Array(await bytes), 'Few-step digits'), linked);
  store.onChange((settings) => refresh(settings));
  keepInLink(store, () => defaults);
}

start().catch(report);
