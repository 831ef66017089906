import type { Tape } from '../../../src/autograd/tape.ts';
import type { Tensor } from '../../../src/tensor/index.ts';
import { type Attributes, attributesOf, type HostTensor, type Notes, need, type OnnxCase } from '../case.ts';
import { tensor } from '../tensors.ts';

/** One ONNX case in work: its inputs on the device as they are asked for. */
export class Context {
  readonly tape: Tape;
  readonly notes: Notes;
  readonly case: OnnxCase;

  constructor(tape: Tape, kase: OnnxCase, notes: Notes) {
    this.tape = tape;
    this.case = kase;
    this.notes = notes;
  }

  attributes<T extends Attributes>(defaults: T): T {
    return attributesOf(this.case.attributes, defaults);
  }

  /** The case itself, which may have no attribute. */
  bare(): this {
    this.attributes({});
    return this;
  }

  has(i: number): boolean {
    return this.case.inputs[i] !== undefined;
  }

  /** An input's numbers on the host. */
  host(i: number): HostTensor {
    const given = this.case.inputs[i];
    need(given !== undefined, `a case without input ${i}`);
    return given;
  }

  /** Integers of an input; `otherwise` where it is left out. */
  integers(i: number, otherwise?: readonly number[]): number[] {
    if (!this.has(i) && otherwise) return [...otherwise];
    const { type, data } = this.host(i);
    need(/^u?int/.test(type), `input ${i} of type ${type}`);
    return Array.from(data);
  }

  /** A float32 input on the device. */
  input(i: number): Tensor {
    const { type, shape, data } = this.host(i);
    need(type === 'float32', `input ${i} of type ${type}`);
    return tensor(this.tape, shape, data);
  }

  optional(i: number): Tensor | undefined {
    return this.has(i) ? this.input(i) : undefined;
  }

  /** Every input that is given. */
  all(): Tensor[] {
    return this.case.inputs.flatMap((given, i) => (given ? [this.input(i)] : []));
  }

  /** True where the case records this output. */
  wants(i: number): boolean {
    return this.case.outputs[i] !== undefined;
  }
}

/** An operator by our kernels: its outputs in order, undefined for one that stays out and is noted as a part. */
export type Adapter = (c: Context) => readonly (Tensor | undefined)[];

export type Adapters = { readonly [op: string]: Adapter };
