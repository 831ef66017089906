import type { Tape } from '../autograd/tape.ts';
import { lincomb } from '../kernels/lincomb.ts';
import type { GuidanceInput, VelocityNetwork, Weights } from '../nn/network.ts';
import { count, Tensor } from '../tensor/index.ts';
import { strengthOf } from './drawn_guidance.ts';
import { OptionError } from './transport.ts';

/** Classifier-free guidance: how strongly, and on which times, ends included (Ho & Salimans 2022; the interval: Kynkaanniemi et al. 2024). */
export interface Guidance {
  readonly scale: number;
  readonly interval: readonly [lo: number, hi: number];
  /** Only the first channels are guided, the others stay conditional; all if left out. */
  readonly channels?: number;
}

/** True when guidance changes the velocity at time t. */
export function guided(guidance: Guidance, numClasses: number, t: number): boolean {
  return numClasses >= 2 && guidance.scale !== 1 && t >= guidance.interval[0] && t <= guidance.interval[1];
}

/** @throws OptionError for a network that takes guidance under a method that does not give it any. */
export function refuseGuidanceInput({ guidanceInput }: VelocityNetwork, method: string): void {
  if (guidanceInput)
    throw new OptionError(
      `${method} gives no guidance to a network that takes it`,
      'set method to ANYSTEP, or leave guidance_input out of the section model',
    );
}

/**
 * Velocity at one time for a whole batch, guided where the interval says so: uncond + scale (cond - uncond), both halves
 * in one pass. x [B, C, H, W], y u32 [B]. `labels` [2B] holds y, then the null class; `times` [2B], and for a
 * network of two times `spans` [2B], are written here, with t and `span`. A network that takes guidance has it in `input`, [2B] each and
 * written here: one pass for the conditional half; below a scale of 1, which it does not learn, both halves are asked for none.
 */
export function guidedVelocity(
  tape: Tape,
  network: VelocityNetwork,
  weights: Weights,
  guidance: Guidance,
  x: Tensor,
  t: number,
  labels: Tensor,
  times: Tensor,
  two?: { readonly span: number; readonly spans: Tensor },
  input?: GuidanceInput,
): Tensor {
  const { stream, device } = tape.workspace;
  const batch = x.shape[0] as number;
  const fill = (tensor: Tensor, value: number) => stream.write(tensor, new Float32Array(tensor.count).fill(value));
  fill(times, t);
  if (two) fill(two.spans, two.span);
  const learned = input !== undefined && guidance.scale >= 1;
  if (input) {
    fill(input.strength, learned ? strengthOf(guidance.scale) : 0);
    fill(input.from, guidance.interval[0]);
    fill(input.to, guidance.interval[1]);
  }
  if (learned || !guided(guidance, network.numClasses, t)) {
    const one = (tensor: Tensor) => first(tensor, batch);
    const own = input && { strength: one(input.strength), from: one(input.from), to: one(input.to) };
    return tape.block([x], () =>
      network.forward(tape, weights, x, one(times), one(labels), two && one(two.spans), undefined, own),
    );
  }
  return tape.block([x], () => {
    const n = count(x.shape.slice(1));
    const twice = tape.alloc(2 * batch, ...x.shape.slice(1));
    for (let i = 0; i < 2; i++) {
      stream.copy(x, twice.slice(i * x.count, ...x.shape));
    }
    const both = network.forward(tape, weights, twice, times, labels, two?.spans, undefined, input); // [2B, C, H, W]: conditional, unconditional
    const coefs = tape.alloc(2);
    stream.write(coefs, new Float32Array([guidance.scale, 1 - guidance.scale]));
    const out = tape.alloc(...x.shape);
    const dims = { batch, n, offset1: batch * n };
    tape.run(lincomb.prepare(device, { inputs: 2 }), { u0: both, u1: both, coefs, out }, dims);
    const pixels = n / (x.shape[1] as number);
    const from = (guidance.channels ?? Number.POSITIVE_INFINITY) * pixels;
    if (from >= n) return out;
    const rest = (of: Tensor, b: number) => of.slice(b * n + from, n - from);
    for (let b = 0; b < batch; b++) stream.copy(rest(both, b), rest(out, b));
    return out;
  });
}

function first(t: Tensor, count_: number): Tensor {
  return new Tensor([count_], t.storage);
}
