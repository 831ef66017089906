import {
  deviceOf,
  type FlatLayout,
  FlatParameters,
  type Tensor,
  TensorError,
  type Workspace,
} from '../tensor/index.ts';
import { initialiseOnDevice } from './init.ts';
import type { Module, Weights } from './network.ts';

/** One set of a network's weights on the GPU: trained, averaged, or a teacher's. Constants are shared by all sets. */
export class NetworkWeights implements Weights {
  readonly flat: FlatParameters;
  readonly #constants: ReadonlyMap<string, Tensor>;

  constructor(flat: FlatParameters, constants: ReadonlyMap<string, Tensor>) {
    this.flat = flat;
    this.#constants = constants;
  }

  get(name: string): Tensor {
    return this.#constants.get(name) ?? this.flat.get(name);
  }

  has(name: string): boolean {
    return this.#constants.has(name) || this.flat.has(name);
  }
}

/**
 * Checks that these are weights, and that they can be used here: a command that names another device's buffer does nothing.
 * @throws TensorError for no weights or those of another device; WorkspaceError for freed ones.
 */
export function checkWeights(workspace: Workspace, module: Module, weights: Weights): void {
  if (typeof weights?.get !== 'function')
    throw new TensorError(
      `the weights are ${weights === null || typeof weights !== 'object' ? weights : `a ${weights.constructor?.name}`}`,
      "give a trainer's weights or average, or a set of a WeightStore",
    );
  for (const { name } of [...module.parameters, ...module.constants]) {
    const device = deviceOf(weights.get(name).buffer);
    if (device !== undefined && device !== workspace.device)
      throw new TensorError(
        `the weights ${name} are on another device than the workspace`,
        'sample in their own workspace (trainer.workspace), or write their values into a WeightStore of this one',
      );
  }
}

/** Makes and frees the weight sets of one network in one workspace. */
export class WeightStore {
  readonly layout: FlatLayout;
  readonly #workspace: Workspace;
  readonly #module: Module;
  readonly #constants = new Map<string, Tensor>();
  readonly #sets: FlatParameters[] = [];
  readonly #halves: boolean;

  /** @param halves weights that are trained have an f16 copy, which is whoever trains them's to fill. */
  constructor(workspace: Workspace, module: Module, halves = false) {
    this.#halves = halves;
    this.#workspace = workspace;
    this.#module = module;
    this.layout = FlatParameters.layoutFor(workspace, module.parameters, halves);
    for (const { name, shape, data } of module.constants) {
      const tensor = workspace.create('parameter', name, shape);
      workspace.stream.write(tensor, data);
      this.#constants.set(name, tensor);
    }
  }

  /** A set to be trained: values and gradients, initialised from the seed. */
  trainable(seed: number): NetworkWeights {
    const flat = new FlatParameters(this.#workspace, this.layout, { trainable: true, halves: this.#halves });
    initialiseOnDevice(this.#workspace, flat.values, this.#module.parameters, seed);
    return this.#keep(flat);
  }

  /** A set without gradients, all zeros: for an average, a teacher, or values to be loaded. */
  frozen(label: string): NetworkWeights {
    return this.#keep(new FlatParameters(this.#workspace, this.layout, { owner: 'average', label }));
  }

  free(): void {
    for (const flat of this.#sets) flat.free();
    for (const tensor of this.#constants.values()) this.#workspace.free(tensor);
  }

  #keep(flat: FlatParameters): NetworkWeights {
    this.#sets.push(flat);
    return new NetworkWeights(flat, this.#constants);
  }
}
