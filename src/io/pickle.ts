import { IoError } from './errors.ts';
import { PickleBytes } from './pickle_bytes.ts';
import { quote } from './quote.ts';

/** A name of a pickle that may be called: what Python would make by it is made here, by our own code. */
export class PickleCallable {
  readonly name: string;
  /** Makes the value from the call's arguments. */
  readonly call: (args: readonly unknown[]) => unknown;
  /** Gives a made value its state; returns how many items that copied. Where left out, the state is dropped. */
  readonly setState: ((target: unknown, state: unknown) => number) | undefined;

  constructor(
    name: string,
    call: (args: readonly unknown[]) => unknown,
    setState?: (target: unknown, state: unknown) => number,
  ) {
    this.name = name;
    this.call = call;
    this.setState = setState;
  }
}

/** What a pickle may refer to outside itself. */
export interface PickleHost {
  /** The allowed names, keyed as `globalKey` does. A name that is not called, such as a dtype, is a value. */
  readonly globals: ReadonlyMap<string, unknown>;
  /** The value of a persistent id. */
  persistent(id: unknown): unknown;
}

/** The key of a name in PickleHost.globals: with a space, which no allowed name has. */
export const globalKey = (module: string, name: string): string => `${module} ${name}`;

/** Steps a pickle may take. A container of 200 bytes is made by a step of one byte, so this bounds the memory. */
export const MAX_PICKLE_STEPS = 2 ** 22;

/** Longest integer; Python's are of any length, those of a checkpoint are not. */
const MAX_INTEGER_BYTES = 255;
const MAX_INTEGER_DIGITS = 600;
const HIGHEST_PROTOCOL = 5;

/** collections.OrderedDict and argparse.Namespace, both as a Map. `where` is for errors. */
export function containerGlobals(where: string): [string, PickleCallable][] {
  const empty = (name: string) => (args: readonly unknown[]) => {
    if (args.length > 0)
      throw new IoError(
        'pickle',
        where,
        `the pickle makes a ${name} from arguments`,
        'save the file again with Python 3 and a current torch',
      );
    return new Map();
  };
  const namespace = new PickleCallable('argparse.Namespace', empty('argparse.Namespace'), (target, state) => {
    if (!(target instanceof Map && state instanceof Map))
      throw new IoError('pickle', where, 'the pickle gives an argparse.Namespace no dictionary', 'save the file again');
    for (const [key, value] of state) target.set(key, value);
    return state.size;
  });
  return [
    // The state of a state_dict is its _metadata: versions of modules, of no use here.
    [
      globalKey('collections', 'OrderedDict'),
      new PickleCallable('collections.OrderedDict', empty('collections.OrderedDict')),
    ],
    [globalKey('argparse', 'Namespace'), namespace],
  ];
}

/** Stack, marks and memo of the pickle machine. */
class Machine {
  readonly input: PickleBytes;
  readonly host: PickleHost;
  readonly stack: unknown[] = [];
  /** Heights of the stack at which MARK stood; nothing under the last may be taken. */
  readonly marks: number[] = [];
  readonly memo = new Map<number, unknown>();
  /** Who made a value that takes a state. */
  readonly makers = new WeakMap<object, PickleCallable>();
  steps = 0;

  constructor(input: PickleBytes, host: PickleHost) {
    this.input = input;
    this.host = host;
  }

  /** Counts work against the bound. */
  spend(steps: number): void {
    this.steps += steps;
    if (this.steps > MAX_PICKLE_STEPS)
      throw new IoError(
        'limit',
        this.input.where,
        `the pickle takes more than ${MAX_PICKLE_STEPS} steps`,
        'save the tensors alone, without other objects',
      );
  }

  push(value: unknown): void {
    this.stack.push(value);
  }

  pop(): unknown {
    if (this.stack.length <= (this.marks.at(-1) ?? 0)) throw this.input.broken('it takes from an empty stack');
    return this.stack.pop();
  }

  top(): unknown {
    const value = this.pop();
    this.stack.push(value);
    return value;
  }

  /** All that was pushed since the last mark. */
  popMark(): unknown[] {
    const mark = this.marks.pop();
    if (mark === undefined) throw this.input.broken('it takes up to a mark that was not set');
    return this.stack.splice(mark);
  }

