/**
 * A training step over many cards as compute, bytes and bandwidth: npx tsx bench/scaling_model.ts prints what was fitted to
 * bench/scaling_measured.json, what it says of those measurements, and what it predicts for more cards.
 */
import { pathToFileURL } from 'node:url';
import measured from './scaling_measured.json' with { type: 'json' };

/** A measured step, as bench/scaling.ts prints it. */
export interface Measured {
  readonly ranks: number;
  readonly model: string;
  readonly batch: number;
  readonly accumulate: number;
  readonly wire: string;
  readonly stepMs: number;
  readonly wireBytes: number;
  readonly exchangeMs?: number | undefined;
}

/** A model on one card. */
export interface Compute {
  /** Milliseconds of a pass whatever its samples, and of a sample. */
  readonly fixedMs: number;
  readonly sampleMs: number;
  /** Bytes of the gradients in f32. */
  readonly bytes: number;
}

/** What an exchange costs: milliseconds whatever its bytes, and bytes a millisecond that a rank sends while it gets as many. */
export interface Wire {
  readonly fixedMs: number;
  readonly bytesPerMs: number;
}

/** How a step is taken over cards. */
export interface Plan {
  readonly ranks: number;
  /** Samples of a rank in one pass. */
  readonly batch: number;
  readonly passes: number;
  readonly wire: 'f32' | 'bf16';
  /** Steps between two exchanges (train.local_steps); 1 if each step has one of its gradients. */
  readonly every: number;
  /** Share of the backward of the last pass that hides the wire: 0 to 1. That of local steps comes after them, and nothing hides it. */
  readonly overlap: number;
}

/** The line y = a + b x nearest to points by least squares. */
export function line(points: readonly (readonly [x: number, y: number])[]): readonly [a: number, b: number] {
  const mean = (of: (point: readonly [number, number]) => number) =>
    points.reduce((sum, p) => sum + of(p), 0) / points.length;
  const [mx, my] = [mean(([x]) => x), mean(([, y]) => y)];
  const b = mean(([x, y]) => (x - mx) * (y - my)) / mean(([x]) => (x - mx) ** 2);
  return [my - b * mx, b];
}

/** Bytes that a rank sends of gradients of `bytes`, reduce-scatter and allgather together. */
export const sentBytes = (bytes: number, ranks: number): number => (2 * bytes * (ranks - 1)) / ranks;

/** A model's compute from its steps on one card, of one pass each and of two batches at least. */
export function fitCompute(rows: readonly Measured[], model: string): Compute {
  const own = rows.filter((row) => row.model === model);
  const alone = own.filter((row) => row.ranks === 1 && row.accumulate === 1);
  const [fixedMs, sampleMs] = line(alone.map(({ batch, stepMs }) => [batch, stepMs]));
  const bytes = Math.max(...own.filter(({ wire }) => wire === 'f32').map(({ wireBytes }) => wireBytes));
  return { fixedMs, sampleMs, bytes };
}

/** The wire from exchanges alone. */
export function fitWire(rows: readonly Measured[]): Wire {
  const points = rows.flatMap(({ exchangeMs, wireBytes, ranks }) =>
    exchangeMs === undefined ? [] : [[sentBytes(wireBytes, ranks), exchangeMs] as const],
  );
  const [fixedMs, perByte] = line(points);
  return { fixedMs: Math.max(0, fixedMs), bytesPerMs: 1 / perByte };
}

/** Milliseconds of a step. The backward is two thirds of a pass. */
export function stepMs({ fixedMs, sampleMs, bytes }: Compute, wire: Wire, plan: Plan): number {
  const pass = fixedMs + sampleMs * plan.batch;
  const exchange =
    plan.ranks === 1
      ? 0
      : wire.fixedMs + sentBytes(plan.wire === 'bf16' ? bytes / 2 : bytes, plan.ranks) / wire.bytesPerMs;
  const seen = plan.every > 1 ? exchange : Math.max(0, exchange - plan.overlap * (2 / 3) * pass);
  return plan.passes * pass + seen / plan.every;
}

