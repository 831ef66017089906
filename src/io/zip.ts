import { IoError } from './errors.ts';
import { quote } from './quote.ts';

const END = 0x06054b50;
const END_LENGTH = 22;
const END64_LOCATOR = 0x07064b50;
const END64_LOCATOR_LENGTH = 20;
const END64 = 0x06064b50;
const END64_LENGTH = 56;
const ENTRY = 0x02014b50;
const ENTRY_LENGTH = 46;
const LOCAL = 0x04034b50;
const LOCAL_LENGTH = 30;
const EXTRA_64 = 1;
const MAX_COMMENT = 0xffff;
/** Most entries; torch writes one a storage. */
const MAX_ENTRIES = 2 ** 20;
const STORED = 0;
const ENCRYPTED = 1;
/** Stands in a 16-bit or 32-bit field whose value is in the 64-bit record instead. */
const [IN_64_SHORT, IN_64] = [0xffff, 0xffffffff];
const AGAIN = 'write or download the file again';

/** Little-endian numbers of a file, each read checked against its end. */
class Fields {
  readonly #view: DataView;
  readonly #where: string;

  constructor(bytes: Uint8Array, where: string) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#where = where;
  }

  #need(at: number, length: number): void {
    if (at + length > this.#view.byteLength)
      throw new IoError(
        'zip',
        this.#where,
        `the zip has a record at byte ${at}, which is past its ${this.#view.byteLength} bytes`,
        AGAIN,
      );
  }

  short(at: number): number {
    this.#need(at, 2);
    return this.#view.getUint16(at, true);
  }

  word(at: number): number {
    this.#need(at, 4);
    return this.#view.getUint32(at, true);
  }

  long(at: number): number {
    this.#need(at, 8);
    const value = this.#view.getBigUint64(at, true);
    if (value > BigInt(this.#view.byteLength))
      throw new IoError(
        'zip',
        this.#where,
        `the zip claims ${value} bytes, the file has ${this.#view.byteLength}`,
        AGAIN,
      );
    return Number(value);
  }
}

interface Directory {
  readonly entries: number;
  readonly begin: number;
}

function findDirectory(fields: Fields, length: number, where: string): Directory {
  let end = length - END_LENGTH;
  const last = Math.max(0, end - MAX_COMMENT);
  while (end >= last && fields.word(end) !== END) end--;
  if (end < last)
    throw new IoError('zip', where, 'the zip has no directory at its end, so it was cut or is no zip', AGAIN);
  const locator = end - END64_LOCATOR_LENGTH;
  if (locator < 0 || fields.word(locator) !== END64_LOCATOR) {
    const [entries, begin] = [fields.short(end + 10), fields.word(end + 16)];
    if (entries !== IN_64_SHORT && begin !== IN_64) return { entries, begin };
    throw new IoError('zip', where, 'the zip promises a 64-bit directory and has none', AGAIN);
  }
  const end64 = fields.long(locator + 8);
  if (end64 + END64_LENGTH > locator || fields.word(end64) !== END64)
    throw new IoError('zip', where, 'the zip has no 64-bit directory where it says', AGAIN);
  return { entries: fields.long(end64 + 32), begin: fields.long(end64 + 48) };
}

/** Sizes and offset of an entry whose own fields are too small for them: in a fixed order, those alone that are. */
function wideFields(fields: Fields, at: number, length: number, narrow: readonly number[]): number[] | undefined {
  for (let extra = at; extra + 4 <= at + length; ) {
    const [kind, size] = [fields.short(extra), fields.short(extra + 2)];
    if (kind === EXTRA_64 && extra + 4 + size <= at + length) {
      let next = extra + 4;
      const values: number[] = [];
      for (const value of narrow) {
        if (value !== IN_64) {
          values.push(value);
          continue;
        }
        if (next + 8 > extra + 4 + size) return undefined;
        values.push(fields.long(next));
        next += 8;
      }
      return values;
    }
    extra += 4 + size;
  }
  return undefined;
}

/**
 * Reads a zip whose entries are stored, not compressed, as torch.save writes them; 64-bit records are understood. Check sums
 * are not compared, since torch can be told to leave them out.
 * @returns the entries' bytes by name: views, not copies; they may overlap.
 * @throws IoError for a broken zip, an entry outside the file, twice of one name, compressed or encrypted.
 */
export function readStoredZip(bytes: Uint8Array, where: string): Map<string, Uint8Array> {
  const fields = new Fields(bytes, where);
  const { entries, begin } = findDirectory(fields, bytes.byteLength, where);
  if (entries > MAX_ENTRIES)
    throw new IoError('limit', where, `the zip has ${entries} entries`, `give a file of at most ${MAX_ENTRIES}`);
  const files = new Map<string, Uint8Array>();
  let at = begin;
  for (let i = 0; i < entries; i++) {
    if (fields.word(at) !== ENTRY)
      throw new IoError('zip', where, `the zip's directory has no entry at byte ${at}`, AGAIN);
    const [nameLength, extraLength, commentLength] = [at + 28, at + 30, at + 32].map((p) => fields.short(p)) as [
      number,
      number,
      number,
    ];
    const next = at + ENTRY_LENGTH + nameLength + extraLength + commentLength;
    if (next > bytes.byteLength) throw new IoError('zip', where, "the zip's directory runs past the file", AGAIN);
    const name = new TextDecoder().decode(bytes.subarray(at + ENTRY_LENGTH, at + ENTRY_LENGTH + nameLength));
    if (files.has(name))
      throw new IoError('duplicate', where, `the zip holds ${quote(name)} twice`, 'write it with distinct names');
    files.set(name, readEntry(bytes, fields, at, name, where));
    at = next;
  }
  return files;
}

function readEntry(bytes: Uint8Array, fields: Fields, at: number, name: string, where: string): Uint8Array {
  if (fields.short(at + 8) & ENCRYPTED)
    throw new IoError('zip', where, `the entry ${quote(name)} is encrypted`, 'write the file without a password');
  if (fields.short(at + 10) !== STORED)
    throw new IoError(
      'zip',
      where,
      `the entry ${quote(name)} is compressed, which torch.save never does`,
      'write the file by torch.save, or zip it with compression off (zip -0)',
    );
  let [packed, size, offset] = [fields.word(at + 20), fields.word(at + 24), fields.word(at + 42)];
  if (packed === IN_64 || size === IN_64 || offset === IN_64) {
    const extra = at + ENTRY_LENGTH + fields.short(at + 28);
    const wide = wideFields(fields, extra, fields.short(at + 30), [size, packed, offset]);
    if (!wide) throw new IoError('zip', where, `the entry ${quote(name)} lacks its 64-bit sizes`, AGAIN);
    [size, packed, offset] = wide as [number, number, number];
  }
  if (packed !== size)
    throw new IoError('zip', where, `the entry ${quote(name)} is stored with two sizes, ${packed} and ${size}`, AGAIN);
  if (fields.word(offset) !== LOCAL)
    throw new IoError('zip', where, `the entry ${quote(name)} is not at byte ${offset}`, AGAIN);
  const data = offset + LOCAL_LENGTH + fields.short(offset + 26) + fields.short(offset + 28);
  if (data + size > bytes.byteLength)
    throw new IoError(
      'zip',
      where,
      `the entry ${quote(name)} ends at byte ${data + size}, the file has ${bytes.byteLength}`,
      AGAIN,
    );
  return bytes.subarray(data, data + size);
}
