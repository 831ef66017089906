import { type BuffersOf, type DimsOf, FixableError, type Kernel, type ShaderSource } from '../kernel/index.ts';
import { cast } from '../kernels/cast.ts';
import { sumCols } from '../kernels/reduce.ts';
import { add } from '../kernels/residual.ts';
import { type DType, type PassPrecision, type Storage, storedAs, Tensor, type Workspace } from '../tensor/index.ts';
import { type InParts, PartSums } from './part_sums.ts';

/** A broken rule of the tape: used twice, an op without a backward, a gradient asked before backward. */
export class TapeError extends FixableError {
  override readonly name = 'TapeError';
}

/** What an op leaves on the tape. */
export interface Node {
  readonly op: string;
  readonly inputs: readonly Tensor[];
  readonly output: Tensor;
  /** Step tensors, besides the output, that only this op's backward reads: freed after it. */
  readonly saved: readonly Tensor[];
  /** Sends the output's gradient on to the inputs. An op without one must not be recorded. */
  readonly vjp: ((grad: Tensor, sink: GradSink) => void) | undefined;
}

/** Where a backward delivers gradients. Inputs that need none are skipped without a call. */
export interface GradSink {
  needs(input: Tensor): boolean;
  /**
   * `write` fills `to` with the input's gradient. Where `prior` is given, a gradient that arrived before must be added by
   * the same kernel; ops whose kernel can do so say `fused`.
   */
  give(input: Tensor, write: (to: Tensor, prior?: Tensor) => void, fused?: 'fused'): void;
  /**
   * The inputs' gradients are sums: `write` fills the parts of each, f32 [parts, ...shape], which are summed later where nothing needs the
   * sums before. Each input is one that needs a gradient.
   */
  giveSums(inputs: readonly SummedInput[], write: (parts: Tensor[]) => void): void;
  /** The input's gradient is `grad` itself: no copy is made. */
  pass(input: Tensor, grad: Tensor): void;
  /** `write` adds into `to`, which starts as zeros: for ops that own only some columns of the input. */
  addInto(input: Tensor, write: (to: Tensor) => void): void;
}

/** An input whose gradient is the sum of so many parts. */
export interface SummedInput {
  readonly input: Tensor;
  readonly parts: number;
}

interface Gradient {
  tensor: Tensor;
  /** True when nothing else refers to the tensor, so that it may be added into. */
  exclusive: boolean;
}

/** What a tape is for. */
export interface TapeOptions {
  /** Whether ops are recorded for a backward. */
  readonly record: boolean;
  /** Keep of every block its inputs alone, and run it again in the backward (Chen et al. 2016). */
  readonly checkpointing?: boolean;
  /** Default f32. */
  readonly precision?: PassPrecision;
  /** f32, whose first number multiplies the gradient that a backward starts from, so that those stored as f16 are in their range. */
  readonly lossScale?: Tensor;
  /** Parameters' gradients are sent to others while the backward runs: a network makes each as early as it can, if by more kernels. */
  readonly sends?: boolean;
}

/**
 * An eager, explicit, single-use tape. An op runs its kernels at once and, when the tape records and an input needs a
 * gradient, pushes a node. There is no global mode: a tape that does not record is how inference runs.
 */
export class Tape {
  readonly workspace: Workspace;
  /** How f32 tensors are multiplied, and how a network stores what lies between its ends; see `PRECISIONS`. */
  readonly precision: PassPrecision;
  /** Whether parameters' gradients are wanted as early as they can be made; see `TapeOptions`. */
  readonly sends: boolean;
  readonly #checkpointing: boolean;
  readonly #lossScale: Tensor | undefined;
  readonly #gradients = new Map<Storage, Gradient>();
  #recording: boolean;
  #nodes: Node[] = [];
  #done = false;

  constructor(workspace: Workspace, options: TapeOptions) {
    this.workspace = workspace;
    this.#recording = options.record;
    this.#checkpointing = options.checkpointing ?? false;
    this.precision = options.precision ?? 'f32';
    this.#lossScale = options.lossScale;
    this.sends = options.sends ?? false;
  }

  /** How a network stores its activations: what it casts its input to, and from where its last layer begins. */
  get dtype(): 'f32' | 'f16' {
    return this.precision === 'mixed' ? 'f16' : 'f32';
  }

  /** True while ops are recorded for a backward. */
  get recording(): boolean {
    return this.#recording;
  }

  /** True once its backward has run. */
  get walked(): boolean {
    return this.#done;
  }

  /** Records one dispatch. */
  run<S extends ShaderSource>(kernel: Kernel<S>, buffers: BuffersOf<S>, dims: DimsOf<S>): void {
    this.workspace.stream.run(kernel, buffers, dims);
  }

  /** A step tensor with undefined contents. */
  alloc(...shape: number[]): Tensor {
    return this.workspace.arena.alloc(shape);
  }

