import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IoError, type IoErrorCode } from '../../src/io/errors.ts';
import { encodeSafetensors, parseSafetensors, toFloat32, type WritableTensor } from '../../src/io/safetensors.ts';
import { failure } from './folder.ts';

function join(chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0));
  let at = 0;
  for (const chunk of chunks) {
    out.set(chunk, at);
    at += chunk.byteLength;
  }
  return out;
}

/** A file with any header text and a number of data bytes. */
function file(header: string | Uint8Array, dataBytes = 0, length?: bigint): Uint8Array<ArrayBuffer> {
  const json = typeof header === 'string' ? new TextEncoder().encode(header) : header;
  const head = new Uint8Array(8);
  new DataView(head.buffer).setBigUint64(0, length ?? BigInt(json.byteLength), true);
  return join([head, json, new Uint8Array(dataBytes)]);
}

const tensor = (dtype: unknown, shape: unknown, offsets: unknown) =>
  JSON.stringify({ dtype, shape, data_offsets: offsets });

describe('safetensors round trip', () => {
  const tensors: [string, WritableTensor][] = [
    ['z/weight', { shape: [2, 3], data: Float32Array.of(1, -2, 0.1, Number.POSITIVE_INFINITY, -0, 1e-40) }],
    ['10', { shape: [2], data: Int32Array.of(-1, 7) }],
    ['2', { shape: [], data: Uint32Array.of(4294967295) }],
    ['empty', { shape: [0, 4], data: new Float32Array(0) }],
    ['__proto__', { shape: [1], data: Float32Array.of(3) }],
    ['"quoted"\n{name}: é', { shape: [1], data: Float32Array.of(4) }],
  ];

  it('keeps names, order, shapes, dtypes, bits and metadata', () => {
    const metadata = { format: 'x', text: 'a "b"\n{c}', __metadata__: 'nested' };
    const parsed = parseSafetensors(join(encodeSafetensors(tensors, metadata)), 'f');
    expect(parsed.metadata).toEqual(metadata);
    expect([...parsed.tensors.keys()]).toEqual(tensors.map(([name]) => name));
    for (const [name, { shape, data }] of tensors) {
      const found = parsed.tensors.get(name)!;
      expect(found.shape).toEqual(shape);
      expect(found.dtype).toBe(data instanceof Float32Array ? 'F32' : data instanceof Int32Array ? 'I32' : 'U32');
      expect([...found.data]).toEqual([...new Uint8Array(data.buffer)]);
      expect(toFloat32(found)).toEqual(Float32Array.from(data));
    }
  });

  it('writes any dtype by its name', () => {
    const bytes = join(
      encodeSafetensors(
        [
          ['half', { dtype: 'F16', shape: [3], data: Uint16Array.of(0x3c00, 0, 0xc000) }],
          ['long', { dtype: 'I64', shape: [], data: Uint8Array.of(5, 0, 0, 0, 0, 0, 0, 0) }],
        ],
        {},
      ),
    );
    const { tensors } = parseSafetensors(bytes, 'f');
    expect([...toFloat32(tensors.get('half')!)]).toEqual([1, 0, -2]);
    expect([...toFloat32(tensors.get('long')!)]).toEqual([5]);
    const wrong = (dtype: string) => encodeSafetensors([['a', { dtype, shape: [1], data: new Uint8Array(4) }]], {});
    expect(failure(() => wrong('F31')).code).toBe('dtype');
    expect(failure(() => wrong('F16')).code).toBe('shape');
  });

  it('pads the header to 8 bytes with spaces and copies no data', () => {
    for (let length = 1; length < 10; length++) {
      const data = Float32Array.of(1);
      const [head, chunk] = encodeSafetensors([['n'.repeat(length), { shape: [1], data }]], {});
      expect(head!.byteLength % 8).toBe(0);
      expect(new TextDecoder().decode(head!.subarray(8))).toMatch(/^\{.*\} *$/);
      expect(chunk!.buffer).toBe(data.buffer);
    }
  });

  it('writes and reads a part of a larger buffer, at any byte', () => {
    const data = Float32Array.of(9, 1, 2, 9).subarray(1, 3);
    const bytes = join(encodeSafetensors([['a', { shape: [2], data }]], {}));
    const shifted = new Uint8Array(bytes.byteLength + 3);
    shifted.set(bytes, 3);
    expect(toFloat32(parseSafetensors(shifted.subarray(3), 'f').tensors.get('a')!)).toEqual(Float32Array.of(1, 2));
  });

  it('reads a file without tensors, and tensors in any order', () => {
    expect(parseSafetensors(file('{}'), 'f')).toEqual({ tensors: new Map(), metadata: {} });
    const header = `{"b":${tensor('U8', [2], [1, 3])},"a":${tensor('U8', [1], [0, 1])}}`;
    expect([...parseSafetensors(file(header, 3), 'f').tensors.keys()]).toEqual(['b', 'a']);
  });

  it('refuses tensors that no file could hold', () => {
    const one = { shape: [1], data: Float32Array.of(1) };
    expect(
      failure(() =>
        encodeSafetensors(
          [
            ['a', one],
            ['a', one],
          ],
          {},
        ),
      ).code,
    ).toBe('duplicate');
    expect(failure(() => encodeSafetensors([['__metadata__', one]], {})).code).toBe('duplicate');
    expect(failure(() => encodeSafetensors([['a', { ...one, shape: [2] }]], {})).code).toBe('shape');
    expect(failure(() => encodeSafetensors([['a', { ...one, shape: [-1, -1] }]], {})).code).toBe('shape');
    expect(failure(() => encodeSafetensors([], { step: 3 } as unknown as Record<string, string>)).code).toBe(
      'metadata',
    );
  });
});

