import { readBuffer } from '../../src/device/index.ts';
import { type BufferLike, float32ToHalf, halfToFloat32 } from '../../src/kernel/index.ts';
import { type HostArray, halves, type KernelCase, type PreparedCase } from './case.ts';

const GUARD_WORDS = 64;
const GUARD = 0x7fc0dead; // a NaN with a payload: a kernel that reads it shows, one that overwrites it shows too
const STORAGE_COPY = 0x80 | 0x4 | 0x8;

export interface CaseResult {
  /** Worst ||ours - oracle|| / ||oracle|| over the outputs. */
  readonly error: number;
  readonly worstOutput: string;
}

/** GPU buffers of one prepared case: poisoned outputs, guard words past every buffer's end. */
export interface BoundCase {
  readonly buffers: { [binding: string]: BufferLike };
  readonly destroy: () => void;
}

export function bindCase(device: GPUDevice, run: PreparedCase): BoundCase {
  const buffers: { [binding: string]: GPUBuffer } = {};
  const make = (name: string, length: number, data: HostArray | undefined) => {
    const half = isHalf(run, name);
    const words = wordsOf(length, half);
    const buffer = device.createBuffer({ label: name, size: (words + GUARD_WORDS) * 4, usage: STORAGE_COPY });
    const host = new Uint32Array(words + GUARD_WORDS).fill(GUARD);
    if (data && half) new Uint16Array(host.buffer).set(float32ToHalf(data as Float32Array));
    else if (data) host.set(new Uint32Array(data.buffer, data.byteOffset, data.length));
    device.queue.writeBuffer(buffer, 0, host);
    buffers[name] = buffer;
  };
  for (const [name, data] of Object.entries(run.inputs)) make(name, data.length, data);
  for (const [name, length] of Object.entries(run.outputs)) if (!(name in run.inputs)) make(name, length, undefined);
  return { buffers, destroy: () => Object.values(buffers).forEach((b) => void b.destroy()) };
}

const isHalf = (run: PreparedCase, name: string) => run.halves?.includes(name) ?? false;

/** Words that hold `length` numbers; of an odd count of halves the last word keeps its guard in the upper half. */
const wordsOf = (length: number, half: boolean) => (half ? Math.ceil(length / 2) : length);

/** The numbers of an output. */
const numbersOf = (run: PreparedCase, name: string, bytes: ArrayBuffer, length: number): Float32Array<ArrayBuffer> =>
  isHalf(run, name) ? halfToFloat32(new Uint16Array(bytes, 0, length)) : new Float32Array(bytes, 0, length);

/** What a case's kernel makes of these inputs, by output that holds f32. */
export async function outputsOf(
  device: GPUDevice,
  run: PreparedCase,
  inputs: PreparedCase['inputs'],
): Promise<Map<string, Float32Array>> {
  await run.kernel.ready;
  const bound = bindCase(device, { ...run, inputs });
  const record = run.kernel.bind(bound.buffers as never, run.dims as never);
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  run.kernel.encode(pass, record);
  pass.end();
  device.queue.submit([encoder.finish()]);
  const names = Object.keys(run.outputs).filter((name) => !run.integer?.includes(name));
  const read = names.map(async (name) => {
    const bytes = await readBuffer(device, bound.buffers[name] as GPUBuffer);
    return [name, numbersOf(run, name, bytes, run.outputs[name] as number)] as const;
  });
  const outputs = new Map(await Promise.all(read));
  bound.destroy();
  return outputs;
}

/**
 * Runs one case: outputs poisoned first, compared with the oracle, words past the end of every buffer checked untouched.
 * @throws Error when a guard word changed, an output word was not written, or the error exceeds the tolerance.
 */
export async function runCase(
  device: GPUDevice,
  kase: KernelCase,
  run: PreparedCase = kase.prepare(device),
): Promise<CaseResult> {
  await run.kernel.ready;
  const bound = bindCase(device, run);
  const record = run.kernel.bind(bound.buffers as never, run.dims as never);
  device.pushErrorScope('validation');
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  run.kernel.encode(pass, record);
  pass.end();
  device.queue.submit([encoder.finish()]);
  const invalid = await device.popErrorScope();
  if (invalid) throw new Error(`${kase.kernel} ${kase.name}: ${invalid.message}`);

  const expected = run.oracle();
  let error = 0;
  let worstOutput = '';
  for (const [name, buffer] of Object.entries(bound.buffers)) {
    const bytes = await readBuffer(device, buffer as GPUBuffer);
    const words = new Uint32Array(bytes);
    const length = run.inputs[name]?.length ?? (run.outputs[name] as number);
    const half = isHalf(run, name);
    for (let i = wordsOf(length, half); i < words.length; i++) {
      if (words[i] !== GUARD)
        throw new Error(`${kase.kernel} ${kase.name}: wrote past the end of ${name} at word ${i} of ${length} numbers`);
    }
    if (half && length % 2 === 1 && (words[(length - 1) / 2] as number) >>> 16 !== GUARD >>> 16)
      throw new Error(`${kase.kernel} ${kase.name}: wrote past the end of ${name}, a half after ${length}`);
    const wanted = expected[name];
    if (!wanted) {
      if (name in run.outputs) throw new Error(`${kase.kernel} ${kase.name}: the oracle gives no ${name}`);
      continue;
    }
    if (kase.benchOnly ? wanted.length > length : wanted.length !== length)
      throw new Error(`${kase.kernel} ${kase.name}: oracle's ${name} has ${wanted.length} elements, not ${length}`);
    const integer = run.integer?.includes(name) ?? false;
    const ours: HostArray = integer ? words.subarray(0, length) : numbersOf(run, name, bytes, length);
    const raw = half ? new Uint16Array(bytes) : words;
    const poison = (i: number) => (half ? (i % 2 ? GUARD >>> 16 : GUARD & 0xffff) : GUARD);
    for (let i = 0; i < length; i++) {
      if (raw[i] === poison(i) && !(name in run.inputs))
        throw new Error(`${kase.kernel} ${kase.name}: ${name}[${i}] was never written`);
    }
    const off = integer ? exact(ours, wanted) : relativeError(ours, wanted);
    // What rounding costs comes off: the rest is the kernel's.
    const e = half ? Math.max(0, off - 2 * relativeError(halves(Float32Array.from(wanted)), wanted)) : off;
    if (!(e <= error)) {
      error = e;
      worstOutput = name;
    }
  }
  bound.destroy();
  if (!(error <= kase.tolerance)) {
    throw new Error(
      `${kase.kernel} ${kase.name}: ${worstOutput} is off by ${error}, tolerance ${kase.tolerance} (${kase.toleranceFrom})`,
    );
  }
  return { error, worstOutput };
}

/** ||ours - wanted|| / ||wanted||; infinite where ours is not a number. An all-zero oracle is compared absolutely. */
export function relativeError(ours: ArrayLike<number>, wanted: ArrayLike<number>): number {
  let difference = 0;
  let size = 0;
  for (let i = 0; i < wanted.length; i++) {
    const d = (ours[i] as number) - (wanted[i] as number);
    difference += d * d;
    size += (wanted[i] as number) ** 2;
  }
  const error = Math.sqrt(difference) / (size > 0 ? Math.sqrt(size) : 1);
  return Number.isFinite(error) ? error : Number.POSITIVE_INFINITY;
}

function exact(ours: ArrayLike<number>, wanted: ArrayLike<number>): number {
  for (let i = 0; i < wanted.length; i++) if (ours[i] !== wanted[i]) return Number.POSITIVE_INFINITY;
  return 0;
}
