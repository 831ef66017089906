import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toFloat32 } from '../../src/io/dtypes.ts';
import { IoError, type IoErrorCode } from '../../src/io/errors.ts';
import type { RawTensor } from '../../src/io/safetensors.ts';
import { parseTorchCheckpoint } from '../../src/io/torch_checkpoint.ts';
import { plainTensors, torchTensors } from '../../src/io/torch_names.ts';
import { readStoredZip } from '../../src/io/zip.ts';
import { float32ToHalf } from '../../src/kernel/index.ts';
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
      'torch before 1.6',
      bytesOf('\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.'),
      'torch',
      /before 1\.6.*torch\.save/,
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

describe('names', () => {
  const x = (n: number, ...shape: number[]) =>
    floats(shape, new Float32Array(shape.reduce((product, size) => product * size, 1)).fill(n));
  const names = (value: unknown) => [...torchTensors(load(value), 'f').tensors.keys()];
  const value = (tensors: ReadonlyMap<string, RawTensor>, name: string) => toFloat32(tensors.get(name) as RawTensor)[0];

  it('joins the path with dots, and ends in a tree that contains itself', () => {
    const tree = new Map<string, unknown>([
      ['a', [x(1, 1), new Tuple([x(2, 1)])]],
      ['b.c', x(3, 1)],
    ]);
    expect([...plainTensors(load(tree), 'f').keys()]).toEqual(['a.0', 'a.1.0', 'b.c']);
    const cycle = new Map<unknown, unknown>();
    cycle.set('self', cycle).set('x', { dtype: 'U8', shape: [0], data: new Uint8Array(0) });
    expect([...plainTensors(cycle, 'f').keys()]).toEqual(['x']);
  });

  it('does not walk shared containers once a path', () => {
    const tensor = { dtype: 'U8', shape: [0], data: new Uint8Array(0) };
    let tree = new Map<unknown, unknown>([['x', tensor]]);
    for (let i = 0; i < 60; i++)
      tree = new Map([
        ['a', tree],
        ['b', tree],
      ]);
    expect(plainTensors(tree, 'f').size).toBe(1);
  });

  it('refuses two tensors of one name, deep nesting and endless names', () => {
    const tensor = { dtype: 'U8', shape: [0], data: new Uint8Array(0) };
    const twice = new Map<unknown, unknown>([
      ['a.b', tensor],
      ['a', new Map([['b', tensor]])],
    ]);
    expect(failure(() => plainTensors(twice, 'f')).code).toBe('duplicate');
    expect(
      failure(() =>
        torchTensors(
          new Map([
            ['a', tensor],
            ['module.a', tensor],
          ]),
          'f',
        ),
      ).code,
    ).toBe('duplicate');
    let deep: unknown = tensor;
    for (let i = 0; i < 100_000; i++) deep = [deep];
    expect(failure(() => plainTensors(deep, 'f')).code).toBe('limit');
    const long = 'n'.repeat(60_000_000);
    expect(failure(() => plainTensors(new Map([[long, new Map([[long, tensor]])]]), 'f')).code).toBe('limit');
    const list = new Map(Array.from({ length: 3 }, (_, i) => [`${long}${i}`, tensor]));
    expect(failure(() => plainTensors(list, 'f')).code).toBe('limit');
  });

  it('takes a bare state_dict, and one under a key, as model and ema', () => {
    const state = new Map<string, unknown>([
      ['module.a', x(1, 1)],
      ['module.b', x(2, 1)],
    ]);
    const expected = ['model/a', 'model/b', 'ema/a', 'ema/b'];
    expect(names(state)).toEqual(expected);
    for (const key of ['model', 'ema', 'state_dict']) expect(names(new Map([[key, state]]))).toEqual(expected);
  });

  it('finds weights under any prefix, and says what it leaves out', () => {
    const parts = ['x_embedder.proj.weight', 'blocks.0.mlp.bias'];
    const under = (prefix: string, n = 1) => parts.map((name): [string, unknown] => [`${prefix}${name}`, x(n, 1)]);
    const expected = ['model', 'ema'].flatMap((group) => parts.map((name) => `${group}/${name}`));
    for (const prefix of [
      '',
      'module.',
      '_orig_mod.',
      'net.',
      'model.',
      'state_dict.module._orig_mod.',
      'ema.',
      'a.b.',
    ])
      expect(names(new Map(under(prefix)))).toEqual(expected);
    expect(names(new Map([['state_dict', new Map([['net', new Map(under('module.'))]])]]))).toEqual(expected);
    const compiled = new Map<string, unknown>([under('')[0]!, ['blocks.0._orig_mod.mlp.bias', x(1, 1)]]);
    expect(names(compiled)).toEqual(expected);

    const both = new Map([
      ['state_dict', new Map([...under('model.'), ...under('ema_model.', 2), ['n_averaged', x(0)]])],
    ]);
    const { tensors, notes } = torchTensors(load(both), 'f');
    expect([...tensors.keys()]).toEqual(expected);
    expect(toFloat32(tensors.get('ema/blocks.0.mlp.bias')!)).not.toEqual(
      toFloat32(tensors.get('model/blocks.0.mlp.bias')!),
    );
    expect(notes).toEqual(['1 tensors beside the weights under "model." and "ema_model." are left out']);
    const error = failure(() => torchTensors(load(new Map([...under('a.'), ...under('b.')])), 'f'));
    expect(error).toMatchObject({ code: 'ambiguous', message: expect.stringContaining('"a." and "b."') });
  });

  it('names what it finds where there are no weights', () => {
    expect(failure(() => torchTensors(load(new Map([['epoch', 3]])), 'f')).message).toContain(
      'no weights under ["epoch"]',
    );
    expect(failure(() => torchTensors(load(x(1, 1)), 'f')).code).toBe('torch');
    expect(failure(() => torchTensors(load(3), 'f')).code).toBe('torch');
  });

  /** The reference's checkpoint: a frozen table first, two buffers among the parameters, moments by number. */
  const state = new Map<string, unknown>([
    ['pos_embed', x(0, 1, 4, 2)],
    ['embed.weight', x(1, 2, 3)],
    ['rope.freqs_cos', x(0, 4, 5)],
    ['rope.freqs_sin', x(0, 4, 5)],
    ['a.weight', x(2, 2, 2)],
    ['b.weight', x(3, 2, 2)],
  ]);
  const moment = (n: number, ...shape: number[]) =>
    new Map<string, unknown>([
      ['step', x(12)],
      ['exp_avg', x(n, ...shape)],
      ['exp_avg_sq', x(n + 0.5, ...shape)],
    ]);
  const moments = (...entries: [number, unknown][]) => new Map<unknown, unknown>(entries);
  const opt = (of: unknown, params: readonly number[]) =>
    new Map([
      ['state', of],
      [
        'param_groups',
        [
          new Map<string, unknown>([
            ['lr', 0.1],
            ['params', params],
          ]),
        ],
      ],
    ] as [string, unknown][]);
  const reference = (optimizer: unknown) =>
    new Map<string, unknown>([
      ['model', state],
      ['ema', new Map([...state].map(([name, tensor]) => [`module.${name}`, tensor]))],
      ['opt', optimizer],
      [
        'unigen',
        new Map([
          ['mod.module.a.weight', x(7, 2, 2)],
          ['mod.b.weight', x(8, 2, 2)],
          ['other', x(9, 1)],
        ]),
      ],
      ['config', new Map([['transport', new Map([['type', 'TrigFlow']])]])],
    ]);

  it('names the groups of the reference, its moments by the order of the parameters', () => {
    const optimizer = opt(moments([1, moment(1, 2, 3)], [2, moment(2, 2, 2)], [3, moment(3, 2, 2)]), [0, 1, 2, 3]);
    const { tensors, optimizerStep, config, notes } = torchTensors(load(reference(optimizer)), 'f');
    expect(notes).toEqual([]);
    expect(optimizerStep).toBe(12);
    expect(config?.has('transport')).toBe(true);
    const of = (group: string) => [...tensors.keys()].filter((name) => name.startsWith(group));
    expect(of('ema/')).toEqual([...state.keys()].map((name) => `ema/${name}`));
    expect(of('m/')).toEqual(['m/embed.weight', 'm/a.weight', 'm/b.weight']);
    expect(of('v/')).toEqual(['v/embed.weight', 'v/a.weight', 'v/b.weight']);
    expect(of('teacher/')).toEqual(['teacher/a.weight', 'teacher/b.weight']);
    for (const [i, name] of ['embed', 'a', 'b'].entries()) {
      expect(value(tensors, `m/${name}.weight`)).toBe(i + 1);
      expect(value(tensors, `v/${name}.weight`)).toBe(i + 1.5);
    }
  });

  it.each([
    ['an order that two ways fit', opt(moments([1, moment(1, 2, 2)]), [0, 1])],
    ['a shape that none has', opt(moments([1, moment(1, 9, 9)]), [0, 1, 2, 3])],
    ['more parameters than tensors', opt(moments([1, moment(1, 2, 3)]), [0, 1, 2, 3, 4, 5, 6])],
    ['no groups', new Map([['state', moments([1, moment(1, 2, 3)])]])],
  ])('leaves the moments out with a note for %s', (_, optimizer) => {
    const { tensors, notes } = torchTensors(load(reference(optimizer)), 'f');
    expect(notes).toHaveLength(1);
    expect([...tensors.keys()].some((name) => /^[mv]\//.test(name))).toBe(false);
  });
});

describe('halves', () => {
  it('are read back from every half, and rounded to the nearest, ties to even', () => {
    const halves = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const values = toFloat32({ dtype: 'F16', data: new Uint8Array(halves.buffer) });
    const back = float32ToHalf(values);
    for (let i = 0; i < 65536; i++) {
      if (Number.isNaN(values[i])) expect(back[i]! & 0x7fff).toBe(0x7e00);
      else if (back[i] !== i) expect([i, back[i]]).toEqual([i, i]);
    }
    const up = new Float32Array(1);
    const bits = new Uint32Array(up.buffer);
    for (let i = 0; i < 0x7c00; i++) {
      const [low, high] = [values[i]!, i === 0x7bff ? 65536 : values[i + 1]!];
      const middle = (low + high) / 2; // exact: a float has thirteen bits more
      up[0] = middle;
      bits[0]!--;
      const below = up[0];
      bits[0]! += 2;
      const got = float32ToHalf(Float32Array.of(middle, -middle, below, up[0]));
      const even = i % 2 === 0 ? i : i + 1;
      const expected = [even, 0x8000 | even, i, i + 1];
      if (expected.some((half, k) => half !== got[k])) expect([i, ...got]).toEqual([i, ...expected]);
    }
    expect([...float32ToHalf(Float32Array.of(65519.996, 65520, 1e30, 1e-30))]).toEqual([0x7bff, 0x7c00, 0x7c00, 0]);
  });
});

describe('whatever bytes are changed', () => {
  const shared = storage('FloatStorage', count(24));
  const good = new Map<string, unknown>([
    [
      'model',
      new Map<string, unknown>([
        ['a', new Saved(shared, [4, 6], [1, 4])],
        ['b', new Saved(shared, [2], [1], 3)],
      ]),
    ],
    [
      'opt',
      new Map<string, unknown>([
        ['state', new Map([[0, new Map([['exp_avg', floats([4, 6], count(24))]])]])],
        ['param_groups', [new Map([['params', [0, 1]]])]],
      ]),
    ],
    [
      'config',
      new Map<string, unknown>([
        ['lr', 0.1],
        ['names', ['x', null, true, 2 ** 20]],
      ]),
    ],
  ]);
  const pickle = pickled(good);
  const file = torchFile(good);
  const wide = torchFile(good, true);

  let [loaded, tries, slowest] = [0, 0, 0];
  /** Reads bytes as a file; what comes out must be bounded by what went in. */
  const attempt = (bytes: Uint8Array): void => {
    const start = performance.now();
    tries++;
    try {
      const tree = parseTorchCheckpoint(bytes, 'f');
      let copied = 0;
      for (const { dtype, shape, data } of plainTensors(tree, 'f').values()) {
        if (data.buffer !== bytes.buffer) copied += data.byteLength;
        expect(toFloat32({ dtype, data })).toHaveLength(shape.reduce((product, size) => product * size, 1));
      }
      expect(copied).toBeLessThanOrEqual(16 * bytes.byteLength + 2 ** 20);
      loaded++;
      torchTensors(tree, 'f');
    } catch (error) {
      if (!(error instanceof IoError)) throw error;
      expect(error.message.length).toBeLessThan(1000);
    }
    slowest = Math.max(slowest, performance.now() - start);
  };
  const byte = fc.integer({ min: 0, max: 255 });
  /** Some edits of some bytes: overwritten, cut out, or moved here from elsewhere. */
  const edit = fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    from: fc.nat(),
    length: fc.integer({ min: 1, max: 16 }),
    byte,
    kind: fc.constantFrom('set', 'cut', 'splice', 'flip'),
  });
  const edits = fc.array(edit, { minLength: 1, maxLength: 2 });
  type Edit = typeof edit extends fc.Arbitrary<infer T> ? T : never;
  const change = (good: Uint8Array, list: readonly Edit[]): Uint8Array => {
    let bytes = bytesOf(good);
    for (const { at, from, length, byte, kind } of list) {
      const place = Math.floor(at * bytes.byteLength);
      const source = from % (bytes.byteLength + 1);
      const put = {
        set: Uint8Array.of(byte),
        cut: new Uint8Array(0),
        splice: bytes.slice(source, source + length),
        flip: Uint8Array.of((bytes[place] ?? 0) ^ (1 << (byte % 8))),
      }[kind];
      const gone = kind === 'splice' ? 0 : kind === 'cut' ? length : 1;
      bytes = bytesOf(bytes.subarray(0, place), put, bytes.subarray(place + gone));
    }
    return bytes;
  };
  const rezipped = (changed: Uint8Array): Uint8Array => zip(torchEntries(changed, [shared]));

  it('a file loads or ends in an IoError, soon and without much memory', () => {
    const before = process.memoryUsage();
    const check = (runs: number, arbitrary: fc.Arbitrary<Uint8Array>) =>
      fc.assert(fc.property(arbitrary, attempt), { numRuns: runs, seed: 11 });
    const start = performance.now();
    check(
      4000,
      edits.map((list) => change(file, list)),
    );
    check(
      2000,
      edits.map((list) => change(wide.subarray(-400), list)).map((end) => bytesOf(wide.subarray(0, -400), end)),
    );
    check(
      1000,
      fc.nat(file.byteLength).map((length) => file.slice(0, length)),
    );
    check(
      4000,
      edits.map((list) => rezipped(change(pickle, list))),
    );
    // Any opcodes, with names and storages among them that are allowed, so that calls succeed.
    const opcodes = [...'N\x88K\x00M]})(tlaesu\x85\x86\x870 12qh\x94j\x93R\x81b\x8f\x90\x91QGXUCBJ\x8a\x8bd'].map((c) =>
      bytesOf(c),
    );
    const phrases = [
      'ctorch._utils\n_rebuild_tensor_v2\n',
      'ccollections\nOrderedDict\n',
      'cargparse\nNamespace\n)\x81',
      'ctorch\nSize\n',
      'ctorch\nFloatStorage\n',
      `(U\x07storagectorch\nFloatStorage\nU${String.fromCharCode(shared.key.length)}${shared.key}U\x03cpuK\x18tQ`,
      '(K\x02K\x03t',
      '(K\x01K\x00t',
      'K\x00',
      '}U\x01aK\x01s',
      'q\x01h\x01',
      'U\x05modelh\x01s',
    ].map((text) => bytesOf(text));
    const word = fc.oneof(
      fc.constantFrom(...opcodes),
      fc.constantFrom(...phrases),
      byte.map((b) => bytesOf(b)),
    );
    const program = fc.array(word, { maxLength: 60 }).map((words) => rezipped(bytesOf('\x80\x02', ...words, '.')));
    check(4000, program);
    const after = process.memoryUsage();
    expect(tries).toBe(15_000);
    expect(loaded).toBeGreaterThan(1000);
    expect(slowest).toBeLessThan(1000);
    expect(performance.now() - start).toBeLessThan(60_000);
    expect(after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers).toBeLessThan(2 ** 29);
  });
});
