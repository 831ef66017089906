import { normal, STREAM, uniform01 } from '../rng/philox.ts';
import { count } from '../tensor/index.ts';
import type { InitSpec } from './network.ts';

/**
 * Starting values of every parameter, from the seed alone: each parameter is a step of the init stream, so that adding one
 * does not change the others' numbers. xavier is uniform in +-sqrt(6 / (in + out)), with a convolution's kernel flattened.
 */
export function initialise(specs: readonly InitSpec[], seed: number): Map<string, Float32Array<ArrayBuffer>> {
  const values = new Map<string, Float32Array<ArrayBuffer>>();
  specs.forEach(({ name, shape, init }, step) => {
    const data = new Float32Array(count(shape));
    if (init === 'ones') data.fill(1);
    else if (init === 'xavier') {
      const out = shape[0] as number;
      const bound = Math.sqrt(6 / (out + data.length / out));
      for (let i = 0; i < data.length; i++) data[i] = (2 * uniform01(seed, STREAM.init, step, i) - 1) * bound;
    } else if (init === 'normal0.02') {
      for (let i = 0; i < data.length; i++) data[i] = 0.02 * normal(seed, STREAM.init, step, i);
    }
    values.set(name, data);
  });
  return values;
}
