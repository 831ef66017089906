import { zipSync } from 'fflate';
import { type MetricsLine, OpfsStore, type RunConfig, stringifyConfig } from '../../../src/run/index.ts';
import { metricsText } from '../../../src/run/metrics.ts';

/** A run that this browser keeps. */
export interface KeptRun {
  readonly name: string;
  readonly config: RunConfig;
  /** Of its newest checkpoint; undefined where it has none. */
  readonly step: number | undefined;
  readonly loss: number | undefined;
}

/** Lines whose mean is a run's loss. */
const LAST = 20;

/** The runs of this browser, by name, the latest of a kind first; those that cannot be read are left out and named. */
export async function keptRuns(say: (text: string) => void): Promise<KeptRun[]> {
  const runs: KeptRun[] = [];
  const names = await OpfsStore.names();
  for (const name of names.sort((a, b) => b.localeCompare(a, 'en', { numeric: true }))) {
    try {
      const store = await OpfsStore.open(name);
      const config = await store.settings();
      if (!config) continue; // a place that was made, and no run begun in it
      const [steps, lines] = [await store.checkpoints(), await store.metrics()];
      runs.push({ name, config, step: steps.at(-1), loss: lossOf(lines) });
    } catch (error) {
      say(error instanceof Error ? error.message : String(error));
    }
  }
  return runs;
}

function lossOf(lines: readonly MetricsLine[]): number | undefined {
  const last = lines.slice(-LAST).flatMap(({ loss }) => (typeof loss === 'number' ? [loss] : []));
  return last.length === 0 ? undefined : last.reduce((sum, loss) => sum + loss, 0) / last.length;
}

/**
 * A run as a zip of the folder that Node keeps it in: config.yaml, metrics.jsonl, checkpoints/STEP.safetensors. Unpacked, it goes on there by
 * `ucgm train --resume --out FOLDER`.
 */
export async function runArchive(name: string): Promise<Uint8Array> {
  const store = await OpfsStore.open(name);
  const text = (content: string) => new TextEncoder().encode(content);
  const files: { [path: string]: Uint8Array } = {};
  const config = await store.settings();
  if (config) files[`${name}/config.yaml`] = text(stringifyConfig(config));
  files[`${name}/metrics.jsonl`] = text((await store.metrics()).map(metricsText).join(''));
  for (const step of await store.checkpoints()) {
    const bytes = await store.checkpointBytes(step);
    if (bytes) files[`${name}/checkpoints/${step}.safetensors`] = bytes;
  }
  return zipSync(files, { level: 0 }); // weights do not get smaller
}
