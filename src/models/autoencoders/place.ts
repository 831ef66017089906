import type { Weights } from '../../nn/network.ts';
import { count, type Tensor, type Workspace } from '../../tensor/index.ts';
import { ModelError } from '../config.ts';
import type { HostWeights } from '../features/small_cnn.ts';
import type { Architecture, FileTensor, Naming, NetworkTensor } from './architecture.ts';

const WEIGHT = '.weight';

/** Names of each kind that an error lists at most. */
const MOST_NAMES = 8;

/** What files wrap all names in. */
const WRAPPERS = /^(?:(?:state_dict|model|module|vae|first_stage_model|autoencoder)\.)+/;

/** A file's tensors by name. */
export type FileWeights = ReadonlyMap<string, HostWeights>;

/** A network's tensors on the device, and the names of those of the file that it has no use for. */
export interface PlacedTensors extends Weights {
  readonly leftOut: readonly string[];
  free(): void;
}

/** A tensor's rows [first, first + rows) as a tensor of its own on the device. */
interface PlacedRows {
  readonly name: string;
  readonly shape: readonly number[];
  readonly first: number;
}

/** The name of part `i` of a tensor whose rows are in several, where one would be too large to bind. */
export const partName = (name: string, i: number): string => `${name}#${i}`;

/**
 * How a convolution's weights and bias are placed: as they are, or, where the weights are above `most` bytes, both by as few equal ranges of
 * rows as are within it.
 */
export function placedRows(tensors: readonly NetworkTensor[], most: number): Map<NetworkTensor, PlacedRows[]> {
  const partsOf = new Map<string, number>(); // by the name of the convolution
  for (const { name, shape, grouped } of tensors)
    if (name.endsWith(WEIGHT) && !grouped)
      partsOf.set(name.slice(0, -WEIGHT.length), Math.ceil((4 * count(shape)) / most));
  return new Map(
    tensors.map((tensor) => {
      const { name, shape } = tensor;
      const [rows = 1, ...rest] = shape;
      const parts = partsOf.get(name.replace(/\.(weight|bias)$/, '')) ?? 1;
      if (parts <= 1) return [tensor, [{ name, shape, first: 0 }]];
      const step = Math.ceil(rows / parts);
      return [
        tensor,
        Array.from({ length: Math.ceil(rows / step) }, (_, i) => ({
          name: partName(name, i),
          shape: [Math.min(step, rows - i * step), ...rest],
          first: i * step,
        })),
      ];
    }),
  );
}

/**
 * Brings a file's tensors onto the device as a network reads them. Names may be wrapped (`model.`, `module.`, `state_dict.`), and a
 * convolution of one pixel may be a matrix.
 * @param most bytes that one may have; what the device can bind if left out.
 * @throws ModelError that names the tensors that are missing, of another shape, or of no use.
 */
export function placeTensors(
  workspace: Workspace,
  { tensors, naming, unused }: Pick<Architecture, 'tensors' | 'naming' | 'unused'>,
  file: { readonly weights: FileWeights; readonly where: string },
  most: number = workspace.device.limits.maxStorageBufferBindingSize,
): PlacedTensors {
  const all = new Map([...file.weights].map(([name, tensor]) => [name.replace(WRAPPERS, ''), tensor]));
  const leftOut = [...all.keys()].filter((name) => unused?.test(name));
  for (const name of leftOut) all.delete(name);
  const named = naming?.(new Set(all.keys())) ?? ((part: FileTensor) => [part]);
  checkTensors(
    tensors.flatMap(({ of }) => of.flatMap(named)),
    all,
    file.where,
  );
  const placed = new Map<string, Tensor>();
  for (const [{ of, arrange }, parts] of placedRows(tensors, most)) {
    const values = of.map((part) => valuesOf(part, named, all));
    const whole = arrange ? arrange(values) : joined(values);
    for (const { name, shape, first } of parts) {
      const tensor = workspace.create('parameter', name, shape);
      const start = first * count(shape.slice(1));
      workspace.stream.write(tensor, whole.subarray(start, start + tensor.count));
      placed.set(name, tensor);
    }
  }
  return {
    get: (name) => placed.get(name) as Tensor,
    has: (name) => placed.has(name),
    leftOut,
    free() {
      for (const tensor of placed.values()) workspace.free(tensor);
    },
  };
}

const valuesOf = (part: FileTensor, named: Naming, weights: FileWeights): Float32Array<ArrayBuffer> =>
  joined(named(part).map(({ name }) => (weights.get(name) as HostWeights).data));

function joined(values: readonly Float32Array<ArrayBuffer>[]): Float32Array<ArrayBuffer> {
  if (values.length === 1) return values[0] as Float32Array<ArrayBuffer>;
  const all = new Float32Array(values.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of values) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** A convolution of one pixel as the matrix that it is. */
const asMatrix = (shape: readonly number[]): readonly number[] =>
  shape.length === 4 && shape[2] === 1 && shape[3] === 1 ? shape.slice(0, 2) : shape;

function checkTensors(parts: readonly FileTensor[], weights: FileWeights, where: string): void {
  const wanted = new Map(parts.map(({ name, shape }) => [name, asMatrix(shape)]));
  const missing = [...wanted.keys()].filter((name) => !weights.has(name));
  const extra = [...weights.keys()].filter((name) => !wanted.has(name));
  const misshapen = [...wanted].flatMap(([name, shape]) => {
    const found = weights.get(name);
    if (!found) return [];
    const fits = asMatrix(found.shape).join() === shape.join() && found.data.length === count(shape);
    return fits ? [] : [`${name} [${found.shape}], not [${shape}]`];
  });
  const problems = [
    ['missing', missing],
    ['of another shape', misshapen],
    ['not of this network', extra],
  ] as const;
  const told = problems.flatMap(([what, names]) => (names.length > 0 ? [`${what}: ${listed(names)}`] : []));
  if (told.length > 0)
    throw new ModelError(
      `${where}: the tensors do not fit: ${told.join('; ')}`,
      'give the file of this autoencoder, with its config.json where it has other sizes',
    );
}

function listed(names: readonly string[]): string {
  const more = names.length - MOST_NAMES;
  return names.slice(0, MOST_NAMES).join(', ') + (more > 0 ? ` and ${more} more` : '');
}
