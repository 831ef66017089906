/**
 * The wire alone: npx tsx bench/wire.ts [--ranks 2] [--mb 66,132] [--times 7] [--device] [--share-device].
 * Starts itself by mpirun, and prints for an exchange of so many bytes between ranks of this host, in GB/s that each rank sends and gets:
 * MPI_Alltoall twice; our messages whole; our messages in the pieces of an exchange; with --device the exchange itself, of
 * gradients on each rank's device. The best of some times, which all ranks begin together; the machine is named.
 */
import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { endRanks, joinRanks, leaveRanks, placeRanks, ranks } from '../src/cli/ranks.ts';
import { adapterName } from '../src/device/index.ts';
import { openNodeDevice } from '../src/device/node.ts';
import { restWhileWaiting } from '../src/device/rests.node.ts';
import { barrier, gatherTexts } from '../src/parallel/agree.ts';
import type { Communicator } from '../src/parallel/communicator.ts';
import { GradientExchange } from '../src/parallel/gradient_exchange.ts';
import { type Launch, launchOf } from '../src/parallel/launcher.node.ts';
import { loadMpi } from '../src/parallel/mpi_library.node.ts';
import { sharesOf } from '../src/parallel/share.ts';
import { FlatBuffers, FlatLayout, Workspace } from '../src/tensor/index.ts';
import { wireSpeed } from './scaling_case.ts';

/** As GradientExchange cuts them. */
const [PIECES, LANES] = [32, 16];

const { values } = parseArgs({
  options: {
    ranks: { type: 'string', default: '2' },
    mb: { type: 'string', default: '66,132' },
    times: { type: 'string', default: '7' },
    device: { type: 'boolean', default: false },
    'share-device': { type: 'boolean', default: false },
    rank: { type: 'boolean', default: false },
  },
});

/** Milliseconds of the slowest rank for each work, the best of all times; they take turns, so that a busy machine is busy for all. */
async function best(works: readonly (() => void | Promise<void>)[]): Promise<number[]> {
  const least = works.map(() => Infinity);
  for (let i = 0; i <= Number(values.times); i++)
    for (const [k, work] of works.entries()) {
      await barrier(ranks());
      const start = performance.now();
      await work();
      const all = (await gatherTexts(ranks(), String(performance.now() - start))).map(Number);
      if (i > 0) least[k] = Math.min(least[k] as number, Math.max(...all)); // the first makes what the others need
    }
  return least;
}

/** The messages of an exchange, of two ranks one, in so many pieces, each of which waits for its own, so many at once. */
function inPieces(
  by: Pick<Communicator, 'alltoall' | 'allgather' | 'swap'>,
  from: Uint8Array,
  to: Uint8Array,
  pieces: number,
) {
  const { size } = ranks();
  const each = from.length / pieces;
  const piece = (of: Uint8Array, i: number) => of.subarray(i * each, (i + 1) * each) as Uint8Array<ArrayBuffer>;
  return async () => {
    const ways = Array.from({ length: Math.min(LANES, pieces) }, async (_, lane) => {
      for (let i = lane; i < pieces; i += LANES) {
        if (size === 2) {
          await by.swap(piece(from, i), piece(to, i));
          continue;
        }
        await by.alltoall(piece(from, i), piece(to, i), false);
        await by.allgather(piece(to, i).subarray(0, each / size), piece(from, i), false);
      }
    });
    await Promise.all(ways);
  };
}

/** MPI's own call, which waits in MPI. */
async function blocking(launch: Launch, from: Uint8Array, to: Uint8Array): Promise<() => void> {
  const { call, world, byte, address } = await loadMpi(launch, process.env.UCGM_MPI);
  const each = from.length / ranks().size;
  return () => {
    for (let i = 0; i < 2; i++) call.MPI_Alltoall(address(from), each, byte, address(to), each, byte, world);
  };
}

/** The exchange of gradients on a device, and what frees it. */
function exchange(device: GPUDevice, bytes: number) {
  const workspace = new Workspace(device);
  const layout = new FlatLayout([{ name: 'all', shape: [bytes / 4] }], device.limits.maxStorageBufferBindingSize);
  const gradients = new FlatBuffers(workspace, layout, 'gradient', 'test');
  const loss = workspace.create('data', 'loss', [1]);
  const { size } = ranks();
  const all = new GradientExchange(workspace, { ranks: ranks(), shares: sharesOf(size, size), wire: 'f32' });
  const run = async () => {
    await all.begin(gradients, loss);
    await all.finish();
    await device.queue.onSubmittedWorkDone();
  };
  const free = () => {
    all.free();
    return workspace.dispose();
  };
  return { run, free };
}

async function measure(): Promise<void> {
  const { rank, size, engine, plain } = ranks();
  const device = values.device ? await openNodeDevice() : undefined;
  if (device) await placeRanks(device, values['share-device']);
  const tell = (text: string) => void (rank === 0 && console.log(text));
  tell(`${size} ranks on ${cpus().length} x ${cpus()[0]?.model}, ${engine}${device ? `, ${adapterName(device)}` : ''}`);
  for (const mb of values.mb.split(',').map(Number)) {
    const bytes = Math.ceil((mb * 1e6) / (PIECES * size * 256)) * PIECES * size * 256;
    const [from, to] = [new Uint8Array(bytes).fill(1 + rank), new Uint8Array(bytes).fill(9)];
    const onDevice = device && exchange(device, bytes);
    const works: [what: string, work: () => void | Promise<void>][] = [
      ['MPI_Alltoall twice', await blocking(launchOf(process.env) as Launch, from, to)],
      ['messages whole', inPieces(ranks(), from, to, 1)],
      [`messages in ${PIECES} pieces`, inPieces(ranks(), from, to, PIECES)],
    ];
    if (plain) works.push([`MPI's own, nonblocking, in ${PIECES} pieces`, inPieces(plain, from, to, PIECES)]);
    if (onDevice) works.push(['exchange of gradients on a device', onDevice.run]);
    const times = await best(works.map(([, work]) => work));
    for (const [i, [what]] of works.entries()) {
      const ms = times[i] as number;
      const speed = wireSpeed({ ranks: size, wireBytes: bytes }, ms).toFixed(2);
      const share = ((times[0] as number) / ms).toFixed(2);
      tell(
        `${mb} MB  ${what.padEnd(34)} ${ms.toFixed(1).padStart(8)} ms ${speed.padStart(6)} GB/s, ${share} of MPI_Alltoall`,
      );
    }
    await onDevice?.free();
  }
  device?.destroy();
}

if (values.rank) {
  restWhileWaiting();
  try {
    await joinRanks();
    await measure();
    await leaveRanks();
  } catch (error) {
    await endRanks(error);
  }
} else {
  const self = [
    process.execPath,
    ...process.execArgv,
    fileURLToPath(import.meta.url),
    ...process.argv.slice(2),
    '--rank',
  ];
  const command = ['--oversubscribe', '--bind-to', 'none', '-n', values.ranks, ...self];
  const env = { ...process.env, OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1' };
  process.exitCode = spawnSync('mpirun', command, { stdio: 'inherit', env }).status ?? 1;
}
