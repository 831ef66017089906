/**
 * What a training run is, wherever it happens: settings, presets, the loop with its events, checkpoints, samples, and where they are kept.
 * @module ucgm-webgpu/run
 */
export { resumeTrainer, saveCheckpoint } from './checkpoint.ts';
export { ConfigError } from './config_error.ts';
export { draw } from './draw.ts';
export { RunError } from './errors.ts';
export type { Measured, RunEvents } from './events.ts';
export { type TrainingRun, trainRun } from './loop.ts';
export { networkOf, resolveModel } from './model.ts';
export { trainerOf } from './prepare.ts';
export { presetNamed } from './presets.ts';
export { sampleImages, samplesPng } from './samples.ts';
export { mergeConfig, type PartialConfig, parseConfig, type RunConfig, stringifyConfig } from './settings.ts';
export type { Checkpoint, MetricsWriter, RunStore } from './store.ts';
