import type { Wire } from '../src/parallel/pieces.ts';
import type { PassPrecision } from '../src/tensor/index.ts';

/** What one call of mpirun measures. */
export interface ScalingCase {
  /** A name of model_cases.ts. */
  readonly model: string;
  /** Samples a rank and step. */
  readonly batch: number;
  /** Passes a step. */
  readonly accumulate: number;
  /** What gradients are sent as; of one rank nothing is. */
  readonly wires: readonly Wire[];
  /** How passes compute. */
  readonly precision: PassPrecision;
  /** Steps that are timed. */
  readonly steps: number;
  /** How many steps' losses are told, to be compared with those of other numbers of ranks; none where it is 0. */
  readonly losses: number;
}

/** A measured step; times are milliseconds, of the slowest rank. */
export interface ScalingRow {
  readonly suite: 'scaling';
  readonly ranks: number;
  readonly model: string;
  /** Samples of all ranks. */
  readonly batch: number;
  readonly accumulate: number;
  readonly precision: PassPrecision;
  readonly wire: Wire | 'none';
  readonly adapter: string;
  readonly date: string;
  readonly stepMs: number;
  readonly imagesPerSecond: number;
  /** Bytes of gradients on the wire, before they are cut into parts for the ranks. */
  readonly wireBytes: number;
  /** The exchange alone, of the same gradients, without a step around it. */
  readonly exchangeMs?: number;
  /** MPI_Ialltoall and MPI_Iallgather alone, of as many bytes of the host. */
  readonly plainMs?: number;
  /** What of a step is the wait for its exchange after all else was submitted. */
  readonly waitMs?: number;
  readonly losses?: readonly number[];
}

/** Bytes that a rank sends to others and gets from them, in GB/s. */
export function wireSpeed({ ranks, wireBytes }: Pick<ScalingRow, 'ranks' | 'wireBytes'>, ms: number): number {
  return (2 * wireBytes * (ranks - 1)) / ranks / (ms * 1e6);
}

/** A model of model_cases.ts, and how it is measured. */
export interface ScalingModel {
  readonly name: string;
  /** Samples of a card. */
  readonly batch: number;
  readonly steps: number;
  readonly losses: number;
}

/**
 * What is measured on `ranks` cards: one batch by all of them together (strong), a batch each (weak), and several batches each, in passes. On
 * one card also what each of `counts` cards has of the one batch, as the same work without an exchange.
 */
export function casesFor(
  ranks: number,
  { name, batch, steps, losses }: ScalingModel,
  passes: number,
  counts: readonly number[],
  precision: PassPrecision = 'f32',
): ScalingCase[] {
  const common = {
    model: name,
    precision,
    steps,
    accumulate: 1,
    losses: 0,
    wires: ranks === 1 ? [] : (['f32', 'bf16'] as const),
  };
  const together = { ...common, batch: batch / ranks, losses };
  const parts =
    ranks === 1 ? counts.filter((n) => n > 1).map((n) => ({ ...common, batch: batch / n })) : [{ ...common, batch }];
  return [together, ...parts, { ...common, batch: batch * passes, accumulate: passes }];
}
