import type { Weights } from '../../nn/network.ts';
import { count, type Tensor, type Workspace } from '../../tensor/index.ts';
import { ModelError } from '../config.ts';
import type { HostWeights } from '../features/small_cnn.ts';
import type { NetworkTensor } from './architecture.ts';

/** Names of each kind that an error lists at most. */
const MOST_NAMES = 8;

/**
 * Brings a file's tensors onto the device as a network reads them.
 * @throws ModelError that names the tensors that are missing, of another shape, or of no use.
 */
export function placeTensors(
  workspace: Workspace,
  tensors: readonly NetworkTensor[],
  { weights, where }: { weights: ReadonlyMap<string, HostWeights>; where: string },
): Weights & { free(): void } {
  checkTensors(tensors, weights, where);
  const placed = new Map<string, Tensor>();
  for (const { name, shape, of, arrange } of tensors) {
    const values = of.map((part) => (weights.get(part.name) as HostWeights).data);
    const tensor = workspace.create('parameter', name, shape);
    workspace.stream.write(tensor, arrange ? arrange(values) : joined(values, count(shape)));
    placed.set(name, tensor);
  }
  return {
    get: (name) => placed.get(name) as Tensor,
    has: (name) => placed.has(name),
    free() {
      for (const tensor of placed.values()) workspace.free(tensor);
    },
  };
}

function joined(values: readonly Float32Array<ArrayBuffer>[], length: number): Float32Array<ArrayBuffer> {
  if (values.length === 1) return values[0] as Float32Array<ArrayBuffer>;
  const all = new Float32Array(length);
  let at = 0;
  for (const part of values) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function checkTensors(
  tensors: readonly NetworkTensor[],
  weights: ReadonlyMap<string, HostWeights>,
  where: string,
): void {
  const wanted = new Map(tensors.flatMap(({ of }) => of.map(({ name, shape }) => [name, shape] as const)));
  const missing = [...wanted.keys()].filter((name) => !weights.has(name));
  const extra = [...weights.keys()].filter((name) => !wanted.has(name));
  const misshapen = [...wanted].flatMap(([name, shape]) => {
    const found = weights.get(name)?.shape;
    return !found || found.join() === shape.join() ? [] : [`${name} [${found}], not [${shape}]`];
  });
  const problems = [
    ['missing', missing],
    ['of another shape', misshapen],
    ['not of this network', extra],
  ] as const;
  const told = problems.flatMap(([what, names]) => (names.length > 0 ? [`${what}: ${listed(names)}`] : []));
  if (told.length > 0)
    throw new ModelError(`${where}: the tensors do not fit: ${told.join('; ')}`, 'give the file of this autoencoder');
}

function listed(names: readonly string[]): string {
  const more = names.length - MOST_NAMES;
  return names.slice(0, MOST_NAMES).join(', ') + (more > 0 ? ` and ${more} more` : '');
}
