import { DTYPE_BYTES } from './dtypes.ts';
import { IoError } from './errors.ts';
import { jsonKeys } from './json_keys.ts';
import { quote } from './quote.ts';

export { toFloat32 } from './dtypes.ts';

/** One tensor of a file; `data` is a view into the file's bytes, at any alignment, little-endian. */
export interface RawTensor {
  dtype: string;
  shape: number[];
  data: Uint8Array;
}

/** Where one tensor lies in a file: bytes begin..end, counted from the start of the file. */
export interface TensorSpan {
  readonly dtype: string;
  readonly shape: number[];
  readonly begin: number;
  readonly end: number;
}

/** What a file's header says: tensors in its order, and its free text. */
export interface SafetensorsHeader {
  readonly tensors: Map<string, TensorSpan>;
  readonly metadata: Record<string, string>;
}

/** A parsed file: tensors in the header's order, and its free text. */
export interface Safetensors {
  tensors: Map<string, RawTensor>;
  metadata: Record<string, string>;
}

/** A tensor to be written: F32, I32 or U32 by the type of its array, or any dtype by name with its little-endian bytes. */
export type WritableTensor =
  | {
      readonly shape: readonly number[];
      readonly data: Float32Array | Int32Array | Uint32Array;
      readonly dtype?: undefined;
    }
  | { readonly shape: readonly number[]; readonly data: Uint8Array | Uint16Array; readonly dtype: string };

/** The format's own bound on the header, so that a bad length cannot ask for all memory. */
export const MAX_HEADER_BYTES = 100_000_000;

const METADATA = '__metadata__';
const AGAIN = 'write or download the file again';

type JsonObject = { readonly [key: string]: unknown };

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/**
 * Where the data of a file begins, from its first 8 bytes: as many bytes from the start hold the whole header.
 * @param fileSize bytes of the whole file.
 * @throws IoError for a file that is too short, or a header that is longer than the format allows or the file is.
 */
export function safetensorsDataStart(bytes: Uint8Array, fileSize: number, where: string): number {
  if (fileSize < 8 || bytes.byteLength < 8)
    throw new IoError(
      'too-short',
      where,
      `${fileSize} bytes are too few for a safetensors file, which has at least 8`,
      AGAIN,
    );
  const length = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES)) {
    throw new IoError(
      'header-length',
      where,
      `the header claims ${length} bytes, the limit is ${MAX_HEADER_BYTES}`,
      'check that this is a safetensors file',
    );
  }
  const dataStart = 8 + Number(length);
  if (dataStart > fileSize) {
    throw new IoError(
      'header-length',
      where,
      `the header claims ${length} bytes, the file has ${fileSize - 8} after its first 8`,
      AGAIN,
    );
  }
  return dataStart;
}

/** Whether a file is of safetensors by its first bytes: a length of less than 2^32, then the header's `{`. */
export function isSafetensors(bytes: Uint8Array): boolean {
  const OPEN = 0x7b;
  return bytes[8] === OPEN && [4, 5, 6, 7].every((i) => bytes[i] === 0);
}

function readHeader(
  bytes: Uint8Array,
  fileSize: number,
  where: string,
): { header: JsonObject; names: readonly string[]; dataStart: number } {
  const dataStart = safetensorsDataStart(bytes, fileSize, where);
  if (dataStart > bytes.byteLength) {
    throw new IoError(
      'argument',
      where,
      `${bytes.byteLength} bytes do not hold the header`,
      `pass the first ${dataStart} bytes of the file`,
    );
  }
  let text: string;
  let header: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes.subarray(8, dataStart));
    header = JSON.parse(text);
  } catch (error) {
    throw new IoError(
      'header-json',
      where,
      'the header is not JSON in UTF-8',
      'check that this is a safetensors file',
      error,
    );
  }
  if (!isObject(header)) throw new IoError('header-object', where, 'the header is JSON, but not an object', AGAIN);
  const { top, duplicate } = jsonKeys(text);
  if (duplicate !== undefined)
    throw new IoError(
      'duplicate',
      where,
      `the header holds the name ${quote(duplicate)} twice`,
      'write the file with distinct names',
    );
  return { header, names: top, dataStart };
}

