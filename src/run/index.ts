/**
 * Training, tuning and sampling as a program: what the command line does, without Node. It works in a page, in a worker of one, in Node
 * and in Deno.
 * @module ucgm-webgpu/run
 */

export type { BatchSource, DataBatch } from '../data/batches.ts';
export { DataError, type Dataset } from '../data/dataset.ts';
export { digitsOfBytes, fetchDigits } from '../data/digits.ts';
export { type FilesOptions, filesDataset } from '../data/picture_files.page.ts';
export { type PictureOptions, picturesDataset, type RgbaImage } from '../data/pictures.ts';
export { type ShapesOptions, shapesDataset } from '../data/shapes.ts';
export { adapterName, DeviceError, DeviceLostError, requestDevice } from '../device/index.ts';
export { IoError } from '../io/errors.ts';
export { encodePicture, imageGrid, type Picture } from '../io/png.ts';
export { FixableError, KernelError } from '../kernel/index.ts';
export { ModelError } from '../models/config.ts';
export { NonFiniteError } from '../optim/non_finite.ts';
export { BufferLimitError } from '../tensor/index.ts';
export { type SamplingOptions, timeGrid } from '../ucgm/schedule.ts';
export { OptionError, transportNamed } from '../ucgm/transport.ts';
export { type PictureDecoder, parseAutoencoder, pictureDecoder } from './decoder.ts';
export { RunError } from './errors.ts';
export type { Measured, RunEvents } from './events.ts';
export { LoadedModel, type LoadedRequest, loadModel } from './loaded_model.ts';
export { MemoryStore } from './memory_store.ts';
export { type MetricsLine, parseMetrics } from './metrics.ts';
export type { ModelDtype, TrainedModel } from './model_file.ts';
export { OpfsStore } from './opfs_store.page.ts';
export { presetNamed } from './presets.ts';
export { type DrawnImages, type ImageRequest, type Sampled, samplesPng } from './samples.ts';
export { type SelfTest, selfTest } from './self_test.ts';
export { Session, type SessionRequest, type TrainControl } from './session.ts';
export { ConfigError, type PartialConfig, parseConfig, type RunConfig, stringifyConfig } from './settings.ts';
export type { Checkpoint, MetricsWriter, RunStore } from './store.ts';
export { type StoredModel, storedModel } from './stored_model.ts';
export { drawStrip, STRIP_STEPS } from './strip.ts';
export { openSession, type TrainRequest, train } from './train.ts';
