import type { FlatBuffers, Tensor, Workspace } from '../tensor/index.ts';
import { anyOf } from './agree.ts';
import type { Communicator } from './communicator.ts';
import type { Lane, Submit, Turn, Work } from './lane.ts';
import { PairLane } from './pair_lane.ts';
import { cutPieces, type Piece, pieceOf, type Wire } from './pieces.ts';
import { ScatterLane } from './scatter_lane.ts';
import { Turns } from './turns.ts';

/** Pieces that gradients are cut into, of so many elements at least and at most, but for the first parameters': the wire begins with the first, and each call costs. */
const PIECES = 24;
const [LEAST, MOST] = [2 ** 16, 2 ** 21];
/** Pieces on their way at once: one is on the wire while others wait for the device, before their sum and after it. */
const LANES = 16;

/** How gradients are exchanged. */
export interface ExchangeOptions {
  readonly ranks: Communicator;
  /** The weight of each rank in the mean: its share of the batch. [ranks] */
  readonly shares: Float32Array<ArrayBuffer>;
  /** What numbers are sent as; sums are f32. Of bf16 half the bytes go, and gradients are rounded to 8 bits, once before the sum and once after. */
  readonly wire: Wire;
  /** Elements of a piece (default: a 24th of all, 2^16 to 2^21). */
  readonly pieceElements?: number;
}

/** What is sent, through what. */
interface Plan {
  readonly pieces: readonly Piece[];
  readonly lanes: readonly Lane[];
  readonly weights: Tensor;
}

/**
 * Averages gradients and loss over all ranks, by sums that the GPU makes in the order of the ranks: a reduce-scatter and an allgather, or, of
 * two ranks, all to each other. All have the same bits, which depend on the number of ranks and not on the time at which anything
 * came. Messages go from and to mapped buffers.
 */
export class GradientExchange {
  readonly ranks: Communicator;
  readonly #workspace: Workspace;
  readonly #options: ExchangeOptions;
  #plan: Plan | undefined;
  /** Of this step: pieces that are on their way or done, what each lane is busy with, and who is next to send. */
  #sent = 0;
  #ways: (Promise<void> | undefined)[] = [];
  #turns: Turns[] = [];
  /** What is to be submitted with the next ranges that are sent; while more are to come. */
  #waiting: { readonly work: Work; readonly done: () => void }[] = [];
  #moreCome = false;

  constructor(workspace: Workspace, options: ExchangeOptions) {
    this.#workspace = workspace;
    this.#options = options;
    this.ranks = options.ranks;
  }

  /**
   * Begins a step: gives the ranges in the order in which they are sent. The same tensors are given every time.
   * @throws BufferLimitError where there is no memory for what is on its way.
   */
  async begin(gradients: FlatBuffers, loss: Tensor): Promise<readonly Tensor[]> {
    this.#plan ??= await this.#made(gradients, loss);
    const { pieces, lanes } = this.#plan;
    this.#sent = 0;
    this.#moreCome = true;
    this.#ways = lanes.map(() => undefined);
    this.#turns = [new Turns(), new Turns()];
    return pieces.map(({ tensor, first, count }) => tensor.slice(first, count));
  }

  /** The first `count` ranges may be sent: all that writes them was submitted. What came of others is submitted with them. */
  send(count: number): void {
    const { pieces, lanes } = this.#plan as Plan;
    for (const piece of pieces.slice(this.#sent, count)) {
      const at = this.#sent++ % lanes.length;
      const turns = this.#turns.map((turns) => turns.take()) as [Turn, Turn];
      const exchange = () => (lanes[at] as Lane).exchange(piece, ...turns);
      const way = this.#ways[at]?.then(exchange) ?? exchange();
      way.then(
        () => {
          if (this.#ways[at] === way) this.#ways[at] = undefined; // the next begins with the others that are sent then
        },
        () => {}, // told by finish
      );
      this.#ways[at] = way;
    }
    this.#submitWaiting();
  }

  /** Sends the rest; resolves when the commands are submitted that bring the averages. @param meanwhile called while they are on their way. */
  async finish(meanwhile?: () => Promise<void>): Promise<void> {
    this.#moreCome = false;
    this.send((this.#plan as Plan).pieces.length);
    await Promise.all([...this.#ways, meanwhile?.()]);
  }

  /** Whether one rank at least says so. */
  any(said: boolean): Promise<boolean> {
    return anyOf(this.ranks, said);
  }

  /** The device has work for some tens of milliseconds, and nothing to send yet. */
  idle(): void {
    this.ranks.idle?.();
  }

  /** Frees what is on the device. */
  free(): void {
    for (const lane of this.#plan?.lanes ?? []) lane.free();
    if (this.#plan) this.#workspace.free(this.#plan.weights);
    this.#plan = undefined;
  }

  async #made(gradients: FlatBuffers, loss: Tensor) {
    const { ranks, shares, wire, pieceElements } = this.#options;
    const workspace = this.#workspace;
    const weights = workspace.create('data', 'shares of the ranks', [ranks.size]);
    workspace.device.queue.writeBuffer(weights.buffer, weights.offset, shares);
    const elements = gradients.chunks.reduce((sum, chunk) => sum + chunk.count, 0);
    const each = pieceElements ?? Math.min(MOST, Math.max(LEAST, Math.ceil(elements / PIECES)));
    // The loss is sent as it is: it is what is looked at.
    const pieces = [...cutPieces(gradients, wire, each, ranks.size), pieceOf(loss, 0, 1, 'f32', ranks.size)];
    const submit: Submit = (work) =>
      new Promise((done) => {
        this.#waiting.push({ work, done });
        if (!this.#moreCome) this.#submitWaiting();
      });
    const OfLanes = ranks.size === 2 ? PairLane : ScatterLane;
    const lanes = Array.from({ length: Math.min(LANES, pieces.length) }, (_, lane) => {
      const its = pieces.filter((_, i) => i % LANES === lane);
      return new OfLanes({ workspace, ranks, submit, weights, pieces: its, name: `by lane ${lane}` });
    });
    await Promise.all([OfLanes.compiled(workspace), workspace.ledger.check()]);
    return { pieces, lanes, weights };
  }

  /** In one submit and one pass: each submit is a gap in the device's work, and each object of it is garbage. */
  #submitWaiting(): void {
    const waiting = this.#waiting.splice(0);
    if (waiting.length === 0) return;
    const { device } = this.#workspace;
    const encoder = device.createCommandEncoder();
    for (const { work } of waiting) work.before?.(encoder);
    const dispatches = waiting.flatMap(({ work }) => work.dispatches.filter((dispatch) => dispatch !== undefined));
    if (dispatches.length > 0) {
      const pass = encoder.beginComputePass();
      for (const dispatch of dispatches) dispatch(pass);
      pass.end();
    }
    for (const { work } of waiting) work.after?.(encoder);
    device.queue.submit([encoder.finish()]);
    for (const { done } of waiting) done();
  }
}
