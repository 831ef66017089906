import { count, Storage, Tensor } from './tensor.ts';

/**
 * Tensors of rows of one length as one of all their rows, where the elements of each begin where those of the one before end, of the
 * gradients and f16 copies too: layers that read one input are then one product. undefined where they lie apart, or
 * a gradient of one alone is wanted.
 */
export function sideBySide(tensors: readonly Tensor[]): Tensor | undefined {
  const [first] = tensors;
  if (!first || tensors.some(({ dtype, shape }) => dtype !== first.dtype || !sameRow(shape, first.shape)))
    return undefined;
  if (tensors.some(({ storage }) => storage.needsGrad !== (storage.gradient !== undefined))) return undefined;
  const rows = tensors.reduce((sum, { shape }) => sum + (shape[0] as number), 0);
  const of = (get: (storage: Storage) => Storage | undefined) => joined(tensors.map(({ storage }) => get(storage)));
  const [values, gradient, half] = [of((s) => s), of((s) => s.gradient), of((s) => s.half)];
  if (!values || gradient === 'apart' || half === 'apart' || values === 'apart') return undefined;
  const storage = new Storage(values.buffer, values.offset, values.size, gradient, half);
  return new Tensor([rows, ...first.shape.slice(1)], storage, first.dtype);
}

/** The range of all of them; undefined where there are none. */
function joined(storages: readonly (Storage | undefined)[]): Storage | 'apart' | undefined {
  const all = storages.filter((storage) => storage !== undefined);
  const [first] = all;
  if (!first) return undefined;
  if (all.length < storages.length) return 'apart';
  let end = first.offset;
  for (const { buffer, offset, size } of all) {
    if (buffer !== first.buffer || offset !== end) return 'apart';
    end += size;
  }
  return new Storage(first.buffer, first.offset, end - first.offset);
}

function sameRow(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && count(a.slice(1)) === count(b.slice(1));
}