  put(index: number): void {
    this.memo.set(index, this.top());
  }

  get(index: number): void {
    if (!this.memo.has(index)) throw this.input.broken(`it recalls item ${index}, which it never stored`);
    this.push(this.memo.get(index));
  }

  /** Refuses a name that is not allowed here, before anything could be done with it. */
  global(module: string, name: string): unknown {
    const key = globalKey(module, name);
    if (!this.host.globals.has(key)) {
      const asked = `${module}.${name}`;
      const shown = /^[\w.]{1,120}$/.test(asked) ? asked : quote(asked);
      throw new IoError(
        'global',
        this.input.where,
        `the pickle asks for ${shown}, which is not a tensor or a plain container`,
        'do not load this file if you do not trust its source; else save the state_dict alone',
      );
    }
    return this.host.globals.get(key);
  }

  call(callee: unknown, args: unknown): void {
    if (!(callee instanceof PickleCallable)) throw this.input.broken('it calls what cannot be called');
    if (!Array.isArray(args)) throw this.input.broken(`it calls ${callee.name} without a tuple of arguments`);
    const made = callee.call(args);
    if (callee.setState && typeof made === 'object' && made !== null) this.makers.set(made, callee);
    this.push(made);
  }

  build(): void {
    const state = this.pop();
    const target = this.top();
    if (!(target instanceof Map)) throw this.input.broken('it gives a state to what takes none');
    const setState = this.makers.get(target)?.setState;
    if (!setState) return;
    if (state instanceof Map) this.spend(state.size); // before the copy: one state may be given to many
    setState(target, state);
  }

  append(items: readonly unknown[]): void {
    const list = this.top();
    if (!Array.isArray(list)) throw this.input.broken('it appends to what is no list');
    for (const item of items) list.push(item);
  }

  setItems(items: readonly unknown[]): void {
    const map = this.top();
    if (!(map instanceof Map)) throw this.input.broken('it sets an item of what is no dictionary');
    fill(map, items, this.input);
  }

  add(items: readonly unknown[]): void {
    const set = this.top();
    if (!(set instanceof Set)) throw this.input.broken('it adds to what is no set');
    for (const item of items) set.add(item);
  }
}

function fill(map: Map<unknown, unknown>, items: readonly unknown[], input: PickleBytes): Map<unknown, unknown> {
  if (items.length % 2 !== 0) throw input.broken('a dictionary has a key without a value');
  for (let i = 0; i < items.length; i += 2) map.set(items[i], items[i + 1]);
  return map;
}

/** A number where it is exact, else a bigint. */
function integer(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** Two's complement, little-endian, of any length; no bytes are 0. */
function readLong(input: PickleBytes, length: number): number | bigint {
  if (length > MAX_INTEGER_BYTES) throw input.broken(`an integer has ${length} bytes`);
  const bytes = input.take(length);
  let value = 0n;
  for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i] as number);
  const negative = length > 0 && (bytes[length - 1] as number) >= 0x80;
  return integer(negative ? value - (1n << BigInt(8 * length)) : value);
}

/** A decimal integer of a text pickle; INT also writes the booleans. */
function readDecimal(input: PickleBytes): number | bigint | boolean {
  const text = input.line();
  if (text === '00' || text === '01') return text === '01';
  if (text.length > MAX_INTEGER_DIGITS || !/^[-+]?\d+L?$/.test(text))
    throw input.broken(`${quote(text)} is no integer`);
  return integer(BigInt(text.replace(/^\+|L$/g, '')));
}

function readDecimalFloat(input: PickleBytes): number {
  const text = input.line();
  const special: { [text: string]: number } = { inf: Infinity, '-inf': -Infinity, nan: NaN };
  const value = Object.hasOwn(special, text) ? (special[text] as number) : Number(text);
  if (text.trim() === '' || (Number.isNaN(value) && text !== 'nan')) throw input.broken(`${quote(text)} is no number`);
  return value;
}

function readIndex(input: PickleBytes): number {
  const text = input.line();
  if (!/^\d{1,15}$/.test(text)) throw input.broken(`${quote(text)} is no index`);
  return Number(text);
}

