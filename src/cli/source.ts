import { createHash } from 'node:crypto';
import { basename, dirname } from 'node:path';
import { atomicWrite } from '../io/atomic.node.ts';
import { readBytes } from '../io/read.node.ts';
import { FolderStore } from '../run/folder_store.node.ts';
import { keptIn, seenFrom } from '../run/kept_settings.node.ts';
import { encodeModel, modelOf, type TrainedModel } from '../run/model_file.ts';
import { groupNameOf } from '../run/stored_model.ts';
import { parseWeightsFile, type WeightsFile } from '../run/weights_file.ts';
import { youngAverage } from './average_age.ts';
import { UsageError } from './failure.ts';
import { latentScaleOf } from './latent_samples.ts';
import { statOf } from './output.ts';
import { weightsOf } from './weights.ts';

/** A trained model: from a run folder, or from a model file. */
export interface Source extends TrainedModel {
  /** What it is, for a line of output. */
  readonly label: string;
  /** The run folder, where it is one. */
  readonly run?: FolderStore;
}

/** Which weights of what `--from` names. */
export interface Choice {
  /** Of a run: `ema` (if left out) or `model`. */
  readonly weights?: string | undefined;
  /** Of a run: the average of this decay. */
  readonly average?: number | undefined;
  /** Of a run: those of this step's checkpoint; the newest if left out. */
  readonly at?: number | undefined;
}

/**
 * Opens what `--from` names: a run folder (averaged weights or those in training, of its newest checkpoint or another), or a
 * file of weights: safetensors whose metadata says which model they are of (`run`, a configuration as YAML, as `ucgm export`
 * writes it, or `config`, the sizes of a TiT as JSON), or a checkpoint of PyTorch that names its model.
 * @throws UsageError (also for weights that are not finite), IoError, ConfigError, ModelError, OptionError for what is not
 * there or does not fit.
 */
export function openSource(from: string, { weights, average, at }: Choice = {}): Source {
  if (weights !== undefined && weights !== 'ema' && weights !== 'model')
    throw new UsageError(`--weights ${weights}`, 'use ema or model');
  if (weights !== undefined && average !== undefined)
    throw new UsageError(`--weights ${weights} and --average ${average}`, 'give one of them');
  if (statOf(from)?.isFile()) {
    if (weights !== undefined) throw new UsageError(`--weights: ${from} holds one set of weights`, 'leave it out');
    if (average !== undefined) throw new UsageError(`--average: ${from} holds one set of weights`, 'leave it out');
    if (at !== undefined) throw new UsageError(`step ${at}: ${from} holds one set of weights`, 'give a run folder');
    return openModelFile(from);
  }
  const run = FolderStore.open(from);
  const config = run.settings();
  const which = average === undefined ? (weights ?? 'ema') : { average };
  const { network, weights: values, step } = weightsOf(run, config, which, at);
  const latents = latentScaleOf(run, config);
  const young = which === 'model' ? undefined : youngAverage(run, config, step, average);
  if (young) console.warn(`warning: ${young}`);
  return {
    config,
    network,
    weights: values,
    label: `step ${step}, ${groupNameOf(which, config)}`,
    run,
    ...(latents && { latents }),
  };
}

function openModelFile(path: string): Source {
  const file = parseWeightsFile(readBytes(path), path);
  const model = modelOf(file, path);
  return { ...model, config: seenFrom(dirname(path), model.config), label: `${basename(path)} ${fingerprint(file)}` };
}

/** Some digits that tell one file's weights from another's. */
function fingerprint(file: WeightsFile): string {
  const hash = createHash('sha256');
  for (const [name, { data }] of file.plain()) hash.update(name).update(data);
  return hash.digest('hex').slice(0, 8);
}

/** Writes a model file in half precision: weights, and the run's configuration in its metadata. */
export function writeModelFile(path: string, source: Source): void {
  const config = keptIn(dirname(path), source.config);
  atomicWrite(path, encodeModel({ ...source, config }, 'F16'));
}