function readMetadata(value: unknown, where: string): Record<string, string> {
  if (!isObject(value))
    throw new IoError('metadata', where, `${METADATA} is not an object`, 'write it as an object of strings');
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string')
      throw new IoError(
        'metadata',
        where,
        `${METADATA} ${quote(key)} is not a string`,
        'write every value as a string',
      );
  }
  return value as Record<string, string>;
}

/** Bytes of `shape` at `width` bytes an element, or undefined where the product is no safe integer. */
function byteCount(shape: readonly number[], width: number): number | undefined {
  let bytes = width;
  for (const size of shape) {
    bytes *= size;
    if (!Number.isSafeInteger(bytes)) return undefined;
  }
  return bytes;
}

/** A tensor's entry; its bytes counted from the start of the data. */
interface Span extends TensorSpan {
  readonly name: string;
}

function readSpan(name: string, value: unknown, available: number, file: string): Span {
  const where = `${file}: tensor ${quote(name)}`;
  if (!isObject(value)) throw new IoError('header-object', where, 'its header entry is not an object', AGAIN);
  const { dtype, shape, data_offsets: offsets } = value;
  const width = typeof dtype === 'string' ? DTYPE_BYTES.get(dtype) : undefined;
  if (width === undefined)
    throw new IoError(
      'dtype',
      where,
      `unknown dtype ${quote(dtype)}`,
      `use one of ${[...DTYPE_BYTES.keys()].join(', ')}`,
    );
  if (!Array.isArray(shape) || !shape.every(isCount)) {
    throw new IoError('shape', where, `the shape ${quote(shape)} is not a list of non-negative integers`, AGAIN);
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    throw new IoError('offsets', where, `the offsets ${quote(offsets)} are not two non-negative integers`, AGAIN);
  }
  const [begin, end] = offsets as [number, number];
  if (begin > end || end > available)
    throw new IoError(
      'offsets',
      where,
      `the offsets ${begin}..${end} are outside the ${available} bytes of data`,
      AGAIN,
    );
  const needed = byteCount(shape, width);
  if (needed !== end - begin) {
    throw new IoError(
      'size',
      where,
      `${dtype} ${quote(shape)} takes ${needed ?? 'too many'} bytes, its offsets hold ${end - begin}`,
      AGAIN,
    );
  }
  return { name, dtype: dtype as string, shape, begin, end };
}

/** The data must be covered once, without holes: no byte may be hidden or shared. */
function checkCover(spans: readonly Span[], available: number, where: string): void {
  let covered = 0;
  for (const { name, begin, end } of [...spans].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin < covered)
      throw new IoError(
        'overlap',
        where,
        `tensor ${quote(name)} overlaps the tensor before it at data byte ${begin}`,
        AGAIN,
      );
    if (begin > covered)
      throw new IoError(
        'hole',
        where,
        `data bytes ${covered}..${begin} before tensor ${quote(name)} belong to no tensor`,
        AGAIN,
      );
    covered = end;
  }
  if (covered < available)
    throw new IoError('trailing', where, `${available - covered} bytes follow the last tensor`, AGAIN);
}

/**
 * Reads the header of a safetensors file without its data, with every check that parseSafetensors makes.
 * @param bytes the file's first bytes, at least up to safetensorsDataStart.
 * @param fileSize bytes of the whole file.
 * @param where the file's name, for errors.
 * @throws IoError for a header that does not describe exactly a file of that size.
 */