  /** A step tensor of another dtype. */
  allocAs(dtype: DType, ...shape: number[]): Tensor {
    return this.workspace.arena.alloc(shape, dtype);
  }

  /** Frees a step tensor that no later op reads. */
  release(tensor: Tensor): void {
    this.workspace.arena.release(tensor);
  }

  /** True when a backward through this tensor will be wanted. */
  needs(tensor: Tensor): boolean {
    return this.#recording && tensor.storage.needsGrad;
  }

  /** Marks a tensor as one whose gradient is wanted: an input of a gradient check, say. */
  watch(tensor: Tensor): Tensor {
    tensor.storage.needsGrad = true;
    return tensor;
  }

  /**
   * Pushes an op that was run, if its backward can be wanted; otherwise frees what it saved. Returns the output.
   * @throws TapeError when the op has no backward, or the tape has run its backward already.
   */
  push(node: Node): Tensor {
    if (!this.#recording || !node.inputs.some((t) => t.storage.needsGrad)) {
      for (const tensor of node.saved) this.release(tensor);
      return node.output;
    }
    if (this.#done) throw new TapeError(`${node.op} was recorded after backward`, 'use a new tape for each step');
    if (!node.vjp) throw new TapeError(`${node.op} has no backward`, 'run it on a tape that does not record');
    node.output.storage.needsGrad = true;
    this.#nodes.push(node);
    return node.output;
  }

  /**
   * Runs `body` (a block of a network), which reads `inputs` and parameters. Without recording, everything it allocated but its
   * result is freed, so that inference holds one block's tensors at a time. With checkpointing, so it is in training, and the
   * backward runs the body again: the same kernels on the same numbers, so the gradients keep their bits.
   */
  block(inputs: readonly Tensor[], body: () => Tensor): Tensor {
    if (!this.#recording) return this.workspace.arena.scope(body);
    if (!this.#checkpointing) return body();
    this.#recording = false;
    let output: Tensor;
    try {
      output = this.workspace.arena.scope(body);
    } finally {
      this.#recording = true;
    }
    const vjp = (grad: Tensor, sink: GradSink) => this.#replay(body, grad, sink as Sink);
    return this.push({ op: 'block', inputs, output, saved: [], vjp });
  }

  /** Backward through a block that was not recorded: it is now, and its nodes are walked at once. */
  #replay(body: () => Tensor, grad: Tensor, sink: Sink): void {
    const outer = this.#nodes;
    this.#nodes = [];
    this.#done = false;
    const output = body();
    this.#done = true;
    this.workspace.arena.retain(grad); // freed with this output and with the block's
    this.#gradients.set(output.storage, { tensor: grad, exclusive: false });
    this.#walk(sink);
    this.#nodes = outer;
  }

  /**
   * Backward from `output`, whose gradient is `grad` (freed here). Parameters' gradients land in their flat buffers.
   * @throws TapeError on a second call, or when the output was not recorded.
   */
  backward(output: Tensor, grad: Tensor): void {
    if (this.#done) throw new TapeError('backward ran before', 'use a new tape for each step');
    if (!this.needs(output))
      throw new TapeError('backward from a tensor that was not recorded', 'record its ops on this tape');
    this.#done = true;
    this.#gradients.set(output.storage, { tensor: this.#scaled(grad), exclusive: true });
    const sink = new Sink(this, this.#gradients);
    this.#walk(sink);
    sink.finish();
  }

  /** The gradient that a backward starts from, times the loss scale. */
  #scaled(grad: Tensor): Tensor {
    if (!this.#lossScale) return grad;
    const [out, { count }] = [this.alloc(...grad.shape), grad];
    const kernel = cast.prepare(this.workspace.device, { scaled: true }, { count });
    this.run(kernel, { x: grad, out, factor: this.#lossScale }, { count });
    this.release(grad);
    return out;
  }

  /** Walks the nodes from the last to the first and frees what each held. */
  #walk(sink: Sink): void {
    while (this.#nodes.length > 0) {
      const node = this.#nodes.pop() as Node;
      const gradient = this.#gradients.get(node.output.storage);
      if (gradient) node.vjp?.(gradient.tensor.view(...node.output.shape), sink);
      for (const tensor of node.saved) this.release(tensor);
      // Nothing recorded earlier can refer to this output, so it and its gradient are dead.
      if (gradient && !node.output.storage.gradient) {
        this.#gradients.delete(node.output.storage);
        this.release(gradient.tensor);
      }
      this.release(node.output);
    }
  }

  /** The gradient of a watched tensor or parameter, after backward. @throws TapeError when none arrived. */
  gradient(tensor: Tensor): Tensor {
    const gradient = this.#gradients.get(tensor.storage);
    if (!gradient)
      throw new TapeError(
        'no gradient arrived at this tensor',
        'watch() it before the ops that use it, then call backward',
      );
    return gradient.tensor.view(...tensor.shape);
  }
}

class Sink implements GradSink {
  readonly #tape: Tape;
  readonly #gradients: Map<Storage, Gradient>;
  readonly #sums: PartSums;

  constructor(tape: Tape, gradients: Map<Storage, Gradient>) {
    this.#tape = tape;
    this.#gradients = gradients;
    this.#sums = new PartSums(tape.workspace);
  }

  /** Makes what sums are still to be made. */
  finish(): void {
    this.#sums.finish();
  }

  needs(input: Tensor): boolean {
    return this.#tape.needs(input);
  }

  give(input: Tensor, write: (to: Tensor, prior?: Tensor) => void, fused?: 'fused'): void {
    if (!this.needs(input)) return;
    const prior = this.#prior(input);
    const home = this.#home(input);
    if (!prior) {
      const to = home ?? this.#like(input);
      write(to);
      this.#gradients.set(input.storage, { tensor: to, exclusive: true });
      return;
    }
    if (fused && !home) {
      const to = this.#like(input);
      write(to, prior.tensor.view(...input.shape));
      this.#replace(input, prior, to);
      return;
    }
    const extra = this.#like(input);
    write(extra);
    this.#sum(input, prior, extra);
    this.#tape.release(extra);
  }

  giveSums(inputs: readonly SummedInput[], write: (parts: Tensor[]) => void): void {
    const homes = inputs.map(({ input, parts }) => ({ to: this.#prior(input) ? undefined : this.#home(input), parts }));
    if (homes.every((home): home is InParts => home.to !== undefined)) {
      this.#sums.add(homes, write);
      for (const [i, { input }] of inputs.entries())
        this.#gradients.set(input.storage, { tensor: (homes[i] as InParts).to, exclusive: true });
      return;
    }
    const tape = this.#tape;
    const made = inputs.map(({ input, parts }) => tape.alloc(parts, ...input.shape));
    write(made);
    for (const [i, { input, parts }] of inputs.entries()) {
      const x = made[i] as Tensor;
      this.give(input, (out) => {
        const dims = { rows: parts, cols: input.count, chunk_rows: parts };
        tape.run(sumCols.prepare(tape.workspace.device, { outDtype: storedAs(out) }, dims), { x, out }, dims);
      });
      tape.release(x);
    }
  }

  pass(input: Tensor, grad: Tensor): void {
    if (!this.needs(input)) return;
    const prior = this.#prior(input);
    if (prior) {
      this.#sum(input, prior, grad);
      return;
    }
    const home = this.#home(input);
    if (home) {
      this.#tape.workspace.stream.copy(grad, home);
      this.#gradients.set(input.storage, { tensor: home, exclusive: true });
      return;
    }
    this.#tape.workspace.arena.retain(grad);
    this.#gradients.set(input.storage, { tensor: grad, exclusive: false });
  }

  addInto(input: Tensor, write: (to: Tensor) => void): void {
    if (!this.needs(input)) return;
    const prior = this.#prior(input);
    if (prior?.exclusive) {
      write(prior.tensor);
      return;
    }
    const to = this.#home(input) ?? this.#like(input);
    if (prior) this.#tape.workspace.stream.copy(prior.tensor, to);
    else this.#tape.workspace.stream.clear(to);
    write(to);
    this.#replace(input, prior, to);
  }

  /** A gradient that arrived before, whose numbers are there. */
  #prior(input: Tensor): Gradient | undefined {
    const prior = this.#gradients.get(input.storage);
    if (prior && this.#sums.awaits(prior.tensor)) this.#sums.finish();
    return prior;
  }

  /** Room for a gradient, which is stored as what it is of. */
  #like(input: Tensor): Tensor {
    return this.#tape.allocAs(input.dtype, ...input.shape);
  }

  #home(input: Tensor): Tensor | undefined {
    const gradient = input.storage.gradient;
    return gradient && new Tensor(input.shape, gradient);
  }

  /** prior + extra, into a tensor of its own: prior may be shared. */
  #sum(input: Tensor, prior: Gradient, extra: Tensor): void {
    const tape = this.#tape;
    const sum = this.#like(input);
    const kernel = add.prepare(tape.workspace.device, { dtype: storedAs(input) });
    tape.run(kernel, { a: prior.tensor, b: extra, out: sum }, { count: input.count });
    const home = this.#home(input);
    if (home) {
      tape.workspace.stream.copy(sum, home);
      tape.release(sum);
    } else this.#replace(input, prior, sum);
  }

  #replace(input: Tensor, prior: Gradient | undefined, next: Tensor): void {
    if (prior) this.#tape.release(prior.tensor);
    this.#gradients.set(input.storage, { tensor: next, exclusive: true });
  }
}
