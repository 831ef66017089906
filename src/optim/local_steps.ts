import { lincomb } from '../kernels/lincomb.ts';
import { outerStep } from '../kernels/optimizer.ts';
import { FlatBuffers, type FlatParameters, type Tensor, type Workspace } from '../tensor/index.ts';
import type { Averager } from './learner_options.ts';
import type { LocalStepsOptions } from './local_steps_options.ts';
import { NonFiniteError, stoppedByOther } from './non_finite.ts';
import type { StepMetrics } from './step_metrics.ts';

/** The state of outer steps: where the steps of a round began, and a momentum, both the same on all devices. */
export class LocalSteps {
  readonly options: LocalStepsOptions;
  /** The learner's step after which the round began. Part of a checkpoint. */
  began = 0;
  readonly #workspace: Workspace;
  readonly #parameters: FlatParameters;
  readonly #start: FlatBuffers;
  readonly #momentum: FlatBuffers;
  readonly #hyper: Tensor;
  /** Coefficients of start - param. */
  readonly #difference: Tensor;

  constructor(workspace: Workspace, parameters: FlatParameters, options: LocalStepsOptions) {
    const { layout, values } = parameters;
    this.options = options;
    this.#workspace = workspace;
    this.#parameters = parameters;
    this.#start = new FlatBuffers(workspace, layout, 'optimizer', 'start of a round');
    this.#momentum = new FlatBuffers(workspace, layout, 'optimizer', 'outer momentum');
    this.#hyper = workspace.create('optimizer', 'outer hyper', [2]);
    workspace.stream.write(this.#hyper, Float32Array.of(options.lr, options.momentum));
    this.#difference = workspace.create('optimizer', 'outer difference', [2]);
    workspace.stream.write(this.#difference, Float32Array.of(1, -1));
    this.#start.copyFrom(values);
  }

  /** Whether step `step` is the last of its round. */
  endsAt(step: number): boolean {
    return step > this.began && step % this.options.steps === 0;
  }

  /** The weights were put in place of others: a round begins with them. */
  restart(step: number): void {
    this.#start.copyFrom(this.#parameters.values);
    this.began = step;
  }

  /**
   * The outer step after step `step`, submitted when it resolves. @param averager makes the mean over the devices; there is one if left out.
   * @param shared [1] of which the mean is taken too. @returns the steps of the round.
   */
  async end(step: number, averager: Averager | undefined, shared: Tensor): Promise<number> {
    const { stream, device } = this.#workspace;
    const { values, gradients } = this.#parameters;
    const chunks = values.chunks.map((param, i) => {
      const [start, m, grad] = [this.#start, this.#momentum, gradients].map((of) => of?.chunks[i]) as [
        Tensor,
        Tensor,
        Tensor,
      ];
      return { param, start, m, grad };
    });
    const difference = lincomb.prepare(device, { inputs: 2 });
    for (const { param, start, grad } of chunks) {
      const buffers = { u0: start, u1: param, coefs: this.#difference, out: grad };
      stream.run(difference, buffers, { batch: 1, n: grad.count });
    }
    if (averager) {
      await averager.begin(gradients as FlatBuffers, shared);
      await this.#workspace.callback(() => averager.finish());
    }
    const kernel = outerStep.prepare(device);
    for (const chunk of chunks) stream.run(kernel, { ...chunk, hyper: this.#hyper }, { count: chunk.param.count });
    const steps = step - this.began;
    this.began = step;
    return steps;
  }

  /** What a checkpoint holds of it by parameter. */
  groups(): [string, FlatBuffers][] {
    return [
      ['outer_start', this.#start],
      ['outer_m', this.#momentum],
    ];
  }

  free(): void {
    this.#start.free();
    this.#momentum.free();
    for (const tensor of [this.#hyper, this.#difference]) this.#workspace.free(tensor);
  }
}

/**
 * Looks at the steps of a round on all devices. @param step the last of them. @param unread metrics that were looked at.
 * @returns what is wrong with one of them: on all devices, where it is so on one.
 */
export async function wrongRound(
  look: () => Promise<void>,
  averager: Averager | undefined,
  step: number,
  unread: StepMetrics[],
): Promise<NonFiniteError | undefined> {
  const own = await look().then(
    () => undefined,
    (error) => {
      if (error instanceof NonFiniteError) return error;
      throw error;
    },
  );
  const any = averager ? await averager.any(own !== undefined) : own !== undefined;
  return any ? (own ?? stoppedByOther(step, unread.splice(0))) : undefined;
}
