/** Writes torch's format before 1.6, and pickles of networks as NVIDIA's EDM publishes them, byte by byte. */
import { bytesOf, Call, le, pickled, type Saved, type SavedStorage, storage, storagesOf } from './torch_file.ts';

/** What may be wrong with a file. */
export interface LegacyParts {
  readonly protocol?: number;
  readonly little?: boolean;
  readonly keys?: readonly string[];
  readonly extraKey?: string;
  /** Elements more than there are, in the lengths. */
  readonly longer?: number;
  /** Bytes left out at the end. */
  readonly cut?: number;
}

const MAGIC = bytesOf('\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.');

/** A file around the pickle of what was saved. */
function legacy(saved: Uint8Array, storages: readonly SavedStorage[], o: LegacyParts = {}): Uint8Array<ArrayBuffer> {
  const { protocol = 1001, little = true, keys = storages.map(({ key }) => key), extraKey, longer = 0, cut = 0 } = o;
  const all = extraKey === undefined ? keys : [...keys, extraKey];
  const file = bytesOf(
    MAGIC,
    pickled(protocol),
    pickled(new Map<string, unknown>([['little_endian', little]])),
    saved,
    pickled(all),
    ...storages.flatMap(({ count, bytes }) => [le(count + longer, 8), bytes]),
  );
  return file.subarray(0, file.byteLength - cut);
}

/** What torch.save wrote of a tree of tensors. */
export function legacyFile(tree: Map<string, unknown>, parts?: LegacyParts): Uint8Array<ArrayBuffer> {
  const found = new Map<string, SavedStorage>();
  storagesOf(tree, found);
  return legacy(pickled(tree), [...found.values()], parts);
}

/** What torch.save wrote of a storage alone: how other pickles hold it. */
export function legacyStorage(type: string, values: ArrayBufferView & { readonly length: number }): Uint8Array {
  const saved = storage(type, values);
  const text = (value: string) => bytesOf('X', le(value.length, 4), value);
  const id = bytesOf(
    '(',
    text('storage'),
    `ctorch\n${type}\n`,
    text(saved.key),
    text('cpu'),
    'J',
    le(saved.count, 4),
    'NtQ',
  );
  return legacy(bytesOf('\x80\x02', id, '.'), [saved]);
}

/** A module: of a class whose source lies in the pickle, or a container of torch. */
export interface SavedModule {
  readonly className?: string;
  readonly container?: string;
  readonly parameters?: { readonly [name: string]: unknown };
  readonly buffers?: { readonly [name: string]: Saved | Call | null };
  readonly modules?: { readonly [name: string]: SavedModule };
  /** Attributes beside. */
  readonly more?: readonly [string, unknown][];
}

/** A dictionary with that module as `ema`, and as the source of each class one text. */
export function modulePickle(module: SavedModule): Uint8Array<ArrayBuffer> {
  return pickled(
    new Map<string, unknown>([
      ['dataset_kwargs', new Map([['resolution', 8]])],
      ['loss_fn', new Call('torch_utils.persistence', '_reconstruct_persistent_obj', [meta('Loss', new Map())])],
      ['ema', saved(module)],
    ]),
  );
}

function saved({ className, container, parameters = {}, buffers = {}, modules = {}, more = [] }: SavedModule): unknown {
  const inner = Object.entries(modules).map(([name, module]) => [name, saved(module)] as const);
  const state = new Map<string, unknown>([
    ['training', false],
    ['_parameters', new Map(Object.entries(parameters))],
    ['_buffers', new Map(Object.entries(buffers))],
    ['_modules', new Map(inner)],
    ...more,
  ]);
  if (className !== undefined)
    return new Call('torch_utils.persistence', '_reconstruct_persistent_obj', [meta(className, state)]);
  return new Call('torch.nn.modules.container', container as string, [], state);
}

const meta = (name: string, state: Map<string, unknown>) =>
  new Map<string, unknown>([
    ['type', 'class'],
    ['version', 6],
    ['module_src', 'class Net: pass'],
    ['class_name', name],
    ['state', state],
  ]);
