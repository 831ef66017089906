import { IoError } from './errors.ts';
import { type PickleHost, parsePickle } from './pickle.ts';
import { copyBytes, RESAVE, storageId, storageOf, torchGlobals } from './torch_host.ts';
import { LEGACY, parseLegacyTorch } from './torch_legacy.ts';
import { TensorBuilder, type TorchStorage } from './torch_tensor.ts';
import { readStoredZip } from './zip.ts';

export { isTensor } from './torch_host.ts';

const ZIP = [0x50, 0x4b, 0x03, 0x04];
const TAR = [0x75, 0x73, 0x74, 0x61, 0x72];
const TAR_AT = 257;
const PROTO = 0x80;

/**
 * Reads a file that torch.save wrote, of any version since 0.2, running nothing of it.
 * @param bytes the whole file; tensors are views into it where they are contiguous.
 * @param where the file's name, for errors.
 * @returns what was saved: dict as Map, list and tuple as array, tensor as RawTensor, dtype as text. Values may be shared and
 * may contain themselves.
 * @throws IoError for any other file, a name that is neither tensor nor plain container, and tensors outside their storage.
 */
export function parseTorchCheckpoint(bytes: Uint8Array, where: string): unknown {
  if (hasBytes(bytes, LEGACY)) return parseLegacyTorch(bytes, where);
  checkKind(bytes, where);
  const files = readStoredZip(bytes, where);
  const root = rootOf(files, where);
  const order = files.get(`${root}/byteorder`);
  if (order && new TextDecoder().decode(order.subarray(0, 16)) !== 'little')
    throw new IoError('torch', where, 'its numbers are not little-endian', RESAVE);
  return parsePickle(
    files.get(`${root}/data.pkl`) as Uint8Array,
    where,
    torchHost(files, root, bytes.byteLength, where),
  );
}

const hasBytes = (bytes: Uint8Array, magic: readonly number[], at = 0): boolean =>
  magic.every((byte, i) => bytes[at + i] === byte);

/** Whether a file is of torch by its first bytes, or was in an earlier format: a zip, a pickle or a tar archive. */
export function isTorchFile(bytes: Uint8Array): boolean {
  return hasBytes(bytes, ZIP) || hasBytes(bytes, TAR, TAR_AT) || (bytes[0] === PROTO && (bytes[1] ?? 0) <= 5);
}

/** Whether a file is a pickle, but none that torch.save wrote. */
export const isPlainPickle = (bytes: Uint8Array): boolean =>
  bytes[0] === PROTO && (bytes[1] ?? 0) <= 5 && !hasBytes(bytes, LEGACY);

/** Says what a file is that is no zip. */
function checkKind(bytes: Uint8Array, where: string): void {
  const has = (magic: readonly number[], at = 0) => hasBytes(bytes, magic, at);
  if (has(ZIP)) return;
  const refuse = (what: string, fix: string) => new IoError('torch', where, what, fix);
  if (has(TAR, TAR_AT)) throw refuse('it is a tar archive, as torch wrote them before 0.2, or another', RESAVE);
  if (bytes[0] === PROTO) throw refuse('it is a pickle, but torch.save did not write it', RESAVE);
  throw refuse('it is no file of torch.save', 'give a .pt, .pth or .safetensors file');
}

/** The folder inside the zip: the one that holds data.pkl. */
function rootOf(files: ReadonlyMap<string, Uint8Array>, where: string): string {
  const roots = [...files.keys()].flatMap((name) => /^([^/]+)\/data\.pkl$/.exec(name)?.[1] ?? []);
  if (roots.length === 1) return roots[0] as string;
  throw new IoError(
    'torch',
    where,
    roots.length === 0 ? 'it is a zip without data.pkl' : 'it is a zip with more than one data.pkl',
    'give a file that torch.save wrote',
  );
}

function torchHost(files: ReadonlyMap<string, Uint8Array>, root: string, fileBytes: number, where: string): PickleHost {
  const builder = new TensorBuilder(where, copyBytes(fileBytes));
  const storages = new Map<string, TorchStorage>();
  return {
    /** The storage of an id, the same one for the same key. */
    persistent(given) {
      const id = storageId(given, where);
      const storage = storageOf(id, files.get(`${root}/data/${id.key}`), where);
      const found = storages.get(id.key);
      if (found?.dtype === id.dtype && found.data.byteLength === storage.data.byteLength) return found;
      storages.set(id.key, storage);
      return storage;
    },
    globals: torchGlobals(where, (...of) => builder.build(...of)),
  };
}
