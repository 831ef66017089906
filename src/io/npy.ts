import { unzipSync } from 'fflate';
import { toFloat32 } from './dtypes.ts';
import { IoError } from './errors.ts';

/** An array of floats. */
export interface FloatArray {
  readonly shape: readonly number[];
  readonly data: Float32Array<ArrayBuffer>;
}

/** NumPy's names of little-endian floats. */
const DTYPES: { readonly [descr: string]: string } = { '<f2': 'F16', '<f4': 'F32', '<f8': 'F64' };

const AGAIN = 'write it with numpy.savez, of float arrays';

/** Whether a file's first bytes are those of a zip, which an .npz is. */
export const isZip = (bytes: Uint8Array): boolean =>
  bytes[0] === 0x50 && bytes[1] === 0x4b && bytes[2] === 3 && bytes[3] === 4;

/** The arrays of floats in an .npz, by their names; those of other types are left out. @throws IoError that names `where`. */
export function parseNpz(bytes: Uint8Array, where: string): Map<string, FloatArray> {
  let files: { [name: string]: Uint8Array };
  try {
    files = unzipSync(bytes, { filter: ({ name }) => name.endsWith('.npy') });
  } catch (error) {
    throw new IoError('zip', where, 'it is no whole zip', AGAIN, error);
  }
  const arrays = new Map<string, FloatArray>();
  for (const [name, content] of Object.entries(files)) {
    const array = parseNpy(content, `${where}: ${name}`);
    if (array) arrays.set(name.slice(0, -'.npy'.length), array);
  }
  return arrays;
}

/** An array in NumPy's own format, in C order; undefined for one that holds no floats. @throws IoError that names `where`. */
export function parseNpy(bytes: Uint8Array, where: string): FloatArray | undefined {
  const refuse = (what: string) => new IoError('npy', where, what, AGAIN);
  if (String.fromCharCode(...bytes.subarray(1, 6)) !== 'NUMPY' || bytes.length < 12)
    throw refuse('it is no array of NumPy');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [length, start] = bytes[6] === 1 ? [view.getUint16(8, true), 10] : [view.getUint32(8, true), 12];
  const header = new TextDecoder('latin1').decode(bytes.subarray(start, start + length));
  const descr = /'descr':\s*'([^']*)'/.exec(header)?.[1];
  const dims = /'shape':\s*\(([^)]*)\)/.exec(header)?.[1];
  if (descr === undefined || dims === undefined) throw refuse('its header cannot be read');
  const dtype = DTYPES[descr];
  if (dtype === undefined) return undefined;
  if (!/'fortran_order':\s*False/.test(header)) throw refuse('it is in Fortran order');
  const shape = dims.split(',').flatMap((size) => (size.trim() === '' ? [] : [Number(size)]));
  const count = shape.reduce((product, size) => product * size, 1);
  const data = bytes.slice(start + length);
  if (data.byteLength !== count * Number(descr.slice(2)))
    throw refuse(`it has ${data.byteLength} bytes for ${count} numbers of ${descr.slice(2)}`);
  return { shape, data: toFloat32({ dtype, data }) };
}