/** The text of protocol 0: latin-1, with \uXXXX and \UXXXXXXXX for the rest. */
function readEscaped(input: PickleBytes): string {
  return input.line().replace(/\\u([0-9a-fA-F]{4})|\\U([0-9a-fA-F]{8})/g, (_, short, long) => {
    const code = Number.parseInt(short ?? long, 16);
    if (code > 0x10ffff) throw input.broken('a text has a character that does not exist');
    return String.fromCodePoint(code);
  });
}

/** A string of Python 2 in quotes. Its escapes stay as they are: no name that is looked for has any. */
function readQuoted(input: PickleBytes): string {
  const text = input.line();
  if (!/^(['"]).*\1$/.test(text) || text.length < 2) throw input.broken('a text is not in quotes');
  return text.slice(1, -1);
}

type Step = (m: Machine) => void;

/** What each opcode does, by its byte. FALSE etc. of the format's own names stand beside. */
const STEPS: ReadonlyMap<number, Step> = new Map<number, Step>(
  (
    [
      // Numbers and constants
      ['N', (m) => m.push(null)], // NONE
      ['\x88', (m) => m.push(true)], // NEWTRUE
      ['\x89', (m) => m.push(false)], // NEWFALSE
      ['J', (m) => m.push(m.input.int32())], // BININT
      ['K', (m) => m.push(m.input.uint8())], // BININT1
      ['M', (m) => m.push(m.input.uint16())], // BININT2
      ['\x8a', (m) => m.push(readLong(m.input, m.input.uint8()))], // LONG1
      ['\x8b', (m) => m.push(readLong(m.input, m.input.uint32()))], // LONG4
      ['I', (m) => m.push(readDecimal(m.input))], // INT
      ['L', (m) => m.push(readDecimal(m.input))], // LONG
      ['G', (m) => m.push(m.input.float64())], // BINFLOAT
      ['F', (m) => m.push(readDecimalFloat(m.input))], // FLOAT
      // Texts and bytes
      ['\x8c', (m) => m.push(m.input.utf8(m.input.uint8()))], // SHORT_BINUNICODE
      ['X', (m) => m.push(m.input.utf8(m.input.uint32()))], // BINUNICODE
      ['\x8d', (m) => m.push(m.input.utf8(m.input.uint64()))], // BINUNICODE8
      ['V', (m) => m.push(readEscaped(m.input))], // UNICODE
      ['U', (m) => m.push(m.input.latin1(m.input.uint8()))], // SHORT_BINSTRING
      ['T', (m) => m.push(m.input.latin1(m.input.uint32()))], // BINSTRING
      ['S', (m) => m.push(readQuoted(m.input))], // STRING
      ['C', (m) => m.push(m.input.take(m.input.uint8()))], // SHORT_BINBYTES
      ['B', (m) => m.push(m.input.take(m.input.uint32()))], // BINBYTES
      ['\x8e', (m) => m.push(m.input.take(m.input.uint64()))], // BINBYTES8
      ['\x96', (m) => m.push(m.input.take(m.input.uint64()))], // BYTEARRAY8
      // Tuples and lists
      [')', (m) => m.push([])], // EMPTY_TUPLE
      ['\x85', (m) => m.push([m.pop()])], // TUPLE1
      ['\x86', (m) => m.push([m.pop(), m.pop()].reverse())], // TUPLE2
      ['\x87', (m) => m.push([m.pop(), m.pop(), m.pop()].reverse())], // TUPLE3
      ['t', (m) => m.push(m.popMark())], // TUPLE
      [']', (m) => m.push([])], // EMPTY_LIST
      ['l', (m) => m.push(m.popMark())], // LIST
      ['a', (m) => append(m)], // APPEND
      ['e', (m) => m.append(m.popMark())], // APPENDS
      // Dictionaries and sets
      ['}', (m) => m.push(new Map())], // EMPTY_DICT
      ['d', (m) => m.push(fill(new Map(), m.popMark(), m.input))], // DICT
      ['s', (m) => setItem(m)], // SETITEM
      ['u', (m) => m.setItems(m.popMark())], // SETITEMS
      ['\x8f', (m) => m.push(new Set())], // EMPTY_SET
      ['\x90', (m) => m.add(m.popMark())], // ADDITEMS
      ['\x91', (m) => m.push(new Set(m.popMark()))], // FROZENSET
      // Stack and memo
      ['(', (m) => m.marks.push(m.stack.length)], // MARK
      ['0', (m) => pop(m)], // POP
      ['1', (m) => m.popMark()], // POP_MARK
      ['2', (m) => m.push(m.top())], // DUP
      ['p', (m) => m.put(readIndex(m.input))], // PUT
      ['q', (m) => m.put(m.input.uint8())], // BINPUT
      ['r', (m) => m.put(m.input.uint32())], // LONG_BINPUT
      ['\x94', (m) => m.put(m.memo.size)], // MEMOIZE
      ['g', (m) => m.get(readIndex(m.input))], // GET
      ['h', (m) => m.get(m.input.uint8())], // BINGET
      ['j', (m) => m.get(m.input.uint32())], // LONG_BINGET
      // Names, calls and states
      ['c', (m) => m.push(m.global(m.input.line(), m.input.line()))], // GLOBAL
      ['\x93', (m) => stackGlobal(m)], // STACK_GLOBAL
      ['R', (m) => callWith(m)], // REDUCE
      ['\x81', (m) => callWith(m)], // NEWOBJ
      ['i', (m) => m.call(m.global(m.input.line(), m.input.line()), m.popMark())], // INST
      ['b', (m) => m.build()], // BUILD
      ['Q', (m) => m.push(m.host.persistent(m.pop()))], // BINPERSID
      ['P', (m) => m.push(m.host.persistent(m.input.line()))], // PERSID
      // Frame
      ['\x80', (m) => protocol(m)], // PROTO
      ['\x95', (m) => frame(m)], // FRAME
    ] satisfies [string, Step][]
  ).map(([opcode, step]) => [opcode.charCodeAt(0), step]),
);

const STOP = '.'.charCodeAt(0);

function append(m: Machine): void {
  const item = m.pop();
  m.append([item]);
}

function setItem(m: Machine): void {
  const value = m.pop();
  const key = m.pop();
  m.setItems([key, value]);
}

/** POP takes a mark where one is on top. */
function pop(m: Machine): void {
  if (m.marks.at(-1) === m.stack.length) m.marks.pop();
  else m.pop();
}

function callWith(m: Machine): void {
  const args = m.pop();
  m.call(m.pop(), args);
}

function stackGlobal(m: Machine): void {
  const name = m.pop();
  const module = m.pop();
  if (typeof name !== 'string' || typeof module !== 'string') throw m.input.broken('a name is no text');
  m.push(m.global(module, name));
}

function protocol(m: Machine): void {
  const version = m.input.uint8();
  if (version > HIGHEST_PROTOCOL)
    throw new IoError(
      'pickle',
      m.input.where,
      `the pickle is of protocol ${version}`,
      `save the file with a pickle protocol of at most ${HIGHEST_PROTOCOL}`,
    );
}

/** A frame only says how much may be read ahead. */
function frame(m: Machine): void {
  m.input.uint64();
}

/**
 * Reads a pickle into plain values without running anything of it: dict and OrderedDict as Map, list and tuple as array, set
 * as Set, int as number or bigint, bytes as a view. Values the pickle shares are shared, and may contain themselves.
 * @param host the only names and persistent ids that there are; any other name is refused where it is looked up.
 * @throws IoError for a name that is not allowed, a broken pickle, or more than MAX_PICKLE_STEPS.
 */
export function parsePickle(bytes: Uint8Array, where: string, host: PickleHost): unknown {
  return parseNextPickle(new PickleBytes(bytes, where), host);
}

/** As parsePickle, of the pickle that comes next in a file of several. */
export function parseNextPickle(input: PickleBytes, host: PickleHost): unknown {
  const machine = new Machine(input, host);
  for (;;) {
    const opcode = input.uint8();
    if (opcode === STOP) return machine.pop();
    const step = STEPS.get(opcode);
    if (!step) throw input.broken(`opcode 0x${opcode.toString(16).padStart(2, '0')} is none that torch.save writes`);
    machine.spend(1);
    step(machine);
  }
}
