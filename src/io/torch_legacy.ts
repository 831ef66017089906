import { DTYPE_BYTES } from './dtypes.ts';
import { IoError } from './errors.ts';
import { containerGlobals, type PickleHost, parseNextPickle } from './pickle.ts';
import { PickleBytes } from './pickle_bytes.ts';
import { quote } from './quote.ts';
import type { RawTensor } from './safetensors.ts';
import { copyBytes, RESAVE, type StorageId, storageId, storageOf, torchGlobals } from './torch_host.ts';
import { TensorBuilder, type TorchStorage } from './torch_tensor.ts';

const MAGIC = 0x1950a86a20f9469cfc6cn;
const PROTOCOL = 1001;

/** First bytes of the format: a pickle of its magic number, as LONG1. */
export const LEGACY = [0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

/** A storage whose elements come further on in the file. */
class Awaited {
  readonly id: StorageId;

  constructor(id: StorageId) {
    this.id = id;
  }
}

/** Of the pickles beside what was saved: plain values alone. */
const plain = (where: string): PickleHost => ({ globals: new Map(containerGlobals(where)), persistent: () => null });

/**
 * Reads a file of torch's format before 1.6, which storages within other pickles still are: pickles of a magic number, the protocol,
 * facts of the system and what was saved, then the keys of its storages, and of each its length and its elements.
 * @returns as parseTorchCheckpoint; a storage where one alone was saved.
 * @throws IoError as that.
 */
export function parseLegacyTorch(bytes: Uint8Array, where: string): unknown {
  const input = new PickleBytes(bytes, where);
  const next = () => parseNextPickle(input, plain(where));
  if (next() !== MAGIC || next() !== PROTOCOL)
    throw new IoError('torch', where, 'it is not of the format of torch before 1.6', RESAVE);
  const system = next();
  if (!(system instanceof Map) || system.get('little_endian') !== true)
    throw new IoError('torch', where, 'its numbers are not little-endian', RESAVE);

  const awaited = new Map<string, Awaited>();
  const tensors: { readonly tensor: RawTensor; readonly of: readonly [unknown, unknown, unknown, unknown] }[] = [];
  const saved = parseNextPickle(input, {
    persistent(given) {
      const id = storageId(given, where);
      const known = awaited.get(id.key) ?? new Awaited(id);
      if (known.id.dtype !== id.dtype || known.id.count !== id.count)
        throw new IoError('storage', where, `storage ${id.key} is of two kinds`, RESAVE);
      awaited.set(id.key, known);
      return known;
    },
    globals: torchGlobals(where, (...of) => {
      const tensor: RawTensor = { dtype: 'U8', shape: [], data: new Uint8Array(0) };
      tensors.push({ tensor, of });
      return tensor;
    }),
  });

  const storages = readStorages(input, awaited, where);
  const stored = (value: unknown) => (value instanceof Awaited ? storages.get(value.id.key) : value);
  const builder = new TensorBuilder(where, copyBytes(bytes.byteLength));
  for (const { tensor, of } of tensors) {
    const [storage, ...rest] = of;
    Object.assign(tensor, builder.build(stored(storage), ...rest));
  }
  return stored(saved);
}

function readStorages(
  input: PickleBytes,
  awaited: ReadonlyMap<string, Awaited>,
  where: string,
): Map<string, TorchStorage> {
  const keys = parseNextPickle(input, plain(where));
  if (!Array.isArray(keys)) throw new IoError('storage', where, 'it has no list of its storages', RESAVE);
  const storages = new Map<string, TorchStorage>();
  for (const key of keys) {
    const id = awaited.get(key)?.id;
    const refuse = (what: string) => new IoError('storage', where, what, 'write or download the file again');
    if (!id) throw refuse(`storage ${quote(key)} is nobody's`);
    const count = input.uint64();
    if (count !== id.count) throw refuse(`storage ${quote(key)} has ${count} elements, not ${id.count}`);
    storages.set(key, storageOf(id, input.take(count * (DTYPE_BYTES.get(id.dtype) as number)), where));
  }
  const missing = [...awaited.keys()].find((key) => !storages.has(key));
  if (missing !== undefined) storageOf((awaited.get(missing) as Awaited).id, undefined, where); // throws
  return storages;
}
