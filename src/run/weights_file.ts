import { parseModulePickle } from '../io/module_pickle.ts';
import { isSafetensors, parseSafetensors, type RawTensor } from '../io/safetensors.ts';
import { isPlainPickle, isTorchFile, parseTorchCheckpoint } from '../io/torch_checkpoint.ts';
import { type CheckpointTensors, plainTensors, torchTensors } from '../io/torch_names.ts';
import { RunError } from './errors.ts';

/** A weights file that was read, to be seen as a checkpoint or as plain tensors. */
export interface WeightsFile {
  readonly bytes: number;
  /** Text kept in the file: a checkpoint of ours has its step there. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Tensors as GROUP/NAME. @throws IoError where there are no weights. */
  checkpoint(): CheckpointTensors;
  /** Tensors by the names they have in the file. */
  plain(): Map<string, RawTensor>;
}

const OUR_NAMES = /^(model|ema)\//;

/**
 * Reads the bytes of a file of torch.save, of safetensors or of NVIDIA's pickles of networks, known by the first of them whatever the file's name is.
 * @param path the file's name, for errors.
 * @throws RunError for another kind, IoError for a file that cannot be read.
 */
export function parseWeightsFile(content: Uint8Array, path: string): WeightsFile {
  const bytes = content.byteLength;
  if (!isSafetensors(content) && (isTorchFile(content) || /\.(pt|pth)$/i.test(path))) {
    // Says what the file is where it is of another kind.
    const tree = isPlainPickle(content) ? networksOf(content, path) : parseTorchCheckpoint(content, path);
    return { bytes, metadata: {}, checkpoint: () => torchTensors(tree, path), plain: () => plainTensors(tree, path) };
  }
  if (!isSafetensors(content) && !/\.safetensors$/i.test(path))
    throw new RunError(
      `${path} is no weights file: neither of torch.save nor safetensors`,
      'give a .pt, .pth, .bin, .ckpt or .safetensors file of weights',
    );
  const { tensors, metadata } = parseSafetensors(content, path);
  const ours = [...tensors.keys()].some((name) => OUR_NAMES.test(name));
  const checkpoint = (): CheckpointTensors =>
    ours
      ? { tensors, optimizerStep: wholeOrNone(metadata.optimizer_step), config: undefined, notes: [] }
      : torchTensors(tensors, path);
  return { bytes, metadata, checkpoint, plain: () => tensors };
}

/** The networks of a pickle of EDM or EDM2, and what is known of them beside: they are of EDM's transport. */
function networksOf(content: Uint8Array, path: string): Map<string, unknown> {
  const config = new Map([['transport', new Map([['type', 'EDM']])]]);
  return new Map<string, unknown>([...parseModulePickle(content, path), ['config', config]]);
}

function wholeOrNone(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