describe('toFloat32', () => {
  const read = (dtype: string, source: ArrayBufferView) => {
    const bytes = new Uint8Array(source.byteLength + 1); // one byte off, so never aligned
    bytes.set(new Uint8Array(source.buffer), 1);
    return [...toFloat32({ dtype, data: bytes.subarray(1) })];
  };

  it('converts every dtype, unaligned', () => {
    expect(read('F32', Float32Array.of(1.5, -2))).toEqual([1.5, -2]);
    expect(read('F64', Float64Array.of(0.1, 1e300))).toEqual([Math.fround(0.1), Number.POSITIVE_INFINITY]);
    expect(read('I32', Int32Array.of(-5, 5))).toEqual([-5, 5]);
    expect(read('U32', Uint32Array.of(4294967295))).toEqual([4294967296]);
    expect(read('I64', BigInt64Array.of(-7n, 1n << 40n))).toEqual([-7, 2 ** 40]);
    expect(read('U64', BigUint64Array.of(1n << 63n))).toEqual([2 ** 63]);
    expect(read('U16', Uint16Array.of(65535))).toEqual([65535]);
    expect(read('I16', Int16Array.of(-3))).toEqual([-3]);
    expect(read('I8', Int8Array.of(-3))).toEqual([-3]);
    expect(read('U8', Uint8Array.of(0, 255))).toEqual([0, 255]);
    expect(read('BOOL', Uint8Array.of(0, 1))).toEqual([0, 1]);
    expect(read('BF16', Uint16Array.of(0x3f80, 0xc000, 0x7f80))).toEqual([1, -2, Number.POSITIVE_INFINITY]);
    const halves = Uint16Array.of(0x3c00, 0xc000, 0x7bff, 0x0001, 0x0400, 0x8000, 0x7c00, 0xfc00, 0x7e00, 0x3555);
    expect(read('F16', halves)).toEqual([1, -2, 65504, 2 ** -24, 2 ** -14, -0, Infinity, -Infinity, NaN, 1365 / 4096]);
  });

  it('names what it cannot convert', () => {
    expect(failure(() => toFloat32({ dtype: 'F4', data: new Uint8Array(4) })).code).toBe('dtype');
    expect(failure(() => toFloat32({ dtype: 'F32', data: new Uint8Array(5) })).code).toBe('size');
  });
});

