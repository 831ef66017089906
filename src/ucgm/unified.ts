import type { Tape } from '../autograd/tape.ts';
import type { VelocityNetwork, Weights } from '../nn/network.ts';
import type { Shard } from '../rng/shard.ts';
import type { Tensor, Workspace } from '../tensor/index.ts';
import { consistencyCoefficients, lambdaAt, ROW } from './consistency.ts';
import { refuseGuidanceInput } from './guidance.ts';
import type { BatchTensors, Method } from './method.ts';
import { type LossPlace, type ObjectiveResult, objective } from './objective.ts';
import type { ObjectiveOptions } from './options.ts';
import { multiStepCoefficients, needsTeacher } from './targets.ts';
import { OptionError } from './transport.ts';

/** UCGM-T: the objective of arXiv 2505.07447 with the coefficient tensors that it reads. */
export class UnifiedMethod implements Method {
  readonly needsTeacher: boolean;
  readonly takesDifferences: boolean;
  readonly #workspace: Workspace;
  readonly #network: VelocityNetwork;
  readonly #options: ObjectiveOptions;
  readonly #shard: Shard;
  readonly #own: { readonly path: Tensor; readonly target: Tensor; readonly weight: Tensor };
  readonly #consistency: { readonly rows: Tensor; readonly first: Tensor; readonly second: Tensor } | undefined;

  /** @throws OptionError for a network of two times, or one that takes guidance. */
  constructor(workspace: Workspace, network: VelocityNetwork, options: ObjectiveOptions, batch: number, shard: Shard) {
    if (network.twoTimes)
      throw new OptionError(
        'UCGM has no use for a network of two times',
        'use method RCGM (preset anystep) or ANYSTEP (preset anystep-soflow), or leave two_times out',
      );
    refuseGuidanceInput(network, 'UCGM');
    this.needsTeacher = needsTeacher(options);
    this.takesDifferences = options.consistc_ratio !== 0;
    this.#workspace = workspace;
    this.#network = network;
    this.#options = options;
    this.#shard = shard;
    const make = (name: string, ...shape: number[]) => workspace.create('data', name, shape);
    this.#own = {
      path: make('path coefficients', batch, 2),
      target: make('target coefficients', batch, 4),
      weight: make('loss weights', batch),
    };
    if (options.consistc_ratio !== 0) {
      const rows = make('consistency coefficients', batch, ROW.stride);
      this.#consistency = { rows, first: make('first times', batch), second: make('second times', batch) };
    }
  }

  upload(times: ArrayLike<number>, step: number): void {
    const { stream } = this.#workspace;
    const { path, target, weight } = multiStepCoefficients(this.#options, times, this.#shard);
    stream.write(this.#own.path, path);
    stream.write(this.#own.target, target);
    stream.write(this.#own.weight, weight);
    if (!this.#consistency) return;
    const { rows, first, second } = consistencyCoefficients(
      this.#options,
      times,
      this.#shard,
      lambdaAt(this.#options, step),
    );
    stream.write(this.#consistency.rows, rows);
    stream.write(this.#consistency.first, first);
    stream.write(this.#consistency.second, second);
  }

  run(
    tape: Tape,
    inference: Tape,
    online: Weights,
    teacher: Weights | undefined,
    batch: BatchTensors,
    total: LossPlace,
  ): ObjectiveResult {
    const inputs = { ...batch, ...this.#own, ...(this.#consistency && { consistency: this.#consistency }) };
    return objective(tape, inference, this.#network, online, teacher, this.#options, inputs, total);
  }

  free(): void {
    for (const tensor of [...Object.values(this.#own), ...Object.values(this.#consistency ?? {})])
      this.#workspace.free(tensor);
  }
}
