import { availableParallelism, cpus, hostname } from 'node:os';
import { type Card, openedCard } from '../device/card.node.ts';
import { adapterName } from '../device/index.ts';
import { restLess } from '../device/rests.node.ts';
import { capsOf } from '../kernel/index.ts';
import { barrier, gatherTexts } from '../parallel/agree.ts';
import { ALONE, type Communicator } from '../parallel/communicator.ts';
import { hasCores, launchOf } from '../parallel/launcher.node.ts';
import { joinMpi } from '../parallel/mpi.node.ts';
import { reportFailure, UsageError } from './failure.ts';

/** What the option says that allows two ranks on one card. */
export const SHARE_DEVICE = 'let several ranks of mpirun or srun work on one card';

let joined: Communicator = ALONE;

/** The ranks of this process: those that mpirun or srun started, or it alone. */
export const ranks = (): Communicator => joined;

/** Joins the ranks that a launcher has started with this process. @throws ParallelError. */
export async function joinRanks(): Promise<void> {
  const launch = launchOf(process.env);
  if (!launch) return;
  joined = await joinMpi(launch, process.env.UCGM_MPI);
  if (hasCores(launch)) restLess(true);
}

/** Leaves the ranks when all have come to this. */
export async function leaveRanks(): Promise<void> {
  const left = joined;
  await barrier(left); // one that waits in MPI itself keeps a core busy
  joined = ALONE;
  left.close();
}

/**
 * Milliseconds after which a rank fails for itself, that rank 0, or one before it, has not: what fails on all is told once. A fault is
 * seldom that of all; a command that is refused is refused by all, of which one may come to it seconds later on a busy machine.
 */
const FAULT = { wait: 0, apart: 500 };
const REFUSAL = { wait: 4000, apart: 200 };

/** Tells what went wrong on this rank, sets the exit code and ends all ranks; the first of them to fail is the one that tells. */
export async function endRanks(error: unknown): Promise<void> {
  const rank = launchOf(process.env)?.rank ?? 0; // one that could not join has none
  const { wait, apart } = error instanceof UsageError ? REFUSAL : FAULT;
  if (rank > 0) await new Promise((done) => setTimeout(done, wait + Math.min(rank, 10) * apart));
  reportFailure(error, rankName());
  if (joined.size > 1) joined.abort(Number(process.exitCode ?? 1));
}

/** `rank 1 of 3 on HOST: ` before what a rank says; nothing for a process alone. */
export const rankName = (): string =>
  joined.size === 1 ? '' : `rank ${joined.rank} of ${joined.size} on ${hostname()}: `;

/** Where a rank works. */
interface Place {
  readonly host: string;
  readonly adapter: string;
  readonly software: boolean;
  readonly card: Card | undefined;
  /** Whether it may use one core alone of a host that has more. */
  readonly bound: boolean;
}

/**
 * Prints where the ranks work, once, and refuses two on one card. Called on every rank with its device.
 * @param shared whether they may. @throws UsageError naming ranks, host and card.
 */
export async function placeRanks(device: GPUDevice, shared: boolean): Promise<void> {
  if (joined.size === 1) return;
  const { software } = capsOf(device);
  const own: Place = {
    host: hostname(),
    adapter: adapterName(device),
    software,
    card: software ? { id: 'processor', name: 'the processor' } : openedCard(),
    bound: availableParallelism() === 1 && cpus().length > 1,
  };
  const places = (await gatherTexts(joined, JSON.stringify(own))).map((text) => JSON.parse(text) as Place);
  if (joined.rank === 0) {
    console.log(`${joined.size} ranks (${joined.engine})`);
    places.forEach(({ host, adapter, card }, rank) => {
      console.log(`rank ${rank}: ${host}, ${adapter}, card ${card?.name ?? 'unknown'}`);
    });
    for (const warning of warningsOf(places)) console.warn(`warning: ${warning}`);
  }
  if (shared) return;
  const taken = new Map<string, number>();
  places.forEach(({ host, card, adapter }, rank) => {
    const place = card && `${host} ${card.id}`;
    const before = place === undefined ? undefined : taken.get(place);
    if (place !== undefined) taken.set(place, rank);
    if (before === undefined) return;
    throw new UsageError(
      `ranks ${before} and ${rank} on ${host} have one card, ${card?.name} (${adapter})`,
      'give each rank its own: mpirun ... tools/one-card.sh ucgm ... (docs/parallel.md), or allow it by --share-device',
    );
  });
}

function warningsOf(places: readonly Place[]): string[] {
  const unknown = places.flatMap(({ card }, rank) => (card ? [] : [rank]));
  const bound = places.flatMap((place, rank) => (place.bound ? [rank] : []));
  return [
    ...(unknown.length > 0
      ? [`the card of rank ${unknown.join(', ')} is unknown: see that no two ranks share one`]
      : []),
    ...(bound.length > 0 ? [`rank ${bound.join(', ')} may use one core alone: start with mpirun --bind-to none`] : []),
  ];
}