describe('malformed safetensors', () => {
  const huge = Number.MAX_SAFE_INTEGER;
  const one = tensor('U8', [1], [0, 1]);
  const cases: [string, Uint8Array, IoErrorCode][] = [
    ['empty', new Uint8Array(0), 'too-short'],
    ['7 bytes', new Uint8Array(7), 'too-short'],
    ['header past the file', file('{}', 0, 3n), 'header-length'],
    ['header past 100 MB', file('{}', 0, 100_000_001n), 'header-length'],
    ['header of 2^64 - 1', file('{}', 0, (1n << 64n) - 1n), 'header-length'],
    ['empty header', file(''), 'header-json'],
    ['no JSON', file('{"a":}'), 'header-json'],
    ['JSON with a line break', file('{"a":\n\n?}'), 'header-json'],
    ['no UTF-8', file(Uint8Array.of(0x22, 0xff, 0x22)), 'header-json'],
    ['byte order mark', file('\ufeff{}'), 'header-json'],
    ['deep nesting', file('['.repeat(200_000)), 'header-json'],
    ['deep nesting that closes', file(`{"a":{"dtype":${'['.repeat(100_000)}${']'.repeat(100_000)}}}`), 'dtype'],
    ['a string of 16 MB', file(`{"a":{"dtype":"${'x'.repeat(1 << 24)}"}}`), 'dtype'],
    ['a long shape', file(`{"a":${tensor('U8', Array(1000).fill('x'.repeat(1000)), [0, 4])}}`, 4), 'shape'],
    ['a list', file('[]'), 'header-object'],
    ['null', file('null'), 'header-object'],
    ['a number', file('3'), 'header-object'],
    ['an entry that is no object', file('{"a":[1]}'), 'header-object'],
    ['metadata that is no object', file('{"__metadata__":"x"}'), 'metadata'],
    ['metadata that is no text', file('{"__metadata__":{"step":3}}'), 'metadata'],
    ['a name twice', file(`{"a":${one},"a":${one}}`, 1), 'duplicate'],
    ['a name twice, once escaped', file(`{"a":${one},"\\u0061":${one}}`, 1), 'duplicate'],
    ['a field twice', file('{"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}', 1), 'duplicate'],
    ['unknown dtype', file(`{"a":${tensor('F31', [1], [0, 4])}}`, 4), 'dtype'],
    ['dtype of an inherited name', file(`{"a":${tensor('constructor', [1], [0, 4])}}`, 4), 'dtype'],
    ['no dtype', file('{"a":{"shape":[1],"data_offsets":[0,4]}}', 4), 'dtype'],
    ['negative shape', file(`{"a":${tensor('F32', [-1], [0, 4])}}`, 4), 'shape'],
    ['fractional shape', file(`{"a":${tensor('F32', [0.5], [0, 2])}}`, 2), 'shape'],
    ['unsafe shape', file(`{"a":${tensor('F32', [2 ** 53], [0, 4])}}`, 4), 'shape'],
    ['shape of text', file(`{"a":${tensor('F32', ['1'], [0, 4])}}`, 4), 'shape'],
    ['no shape', file('{"a":{"dtype":"U8","data_offsets":[0,4]}}', 4), 'shape'],
    ['fractional offsets', file(`{"a":${tensor('F32', [1], [0.5, 4.5])}}`, 8), 'offsets'],
    ['negative offsets', file(`{"a":${tensor('F32', [1], [-4, 0])}}`, 8), 'offsets'],
    ['three offsets', file(`{"a":${tensor('F32', [1], [0, 4, 4])}}`, 4), 'offsets'],
    ['no offsets', file('{"a":{"dtype":"U8","shape":[4]}}', 4), 'offsets'],
    ['offsets backwards', file(`{"a":${tensor('F32', [1], [4, 0])}}`, 4), 'offsets'],
    ['offsets past the end', file(`{"a":${tensor('F32', [1], [0, 4])}}`, 3), 'offsets'],
    ['too few bytes', file(`{"a":${tensor('F32', [2], [0, 4])}}`, 4), 'size'],
    ['a product past 2^53', file(`{"a":${tensor('F32', [huge, huge, 0], [0, 0])}}`), 'size'],
    ['overlap', file(`{"a":${tensor('U8', [2], [0, 2])},"b":${tensor('U8', [2], [1, 3])}}`, 3), 'overlap'],
    ['shared bytes', file(`{"a":${one},"b":${one}}`, 1), 'overlap'],
    ['a hole', file(`{"a":${one},"b":${tensor('U8', [1], [2, 3])}}`, 3), 'hole'],
    ['a hole at the start', file(`{"a":${tensor('U8', [1], [1, 2])}}`, 2), 'hole'],
    ['trailing bytes', file(`{"a":${one}}`, 2), 'trailing'],
    ['trailing bytes, no tensors', file('{}', 1), 'trailing'],
    ['a name with line breaks', file(`{"a\\n\\u2028b":${tensor('?', [1], [0, 1])}}`, 1), 'dtype'],
  ];
  it.each(cases)('%s', (_name, bytes, code) => {
    const error = failure(() => parseSafetensors(bytes, 'some.safetensors'));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(/^some\.safetensors: .+\. Fix: .+$/);
    expect(error.message).not.toMatch(/[\n\r\u2028]/);
    expect(error.message.length).toBeLessThan(1000);
  });

  it('loads or throws an IoError, whatever bytes are changed', () => {
    const good = join(
      encodeSafetensors(
        [
          ['a', { shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) }],
          ['b', { shape: [3], data: Int32Array.of(1, 2, 3) }],
        ],
        { step: '12' },
      ),
    );
    const ascii = [...'{}[]",:0123456789-.eE\\ aFUI'].map((c) => c.charCodeAt(0));
    const byte = fc.oneof(fc.constantFrom(...ascii), fc.integer({ min: 0, max: 255 }));
    const edit = fc.record({ at: fc.nat(good.byteLength - 1), byte, kind: fc.constantFrom('set', 'insert', 'delete') });
    let loaded = 0;
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), fc.nat(40), (edits, cut) => {
        const bytes = [...good];
        for (const { at, byte, kind } of edits)
          bytes.splice(at, kind === 'insert' ? 0 : 1, ...(kind === 'delete' ? [] : [byte]));
        // An insertion shifts the header: half the cases mend its length, to get past the first check.
        const changed = Uint8Array.from(cut < 10 ? bytes.slice(0, bytes.length - cut) : bytes);
        if (cut > 20 && changed.byteLength >= 36)
          new DataView(changed.buffer).setBigUint64(0, BigInt(changed.byteLength - 36), true);
        try {
          for (const found of parseSafetensors(changed, 'f').tensors.values()) toFloat32(found);
          loaded++;
        } catch (error) {
          if (!(error instanceof IoError)) throw error;
        }
      }),
      { numRuns: 10_000, seed: 7 },
    );
    expect(loaded).toBeGreaterThan(100);
  });
});
