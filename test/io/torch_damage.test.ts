import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toFloat32 } from '../../src/io/dtypes.ts';
import { IoError } from '../../src/io/errors.ts';
import { parseTorchCheckpoint } from '../../src/io/torch_checkpoint.ts';
import { plainTensors, torchTensors } from '../../src/io/torch_names.ts';
import { bytesOf, floats, pickled, Saved, storage, torchEntries, torchFile, zip } from './torch_file.ts';

/** Milliseconds that this process has worked: a busy machine is slow, and the reader is not. */
const processorTime = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

const count = (n: number) => Float32Array.from({ length: n }, (_, i) => i);

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
    const start = processorTime();
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
    slowest = Math.max(slowest, processorTime() - start);
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
    const start = processorTime();
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
    expect(processorTime() - start).toBeLessThan(60_000);
    expect(after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers).toBeLessThan(2 ** 29);
  });
});
