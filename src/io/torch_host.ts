import { DTYPE_BYTES } from './dtypes.ts';
import { IoError } from './errors.ts';
import { containerGlobals, globalKey, PickleCallable, type PickleHost } from './pickle.ts';
import { quote } from './quote.ts';
import type { RawTensor } from './safetensors.ts';
import type { TensorBuilder } from './torch_tensor.ts';
import { TorchStorage } from './torch_tensor.ts';

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

export const RESAVE = 'load it in Python with a current torch and write it again by torch.save';

/** Bytes that a file's tensors may take as copies. */
export const copyBytes = (fileBytes: number): number => COPY_FACTOR * fileBytes + COPY_BYTES;

/** Whether a value of a checkpoint's tree is a tensor. */
export function isTensor(value: unknown): value is RawTensor {
  return typeof value === 'object' && value !== null && 'dtype' in value && !(value instanceof TorchStorage);
}

/** A storage as a pickle refers to it. */
export interface StorageId {
  readonly dtype: string;
  readonly key: string;
  /** Elements. */
  readonly count: number;
}

/** Reads ('storage', type, key, device, number of elements), and in older files a view of it, which is refused. @throws IoError */
export function storageId(id: unknown, where: string): StorageId {
  const [kind, type, key, , count, view = null] = Array.isArray(id) ? id : [];
  const dtype = typeof type === 'string' && Object.hasOwn(STORAGES, type) ? STORAGES[type] : undefined;
  if (
    kind !== 'storage' ||
    dtype === undefined ||
    typeof key !== 'string' ||
    !Number.isSafeInteger(count) ||
    count < 0 ||
    view !== null
  )
    throw new IoError('storage', where, `the pickle refers to ${quote(id)}, which is no storage`, RESAVE);
  return { dtype, key, count };
}

/** The bytes of a storage within those that hold it. @throws IoError where there are too few, or none. */
export function storageOf({ dtype, key, count }: StorageId, data: Uint8Array | undefined, where: string): TorchStorage {
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
  return new TorchStorage(dtype, data.subarray(0, needed));
}

/** A name that is called, for PickleHost.globals. */
export function callable(
  module: string,
  name: string,
  call: (args: readonly unknown[]) => unknown,
  setState?: (target: unknown, state: unknown) => number,
): [string, PickleCallable] {
  return [globalKey(module, name), new PickleCallable(`${module}.${name}`, call, setState)];
}

/** The names that tensors and what lies beside them in a checkpoint are made by; `rebuild` makes a tensor of storage, offset, shape and strides. */
export function torchGlobals(
  where: string,
  rebuild: (...parts: Parameters<TensorBuilder['build']>) => RawTensor,
): PickleHost['globals'] {
  const parameter = ([tensor]: readonly unknown[]) => {
    if (!isTensor(tensor)) throw new IoError('shape', where, 'a parameter of the pickle holds no tensor', RESAVE);
    return tensor;
  };
  const size = ([shape]: readonly unknown[]) => {
    if (!Array.isArray(shape)) throw new IoError('shape', where, 'a torch.Size of the pickle holds no shape', RESAVE);
    return shape;
  };
  return new Map<string, unknown>([
    ...containerGlobals(where),
    callable('torch._utils', '_rebuild_tensor_v2', ([storage, offset, shape, strides]) =>
      rebuild(storage, offset, shape, strides),
    ),
    callable('torch._utils', '_rebuild_parameter', parameter),
    callable('torch', 'Size', size),
    callable('torch', 'device', ([type]) => (typeof type === 'string' ? type : null)),
    ...DTYPES.map((name): [string, unknown] => [globalKey('torch', name), `torch.${name}`]),
    ...Object.keys(STORAGES).map((name): [string, unknown] => {
      const dot = name.lastIndexOf('.');
      return [globalKey(name.slice(0, dot), name.slice(dot + 1)), name];
    }),
  ]);
}
