import { readBuffer } from '../../src/device/index.ts';
import type { BufferLike } from '../../src/kernel/index.ts';
import type { HostArray, KernelCase, PreparedCase } from './case.ts';

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
  const make = (name: string, words: number, data: HostArray | undefined) => {
    const buffer = device.createBuffer({ label: name, size: (words + GUARD_WORDS) * 4, usage: STORAGE_COPY });
    const host = new Uint32Array(words + GUARD_WORDS).fill(GUARD);
    if (data) host.set(new Uint32Array(data.buffer, data.byteOffset, data.length));
    device.queue.writeBuffer(buffer, 0, host);
    buffers[name] = buffer;
  };
  for (const [name, data] of Object.entries(run.inputs)) make(name, data.length, data);
  for (const [name, length] of Object.entries(run.outputs)) if (!(name in run.inputs)) make(name, length, undefined);
  return { buffers, destroy: () => Object.values(buffers).forEach((b) => void b.destroy()) };
}

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
    return [name, new Float32Array(bytes, 0, run.outputs[name])] as const;
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
    const words = new Uint32Array(await readBuffer(device, buffer as GPUBuffer));
    const length = words.length - GUARD_WORDS;
    for (let i = length; i < words.length; i++) {
      if (words[i] !== GUARD)
        throw new Error(`${kase.kernel} ${kase.name}: wrote past the end of ${name} at word ${i} of ${length}`);
    }
    const wanted = expected[name];
    if (!wanted) {
      if (name in run.outputs) throw new Error(`${kase.kernel} ${kase.name}: the oracle gives no ${name}`);
      continue;
    }
    if (kase.benchOnly ? wanted.length > length : wanted.length !== length)
      throw new Error(`${kase.kernel} ${kase.name}: oracle's ${name} has ${wanted.length} elements, not ${length}`);
    const integer = run.integer?.includes(name) ?? false;
    const ours: HostArray = integer ? words : new Float32Array(words.buffer, 0, length);
    for (let i = 0; i < length; i++) {
      if (words[i] === GUARD && !(name in run.inputs))
        throw new Error(`${kase.kernel} ${kase.name}: ${name}[${i}] was never written`);
    }
    const e = integer ? exact(ours, wanted) : relativeError(ours, wanted);
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
