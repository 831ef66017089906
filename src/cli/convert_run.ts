import { writeSafetensorsAtomic } from '../io/safetensors.node.ts';
import { type RawTensor, toFloat32, type WritableTensor } from '../io/safetensors.ts';
import { randomConstants } from '../nn/tables.ts';
import { FolderStore } from '../run/folder_store.node.ts';
import { type ForeignModel, foreignModel, groupOf, isWhole } from '../run/foreign_model.ts';
import { checkSound, USE_SOUND_WEIGHTS } from '../run/sound.ts';
import { CONSTANT } from '../ucgm/checkpoint.ts';
import { checkApart, checkFolder } from './output.ts';

/** What a run folder is made of. */
export interface ConvertedRun extends Omit<ForeignModel, 'seed'> {
  /** The folder to write. */
  readonly run: string;
  readonly metadata: { readonly [key: string]: string };
  readonly convertTensors: (tensors: ReadonlyMap<string, RawTensor>) => Iterable<[string, WritableTensor]>;
}

/**
 * Writes weights as a run that sample and tune go on from: a configuration of preset multistep, and one checkpoint.
 * @returns the model's name and the groups of tensors that were written.
 * @throws UsageError for weights that are not of the model or not finite, ModelError or ConfigError for options that do not
 * exist, IoError where the folder holds a run already. Nothing is written then.
 */
export function writeConvertedRun(from: ConvertedRun): { model: string; groups: string[] } {
  const { path, run, checkpoint, metadata, options, convertTensors } = from;
  const { config, network } = foreignModel({ path, checkpoint, options, seed: Number(metadata.seed) });

  // The optimiser's and the teacher's are of use only when whole, and to the AdamW of the new run both moments: Lion has one, Muon the
  // second of some parameters alone. Those of D-adaptation are scaled by its distance: no use either.
  const has = (group: string) => isWhole(network, groupOf(checkpoint.tensors, group));
  const adapted = [...checkpoint.tensors.keys()].some((name) => name.startsWith('s/'));
  const moments = !adapted && has('m') && has('v') ? ['m', 'v'] : [];
  const groups = ['model', 'ema', ...moments, ...(has('teacher') ? ['teacher'] : [])];
  const tensors = new Map<string, RawTensor>();
  for (const group of groups) {
    for (const { name } of network.parameters)
      tensors.set(`${group}/${name}`, checkpoint.tensors.get(`${group}/${name}`) as RawTensor);
  }
  for (const name of randomConstants(network).keys())
    tensors.set(`${CONSTANT}/${name}`, checkpoint.tensors.get(`ema/${name}`) as RawTensor);
  checkSound(path, floatsOf(tensors), USE_SOUND_WEIGHTS);
  checkFolder('--run', run);
  checkApart('--run', run, config.data.name);
  const folder = FolderStore.create(run);
  const unlock = folder.lock(console.warn);
  try {
    writeSafetensorsAtomic(folder.checkpointPath(Number(metadata.step)), convertTensors(tensors), { ...metadata });
    folder.writeSettings(config); // last: a folder is a run from here on
  } finally {
    unlock();
  }
  return { model: config.model.name, groups };
}

function* floatsOf(tensors: ReadonlyMap<string, RawTensor>): Generator<[string, Float32Array]> {
  for (const [name, tensor] of tensors) yield [name, toFloat32(tensor)];
}
