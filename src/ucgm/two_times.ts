import type { Tape } from '../autograd/tape.ts';
import { lincomb } from '../kernels/lincomb.ts';
import type { GuidanceInput, VelocityNetwork, Weights } from '../nn/network.ts';
import { count, type Tensor } from '../tensor/index.ts';
import type { BatchTensors } from './method.ts';

/** What a step of a method over two times is recorded on, and its per-sample numbers `rows` [B, stride]. */
export interface TwoTimesStep {
  readonly tape: Tape;
  /** Records no backward. */
  readonly inference: Tape;
  readonly network: VelocityNetwork;
  readonly online: Weights;
  readonly teacher: Weights;
  readonly batch: BatchTensors;
  /** Where the network takes it. */
  readonly guidance?: GuidanceInput | undefined;
  readonly rows: Tensor;
  readonly stride: number;
}

/** What methods over two times have in common: combinations by each sample's numbers, and the teacher asked. */
export class TwoTimes {
  readonly #step: TwoTimesStep;
  /** Of `lincomb` over this batch. */
  readonly dims: { readonly batch: number; readonly n: number; readonly coef_stride: number };

  constructor(step: TwoTimesStep) {
    const { shape } = step.batch.x;
    this.#step = step;
    this.dims = { batch: shape[0] as number, n: count(shape.slice(1)), coef_stride: step.stride };
  }

  /** The sum of the tensors, each times its sample's number in `rows` from `offset` on. -> [B, C, H, W] */
  combine(offset: number, ...of: readonly (Tensor | undefined)[]): Tensor {
    const { tape, batch, rows } = this.#step;
    const out = tape.alloc(...batch.x.shape);
    const [u0, u1, u2, u3] = of as [Tensor, ...(Tensor | undefined)[]];
    const inputs = of.filter((u) => u !== undefined).length as 1 | 2 | 3 | 4;
    const kernel = lincomb.prepare(tape.workspace.device, { inputs });
    tape.run(kernel, { u0, u1, u2, u3, coefs: rows, out }, { ...this.dims, coef_offset: offset });
    return out;
  }

  /** The teacher's mean velocity at a point and a time, over `span` back, for some labels. -> [B, C, H, W] */
  ask(at: Tensor, time: Tensor, span: Tensor, label: Tensor): Tensor {
    const { inference, network, teacher, batch, guidance } = this.#step;
    return inference.block([at], () =>
      network.forward(inference, teacher, at, time, label, span, batch.training?.teacher, guidance),
    );
  }

  /**
   * x_t, F_online(x_t, t, y) over `span`, recorded for the backward, and the velocity v of x and z, with the teacher's for the label
   * and for the null class where it is `guided` (over no span: `still`). `path` and `velocity` are places in `rows`. `known` is the
   * prediction in the precision of the passes that it is compared with. With `input`, the network in training is asked elsewhere than
   * at x_t and t, and the teacher's F-(x_t, t, t) stays, as `real`.
   */
  start(
    path: number,
    velocity: number,
    span: Tensor,
    still: Tensor,
    guided: boolean,
    input?: (xt: Tensor) => { at: Tensor; time: Tensor },
  ): { xt: Tensor; prediction: Tensor; known: Tensor; v: Tensor; real?: Tensor } {
    const { tape, inference, network, online, batch, guidance } = this.#step;
    const { x, z, t, y, yNull, training } = batch;
    const xt = this.combine(path, x, z); // [B, C, H, W]
    const { at, time } = input?.(xt) ?? { at: xt, time: t };
    const prediction = network.forward(tape, online, at, time, y, span, training?.online, guidance); // [B, C, H, W]
    const again = () => network.forward(inference, online, at, time, y, span, training?.online, guidance);
    const known = inference.precision === tape.precision ? prediction : inference.block([at], again); // [B, C, H, W]
    const real = guided || input ? this.ask(xt, t, still, y) : undefined; // [B, C, H, W]
    const none = guided ? this.ask(xt, t, still, yNull) : undefined; // [B, C, H, W]
    const v = this.combine(velocity, x, z, ...(guided ? [real, none] : [])); // [B, C, H, W]
    this.release(none);
    if (!input) this.release(real);
    return { xt, prediction, known, v, ...(input && { real }) };
  }

  /** Frees step tensors, where there are some. */
  release(...tensors: readonly (Tensor | undefined)[]): void {
    for (const tensor of tensors) if (tensor) this.#step.tape.release(tensor);
  }
}
