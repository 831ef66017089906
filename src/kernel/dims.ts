import type { KernelErrorCode } from './errors.ts';
import type { DimInfo, KnobValue, UniformInfo } from './shader.ts';

type Fail = (code: KernelErrorCode, what: string, fix: string) => never;

/**
 * Every dim of a dispatch, those left out as their shader says. A dim that the variant does not use may be left out, or be what
 * it would be then; what is wrong goes to `fail`.
 */
export function allDims(
  { fields }: UniformInfo,
  given: unknown,
  knobs: Readonly<Record<string, KnobValue>>,
  fail: Fail,
): Record<string, number> {
  const names = Object.keys(fields);
  if (typeof given !== 'object' || given === null)
    fail('bad-dims', `the dims are ${given}`, `give an object of: ${names.join(', ')}`);
  const dims = given as Record<string, unknown>;
  for (const name of Object.keys(dims)) {
    if (!Object.hasOwn(fields, name)) fail('bad-dims', `has no dim ${name}`, `its dims are: ${names.join(', ')}`);
  }
  const all: Record<string, number> = {};
  for (const [name, field] of Object.entries(fields)) {
    const value = dims[name] ?? absent(field, dims, knobs);
    if (!inRange(value, field.type)) {
      const what = value === undefined ? `${name} is missing` : `${name} is ${shown(value)}`;
      fail('bad-dims', what, `give ${name} ${RANGES[field.type]}`);
    }
    all[name] = value;
  }
  for (const [name, { optional, else: otherwise }] of Object.entries(fields)) {
    if (optional === undefined || knobs[optional] !== false || typeof otherwise !== 'number') continue;
    if (all[name] === otherwise) continue;
    fail('bad-dims', `this variant has no ${name}`, `leave ${name} out, or create the kernel with ${optional}`);
  }
  return all;
}

function absent(field: DimInfo, dims: Record<string, unknown>, knobs: Readonly<Record<string, KnobValue>>): unknown {
  if (field.optional !== undefined && knobs[field.optional] === true) return undefined;
  return typeof field.else === 'string' ? dims[field.else] : field.else;
}

/** The uniform block of these dims, whole rows of 16 bytes. */
export function dimWords({ size, fields }: UniformInfo, dims: Record<string, number>): Uint32Array<ArrayBuffer> {
  const bytes = new DataView(new ArrayBuffer(Math.ceil(size / 16) * 16));
  for (const [name, field] of Object.entries(fields)) {
    const value = dims[name] as number;
    if (field.type === 'f32') bytes.setFloat32(field.offset, value, true);
    else bytes.setUint32(field.offset, value >>> 0, true);
  }
  return new Uint32Array(bytes.buffer);
}

const RANGES = {
  f32: 'a finite number',
  i32: 'a whole number from -2^31 to 2^31 - 1',
  u32: 'a whole number from 0 to 2^32 - 1',
};

function inRange(value: unknown, type: DimInfo['type']): value is number {
  if (type === 'f32') return typeof value === 'number' && Number.isFinite(Math.fround(value));
  const [least, end] = type === 'i32' ? [-(2 ** 31), 2 ** 31] : [0, 2 ** 32];
  return Number.isInteger(value) && (value as number) >= least && (value as number) < end;
}

const shown = (value: unknown): string => (typeof value === 'string' ? JSON.stringify(value) : String(value));