/** Share of the images a second that as many cards would make without a wire. */
export function efficiency(compute: Compute, wire: Wire, plan: Plan): number {
  return stepMs(compute, wire, { ...plan, ranks: 1 }) / stepMs(compute, wire, plan);
}

const MODELS = [
  { name: 'step TiT-S/2 b64', batch: 64 },
  { name: 'step TiT-XL/1 b16', batch: 16 },
] as const;

/** Speeds of networks that are assumed, GB/s a card. */
const ASSUMED = { '3 GB/s': 3, '12.5 GB/s (100 Gbit)': 12.5, '50 GB/s (400 Gbit)': 50 } as const;

const PLANS = [
  { passes: 1, every: 1 },
  { passes: 4, every: 1 },
  { passes: 1, every: 32 },
] as const;

function print(): void {
  const rows = measured as readonly Measured[];
  const wire = fitWire(rows);
  console.log(
    `wire, 2 cards of one host: ${wire.fixedMs.toFixed(1)} ms + bytes at ${(wire.bytesPerMs / 1e6).toFixed(2)} GB/s`,
  );
  const computes = MODELS.map(({ name }) => fitCompute(rows, name));
  MODELS.forEach(({ name }, i) => {
    const { fixedMs, sampleMs, bytes } = computes[i] as Compute;
    console.log(
      `${name}: ${fixedMs.toFixed(1)} ms a pass + ${sampleMs.toFixed(2)} ms a sample; ${(bytes / 1e6).toFixed(0)} MB of gradients in f32`,
    );
  });
  console.log('\nmeasured on two cards, and what the model says without overlap');
  console.log('model               batch passes wire  measured   model');
  for (const row of rows.filter(({ ranks }) => ranks > 1)) {
    const compute = computes[MODELS.findIndex(({ name }) => name === row.model)] as Compute;
    const plan = {
      ranks: row.ranks,
      batch: row.batch / row.ranks / row.accumulate,
      passes: row.accumulate,
      wire: row.wire as 'f32' | 'bf16',
      every: 1,
      overlap: 0,
    };
    console.log(
      `${row.model.padEnd(19)} ${String(row.batch).padStart(5)} ${String(row.accumulate).padStart(6)} ${row.wire.padStart(4)} ` +
        `${row.stepMs.toFixed(0).padStart(9)} ${stepMs(compute, wire, plan).toFixed(0).padStart(7)}`,
    );
  }
  console.log(
    '\npredicted share of linear speed, whole batch a card: without overlap - with the backward of the last pass hiding all it can (local steps: nothing)',
  );
  console.log(
    'model               wire passes exchange   GB/s                     2        4        8       64     1024',
  );
  const wires = Object.entries(ASSUMED).map(
    ([name, speed]) => [name, { fixedMs: wire.fixedMs, bytesPerMs: speed * 1e6 }] as const,
  );
  for (const [i, { name, batch }] of MODELS.entries())
    for (const [speed, assumed] of [['measured', wire] as const, ...wires])
      for (const kind of ['f32', 'bf16'] as const)
        for (const { passes, every } of PLANS) {
          const cells = [2, 4, 8, 64, 1024].map((ranks) => {
            const plan = { ranks, batch, passes, wire: kind, every };
            const shares = (every > 1 ? [0] : [0, 1]).map((overlap) =>
              efficiency(computes[i] as Compute, assumed, { ...plan, overlap }),
            );
            return shares
              .map((share) => `${(100 * share).toFixed(0)}`)
              .join('-')
              .padStart(8);
          });
          const how = every === 1 ? 'each step' : `each ${every}`;
          console.log(
            `${name.padEnd(19)} ${kind.padEnd(4)} ${String(passes).padStart(6)} ${how.padEnd(10)} ${speed.padEnd(20)} ${cells.join(' ')}`,
          );
        }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) print();
