import type { RunStore } from './store.ts';

/** Keeps nothing: of several ranks those that do not write. */
export const SILENT_STORE: RunStore = {
  name: 'nowhere',
  settings: () => undefined,
  writeSettings() {},
  metricsAfter: () => ({ append() {}, close() {} }),
  checkpoints: () => [],
  latestCheckpoint: () => undefined,
  writeCheckpoint() {},
  prune() {},
  writeSamples() {},
};
