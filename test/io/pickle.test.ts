import { describe, expect, it } from 'vitest';
import type { IoErrorCode } from '../../src/io/errors.ts';
import { containerGlobals, MAX_PICKLE_STEPS, type PickleHost, parsePickle } from '../../src/io/pickle.ts';
import { failure } from './folder.ts';
import { bytesOf, le, type Part } from './torch_file.ts';

const host: PickleHost = { globals: new Map(containerGlobals('f')), persistent: (id) => ['persistent', id] };
const load = (...parts: readonly Part[]) => parsePickle(bytesOf(...parts), 'f', host);

describe('parsePickle reads plain values', () => {
  const cases: [what: string, pickle: readonly Part[], value: unknown][] = [
    ['none, true, false', ['(N\x88\x89t.'], [null, true, false]],
    ['small integers', ['(K\xffM\xff\xffJ\xff\xff\xff\xfft.'], [255, 65535, -1]],
    ['LONG1', ['(\x8a\x00\x8a\x01\xff\x8a\x02\xff\x00\x8a\x05\x00\x00\x00\x00\x01t.'], [0, -1, 255, 2 ** 32]],
    [
      'the greatest exact integer and the next',
      ['(\x8a\x07', le(2 ** 53 - 1, 7), '\x8a\x07', le(2 ** 53, 7), 't.'],
      [2 ** 53 - 1, 2n ** 53n],
    ],
    ['LONG1 below', ['\x8a\x08', le(-(2n ** 63n), 8), '.'], -(2n ** 63n)],
    ['LONG4', ['\x8b\x02\x00\x00\x00\x00\x80.'], -32768],
    ['a double', ['G\x3f\xb9\x99\x99\x99\x99\x99\x9a.'], 0.1],
    ['texts', ['(X\x02\x00\x00\x00\xc3\xa9\x8c\x01a\x8d', le(1, 8), 'bt.'], ['é', 'a', 'b']],
    ['strings of Python 2', ['(U\x01\xe9T\x02\x00\x00\x00abt.'], ['é', 'ab']],
    [
      'bytes',
      ['(C\x01aB\x01\x00\x00\x00b\x8e', le(1, 8), 'c\x96', le(0, 8), 't.'],
      [[97], [98], [99], []].map((b) => Uint8Array.from(b)),
    ],
    ['tuples', ['()K\x01\x85K\x01K\x02\x86K\x01K\x02K\x03\x87(t(lt.'], [[], [1], [1, 2], [1, 2, 3], [], []]],
    ['lists', ['](K\x01K\x02eK\x03a.'], [1, 2, 3]],
    [
      'dictionaries',
      ['}(K\x01K\x02u\x8c\x01aNs.'],
      new Map<unknown, unknown>([
        [1, 2],
        ['a', null],
      ]),
    ],
    [
      'a dictionary of protocol 0',
      ["(dp0\nS'a'\np1\nI01\nsVb\\u00e9\nL12345678901234567890L\nsF1.5\nI-7\ns."],
      new Map<unknown, unknown>([
        ['a', true],
        ['bé', 12345678901234567890n],
        [1.5, -7],
      ]),
    ],
    ['floats of protocol 0', ['(Finf\nF-inf\nF1e3\nt.'], [Infinity, -Infinity, 1000]],
    ['sets', ['(\x8f(K\x01K\x02\x90(K\x03\x91t.'], [new Set([1, 2]), new Set([3])]],
    ['pops, marks and copies', ['(K\x01K\x020(K\x031(02t.'], [1, 1]],
    ['the memo', ['(]q\x00h\x00r\x00\x00\x00\xffj\x00\x00\x00\xff0K\x05\x94h\x02t.'], [[], [], 5, 5]],
    ['protocol 4 with a frame', ['\x80\x04\x95', le(5, 8), '}\x94(K\x01K\x02u.'], new Map([[1, 2]])],
    [
      'an OrderedDict with its state',
      ['ccollections\nOrderedDict\n)R(K\x01K\x02u}\x8c\x09_metadataNsb.'],
      new Map([[1, 2]]),
    ],
    ['a Namespace', ['\x8c\x08argparse\x8c\x09Namespace\x93)\x81}\x8c\x02lrK\x01sb.'], new Map([['lr', 1]])],
    ['a Namespace by INST', ['(iargparse\nNamespace\n}\x8c\x02lrK\x01sb.'], new Map([['lr', 1]])],
    [
      'persistent ids',
      ['(K\x01QPabc\nt.'],
      [
        ['persistent', 1],
        ['persistent', 'abc'],
      ],
    ],
  ];
  it.each(cases)('%s', (_, pickle, value) => expect(load(...pickle)).toEqual(value));

  it('keeps shared values shared, and cycles', () => {
    const [a, b] = load('(]q\x00h\x00t.') as [unknown[], unknown[]];
    expect(a).toBe(b);
    const cycle = load(']q\x00h\x00a.') as unknown[];
    expect(cycle[0]).toBe(cycle);
  });

  it('nests a million containers', () => {
    const depth = 1_000_000;
    let value = load(']'.repeat(depth), 'a'.repeat(depth - 1), '.');
    let levels = 0;
    for (; Array.isArray(value); value = value[0]) levels++;
    expect(levels).toBe(depth);
  });
});

