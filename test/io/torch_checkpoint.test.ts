import { describe, expect, it } from 'vitest';
import { toFloat32 } from '../../src/io/dtypes.ts';
import type { IoErrorCode } from '../../src/io/errors.ts';
import type { RawTensor } from '../../src/io/safetensors.ts';
import { parseTorchCheckpoint } from '../../src/io/torch_checkpoint.ts';
import { plainTensors } from '../../src/io/torch_names.ts';
import { readStoredZip } from '../../src/io/zip.ts';
import { failure } from './folder.ts';
import {
  bytesOf,
  Call,
  floats,
  le,
  pickled,
  Raw,
  Saved,
  storage,
  Tuple,
  torchEntries,
  torchFile,
  zip,
} from './torch_file.ts';

const load = (value: unknown): unknown => parseTorchCheckpoint(torchFile(value), 'f.pt');
const one = (value: unknown): RawTensor => plainTensors(load(new Map([['x', value]])), 'f.pt').get('x') as RawTensor;
const numbers = (value: unknown) => [...toFloat32(one(value))];
const count = (n: number) => Float32Array.from({ length: n }, (_, i) => i);

describe('tensors of a torch file', () => {
  it('reads every dtype', () => {
    const read = (type: string, values: ArrayBufferView & { readonly length: number }) => {
      const tensor = new Saved(storage(type, values), [values.length], [1]);
      return [one(tensor).dtype, numbers(tensor)];
    };
    expect(read('FloatStorage', Float32Array.of(1.5, -2))).toEqual(['F32', [1.5, -2]]);
    expect(read('DoubleStorage', Float64Array.of(0.5))).toEqual(['F64', [0.5]]);
    expect(read('HalfStorage', Uint16Array.of(0x3c00, 0xc000))).toEqual(['F16', [1, -2]]);
    expect(read('BFloat16Storage', Uint16Array.of(0x3f80, 0xc000))).toEqual(['BF16', [1, -2]]);
    expect(read('LongStorage', BigInt64Array.of(-7n))).toEqual(['I64', [-7]]);
    expect(read('IntStorage', Int32Array.of(-7))).toEqual(['I32', [-7]]);
    expect(read('ShortStorage', Int16Array.of(-7))).toEqual(['I16', [-7]]);
    expect(read('CharStorage', Int8Array.of(-7))).toEqual(['I8', [-7]]);
    expect(read('ByteStorage', Uint8Array.of(200))).toEqual(['U8', [200]]);
    expect(read('BoolStorage', Uint8Array.of(0, 1))).toEqual(['BOOL', [0, 1]]);
  });

  it('copies no contiguous tensor, and shares a shared storage', () => {
    const shared = storage('FloatStorage', count(6));
    const whole = new Saved(shared, [2, 3], [3, 1]);
    const file = torchFile(
      new Map([
        ['whole', whole],
        ['part', new Saved(shared, [1, 2], [99, 1], 4)],
      ]),
    );
    const tensors = plainTensors(parseTorchCheckpoint(file, 'f'), 'f');
    expect([...toFloat32(tensors.get('part') as RawTensor)]).toEqual([4, 5]);
    for (const { data } of tensors.values()) expect(data.buffer).toBe(file.buffer);
  });

  it('brings strides into order: transposed, sliced, expanded, scalar, empty', () => {
    const six = storage('FloatStorage', count(6));
    expect(numbers(new Saved(six, [3, 2], [1, 3]))).toEqual([0, 3, 1, 4, 2, 5]);
    expect(numbers(new Saved(six, [2], [2], 1))).toEqual([1, 3]);
    expect(numbers(new Saved(six, [2, 2], [0, 1], 3))).toEqual([3, 4, 3, 4]);
    expect(numbers(new Saved(six, [], [], 5))).toEqual([5]);
    expect(numbers(new Saved(six, [0, 3], [3, 1], 6))).toEqual([]);
    const axes = storage('FloatStorage', count(24)); // [2, 3, 4] permuted to [4, 2, 3]
    const expected = count(24).map((_, i) => Math.floor(i / 6) + 12 * (Math.floor(i / 3) % 2) + 4 * (i % 3));
    expect(numbers(new Saved(axes, [4, 2, 3], [1, 12, 4]))).toEqual([...expected]);
  });

  it('reads 64-bit zips, parameters, sizes, devices and dtypes', () => {
    const odd = new Map<string, unknown>([
      ['shape', new Call('torch', 'Size', [new Tuple([1, 2])])],
      ['device', new Call('torch', 'device', ['cuda', 0])],
      ['dtype', new Raw(bytesOf('ctorch\nbfloat16\n'))],
    ]);
    expect(parseTorchCheckpoint(torchFile(odd, true), 'f')).toEqual(
      new Map<string, unknown>([
        ['shape', [1, 2]],
        ['device', 'cuda'],
        ['dtype', 'torch.bfloat16'],
      ]),
    );
    const parameter = new Call('torch._utils', '_rebuild_parameter', [floats([2], count(2)), true, null]);
    expect(numbers(parameter)).toEqual([0, 1]);
  });

  const six = () => storage('FloatStorage', count(6));
  const cases: [what: string, value: () => unknown, code: IoErrorCode][] = [
    ['an element past the storage', () => new Saved(six(), [7], [1]), 'storage'],
    ['an offset past the storage', () => new Saved(six(), [1], [1], 6), 'storage'],
    ['a stride past the storage', () => new Saved(six(), [2, 2], [5, 1]), 'storage'],
    ['strides past 2^53', () => new Saved(six(), [2 ** 30, 2 ** 30], [2 ** 30, 2 ** 30]), 'storage'],
    ['an expansion that fills the memory', () => new Saved(six(), [2 ** 30, 2 ** 30], [0, 0]), 'limit'],
    ['many small expansions', () => Array.from({ length: 9 }, () => new Saved(six(), [2 ** 16], [0])), 'limit'],
    ['a negative size', () => new Saved(six(), [-1], [1]), 'shape'],
    ['a negative stride', () => new Saved(six(), [2], [-1]), 'shape'],
    ['a fractional size', () => new Saved(six(), [0.5], [1]), 'shape'],
    ['fewer strides than sizes', () => new Saved(six(), [2, 1], [1]), 'shape'],
    ['65 dimensions', () => new Saved(six(), Array(65).fill(1), Array(65).fill(1)), 'shape'],
    ['a storage shorter than it says', () => new Saved({ ...six(), count: 7 }, [6], [1]), 'storage'],
    ['a storage of a negative length', () => new Saved({ ...six(), count: -1 }, [6], [1]), 'storage'],
    ['a storage that is not in the file', () => new Raw(pickled(floats([1], count(1))).subarray(2, -1)), 'storage'],
    ['a storage of no known type', () => new Saved({ ...six(), type: 'float32' }, [6], [1]), 'storage'],
    ['a storage of a type that is none', () => new Saved({ ...six(), type: 'QInt8Storage' }, [6], [1]), 'global'],
    ['a tensor without a storage', () => new Call('torch._utils', '_rebuild_tensor_v2', []), 'storage'],
    ['a parameter without a tensor', () => new Call('torch._utils', '_rebuild_parameter', []), 'shape'],
    ['a size without a shape', () => new Call('torch', 'Size', []), 'shape'],
    ['a persistent id of another kind', () => new Raw(bytesOf('U\x06moduleQ')), 'storage'],
    ['os.system', () => new Call('posix', 'system', ['echo']), 'global'],
  ];
  it.each(cases)('refuses %s', (_, value, code) => {
    expect(failure(() => load(new Map([['x', value()]]))).code).toBe(code);
  });
});

