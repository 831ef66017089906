import type { Tape } from '../autograd/tape.ts';
import type { NetworkWeights } from '../nn/weights.ts';
import { type Command, type FlatBuffers, Section, type Tensor, touches, type Workspace } from '../tensor/index.ts';
import { Accumulation } from './accumulation.ts';
import { LearnerError } from './learner_error.ts';
import type { Averager } from './learner_options.ts';

/**
 * Records one step's forward pass on the tape, from `weights`, and gives its loss: a tensor of any shape, of whose elements the mean is
 * minimised. The learner walks the tape back from it; a body that has called `tape.backward` itself, from elsewhere, gives a loss that
 * its backward does not free. It records only: what it needs of the host is fetched before the step.
 */
export type StepBody = (tape: Tape, weights: NetworkWeights) => Tensor;

/**
 * A step whose `record` records the same commands every time, on the same tensors: once two steps in a row did, it is not called any
 * more and the commands are given again, until one of the tensors is gone. Keep one such object for all steps. Where it writes from
 * the host, it is called in every step.
 */
export interface SteadyStep {
  /** Called in every step before the record: writes what changes from step to step into tensors that last, and leaves no step tensor. */
  readonly upload: () => void;
  readonly record: StepBody;
}

/** A pass over some of a step's batch: the step is by the mean of all parts' gradients and losses. */
export interface StepPart extends SteadyStep {
  /** Its share of the batch: what it counts. */
  readonly share: number;
}

/** The parts that a step is given as. @throws LearnerError for what is none. */
export function partsOf(body: SteadyStep | readonly StepPart[]): readonly SteadyStep[] {
  const parts: readonly (SteadyStep | undefined)[] = Array.isArray(body) ? body : [body];
  if (parts.length > 0 && parts.every(isSteady)) return parts;
  throw new LearnerError(
    `the body of a step is ${typeof body}`,
    'give (tape, weights) => loss, or { upload, record }, or parts { upload, record, share }',
  );
}

const isSteady = (step: SteadyStep | undefined): step is SteadyStep =>
  typeof step?.record === 'function' && typeof step.upload === 'function';

/**
 * Commands of a submit of the backward of a known step, where its gradients are sent meanwhile: what is sent, and what comes of others, waits
 * for two of those submits, which take the host .2 ms each.
 */
const COMMANDS = 20;
/** Where the first submits of a step end: the device, which has nothing else then, begins with few while the host prepares the rest. */
const FIRST = [8, 40];

/** Milliseconds of a wait for the forward from which on its host is called idle: it is over with what it does then in some ten. */
const IDLE = 20;

/** Records the passes of steady steps, and keeps what they record: of one step at a time, by part. */
export class Passes {
  readonly #workspace: Workspace;
  readonly #gradients: FlatBuffers;
  readonly #loss: Tensor;
  readonly #pass: (body: StepBody) => void;
  #kept = new Map<StepBody, Section>();
  #accumulation: Accumulation | undefined;
  /** How long the step before waited for its forward. */
  #waited = 0;
  /** Where each of the ranges has its numbers in the commands of a known step. */
  readonly #ready = new WeakMap<readonly Command[], readonly number[]>();

  /** @param pass records zeroed gradients, a body and its backward. */
  constructor(workspace: Workspace, gradients: FlatBuffers, loss: Tensor, pass: (body: StepBody) => void) {
    this.#workspace = workspace;
    this.#gradients = gradients;
    this.#loss = loss;
    this.#pass = pass;
  }

  /** Records all parts of a step, and the mean of what they give. `averager` has begun: it sends the gradients of the last while they are made. */
  async record(
    parts: readonly (SteadyStep & Partial<StepPart>)[],
    averager: Averager | undefined,
    ranges: readonly Tensor[] = [],
  ): Promise<void> {
    if (parts.some(({ record }) => !this.#kept.has(record)))
      this.#kept = new Map(parts.map(({ record }) => [record, new Section()]));
    const all = parts.length > 1 ? this.#accumulationOf(parts.map(({ share = 1 }) => share)) : undefined;
    for (const [i, { upload, record }] of parts.entries()) {
      upload();
      const section = this.#kept.get(record) as Section;
      const last = i === parts.length - 1;
      const whole = () => {
        this.#pass(record);
        if (!last) all?.take(i);
        else if (!averager) all?.finish(all.ranges);
      };
      if (averager && last) await this.#sending(section, whole, averager, ranges, all);
      else this.#workspace.repeat(section, whole);
    }
  }

  free(): void {
    this.#accumulation?.free();
    this.#accumulation = undefined;
  }

  /**
   * Gives a known part to the device in several submits, two of them there at once, so that what comes of others gets its turn between.
   * @param all of the parts before, which each range is to be the mean with before it is sent.
   */
  async #sending(
    section: Section,
    whole: () => void,
    averager: Averager,
    ranges: readonly Tensor[],
    all: Accumulation | undefined,
  ): Promise<void> {
    const { stream, device } = this.#workspace;
    let meant = 0;
    let ready: readonly number[] = [];
    let before: Promise<unknown> | undefined;
    let isForwardDone = false;
    let [first, length] = [0, 0];
    const endsOf = (commands: readonly Command[]) => {
      ready = this.#ready.get(commands) ?? readyAt(commands, ranges);
      this.#ready.set(commands, ready);
      length = commands.length;
      first = ready[0] ?? length;
      const parts = Math.ceil((length - first) / COMMANDS);
      return [...FIRST.filter((end) => end < first), ...Array.from({ length: parts }, (_, i) => first + i * COMMANDS)];
    };
    await this.#workspace.repeatInParts(section, whole, endsOf, async (given) => {
      if (given < first) return;
      const count = ready.filter((end) => end <= given).length;
      if (all && count > meant) {
        all.finish(ranges.slice(meant, count));
        meant = count;
        await stream.flush();
      }
      averager.send(count);
      if (given === length) return; // what comes now is recorded while the device works on
      const done = device.queue.onSubmittedWorkDone();
      if (before && !isForwardDone) {
        await this.#forward(before, averager);
        isForwardDone = true;
      } else await before;
      before = done;
    });
    all?.finish(ranges.slice(meant));
  }

  /** Waits for the forward of a step, whose host is idle meanwhile, for about as long as in the step before. */
  async #forward(done: Promise<unknown>, averager: Averager): Promise<void> {
    const start = performance.now();
    if (this.#waited >= IDLE) averager.idle?.();
    await done;
    this.#waited = performance.now() - start;
  }

  #accumulationOf(shares: readonly number[]): Accumulation {
    if (this.#accumulation?.isOf(shares)) return this.#accumulation;
    this.#accumulation?.free();
    this.#accumulation = new Accumulation(this.#workspace, this.#gradients, this.#loss, shares);
    return this.#accumulation;
  }
}

/** After how many commands each range, and those before it, is touched no more. */
function readyAt(commands: readonly Command[], ranges: readonly Tensor[]): number[] {
  let latest = 0;
  return ranges.map((range) => {
    latest = Math.max(latest, commands.findLastIndex((command) => touches(command, range)) + 1);
    return latest;
  });
}
