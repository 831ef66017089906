/** Writes what torch.save writes, byte by byte: pickles of protocol 2 and stored zips. */

/** What bytesOf joins. */
export type Part = string | number | Uint8Array | readonly number[];

/** Bytes out of latin-1 texts, byte values and bytes. */
export function bytesOf(...parts: readonly Part[]): Uint8Array<ArrayBuffer> {
  const chunks = parts.map((part) =>
    typeof part === 'string'
      ? Uint8Array.from(part, (c) => c.charCodeAt(0))
      : typeof part === 'number'
        ? Uint8Array.of(part)
        : Uint8Array.from(part),
  );
  const out = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0));
  let at = 0;
  for (const chunk of chunks) {
    out.set(chunk, at);
    at += chunk.byteLength;
  }
  return out;
}

/** A little-endian integer of a width in bytes. */
export function le(value: number | bigint, width: number): Uint8Array {
  const out = new Uint8Array(8);
  new DataView(out.buffer).setBigUint64(0, BigInt.asUintN(64, BigInt(value)), true);
  return out.subarray(0, width);
}

/** Elements of a storage under the name of its type, FloatStorage for one. */
export interface SavedStorage {
  readonly key: string;
  readonly type: string;
  readonly bytes: Uint8Array;
  readonly count: number;
}

/** A tensor to be saved: a look into a storage. */
export class Saved {
  constructor(
    readonly storage: SavedStorage,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
    readonly offset = 0,
  ) {}
}

/** A tuple to be saved; an array is a list. */
export class Tuple {
  constructor(readonly items: readonly unknown[]) {}
}

/** A call of a global to be saved. */
export class Call {
  constructor(
    readonly module: string,
    readonly name: string,
    readonly args: readonly unknown[],
    /** A state that what is made is given. */
    readonly state?: unknown,
  ) {}
}

/** Bytes of a pickle to be put in as they are. */
export class Raw {
  constructor(readonly bytes: Uint8Array) {}
}

let keys = 0;
export function storage(type: string, values: ArrayBufferView & { readonly length: number }): SavedStorage {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return { key: String(keys++), type, bytes, count: values.length };
}

export function contiguous(shape: readonly number[]): number[] {
  return shape.map((_, i) => shape.slice(i + 1).reduce((product, size) => product * size, 1));
}

/** A contiguous tensor of floats. */
export function floats(shape: readonly number[], values: Float32Array): Saved {
  return new Saved(storage('FloatStorage', values), shape, contiguous(shape));
}

/** The pickle of a value: a Map as an OrderedDict, an array as a list. */
export function pickled(value: unknown): Uint8Array<ArrayBuffer> {
  return bytesOf('\x80\x02', encode(value), '.');
}

function text(value: string): Uint8Array {
  const utf8 = new TextEncoder().encode(value);
  return bytesOf('X', le(utf8.byteLength, 4), utf8);
}

function encode(value: unknown): Uint8Array {
  if (value === null) return bytesOf('N');
  if (typeof value === 'boolean') return bytesOf(value ? 0x88 : 0x89);
  if (typeof value === 'string') return text(value);
  if (typeof value === 'number' && Number.isInteger(value))
    return value >= 0 && value < 256 ? bytesOf('K', value) : bytesOf('J', le(value, 4));
  if (typeof value === 'number') {
    const big = new DataView(new ArrayBuffer(8));
    big.setFloat64(0, value);
    return bytesOf('G', new Uint8Array(big.buffer));
  }
  if (value instanceof Raw) return value.bytes;
  if (value instanceof Tuple) return bytesOf('(', ...value.items.map(encode), 't');
  if (value instanceof Call) {
    const made = bytesOf(`c${value.module}\n${value.name}\n`, encode(new Tuple(value.args)), 'R');
    return value.state === undefined ? made : bytesOf(made, encode(value.state), 'b');
  }
  if (Array.isArray(value)) return bytesOf('](', ...value.map(encode), 'e');
  if (value instanceof Map) {
    const items = [...value].flatMap(([key, item]) => [encode(key), encode(item)]);
    return bytesOf('ccollections\nOrderedDict\n)R(', ...items, 'u');
  }
  if (value instanceof Saved) {
    const { type, key, count } = value.storage;
    const id = bytesOf('(', text('storage'), `ctorch\n${type}\n`, text(key), text('cpu'), encode(count), 'tQ');
    const rest = [value.offset, new Tuple(value.shape), new Tuple(value.strides), false].map(encode);
    return bytesOf('ctorch._utils\n_rebuild_tensor_v2\n(', id, ...rest, 'ccollections\nOrderedDict\n)RtR');
  }
  throw new Error(`cannot save ${String(value)}`);
}

