import type { RawTensor } from './safetensors.ts';
import { isTensor } from './torch_checkpoint.ts';

/** The two moments of Adam's family by parameter name. */
export interface Moments {
  readonly m: Map<string, RawTensor>;
  readonly v: Map<string, RawTensor>;
}

/** Cells of the table of alignments; a real checkpoint has some thousands. */
const MAX_CELLS = 2 ** 22;

type Dict = ReadonlyMap<unknown, unknown>;
const isDict = (value: unknown): value is Dict => value instanceof Map;
const same = (a: readonly number[], b: readonly number[]) =>
  a.length === b.length && a.every((size, i) => size === b[i]);

/**
 * Names the moments of an optimiser's state_dict, which knows its parameters only by number. Numbers follow the order of the
 * state_dict of the model, in which there are buffers besides: those are found by the shapes, or not at all.
 * @param notes takes a line where the moments have to be left out.
 */
export function matchMoments(
  optimizer: Dict,
  model: ReadonlyMap<string, RawTensor>,
  notes: string[],
): Moments | undefined {
  const state = optimizer.get('state');
  const groups = optimizer.get('param_groups');
  if (!isDict(state) || state.size === 0) return undefined;
  const only = Array.isArray(groups) && groups.length === 1 ? groups[0] : undefined;
  const numbers = isDict(only) ? only.get('params') : undefined;
  if (!Array.isArray(numbers)) {
    notes.push('the optimiser has not one group of parameters: its moments are left out');
    return undefined;
  }
  const entries = numbers.map((number) => {
    const entry = state.get(number);
    return isDict(entry) ? entry : undefined;
  });
  const first = entries.map((entry) => tensorOf(entry, 'exp_avg'));
  const names = [...model.keys()];
  const shapes = [...model.values()].map(({ shape }) => shape);
  const places = align(
    first.map((moment) => moment?.shape),
    shapes,
  );
  if (!places) {
    notes.push(
      `the optimiser's ${numbers.length} parameters and the model's ${names.length} tensors cannot be told apart by their shapes: the moments are left out`,
    );
    return undefined;
  }
  const moments: Moments = { m: new Map(), v: new Map() };
  places.forEach((place, i) => {
    const name = names[place] as string;
    const [m, v] = [first[i], tensorOf(entries[i], 'exp_avg_sq')];
    if (m) moments.m.set(name, m);
    if (v && same(v.shape, shapes[place] as number[])) moments.v.set(name, v);
  });
  return moments;
}

function tensorOf(entry: Dict | undefined, key: string): RawTensor | undefined {
  const value = entry?.get(key);
  return isTensor(value) ? value : undefined;
}

/**
 * The one way to give each wanted shape a place among the shapes there are, in order; undefined where there is none or more
 * than one. A wanted shape that is undefined (a frozen parameter has no moments) goes anywhere.
 */
function align(
  wanted: readonly (readonly number[] | undefined)[],
  there: readonly (readonly number[])[],
): number[] | undefined {
  const skips = there.length - wanted.length;
  const row = skips + 1;
  if (skips < 0 || (wanted.length + 1) * row > MAX_CELLS) return undefined;
  const fits = (i: number, skipped: number): boolean => {
    const shape = wanted[i];
    return shape === undefined || same(shape, there[i + skipped] as readonly number[]);
  };
  // ways[i][k]: in how many ways (0, 1, more) the shapes from i on fit when k places were passed over before.
  const ways = new Uint8Array((wanted.length + 1) * row);
  ways.fill(1, wanted.length * row);
  for (let i = wanted.length - 1; i >= 0; i--) {
    for (let k = skips; k >= 0; k--) {
      const taken = fits(i, k) ? (ways[(i + 1) * row + k] as number) : 0;
      const passed = k < skips ? (ways[i * row + k + 1] as number) : 0;
      ways[i * row + k] = Math.min(2, taken + passed);
    }
  }
  if (ways[0] !== 1) return undefined;
  const places: number[] = [];
  for (let i = 0, k = 0; i < wanted.length; i++) {
    while (!(fits(i, k) && ways[(i + 1) * row + k] === 1)) k++;
    places.push(i + k);
  }
  return places;
}
