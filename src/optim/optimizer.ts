import { adamStep, lionStep } from '../kernels/optimizer.ts';
import { FlatBuffers, type FlatParameters, type HalfCopy, type Tensor, type Workspace } from '../tensor/index.ts';
import type { FusedAverage } from './average.ts';
import { CautiousMask } from './cautious.ts';
import { DAdaptation } from './dadapt.ts';
import { adamHyper, lionHyper, muonHyper } from './hyper.ts';
import { Muon } from './muon.ts';
import { checkOptimizer, OptimizerError, type OptimizerOptions } from './optimizer_options.ts';
import { rateFactor } from './rate.ts';

export { OPTIMIZER_TYPES, OptimizerError, type OptimizerOptions } from './optimizer_options.ts';

/** What one dispatch of an element-wise step works on: a flat buffer, or a range of one. */
interface Part {
  readonly param: Tensor;
  readonly grad: Tensor;
  readonly m: Tensor;
  readonly v?: Tensor | undefined;
}

/** The moments of an optimiser over the flat buffers of a parameter set: Adam's family has two, Lion's and Muon's matrices the first alone. */
export class Optimizer {
  readonly options: OptimizerOptions;
  readonly m: FlatBuffers;
  readonly v: FlatBuffers | undefined;
  /** Steps done; the bias corrections and the learning rate depend on it. Part of a checkpoint. */
  step = 0;
  readonly adaptation: DAdaptation | undefined;
  readonly #workspace: Workspace;
  readonly #parameters: FlatParameters;
  readonly #hyper: Tensor;
  readonly #mask: CautiousMask | undefined;
  readonly #muon: Muon | undefined;
  readonly #parts: readonly Part[];

  /** @throws OptimizerError for an unknown type, impossible numbers, or Muon without a matrix. */
  constructor(workspace: Workspace, parameters: FlatParameters, options: OptimizerOptions) {
    checkOptimizer(options);
    const { type } = options;
    const { layout, values, gradients } = parameters;
    this.options = options;
    this.#workspace = workspace;
    this.#parameters = parameters;
    this.m = new FlatBuffers(workspace, layout, 'optimizer', 'm');
    this.#muon = type === 'Muon' ? new Muon(workspace, parameters, this.m) : undefined;
    this.v = isLion(type) ? undefined : (this.#muon?.v ?? new FlatBuffers(workspace, layout, 'optimizer', 'v'));
    this.#hyper = workspace.create('optimizer', 'hyper', [10]);
    this.adaptation = type === 'DAdamW' ? new DAdaptation(workspace, parameters) : undefined;
    this.#mask =
      type === 'CLion' || type === 'CAdamW'
        ? new CautiousMask(workspace, layout, isLion(type) ? 'lion' : 'adam')
        : undefined;
    const chunk = (buffers: FlatBuffers | undefined, i: number) => buffers?.chunks[i] as Tensor;
    this.#parts =
      this.#muon?.ranges ??
      values.chunks.map((param, i) => ({ param, grad: chunk(gradients, i), m: chunk(this.m, i), v: chunk(this.v, i) }));
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

  /** True where the kernel of its step can update an average, and an f16 copy of the parameters, in the same pass. */
  get fuses(): boolean {
    return this.v !== undefined && !this.#mask && !this.adaptation && !this.#muon;
  }

  /**
   * Records one update of all parameters from their gradients, scaled and cleaned by `clip` [4], at the learning rate of its step. `average`
   * and the f16 copy are updated in the same pass, by an optimiser that `fuses`. @throws OptimizerError for one of them with another.
   */
  update(clip: Tensor, average?: FusedAverage, halves?: HalfCopy): void {
    if ((average || halves) && !this.fuses)
      throw new OptimizerError(`${this.options.type} updates no average and no copy`, 'update them after the step');
    const { stream, device } = this.#workspace;
    this.step++;
    const { betas, weight_decay, type, eps = type === 'CAdamW' ? 1e-6 : 1e-8 } = this.options;
    const { matrix_lr = 0.02, momentum = 0.95 } = this.options;
    const factor = rateFactor(this.options, this.step);
    const weightDecay = weight_decay;
    const settings = { lr: factor * this.options.lr, beta1: betas[0], beta2: betas[1], eps, weightDecay };
    if (type === 'DAdamW') {
      this.adaptation?.update(this.#parameters, this.m, this.v as FlatBuffers, clip, settings);
      return;
    }
    this.#muon?.update(clip, muonHyper({ lr: factor * matrix_lr, momentum, weightDecay }));
    const hyper = this.#hyper;
    const adamType = type === 'Muon' ? 'AdamW' : type;
    const numbers = isLion(adamType) ? lionHyper(settings) : adamHyper(adamType, settings, this.step);
    stream.write(hyper, average ? new Float32Array([...numbers, average.decay]) : numbers);
    this.#mask?.measure(this.#parameters.gradients as FlatBuffers, this.m, hyper, clip);
    const options = { cautious: this.#mask !== undefined };
    const adamOptions = { ...options, average: average !== undefined, half: halves !== undefined };
    this.#parts.forEach(({ v, ...part }, i) => {
      const mask = this.#mask && { scales: this.#mask.scales, owners: this.#mask.owners[i] as Tensor };
      const dims = { count: part.param.count, tensors: this.#mask?.scales.count ?? 0 };
      const shared = { ...part, hyper, clip, ...mask };
      if (v) {
        const fused = { average: average?.values.chunks[i], half: halves?.chunks[i] };
        stream.run(adamStep.prepare(device, adamOptions), { ...shared, v, ...fused }, dims);
      } else stream.run(lionStep.prepare(device, options), shared, dims);
    });
  }

  free(): void {
    this.m.free();
    if (!this.#muon) this.v?.free();
    this.#muon?.free();
    this.adaptation?.free();
    this.#mask?.free();
    this.#workspace.free(this.#hyper);
  }
}

function isLion(type: OptimizerOptions['type']): type is 'Lion' | 'CLion' {
  return type === 'Lion' || type === 'CLion';
}
