import { inject } from 'vitest';
import { parseSafetensors, type RawTensor, toFloat32 } from '../../src/io/safetensors.ts';
import type { Covered, GradientCase, HostTensor, OnnxCase } from './case.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** See test/everywhere.ts. */
    outside: string;
  }
}

/** The cases of a folder, those of a file that it lacks left out. */
export interface Folder {
  readonly path: string;
  readonly onnx: readonly OnnxCase[];
  readonly gradients: readonly GradientCase[];
  readonly coverage: readonly Covered[];
}

interface Named {
  key: string;
  type: string;
  shape: number[];
}

interface StoredCase extends Omit<OnnxCase, 'inputs' | 'outputs'> {
  inputs: (Named | null)[];
  outputs: (Named | null)[];
}

/** Reads the folder OUTSIDE, or the choice beside the tests. @throws Error when it holds no case. */
export async function openFolder(): Promise<Folder> {
  const path = inject('outside');
  const onnx = await json<{ cases: StoredCase[] }>(`${path}/onnx.json`);
  const bytes = onnx && (await read(`${path}/onnx.safetensors`));
  if (onnx && !bytes) throw new Error(`${path} has onnx.json and no onnx.safetensors. Fix: put the tensors beside it`);
  const tensors = bytes ? parseSafetensors(bytes, `${path}/onnx.safetensors`).tensors : new Map<string, RawTensor>();
  const gradients = (await json<{ cases: GradientCase[] }>(`${path}/gradients.json`))?.cases ?? [];
  const coverage = (await json<{ cases: Covered[] }>(`${path}/coverage.json`))?.cases ?? [];
  const cases = (onnx?.cases ?? []).map((c) => ({
    ...c,
    inputs: c.inputs.map((t) => host(t, tensors)),
    outputs: c.outputs.map((t) => host(t, tensors)),
  }));
  if (cases.length + gradients.length === 0)
    throw new Error(`${path} has no case. Fix: set OUTSIDE to a folder with onnx.json or gradients.json`);
  return { path, onnx: cases, gradients, coverage };
}

function host(named: Named | null, tensors: ReadonlyMap<string, RawTensor>): HostTensor | undefined {
  if (!named) return undefined;
  const raw = tensors.get(named.key);
  if (!raw) throw new Error(`onnx.safetensors has no ${named.key}`);
  return { type: named.type, shape: raw.shape, data: numbers(raw) };
}

/** A tensor's numbers; Booleans are a byte each. */
function numbers(raw: RawTensor): ArrayLike<number> {
  if (raw.dtype === 'BOOL' || raw.dtype === 'U8') return Uint8Array.from(raw.data);
  if (raw.dtype === 'I32') return new Int32Array(raw.data.slice().buffer);
  if (raw.dtype === 'I64') return Array.from(new BigInt64Array(raw.data.slice().buffer), Number);
  return toFloat32(raw);
}

async function json<T>(path: string): Promise<T | undefined> {
  const bytes = await read(path);
  return bytes && (JSON.parse(new TextDecoder().decode(bytes)) as T);
}

/** A file's bytes, or nothing where there is no such file; a page asks the server that runs the tests. */
async function read(path: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (typeof document === 'undefined') {
    const { existsSync, readFileSync } = await import('node:fs');
    return existsSync(path) ? new Uint8Array(readFileSync(path)) : undefined;
  }
  const answer = await fetch(`/@fs${path}`);
  if (answer.status === 404 || answer.headers.get('content-type')?.includes('html')) return undefined; // or the server's own page
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return new Uint8Array(await answer.arrayBuffer());
}
