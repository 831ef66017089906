import { IoError } from './errors.ts';

const AGAIN = 'write or download the file again';

/** Longest text: an engine's own limit is a little above. */
const MAX_TEXT_BYTES = 2 ** 28;

/** Reads a pickle's arguments one after the other; no read goes past the end. */
export class PickleBytes {
  readonly where: string;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array, where: string) {
    this.where = where;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Bytes read so far. */
  get at(): number {
    return this.#at;
  }

  /** The error of a pickle that is wrong where it is read. */
  broken(what: string): IoError {
    return new IoError('pickle', this.where, `the pickle is broken at byte ${this.#at}: ${what}`, AGAIN);
  }

  #advance(length: number): number {
    const begin = this.#at;
    if (length > this.#bytes.byteLength - begin)
      throw this.broken(
        `it ends where ${length} more bytes are promised, and ${this.#bytes.byteLength - begin} are there`,
      );
    this.#at += length;
    return begin;
  }

  /** A view of the next bytes. */
  take(length: number): Uint8Array {
    const begin = this.#advance(length);
    return this.#bytes.subarray(begin, begin + length);
  }

  uint8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  uint16(): number {
    return this.#view.getUint16(this.#advance(2), true);
  }

  uint32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  int32(): number {
    return this.#view.getInt32(this.#advance(4), true);
  }

  /** A length of 64 bits; one past what a number holds is past the file, too. */
  uint64(): number {
    return Number(this.#view.getBigUint64(this.#advance(8), true));
  }

  /** The one number that a pickle writes big-endian. */
  float64(): number {
    return this.#view.getFloat64(this.#advance(8), false);
  }

  #text(length: number): Uint8Array {
    const bytes = this.take(length);
    if (length > MAX_TEXT_BYTES) throw this.broken(`a text has ${length} bytes`);
    return bytes;
  }

  utf8(length: number): string {
    const bytes = this.#text(length);
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      throw this.broken('a text is no UTF-8');
    }
  }

  /** Text of one byte a character, as Python 2 wrote its strings. */
  latin1(length: number): string {
    return latin1(this.#text(length));
  }

  /** Text up to the next line break, which is passed over. */
  line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#at);
    if (end < 0) throw this.broken('it ends within a line');
    const text = latin1(this.#text(end - this.#at));
    this.#at++;
    return text;
  }
}

/** Not TextDecoder's latin1, which is windows-1252. In pieces: a call takes so many arguments and no more. */
function latin1(bytes: Uint8Array): string {
  const pieces: string[] = [];
  for (let at = 0; at < bytes.byteLength; at += 4096)
    pieces.push(String.fromCharCode(...bytes.subarray(at, at + 4096)));
  return pieces.join('');
}
