import { copyColumns } from '../kernels/columns.ts';
import { initParameters } from '../kernels/random.ts';
import { normal, STREAM, uniform01 } from '../rng/philox.ts';
import { count, type FlatBuffers, firstOf, Tensor, type Workspace } from '../tensor/index.ts';
import type { InitSpec, Start } from './network.ts';

/** As the kernel initParameters numbers them. */
const DRAWS = { constant: 0, uniform: 1, normal: 2 } as const;
/** Numbers of a rule. */
const RULE = 5;

function startOf({ shape, init }: InitSpec): Start {
  if (typeof init === 'object') return { draw: init.draw, scale: Math.fround(init.scale) };
  if (init === 'zeros' || init === 'ones') return { draw: 'constant', scale: init === 'ones' ? 1 : 0 };
  if (init === 'normal0.02') return { draw: 'normal', scale: Math.fround(0.02) };
  const out = shape[0] as number;
  return { draw: 'uniform', scale: Math.fround(Math.sqrt(6 / (out + count(shape) / out))) };
}

/**
 * Starting values of every parameter, from the seed alone: each parameter is a step of the init stream, so that adding one at the end
 * does not change the others' numbers. On the host: what `initialiseOnDevice` is compared with.
 */
export function initialise(specs: readonly InitSpec[], seed: number): Map<string, Float32Array<ArrayBuffer>> {
  const values = new Map<string, Float32Array<ArrayBuffer>>();
  specs.forEach((spec, step) => {
    const { draw, scale } = startOf(spec);
    const data = new Float32Array(count(spec.shape)).fill(scale);
    if (draw === 'uniform') {
      for (let i = 0; i < data.length; i++) data[i] = (2 * uniform01(seed, STREAM.init, step, i) - 1) * scale;
    } else if (draw === 'normal') {
      for (let i = 0; i < data.length; i++) data[i] = scale * normal(seed, STREAM.init, step, i);
    }
    values.set(spec.name, data);
  });
  return values;
}

/**
 * Records the drawing of `initialise`'s values, to the bit, straight into the flat buffers: a dispatch a buffer, and two for each parameter
 * that is held with zeros in between.
 */
export function initialiseOnDevice(
  workspace: Workspace,
  flat: FlatBuffers,
  specs: readonly InitSpec[],
  seed: number,
): void {
  const { arena, stream, device } = workspace;
  const scaleBits = new Uint32Array(Float32Array.from(specs, (spec) => startOf(spec).scale).buffer);
  /** The kernel's rule of a parameter that begins at an element. */
  const ruleOf = (first: number, step: number): number[] => {
    const spec = specs[step] as InitSpec;
    return [first, count(spec.shape), DRAWS[startOf(spec).draw], scaleBits[step] as number, step];
  };
  const draw = (out: Tensor, rows: readonly number[]) => {
    const rules = arena.alloc([rows.length / RULE, RULE]);
    stream.write(rules, Uint32Array.from(rows));
    const dims = { count: out.count, parameters: rows.length / RULE, seed, stream: STREAM.init };
    stream.run(initParameters.prepare(device), { rules, out }, dims);
    arena.release(rules);
  };
  const places = flat.layout.places.map((place, step) => ({ ...place, step }));
  flat.chunks.forEach((out, chunk) => {
    const rows = places
      .filter((place) => place.chunk === chunk && !place.held)
      .sort((a, b) => a.offset - b.offset) // the kernel looks for an element's rule by bisection
      .flatMap(({ offset, step }) => ruleOf(firstOf(offset), step));
    if (rows.length > 0) draw(out, rows);
  });
  for (const place of places) {
    const { held, step } = place;
    if (!held) continue;
    const rows = count(held.shape) / held.stride;
    const drawn = arena.alloc([rows, held.run]);
    draw(drawn, ruleOf(0, step));
    const out = new Tensor(held.shape, flat.slice(place));
    const dims = { rows, cols: held.run, from_stride: held.run, from_offset: 0, to_stride: held.stride, to_offset: 0 };
    stream.run(copyColumns.prepare(device), { source: drawn, out }, dims);
    arena.release(drawn);
  }
}