/** Finds the storages of a value that is to be saved. */
export function storagesOf(value: unknown, found: Map<string, SavedStorage>): void {
  if (value instanceof Saved) found.set(value.storage.key, value.storage);
  else if (value instanceof Tuple) storagesOf(value.items, found);
  else if (value instanceof Call) storagesOf(value.args, found);
  else if (Array.isArray(value)) for (const item of value) storagesOf(item, found);
  else if (value instanceof Map) for (const item of value.values()) storagesOf(item, found);
}

/** One entry of a zip, and what is unusual about it. */
export interface Entry {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly method?: number;
  readonly flags?: number;
}

/** A zip of stored entries, each aligned to 64 bytes as torch does; `wide` writes every size with 64 bits. */
export function zip(entries: readonly Entry[], wide = false): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let at = 0;
  const all = 0xffffffff;
  for (const { name, bytes, method = 0, flags = 0x800 } of entries) {
    const size = bytes.byteLength;
    const title = new TextEncoder().encode(name);
    const padding = (64 - ((at + 30 + title.byteLength + 4) % 64)) % 64;
    const shared = bytesOf(le(20, 2), le(flags, 2), le(method, 2), le(0, 4), le(0, 4), le(size, 4), le(size, 4));
    const local = bytesOf('PK\x03\x04', shared, le(title.byteLength, 2), le(4 + padding, 2), title);
    const extra = bytesOf('FB', le(padding, 2), 'Z'.repeat(padding));
    const sizes = wide ? bytesOf(le(1, 2), le(24, 2), le(size, 8), le(size, 8), le(at, 8)) : bytesOf();
    directory.push(
      bytesOf('PK\x01\x02', le(20, 2), wide ? bytesOf(shared.subarray(0, 14), le(all, 4), le(all, 4)) : shared),
      bytesOf(
        le(title.byteLength, 2),
        le(sizes.byteLength, 2),
        le(0, 8),
        le(0, 2),
        le(wide ? all : at, 4),
        title,
        sizes,
      ),
    );
    for (const part of [local, extra, bytes]) {
      parts.push(part);
      at += part.byteLength;
    }
  }
  const listed = bytesOf(...directory);
  const count = entries.length;
  const wideEnd = wide
    ? bytesOf(
        bytesOf('PK\x06\x06', le(44, 8), le(45, 4), le(0, 8), le(count, 8), le(count, 8), le(listed.byteLength, 8)),
        bytesOf(le(at, 8), 'PK\x06\x07', le(0, 4), le(at + listed.byteLength, 8), le(1, 4)),
      )
    : bytesOf();
  const [short, begin] = wide ? [0xffff, all] : [count, at];
  const end = bytesOf(
    'PK\x05\x06',
    le(0, 4),
    le(short, 2),
    le(short, 2),
    le(listed.byteLength, 4),
    le(begin, 4),
    le(0, 2),
  );
  return bytesOf(...parts, listed, wideEnd, end);
}

/** Entries of a torch file around a pickle. */
export function torchEntries(pickle: Uint8Array, storages: Iterable<SavedStorage>, root = 'archive'): Entry[] {
  return [
    { name: `${root}/data.pkl`, bytes: pickle },
    { name: `${root}/byteorder`, bytes: bytesOf('little') },
    ...[...storages].map(({ key, bytes }) => ({ name: `${root}/data/${key}`, bytes })),
    { name: `${root}/version`, bytes: bytesOf('3\n') },
  ];
}

/** A file as torch.save writes it. */
export function torchFile(value: unknown, wide = false): Uint8Array<ArrayBuffer> {
  const storages = new Map<string, SavedStorage>();
  storagesOf(value, storages);
  return zip(torchEntries(pickled(value), storages.values()), wide);
}
