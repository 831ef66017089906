import { checkOptions, FixableError, group, number, numbers, oneOf, optional } from '../kernel/index.ts';
import { adamStep, lionStep } from '../kernels/optimizer.ts';
import { FlatBuffers, type FlatParameters, type Tensor, type Workspace } from '../tensor/index.ts';
import type { FusedAverage } from './average.ts';
import { CautiousMask } from './cautious.ts';
import { DAdaptation } from './dadapt.ts';
import { ADAM_TYPES, type AdamType, adamHyper, lionHyper } from './hyper.ts';

export interface OptimizerOptions {
  /** AdamW is the reference's (see hyper.ts), not torch's. Adam and RAdam are torch's. The C ones are cautious, DAdamW adapts its rate. */
  type: AdamType | 'Lion' | 'CLion' | 'DAdamW';
  lr: number;
  betas: readonly [number, number];
  weight_decay: number;
  /** Default 1e-8; 1e-6 for CAdamW. */
  eps?: number;
}

/** Every optimiser's name. */
export const OPTIMIZER_TYPES = [...ADAM_TYPES, 'Lion', 'CLion', 'DAdamW'] as const;

/** An optimiser's name is unknown, or a number out of range. */
export class OptimizerError extends FixableError {
  override readonly name = 'OptimizerError';
}

/** The moments of an optimiser over the flat buffers of a parameter set: Adam's family has two, Lion's the first alone. */
export class Optimizer {
  readonly options: OptimizerOptions;
  readonly m: FlatBuffers;
  readonly v: FlatBuffers | undefined;
  /** Steps done; the bias corrections depend on it. Part of a checkpoint. */
  step = 0;
  readonly adaptation: DAdaptation | undefined;
  readonly #workspace: Workspace;
  readonly #parameters: FlatParameters;
  readonly #hyper: Tensor;
  readonly #mask: CautiousMask | undefined;

  /** @throws OptimizerError for an unknown type or impossible numbers. */
  constructor(workspace: Workspace, parameters: FlatParameters, options: OptimizerOptions) {
    validate(options);
    const { type } = options;
    const { layout } = parameters;
    this.options = options;
    this.#workspace = workspace;
    this.#parameters = parameters;
    this.m = new FlatBuffers(workspace, layout, 'optimizer', 'm');
    this.v = isLion(type) ? undefined : new FlatBuffers(workspace, layout, 'optimizer', 'v');
    this.#hyper = workspace.create('optimizer', 'hyper', [9]);
    this.adaptation = type === 'DAdamW' ? new DAdaptation(workspace, parameters) : undefined;
    this.#mask =
      type === 'CLion' || type === 'CAdamW'
        ? new CautiousMask(workspace, layout, isLion(type) ? 'lion' : 'adam')
        : undefined;
  }

  /** All that a checkpoint holds of the optimiser by parameter, by name. */
  groups(): Map<string, FlatBuffers> {
    const all: [string, FlatBuffers | undefined][] = [
      ['m', this.m],
      ['v', this.v],
      ['s', this.adaptation?.s],
    ];
    return new Map(all.filter((entry): entry is [string, FlatBuffers] => entry[1] !== undefined));
  }

  /** True where the kernel of its step can update an average in the same pass. */
  get averages(): boolean {
    return this.v !== undefined && this.#mask === undefined && this.adaptation === undefined;
  }

  /**
   * Records one update of all parameters from their gradients, scaled and cleaned by `clip` [4]. `lr` overrides the option; `average` is
   * updated in the same pass, by an optimiser that `averages`. @throws OptimizerError for an average with another.
   */
  update(clip: Tensor, lr = this.options.lr, average?: FusedAverage): void {
    if (average && !this.averages)
      throw new OptimizerError(`${this.options.type} updates no average`, 'update the average after the step');
    const { stream, device } = this.#workspace;
    this.step++;
    const { betas, weight_decay, type, eps = type === 'CAdamW' ? 1e-6 : 1e-8 } = this.options;
    const settings = { lr, beta1: betas[0], beta2: betas[1], eps, weightDecay: weight_decay };
    const gradients = this.#parameters.gradients as FlatBuffers;
    if (type === 'DAdamW') {
      this.adaptation?.update(this.#parameters, this.m, this.v as FlatBuffers, clip, settings);
      return;
    }
    const hyper = this.#hyper;
    stream.write(hyper, isLion(type) ? lionHyper(settings) : adamHyper(type, settings, this.step));
    this.#mask?.measure(gradients, this.m, hyper, clip);
    const options = { cautious: this.#mask !== undefined };
    const adamOptions = { ...options, average: average !== undefined };
    this.#parameters.values.chunks.forEach((param, i) => {
      const mask = this.#mask && { scales: this.#mask.scales, owners: this.#mask.owners[i] as Tensor };
      const dims = { count: param.count, tensors: this.#mask?.scales.count ?? 0 };
      const grad = gradients.chunks[i] as Tensor;
      const shared = { param, grad, m: this.m.chunks[i] as Tensor, hyper, clip, ...mask };
      const v = this.v?.chunks[i];
      if (v) {
        const averaged = average && { average: average.values.chunks[i] as Tensor, decay: average.decay };
        stream.run(adamStep.prepare(device, adamOptions), { ...shared, v, ...averaged }, dims);
      } else stream.run(lionStep.prepare(device, options), shared, dims);
    });
  }

  free(): void {
    for (const buffers of this.groups().values()) if (buffers !== this.adaptation?.s) buffers.free();
    this.adaptation?.free();
    this.#mask?.free();
    this.#workspace.free(this.#hyper);
  }
}

function isLion(type: OptimizerOptions['type']): type is 'Lion' | 'CLion' {
  return type === 'Lion' || type === 'CLion';
}

const OPTIONS = group<OptimizerOptions>({
  type: oneOf(...OPTIMIZER_TYPES),
  lr: number,
  betas: numbers(2),
  weight_decay: number,
  eps: optional(number),
});

function validate(o: OptimizerOptions): void {
  checkOptions(OPTIONS, o, (what, fix) => new OptimizerError(`optimizer: ${what}`, fix));
  if (!(o.lr > 0)) throw new OptimizerError(`lr is ${o.lr}`, `give a positive number`);
  if (!o.betas.every((b) => b >= 0 && b < 1))
    throw new OptimizerError(`betas are [${o.betas}]`, `give two numbers in [0, 1)`);
  if (o.eps !== undefined && !(o.eps > 0))
    throw new OptimizerError(`eps is ${o.eps}`, 'give a positive number: without it a gradient of 0 divides 0 by 0');
  if (!(o.weight_decay >= 0)) throw new OptimizerError(`weight_decay is ${o.weight_decay}`, `give 0 or more`);
}