export function parseSafetensorsHeader(bytes: Uint8Array, fileSize: number, where: string): SafetensorsHeader {
  const { header, names, dataStart } = readHeader(bytes, fileSize, where);
  const available = fileSize - dataStart;
  const metadata = names.includes(METADATA) ? readMetadata(header[METADATA], where) : {};
  const spans = names.filter((name) => name !== METADATA).map((name) => readSpan(name, header[name], available, where));
  checkCover(spans, available, where);
  const tensors = new Map<string, TensorSpan>();
  for (const { name, dtype, shape, begin, end } of spans) {
    tensors.set(name, { dtype, shape, begin: dataStart + begin, end: dataStart + end });
  }
  return { tensors, metadata };
}

/**
 * Reads a safetensors file (8 bytes of header length, a JSON header, the data) without copying the data.
 * @param bytes the whole file.
 * @param where the file's name, for errors.
 * @throws IoError for anything that is not exactly such a file, whatever the bytes are.
 */
export function parseSafetensors(bytes: Uint8Array, where: string): Safetensors {
  const header = parseSafetensorsHeader(bytes, bytes.byteLength, where);
  const tensors = new Map<string, RawTensor>();
  for (const [name, { dtype, shape, begin, end }] of header.tensors) {
    tensors.set(name, { dtype, shape, data: bytes.subarray(begin, end) });
  }
  return { tensors, metadata: header.metadata };
}

function dtypeOf({ dtype, data }: WritableTensor): string {
  if (dtype !== undefined) return dtype;
  if (data instanceof Float32Array) return 'F32';
  return data instanceof Int32Array ? 'I32' : 'U32';
}

/**
 * Writes tensors as the chunks of a safetensors file, in the order given. The data chunks are views, not copies.
 * @param metadata free text kept in the header; left out when empty.
 * @throws IoError for a name given twice or reserved, an unknown dtype, data that is not of its shape, or metadata that is not text.
 */
export function encodeSafetensors(
  tensors: Iterable<[string, WritableTensor]>,
  metadata: Record<string, string>,
): Uint8Array[] {
  const where = 'encodeSafetensors';
  // The header is joined by hand: an object would move names that look like integers to the front.
  const entries: string[] = [];
  const chunks: Uint8Array[] = [];
  const seen = new Set<string>([METADATA]);
  if (Object.keys(metadata).length > 0) entries.push(`"${METADATA}":${JSON.stringify(readMetadata(metadata, where))}`);
  let offset = 0;
  for (const [name, tensor] of tensors) {
    const { shape, data } = tensor;
    const dtype = dtypeOf(tensor);
    const width = DTYPE_BYTES.get(dtype);
    if (width === undefined)
      throw new IoError(
        'dtype',
        where,
        `tensor ${quote(name)} has the unknown dtype ${quote(dtype)}`,
        `use one of ${[...DTYPE_BYTES.keys()].join(', ')}`,
      );
    if (seen.has(name))
      throw new IoError('duplicate', where, `the name ${quote(name)} is taken`, 'give every tensor its own name');
    seen.add(name);
    if (!shape.every(isCount) || byteCount(shape, width) !== data.byteLength) {
      throw new IoError(
        'shape',
        where,
        `tensor ${quote(name)} of shape [${shape}] has ${data.byteLength / width} elements`,
        'pass as many elements as the shape holds',
      );
    }
    const end = offset + data.byteLength;
    entries.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [offset, end] })}`);
    chunks.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    offset = end;
  }
  const json = new TextEncoder().encode(`{${entries.join(',')}}`);
  const padded = Math.ceil(json.byteLength / 8) * 8; // data then starts at a multiple of 8
  if (padded > MAX_HEADER_BYTES)
    throw new IoError(
      'header-length',
      where,
      `the header takes ${padded} bytes, the limit is ${MAX_HEADER_BYTES}`,
      'write fewer tensors or less metadata',
    );
  const head = new Uint8Array(8 + padded).fill(0x20);
  new DataView(head.buffer).setBigUint64(0, BigInt(padded), true);
  head.set(json, 8);
  return [head, ...chunks];
}