describe('parsePickle refuses', () => {
  const names: [what: string, pickle: string, name: string][] = [
    ['os.system', "cos\nsystem\n(S'echo'\ntR.", 'os.system'],
    ['what Python writes for it', "cposix\nsystem\n(S'echo'\ntR.", 'posix.system'],
    ['and on Windows', "cnt\nsystem\n(S'echo'\ntR.", 'nt.system'],
    ['eval of protocol 4', '\x80\x04\x8c\x08builtins\x8c\x04eval\x93.', 'builtins.eval'],
    ['INST', "(S'echo'\nios\nsystem\n.", 'os.system'],
    ['loading a pickle in a pickle', 'ctorch.storage\n_load_from_bytes\n.', 'torch.storage._load_from_bytes'],
    ['a name split elsewhere', '\x8c\x00\x8c\x17collections OrderedDict\x93.', '".collections OrderedDict"'],
    ['a name of every object', 'ccollections\nconstructor\n.', 'collections.constructor'],
    ['a name of two lines', '\x8c\x02o\n\x8c\x06system\x93.', '"o\\n.system"'],
  ];
  it.each(names)('%s, by name', (_, pickle, name) => {
    const error = failure(() => load(pickle));
    expect(error.code).toBe('global');
    expect(error.message).toContain(
      `f: the pickle asks for ${name}, which is not a tensor or a plain container. Fix: `,
    );
    expect(error.message).not.toContain('\n');
  });

  const cases: [what: string, pickle: readonly Part[], code: IoErrorCode][] = [
    ['nothing', [], 'pickle'],
    ['no end', ['N'], 'pickle'],
    ['an end without a value', ['.'], 'pickle'],
    ['an unknown opcode', ['\xff'], 'pickle'],
    ['protocol 6', ['\x80\x06N.'], 'pickle'],
    ['an empty stack', ['0.'], 'pickle'],
    ['values under a mark', ['K\x01K\x02(\x86.'], 'pickle'],
    ['no mark', ['K\x01t.'], 'pickle'],
    ['an item that was not stored', ['h\x07.'], 'pickle'],
    ['a text past the end', ['X\xff\xff\xff\xffa'], 'pickle'],
    ['a text past 2^53', ['\x8d\xff\xff\xff\xff\xff\xff\xff\xffa'], 'pickle'],
    ['bytes past the end', ['B\x09\x00\x00\x00a.'], 'pickle'],
    ['a text that is no UTF-8', ['\x8c\x01\xff.'], 'pickle'],
    ['an integer of 300 bytes', ['\x8b\x2c\x01\x00\x00', 'a'.repeat(300), '.'], 'pickle'],
    ['an integer of 1000 digits', [`I${'1'.repeat(1000)}\n.`], 'pickle'],
    ['an integer that is none', ['Iabc\n.'], 'pickle'],
    ['a number that is none', ['Fabc\n.'], 'pickle'],
    ['an index that is none', ['N', 'pabc\n.'], 'pickle'],
    ['a line without an end', ['Iabc'], 'pickle'],
    ['a text without quotes', ['Sabc\n.'], 'pickle'],
    ['a character that does not exist', ['V\\Uffffffff\n.'], 'pickle'],
    ['appending to a dictionary', ['}Na.'], 'pickle'],
    ['an item of a list', [']NNs.'], 'pickle'],
    ['a key without a value', ['}(Nu.'], 'pickle'],
    ['adding to a list', ['](N\x90.'], 'pickle'],
    ['a call of a value', ['K\x01)R.'], 'pickle'],
    ['a call of a text with the name of a callable', ['\x8c\x17collections.OrderedDict)R.'], 'pickle'],
    ['a call without a tuple', ['ccollections\nOrderedDict\nNR.'], 'pickle'],
    ['an OrderedDict from pairs', ['ccollections\nOrderedDict\n(]tR.'], 'pickle'],
    ['a state of a list', [']}b.'], 'pickle'],
    ['a Namespace with no dictionary', ['cargparse\nNamespace\n)\x81Nb.'], 'pickle'],
    ['a name that is no text', ['K\x01K\x02\x93.'], 'pickle'],
    ['too many steps', ['N0'.repeat(MAX_PICKLE_STEPS / 2), 'N.'], 'limit'],
  ];
  it.each(cases)('%s', (_, pickle, code) => expect(failure(() => load(...pickle)).code).toBe(code));

  it('a state copied into many, by its items', () => {
    const state = bytesOf('}q\x00(', ...Array.from({ length: 10_000 }, (_, i) => bytesOf('M', le(i, 2), 'N')), 'u');
    const copies = bytesOf('cargparse\nNamespace\nq\x010', 'h\x01)\x81h\x00b0'.repeat(1000), 'N.');
    expect(failure(() => load(state, copies)).code).toBe('limit');
  });

  it('but not doubling by reference: it takes no memory', () => {
    expect(() => load(']q\x00', ']h\x00ah\x00aq\x00'.repeat(1000), '.')).not.toThrow();
  });
});