describe('files that are no torch files', () => {
  const pickle = pickled(new Map());
  const entries = torchEntries(pickle, []);
  const good = zip(entries);
  const tar = new Uint8Array(1024);
  tar.set(bytesOf('ustar'), 257);
  /** The file with bytes put in place of others, at the first place where a text stands. */
  const patched = (mark: string, shift: number, bytes: Uint8Array, file = good): Uint8Array => {
    const at = Buffer.from(file).indexOf(mark, 0, 'latin1') + shift;
    return bytesOf(file.subarray(0, at), bytes, file.subarray(at + bytes.byteLength));
  };
  const wide = zip(entries, true);
  const large = zip([...entries, { name: 'archive/data/0', bytes: new Uint8Array(2 ** 22) }], true);
  const cases: [what: string, file: Uint8Array, code: IoErrorCode, message: RegExp][] = [
    ['empty', new Uint8Array(0), 'torch', /no file of torch.save/],
    ['text', bytesOf('hello'), 'torch', /no file of torch.save/],
    [
      'torch before 1.6, cut off',
      bytesOf('\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.'),
      'pickle',
      /ends where/,
    ],
    ['tar', tar, 'torch', /tar archive/],
    ['a plain pickle', pickle, 'torch', /pickle, but torch.save did not write it/],
    ['a zip without a pickle', zip(entries.slice(1)), 'torch', /without data.pkl/],
    ['a zip with two', zip([...entries, ...torchEntries(pickle, [], 'b')]), 'torch', /more than one/],
    ['big-endian', zip([entries[0]!, { name: 'archive/byteorder', bytes: bytesOf('big') }]), 'torch', /little-endian/],
    ['an entry twice', zip([...entries, entries[0]!]), 'duplicate', /"archive\/data.pkl" twice/],
    ['compressed', zip([{ ...entries[0]!, method: 8 }]), 'zip', /"archive\/data.pkl" is compressed/],
    ['encrypted', zip([{ ...entries[0]!, flags: 1 }]), 'zip', /encrypted/],
    ['a zip that was cut', good.subarray(0, -30), 'zip', /no directory/],
    ['only its first bytes', good.subarray(0, 10), 'zip', /no directory/],
    ['a directory past the file', patched('PK\x05\x06', 16, le(0xfffffff0, 4)), 'zip', /past its/],
    ['a directory elsewhere', patched('PK\x05\x06', 16, le(3, 4)), 'zip', /no entry at byte 3/],
    ['more entries than there are', patched('PK\x05\x06', 10, le(60000, 2)), 'zip', /no entry/],
    ['a name past the file', patched('PK\x01\x02', 28, le(0xffff, 2)), 'zip', /runs past the file/],
    ['an entry past the file', patched('PK\x01\x02', 20, bytesOf(le(1e6, 4), le(1e6, 4))), 'zip', /ends at byte/],
    ['an entry of two sizes', patched('PK\x01\x02', 20, le(1, 4)), 'zip', /two sizes/],
    ['an entry elsewhere', patched('PK\x01\x02', 42, le(1, 4)), 'zip', /not at byte 1/],
    ['64-bit sizes that are missing', patched('PK\x01\x02', 20, le(0xffffffff, 4)), 'zip', /lacks its 64-bit/],
    ['a 64-bit directory that is missing', patched('PK\x05\x06', 10, le(0xffff, 2)), 'zip', /has none/],
    ['a 64-bit directory elsewhere', patched('PK\x06\x07', 8, le(0, 8), wide), 'zip', /no 64-bit directory/],
    ['a 64-bit size of 2^63', patched('PK\x06\x06', 48, le(2n ** 63n, 8), wide), 'zip', /claims 9223372036854775808/],
    ['too many entries', patched('PK\x06\x06', 32, le(2 ** 21, 8), large), 'limit', /2097152 entries/],
  ];
  it.each(cases)('%s', (_, file, code, message) => {
    const error = failure(() => parseTorchCheckpoint(file, 'f.pt'));
    expect(error.message).toMatch(message);
    expect(error.code).toBe(code);
  });

  it('reads the zip that the others are made of', () => {
    for (const file of [good, wide]) {
      expect([...readStoredZip(file, 'f')].map(([name, bytes]) => ({ name, bytes }))).toEqual(entries);
      expect(parseTorchCheckpoint(file, 'f')).toEqual(new Map());
    }
  });
});
