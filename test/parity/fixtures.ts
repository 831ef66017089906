import { expect, inject } from 'vitest';
import { parseSafetensors, toFloat32 } from '../../src/io/safetensors.ts';
import { relativeError } from '../catalogue/run.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** See test/everywhere.ts. */
    fixtures: string;
    chosenFixtures: string;
  }
}

export interface Fixture {
  /** The cases' options, by case name. */
  // biome-ignore lint/suspicious/noExplicitAny: options differ from file to file
  readonly config: { [name: string]: any };
  readonly names: readonly string[];
  f32(name: string): Float32Array<ArrayBuffer>;
  shape(name: string): readonly number[];
  /** All tensors below `prefix/`, by the rest of their names. */
  group(prefix: string): Map<string, Float32Array<ArrayBuffer>>;
}

/**
 * Opens NAME.safetensors of FIXTURES or, where that folder has other files, of the choice beside the tests. A missing file is a failure,
 * never a skip.
 */
export async function openFixture(name: string): Promise<Fixture> {
  const [given, chosen] = [inject('fixtures'), inject('chosenFixtures')].map((at) => `${at}/${name}.safetensors`) as [
    string,
    string,
  ];
  let path = given;
  const bytes = await readBytes(given).catch(() => {
    path = chosen;
    return readBytes(chosen).catch((error) => {
      throw new Error(`no fixture ${given} (${error.message}). Fix: set FIXTURES to a folder that holds it`);
    });
  });
  if (path !== given) console.log(`${name}: not in FIXTURES, so of ${chosen}`);
  const { tensors, metadata } = parseSafetensors(bytes, path);
  const find = (tensor: string) => {
    const found = tensors.get(tensor);
    if (!found) throw new Error(`${path} has no ${tensor}`);
    return found;
  };
  return {
    config: JSON.parse(metadata.config as string),
    names: [...tensors.keys()],
    f32: (tensor) => Float32Array.from(toFloat32(find(tensor))),
    shape: (tensor) => find(tensor).shape,
    group: (prefix) => {
      const out = new Map<string, Float32Array<ArrayBuffer>>();
      for (const tensor of tensors.keys()) {
        if (tensor.startsWith(`${prefix}/`))
          out.set(tensor.slice(prefix.length + 1), Float32Array.from(toFloat32(find(tensor))));
      }
      return out;
    },
  };
}

/** A file's bytes; a page asks the server that runs the tests. */
export async function readBytes(path: string): Promise<Uint8Array<ArrayBuffer>> {
  if (typeof document === 'undefined') return new Uint8Array(await (await import('node:fs/promises')).readFile(path));
  const answer = await fetch(`/@fs${path}`);
  if (!answer.ok) throw new Error(`${answer.status}`);
  return new Uint8Array(await answer.arrayBuffer());
}

/** Collects relative errors of one file and prints the worst a case. */
export class ParityReport {
  readonly #file: string;
  readonly #worst = new Map<string, { error: number; what: string }>();

  constructor(file: string) {
    this.#file = file;
  }

  /** Expects ||ours - theirs|| / ||theirs|| <= tolerance. */
  compare(kase: string, what: string, ours: ArrayLike<number>, theirs: ArrayLike<number>, tolerance: number): void {
    expect(ours.length, `${kase} ${what}: length`).toBe(theirs.length);
    const error = relativeError(ours, theirs);
    if (error >= (this.#worst.get(kase)?.error ?? -1)) this.#worst.set(kase, { error, what });
    expect(error, `${kase} ${what}: relative error`).toBeLessThanOrEqual(tolerance);
  }

  print(): void {
    for (const [kase, { error, what }] of this.#worst)
      console.log(`${this.#file} ${kase}: worst ${error.toExponential(1)} (${what})`);
    const all = [...this.#worst.values()].map((w) => w.error);
    console.log(`${this.#file}: worst relative error ${Math.max(...all).toExponential(1)} over ${all.length} cases`);
    expect(all.length, `${this.#file}: cases compared`).toBeGreaterThan(0);
  }
}

/** Names of a network's trained parameters among a fixture's: tables are constants of ours. */
export function trained(values: Map<string, Float32Array<ArrayBuffer>>): Map<string, Float32Array<ArrayBuffer>> {
  return new Map([...values].filter(([name]) => name !== 'pos_embed' && !name.startsWith('feat_rope.')));
}
