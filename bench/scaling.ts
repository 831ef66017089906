/**
 * How a training step scales over the cards of this host: npx tsx bench/scaling.ts [--ranks 1,2] [--model S --model XL] [--passes 4]
 * [--precision f32|mixed] [--only SAMPLES_A_RANK, those of all passes] [--share-device].
 * Starts itself by mpirun, each rank with a card of its own (tools/one-card.sh). Prints a line of JSON a case, then a table, and
 * fails where ten losses of one batch are not those of one card.
 */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { PassPrecision } from '../src/tensor/index.ts';
import { casesFor, type ScalingCase, type ScalingRow, wireSpeed } from './scaling_case.ts';
import { measureAsRank } from './scaling_rank.ts';

const MODELS = {
  S: { name: 'step TiT-S/2 b64', batch: 64, steps: 40, losses: 10 },
  XL: { name: 'step TiT-XL/1 b16', batch: 16, steps: 5, losses: 5 },
  tiny: { name: 'step tiny preset', batch: 12, steps: 2, losses: 10 },
} as const;
/** How far apart losses may be in f32. */
const TOLERANCE = 1e-5;

const { values } = parseArgs({
  options: {
    ranks: { type: 'string' },
    model: { type: 'string', multiple: true },
    precision: { type: 'string', default: 'f32' },
    only: { type: 'string', multiple: true },
    passes: { type: 'string', default: '4' },
    cases: { type: 'string' },
    'share-device': { type: 'boolean', default: false },
    rank: { type: 'boolean', default: false },
  },
});

/** Whether the samples of a rank are among those that --only names. */
const asked = ({ batch }: ScalingCase) => values.only === undefined || values.only.includes(String(batch));

/** Runs cases on `ranks` cards, and gives what they measured. */
async function onCards(
  ranks: number,
  cases: readonly ScalingCase[],
  oneCard: string | undefined,
): Promise<ScalingRow[]> {
  const self = [
    process.execPath,
    ...process.execArgv,
    fileURLToPath(import.meta.url),
    '--rank',
    '--cases',
    JSON.stringify(cases),
  ];
  if (values['share-device']) self.push('--share-device');
  const command = ['--oversubscribe', '--bind-to', 'none', '-n', String(ranks), ...(oneCard ? [oneCard] : []), ...self];
  const env = { ...process.env, OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1' };
  const child = spawn('mpirun', command, { stdio: ['ignore', 'pipe', 'inherit'], env });
  const rows: ScalingRow[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    console.log(line);
    if (line.startsWith('{')) rows.push(JSON.parse(line) as ScalingRow);
  }
  const code = child.exitCode ?? (await new Promise<number>((done) => child.on('close', (c) => done(c ?? 1))));
  if (code !== 0) throw new Error(`mpirun with ${ranks} ranks ended with exit code ${code}`);
  return rows;
}

function line(row: ScalingRow, one: ScalingRow | undefined): string {
  const { ranks, model, batch, accumulate, wire, stepMs, imagesPerSecond, exchangeMs, plainMs } = row;
  const cells = [
    String(ranks).padStart(5),
    model.padEnd(20),
    String(batch).padStart(6),
    String(accumulate).padStart(6),
    wire.padStart(5),
    stepMs.toFixed(1).padStart(9),
    imagesPerSecond.toFixed(1).padStart(9),
  ];
  if (exchangeMs === undefined || plainMs === undefined) return cells.join(' ');
  const seen = one && Math.max(0, stepMs - one.stepMs);
  cells.push(
    exchangeMs.toFixed(1).padStart(9),
    (seen === undefined ? '-' : `${(100 * Math.max(0, 1 - seen / exchangeMs)).toFixed(0)}%`).padStart(6),
    wireSpeed(row, exchangeMs).toFixed(2).padStart(6),
    wireSpeed(row, plainMs).toFixed(2).padStart(6),
  );
  return cells.join(' ');
}

const HEADER =
  'ranks model                 batch passes  wire   ms/step  images/s  exch. ms hidden   GB/s  plain  (GB/s: MPI alone)';

/** The losses of one batch on several cards beside those on one. @returns what is wrong. */
function compareLosses(rows: readonly ScalingRow[]): string[] {
  return rows.flatMap(({ ranks, model, losses, wire, batch, precision }) => {
    const one = rows.find((row) => row.ranks === 1 && row.model === model && row.batch === batch && row.losses);
    if (ranks === 1 || !losses || wire !== 'f32' || precision !== 'f32' || !one?.losses) return [];
    const worst = Math.max(...losses.map((loss, i) => Math.abs(loss - (one.losses?.[i] as number))));
    console.log(
      `${model}: losses of ${losses.length} steps on ${ranks} ranks are those of one within ${worst.toExponential(1)}`,
    );
    return worst <= TOLERANCE ? [] : [`${model} on ${ranks} ranks: losses are off by ${worst}`];
  });
}

async function main(): Promise<void> {
  const cards = readdirSync('/dev').filter((name) => /^nvidia\d+$/.test(name)).length;
  const script = [dirname(fileURLToPath(import.meta.url)), process.cwd()].flatMap((folder) =>
    ['one-card.sh', '../tools/one-card.sh', 'tools/one-card.sh'].map((path) => join(folder, path)),
  );
  const oneCard = cards > 0 && !values['share-device'] ? script.find(existsSync) : undefined;
  const counts = values.ranks?.split(',').map(Number) ?? [1, 2, 4, 8].filter((n) => n <= Math.max(1, cards));
  const models = (values.model ?? ['S', 'XL']).map((name) => MODELS[name as keyof typeof MODELS]);
  const precision = values.precision as PassPrecision;
  const rows: ScalingRow[] = [];
  const leftOut: ScalingCase[] = [];
  for (const model of models)
    for (const ranks of counts) {
      const cases = casesFor(ranks, model, Number(values.passes), counts, precision);
      leftOut.push(...cases.filter((kase) => !asked(kase)));
      rows.push(...(await onCards(ranks, cases.filter(asked), oneCard)));
    }
  console.log(HEADER);
  for (const row of rows) {
    // The same work a card without an exchange.
    const alike = (other: ScalingRow) =>
      other.ranks === 1 &&
      other.model === row.model &&
      other.accumulate === row.accumulate &&
      other.batch * row.ranks === row.batch;
    console.log(line(row, rows.find(alike)));
  }
  if (leftOut.length > 0) {
    const samples = [...new Set(leftOut.map(({ batch }) => batch))].join(', ');
    console.log(`${leftOut.length} cases left out by --only: of ${samples} samples a rank`);
  }
  const wrong = compareLosses(rows);
  for (const text of wrong) console.error(`WRONG ${text}`);
  if (wrong.length > 0) process.exitCode = 1;
}

if (values.rank) await measureAsRank(JSON.parse(values.cases ?? '[]') as ScalingCase[], values['share-device']);
else await main();
