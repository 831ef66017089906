import { DTYPE_BYTES } from './dtypes.ts';
import { IoError } from './errors.ts';
import { containerGlobals, globalKey, PickleCallable, type PickleHost, parsePickle } from './pickle.ts';
import { quote } from './quote.ts';
import type { RawTensor } from './safetensors.ts';
import { TensorBuilder, TorchStorage } from './torch_tensor.ts';
import { readStoredZip } from './zip.ts';

/** Storage types by the names torch gives them, and the dtype of their elements. Untyped storages are bytes. */
const STORAGES: { readonly [name: string]: string } = {
  'torch.FloatStorage': 'F32',
  'torch.DoubleStorage': 'F64',
  'torch.HalfStorage': 'F16',
  'torch.BFloat16Storage': 'BF16',
  'torch.LongStorage': 'I64',
  'torch.IntStorage': 'I32',
  'torch.ShortStorage': 'I16',
  'torch.CharStorage': 'I8',
  'torch.ByteStorage': 'U8',
  'torch.BoolStorage': 'BOOL',
  'torch.storage.UntypedStorage': 'U8',
  'torch.storage.TypedStorage': 'U8',
};

const DTYPES = ['float32', 'float64', 'float16', 'bfloat16', 'int64', 'int32', 'int16', 'int8', 'uint8', 'bool'];

/** All copies of non-contiguous tensors together may be so many times the file, and so much beside. */
const COPY_FACTOR = 16;
const COPY_BYTES = 2 ** 20;

/** First bytes of torch's format before 1.6: a pickle of a magic number, as LONG1. */
const LEGACY = [0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
const ZIP = [0x50, 0x4b, 0x03, 0x04];
const TAR = [0x75, 0x73, 0x74, 0x61, 0x72];
const TAR_AT = 257;
const PROTO = 0x80;
const RESAVE = 'load it in Python with a current torch and write it again by torch.save';

/** Whether a value of a checkpoint's tree is a tensor. */
export function isTensor(value: unknown): value is RawTensor {
  return typeof value === 'object' && value !== null && 'dtype' in value && !(value instanceof TorchStorage);
}

/**
 * Reads a file that torch.save wrote (torch 1.6 or later), running nothing of it.
 * @param bytes the whole file; tensors are views into it where they are contiguous.
 * @param where the file's name, for errors.
 * @returns what was saved: dict as Map, list and tuple as array, tensor as RawTensor, dtype as text. Values may be shared and
 * may contain themselves.
 * @throws IoError for any other file, a name that is neither tensor nor plain container, and tensors outside their storage.
 */
export function parseTorchCheckpoint(bytes: Uint8Array, where: string): unknown {
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

/** Says what a file is that is no zip. */
function checkKind(bytes: Uint8Array, where: string): void {
  const has = (magic: readonly number[], at = 0) => hasBytes(bytes, magic, at);
  if (has(ZIP)) return;
  const refuse = (what: string, fix: string) => new IoError('torch', where, what, fix);
  if (has(LEGACY)) throw refuse('it is of the format of torch before 1.6', RESAVE);
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
  const builder = new TensorBuilder(where, COPY_FACTOR * fileBytes + COPY_BYTES);
  const storages = new Map<string, TorchStorage>();

  /** ('storage', type, key, device, number of elements) -> the storage, the same one for the same key. */
  const persistent = (id: unknown): TorchStorage => {
    const [kind, type, key, , count] = Array.isArray(id) ? id : [];
    const dtype = typeof type === 'string' && Object.hasOwn(STORAGES, type) ? STORAGES[type] : undefined;
    if (
      kind !== 'storage' ||
      dtype === undefined ||
      typeof key !== 'string' ||
      !Number.isSafeInteger(count) ||
      count < 0
    )
      throw new IoError('storage', where, `the pickle refers to ${quote(id)}, which is no storage`, RESAVE);
    const data = files.get(`${root}/data/${key}`);
    const needed = count * (DTYPE_BYTES.get(dtype) as number);
    if (!data || needed > data.byteLength)
      throw new IoError(
        'storage',
        where,
        data
          ? `storage ${quote(key)} has ${data.byteLength} bytes, its ${count} elements of ${dtype} take ${needed}`
          : `storage ${quote(key)} is not in the file`,
        'write or download the file again',
      );
    const found = storages.get(key);
    if (found?.dtype === dtype && found.data.byteLength === needed) return found;
    const storage = new TorchStorage(dtype, data.subarray(0, needed));
    storages.set(key, storage);
    return storage;
  };

  const rebuild = ([storage, offset, shape, strides]: readonly unknown[]) =>
    builder.build(storage, offset, shape, strides);
  const parameter = ([tensor]: readonly unknown[]) => {
    if (!isTensor(tensor)) throw new IoError('shape', where, 'a parameter of the pickle holds no tensor', RESAVE);
    return tensor;
  };
  const size = ([shape]: readonly unknown[]) => {
    if (!Array.isArray(shape)) throw new IoError('shape', where, 'a torch.Size of the pickle holds no shape', RESAVE);
    return shape;
  };
  const callable = (module: string, name: string, call: (args: readonly unknown[]) => unknown): [string, unknown] => [
    globalKey(module, name),
    new PickleCallable(`${module}.${name}`, call),
  ];

  return {
    persistent,
    globals: new Map<string, unknown>([
      ...containerGlobals(where),
      callable('torch._utils', '_rebuild_tensor_v2', rebuild),
      callable('torch._utils', '_rebuild_parameter', parameter),
      callable('torch', 'Size', size),
      callable('torch', 'device', ([type]) => (typeof type === 'string' ? type : null)),
      ...DTYPES.map((name): [string, unknown] => [globalKey('torch', name), `torch.${name}`]),
      ...Object.keys(STORAGES).map((name): [string, unknown] => {
        const dot = name.lastIndexOf('.');
        return [globalKey(name.slice(0, dot), name.slice(dot + 1)), name];
      }),
    ]),
  };
}
