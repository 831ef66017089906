import { adamStep, lionStep } from '../kernels/optimizer.ts';
import { FlatBuffers, type FlatParameters, type Tensor, type Workspace } from '../tensor/index.ts';
import { ADAM_TYPES, type AdamType, adamHyper, lionHyper } from './hyper.ts';

export interface OptimizerOptions {
  /** AdamW is the reference's (see hyper.ts), not torch's. Adam and RAdam are torch's. */
  type: AdamType | 'Lion';
  lr: number;
  betas: readonly [number, number];
  weight_decay: number;
  eps?: number;
}

const TYPES: readonly string[] = [...ADAM_TYPES, 'Lion'];

/** An optimiser's name is unknown, or a number out of range. */
export class OptimizerError extends Error {
  override readonly name = 'OptimizerError';
}

/** The moments of an optimiser over the flat buffers of a parameter set: Adam's family has two, Lion the first alone. */
export class Optimizer {
  readonly options: OptimizerOptions;
  readonly m: FlatBuffers;
  readonly v: FlatBuffers | undefined;
  /** Steps done; the bias corrections depend on it. Part of a checkpoint. */
  step = 0;
  readonly #workspace: Workspace;
  readonly #parameters: FlatParameters;
  readonly #hyper: Tensor;

  /** @throws OptimizerError for an unknown type or impossible numbers. */
  constructor(workspace: Workspace, parameters: FlatParameters, options: OptimizerOptions) {
    validate(options);
    this.options = options;
    this.#workspace = workspace;
    this.#parameters = parameters;
    this.m = new FlatBuffers(workspace, parameters.layout, 'optimizer', 'm');
    this.v = options.type === 'Lion' ? undefined : new FlatBuffers(workspace, parameters.layout, 'optimizer', 'v');
    this.#hyper = workspace.create('optimizer', 'hyper', [9]);
  }

  /** Records one update of all parameters from their gradients, scaled and cleaned by `clip` [4]. `lr` overrides the option. */
  update(clip: Tensor, lr = this.options.lr): void {
    const { stream, device } = this.#workspace;
    this.step++;
    const { betas, weight_decay, eps = 1e-8, type } = this.options;
    const settings = { lr, beta1: betas[0], beta2: betas[1], eps, weightDecay: weight_decay };
    stream.write(this.#hyper, type === 'Lion' ? lionHyper(settings) : adamHyper(type, settings, this.step));
    this.#parameters.values.chunks.forEach((param, i) => {
      const grad = this.#parameters.gradients?.chunks[i] as Tensor;
      const shared = { param, grad, m: this.m.chunks[i] as Tensor, hyper: this.#hyper, clip };
      const v = this.v?.chunks[i];
      if (v) stream.run(adamStep.prepare(device), { ...shared, v }, { count: param.count });
      else stream.run(lionStep.prepare(device), shared, { count: param.count });
    });
  }

  free(): void {
    this.m.free();
    this.v?.free();
    this.#workspace.free(this.#hyper);
  }
}

function validate(o: OptimizerOptions): void {
  if (!TYPES.includes(o.type))
    throw new OptimizerError(`optimizer ${o.type} does not exist. Fix: use one of ${TYPES.join(', ')}`);
  if (!(o.lr > 0)) throw new OptimizerError(`lr is ${o.lr}. Fix: give a positive number`);
  if (!o.betas.every((b) => b >= 0 && b < 1))
    throw new OptimizerError(`betas are [${o.betas}]. Fix: give two numbers in [0, 1)`);
  if (!(o.weight_decay >= 0)) throw new OptimizerError(`weight_decay is ${o.weight_decay}. Fix: give 0 or more`);
}
